// Scans of B-bit codes that stay in a cache, at every SIMD level: symmetric ones against a loop of scalar popcounts
// over the planes of the same codes, and both kinds against the Hamming distance of as many bits. Nanoseconds a row;
// what is compared runs in turn. Codes of segments of 6, 4, 3, 2 and 1 bits, as a transform coder may choose them, run
// against those of 1 bit of as many bytes.
//
//   bench_levels --benchmark_filter='symmetric/2bits/128dims'
//   bench_levels --benchmark_filter='segments'
#include <embit/core/isa.hpp>
#include <embit/core/random.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/level_scan.hpp>
#include <embit/kernel/levels.hpp>
#include <embit/store/level_store.hpp>

#include <benchmark/benchmark.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/measure.hpp"
#include "support/random_codes.hpp"

namespace {

using embit::word;

struct shape {
  std::size_t bits, dims, queries;
  std::size_t query_bits;  // of a float query; 0 where the query is a code
  embit::isa level;

  std::size_t rows() const { return (std::size_t{8} << 20) / (bits * dims); }  // 1 MiB of codes
  std::string name() const {
    return (query_bits == 0 ? std::string("symmetric/") : "query" + std::to_string(query_bits) + "bits/") +
           std::to_string(bits) + "bits/" + std::to_string(dims) + "dims/" + std::to_string(queries) + "queries/" +
           std::string(embit::name_of(level));
  }
};

embit::level_store random_levels(std::size_t rows, const embit::level_format& format) {
  embit::rng rng{1};
  embit::level_store store(format, rows);
  std::vector<std::uint8_t> levels(format.dims());
  for (std::size_t row = 0; row < rows; ++row) {
    std::size_t j = 0;
    for (const auto& segment : format.segments)
      for (const std::size_t end = j + segment.dims; j < end; ++j)
        levels[j] = static_cast<std::uint8_t>(embit::uniform_index(rng, std::size_t{1} << segment.bits));
    store.set_levels(row, levels);
  }
  return store;
}

/// Keeps the least distance of each query, so that the scan is all there is to measure.
struct least_sink {
  std::vector<float> least;
  std::optional<float> limit(std::size_t query) const { return least[query]; }
  void offer(std::size_t query, embit::row_id, float distance) { least[query] = distance; }
};

/// Σ 2^(i + j) (dims − 2 popcount(xᵢ ⊕ yⱼ)) over planes i and j, row after row of whole words.
std::int64_t scalar_loop(const std::vector<word>& rows, const word* query, std::size_t words, std::size_t bits,
                         std::size_t dims) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  const std::size_t row_words = words * bits;
  for (std::size_t at = 0; at < rows.size(); at += row_words) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < bits; ++i)
      for (std::size_t j = 0; j < bits; ++j) {
        int differ = 0;
        for (std::size_t w = 0; w < words; ++w)
          differ += std::popcount(rows[at + i * words + w] ^ query[j * words + w]);
        sum += (static_cast<std::int64_t>(dims) - 2 * differ) << (i + j);
      }
    least = std::min(least, -sum);
  }
  return least;
}

void run(benchmark::State& state, const shape& s) {
  const std::size_t n = s.rows();
  const auto store = random_levels(n, {.segments = {embit::level_segment::uniform(s.dims, s.bits)}});
  embit::level_batch batch;
  batch.reset(s.queries, s.level);
  embit::rng rng{2};
  std::vector<float> z(s.dims);
  for (std::size_t q = 0; q < s.queries; ++q) {
    store[q].decode(z);
    if (s.query_bits == 0) {
      batch[q].assign_values(store.format(), z, {.scale = -1});
      continue;
    }
    for (float& x : z) x = embit::normal(rng);
    batch[q].assign(store.format(), z, s.query_bits, {.scale = -1});
  }
  embit::level_batch::scratch scratch;
  const auto scan = [&] {
    least_sink sink{std::vector<float>(s.queries, std::numeric_limits<float>::max())};
    batch.scan(store.run(0), scratch, sink);
    benchmark::DoNotOptimize(sink.least.data());
  };
  std::vector<word> rows(n * embit::words_for(store.bits()));
  for (std::size_t row = 0; row < n; ++row)
    store.copy_row(row, std::span(rows).subspan(row * embit::words_for(store.bits())));
  const std::size_t words = embit::words_for(s.dims);
  const auto loop = [&] {
    std::int64_t least = 0;
    for (std::size_t q = 0; q < s.queries; ++q)
      least += scalar_loop(rows, rows.data() + q * words * s.bits, words, s.bits, s.dims);
    benchmark::DoNotOptimize(least);
  };
  const embit::flat_index hamming{support::random_codes(n, s.bits * s.dims, 3)};
  const auto hamming_queries = support::random_codes(s.queries, s.bits * s.dims, 4);
  const auto plain = [&] { benchmark::DoNotOptimize(hamming.search(hamming_queries, 1).queries()); };

  scan();
  loop();
  plain();
  std::vector<double> ours, scalar, codes;
  for (auto _ : state) {
    ours.push_back(support::seconds_of(support::timer::thread, scan));
    scalar.push_back(support::seconds_of(support::timer::thread, loop));
    codes.push_back(support::seconds_of(support::timer::thread, plain));
    state.SetIterationTime(ours.back());
  }
  const double pairs = static_cast<double>(n * s.queries), seconds = support::median(ours);
  state.counters["ns_a_row"] = 1e9 * seconds / pairs;
  state.counters["GB/s"] = pairs * static_cast<double>(s.bits * s.dims / 8) / seconds / 1e9;
  state.counters["of_scalar_popcount"] = support::median(scalar) / seconds;
  state.counters["of_hamming"] = support::median(codes) / seconds;
}

