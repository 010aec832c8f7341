// Candidate lists and ranges beside FAISS's IndexBinaryFlat, its heap and its counting form, and range_search: the same
// codes, queries, k and one thread each, in turn. "speedup" is the median of the ratios, pair by pair.
#include <embit/index/flat.hpp>

#include <benchmark/benchmark.h>
#include <faiss/IndexBinaryFlat.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <omp.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "../support/measure.hpp"
#include "../support/random_codes.hpp"

namespace {

constexpr std::size_t rows = 100'000;

struct pair_of_indexes {
  embit::code_store<> codes, asked;
  embit::flat_index<> ours;
  faiss::IndexBinaryFlat theirs;

  pair_of_indexes(std::size_t bits, std::size_t queries)
      : codes(support::random_codes(rows, bits, 1)),
        asked(support::random_codes(queries, bits, 2)),
        ours(codes),
        theirs(static_cast<std::int64_t>(bits)) {
    omp_set_num_threads(1);
    theirs.add(static_cast<std::int64_t>(rows), reinterpret_cast<const std::uint8_t*>(codes.data()));
  }
  const std::uint8_t* their_queries() const { return reinterpret_cast<const std::uint8_t*>(asked.data()); }
};

void k_nearest(benchmark::State& state, std::size_t bits, std::size_t queries, std::size_t k, bool heap) {
  pair_of_indexes pair(bits, queries);
  pair.theirs.use_heap = heap;
  embit::knn_result<std::uint32_t> found;
  std::vector<std::int32_t> distances(queries * k);
  std::vector<std::int64_t> labels(queries * k);
  const auto times = support::run_in_turn(
      state, support::timer::thread, [&] { pair.ours.search_into(pair.asked, k, found); },
      [&] {
        pair.theirs.search(static_cast<std::int64_t>(queries), pair.their_queries(), static_cast<std::int64_t>(k),
                           distances.data(), labels.data());
      });
  for (std::size_t q = 0; q < queries; ++q)
    for (std::size_t j = 0; j < k; ++j)
      if (found[q][j].distance != static_cast<std::uint32_t>(distances[q * k + j]))
        return state.SkipWithError("the two disagree on a distance");
  state.counters["us"] = 1e6 * times.our_median() / static_cast<double>(queries);
  state.counters["speedup"] = times.speedup();
}

void in_range(benchmark::State& state, std::size_t bits, std::size_t queries, std::uint32_t radius) {
  pair_of_indexes pair(bits, queries);
  std::size_t hits = 0, their_hits = 0;
  const auto times = support::run_in_turn(
      state, support::timer::thread,
      [&] {
        hits = 0;
        const auto found = pair.ours.range_search(pair.asked, radius);
        for (std::size_t q = 0; q < queries; ++q) hits += found[q].size();
      },
      [&] {
        faiss::RangeSearchResult found(static_cast<std::int64_t>(queries));
        pair.theirs.range_search(static_cast<std::int64_t>(queries), pair.their_queries(), static_cast<int>(radius) + 1,
                                 &found);  // theirs leaves the radius out
        their_hits = found.lims[queries];
      });
  if (hits != their_hits) return state.SkipWithError("the two disagree on the rows within the radius");
  state.counters["hits"] = static_cast<double>(hits) / static_cast<double>(queries);
  state.counters["us"] = 1e6 * times.our_median() / static_cast<double>(queries);
  state.counters["speedup"] = times.speedup();
}

}  // namespace

int main(int argc, char** argv) {
  for (const std::size_t queries : {1u, 200u}) {
    for (const std::size_t k : {10u, 100u, 1000u, 10'000u})
      for (const bool heap : {true, false})
        benchmark::RegisterBenchmark(
            ("128bits/" + std::to_string(queries) + "queries/k" + std::to_string(k) + (heap ? "/heap" : "/counting"))
                .c_str(),
            k_nearest, 128, queries, k, heap)
            ->UseManualTime();
    for (const std::uint32_t radius : {40u, 52u, 57u})
      benchmark::RegisterBenchmark(
          ("128bits/" + std::to_string(queries) + "queries/radius" + std::to_string(radius)).c_str(), in_range, 128,
          queries, radius)
          ->UseManualTime();
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
