// The flat index against what the machine can do at most. One query is held against a prefetched read of the same
// bytes of the same buffer; batches against an XOR-popcount-add loop in the first-level cache (the popcount limit of
// the best level of this machine, whatever level is measured). Case and limit run in turn; "of_limit" is the median
// limit time over the median time of the case.
//
//   bench_flat_hamming --benchmark_filter='256bits/1000000rows/1queries/k10/vpopcnt/1threads'
//
// Names: bits / rows / queries / k / SIMD level / threads, "planes" at the end where bit planes are kept.
#include <embit/core/isa.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/index/flat.hpp>
#include <embit/store/plane_store.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "support/limits.hpp"
#include "support/measure.hpp"
#include "support/random_codes.hpp"

namespace {

struct hamming_at : embit::hamming {
  embit::isa level;
  void prepare_batch(embit::code_view<> queries, std::size_t rows, batch& into) const {
    into.assign(queries, rows, level);
  }
};

struct shape {
  std::size_t bits, rows, queries, k;
  embit::isa level;
  std::size_t threads;
  bool planes;

  std::string name() const {
    return "flat_hamming/" + std::to_string(bits) + "bits/" + std::to_string(rows) + "rows/" + std::to_string(queries) +
           "queries/k" + std::to_string(k) + "/" + std::string(embit::name_of(level)) + "/" + std::to_string(threads) +
           "threads" + (planes ? "/planes" : "");
  }
};

// Codes of the shape measured last: benchmarks of one shape follow each other.
const embit::block_store<>& blocks_of(std::size_t bits, std::size_t rows) {
  static std::unique_ptr<embit::block_store<>> store;
  if (store == nullptr || store->bits() != bits || store->size() != rows) {
    store.reset();
    store = std::make_unique<embit::block_store<>>(support::random_codes(rows, bits, 1));
  }
  return *store;
}

double popcount_limit_seconds(std::size_t bytes) {
  static const embit::code_store<> cached = support::random_codes(2048, 64, 3);  // 16 KiB
  const std::span<const embit::word> data(cached.data(), 2048);
  const std::size_t rounds = 10000;
  embit::word sum = 0;
  const double seconds = support::seconds_of(support::timer::thread, [&] {
    sum = limits::count(data, sum, embit::active_isa(), rounds);
    benchmark::DoNotOptimize(sum);
  });
  return seconds * static_cast<double>(bytes) / static_cast<double>(rounds * data.size_bytes());
}

template <class Store>
void flat_hamming(benchmark::State& state, const shape& s, Store store) {
  const embit::code_store<> queries = support::random_codes(s.queries, s.bits, 2);
  const embit::block_run run = store.run(0);
  const std::span<const embit::word> data(run.data, run.rows / 512 * 512 * run.words);
  const embit::flat_index index{std::move(store), hamming_at{{}, s.level}, embit::thread_pool{s.threads}};
  embit::knn_result<std::uint32_t> found;
  const embit::thread_pool threads{s.threads};
  const auto search = [&] { index.search_into(queries, s.k, found); };
  const auto read_all = [&] {
    threads.bulk(s.threads, [&](std::size_t i, std::size_t) {
      const std::size_t share = data.size() / s.threads / 64 * 64;
      embit::word sum = limits::read(data.subspan(i * share, share));
      benchmark::DoNotOptimize(sum);
    });
  };
  const auto clock = s.threads == 1 ? support::timer::thread : support::timer::wall;
  double limit = 0, ours = 0;
  if (s.queries == 1) {
    const auto times = support::run_in_turn(state, clock, search, read_all);
    limit = times.their_median();
    ours = times.our_median();
  } else {
    std::vector<double> limits;
    const std::size_t bytes = data.size_bytes() * s.queries / s.threads;
    const auto times =
        support::run_in_turn(state, clock, search, [&] { limits.push_back(popcount_limit_seconds(bytes)); });
    limit = support::median(std::move(limits));
    ours = times.our_median();
  }
  state.counters["of_limit"] = limit / ours;
  state.counters["GB/s"] = static_cast<double>(data.size_bytes() * s.queries) / ours * 1e-9;
}

void register_shape(const shape& s) {
  const auto run = [s](benchmark::State& state) {
    const embit::block_store<>& blocks = blocks_of(s.bits, s.rows);
    if (s.planes)
      flat_hamming(state, s, embit::plane_store<>(blocks));
    else
      flat_hamming(state, s, blocks);
  };
  const std::size_t work = s.bits * s.rows / 256 * s.queries / 1'000'000;  // in scans of 256 bits × 1M
  const auto repeats =
      static_cast<benchmark::IterationCount>(std::clamp<std::size_t>(400 / std::max<std::size_t>(work, 1), 5, 51));
  benchmark::RegisterBenchmark(s.name().c_str(), run)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond)
      ->Iterations(repeats);
}

}  // namespace

int main(int argc, char** argv) {
  for (const std::size_t bits : {64u, 128u, 256u, 512u, 1024u})
    for (const std::size_t rows : {100'000u, 1'000'000u, 4'000'000u})
      for (const std::size_t queries : {1u, 16u, 256u, 1000u})
        for (const std::size_t k : {10u, 100u})
          for (const embit::isa level : embit::supported_isas())
            for (const std::size_t threads : {1u, 2u})
              for (const bool planes : {false, true})
                if (!planes || queries > 1) register_shape({bits, rows, queries, k, level, threads, planes});
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