/// Codes of one format and float queries of 8 bits against them.
struct scanned_codes {
  embit::level_store store;
  embit::level_batch batch;
  embit::level_batch::scratch memory;

  scanned_codes(std::size_t rows, const embit::level_format& format, std::size_t queries, embit::isa level)
      : store(random_levels(rows, format)) {
    batch.reset(queries, level);
    embit::rng rng{2};
    std::vector<float> z(format.dims());
    for (std::size_t q = 0; q < queries; ++q) {
      // Numbers that differ as much as the values of their segment do.
      std::size_t j = 0;
      for (const auto& segment : format.segments)
        for (const std::size_t end = j + segment.dims; j < end; ++j)
          z[j] = static_cast<float>(std::size_t{1} << segment.bits) * segment.step * embit::normal(rng);
      batch[q].assign(format, z, 8, {.scale = -1});
    }
  }

  void scan() {
    least_sink sink{std::vector<float>(batch.size(), std::numeric_limits<float>::max())};
    batch.scan(store.run(0), memory, sink);
    benchmark::DoNotOptimize(sink.least.data());
  }
};

void run_segments(benchmark::State& state, std::size_t queries, embit::isa level) {
  constexpr std::size_t rows = 40000;
  const auto segment = [](std::size_t dims, std::size_t bits) { return embit::level_segment::uniform(dims, bits, 1); };
  const embit::level_format chosen{
      .segments = {segment(8, 6), segment(16, 4), segment(32, 3), segment(56, 2), segment(64, 1)}};
  scanned_codes mixed(rows, chosen, queries, level);
  scanned_codes uniform(rows, {.segments = {segment(8 * chosen.row_bytes(), 1)}}, queries, level);
  mixed.scan();
  uniform.scan();
  std::vector<double> ours, plain;
  for (auto _ : state) {
    ours.push_back(support::seconds_of(support::timer::thread, [&] { mixed.scan(); }));
    plain.push_back(support::seconds_of(support::timer::thread, [&] { uniform.scan(); }));
    state.SetIterationTime(ours.back());
  }
  const double seconds = support::median(ours);
  state.counters["GB/s"] = static_cast<double>(rows * queries * chosen.row_bytes()) / seconds / 1e9;
  state.counters["of_uniform"] = support::median(plain) / seconds;
}

void register_all() {
  for (const std::size_t query_bits : {0u, 4u, 8u, 12u})
    for (const std::size_t bits : {1u, 2u, 3u, 4u, 8u})
      for (const std::size_t dims : {128u, 1024u})
        for (const std::size_t queries : {1u, 16u})
          for (const embit::isa level : embit::supported_isas()) {
            const shape s{bits, dims, queries, query_bits, level};
            benchmark::RegisterBenchmark(s.name().c_str(), [s](benchmark::State& state) { run(state, s); })
                ->UseManualTime()
                ->Unit(benchmark::kMicrosecond)
                ->Iterations(level == embit::isa::portable ? 3 : 60);
          }
  for (const std::size_t queries : {1u, 16u})
    for (const embit::isa level : embit::supported_isas())
      benchmark::RegisterBenchmark(
          ("segments/48bytes/" + std::to_string(queries) + "queries/" + std::string(embit::name_of(level))).c_str(),
          [=](benchmark::State& state) { run_segments(state, queries, level); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond)
          ->Iterations(level == embit::isa::portable ? 3 : 60);
}

}  // namespace

int main(int count, char** arguments) {
  register_all();
  benchmark::Initialize(&count, arguments);
  benchmark::RunSpecifiedBenchmarks();
}
