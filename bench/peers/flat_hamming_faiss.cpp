// The flat index beside FAISS's IndexBinaryFlat: the same codes, queries, k and one thread each, in turn.
// Run with --benchmark_filter to choose cases; "speedup" is the median of the ratios, pair by pair.
#include <embit/index/flat.hpp>

#include <benchmark/benchmark.h>
#include <faiss/IndexBinaryFlat.h>
#include <omp.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "../support/measure.hpp"
#include "../support/random_codes.hpp"

namespace {

void flat_hamming(benchmark::State& state, std::size_t bits, std::size_t n, std::size_t queries, std::size_t k) {
  omp_set_num_threads(1);
  const embit::code_store<> codes = support::random_codes(n, bits, 1), asked = support::random_codes(queries, bits, 2);
  const embit::flat_index ours{codes};
  faiss::IndexBinaryFlat theirs(static_cast<std::int64_t>(bits));
  theirs.add(static_cast<std::int64_t>(n), reinterpret_cast<const std::uint8_t*>(codes.data()));

  embit::knn_result<std::uint32_t> found;
  std::vector<std::int32_t> distances(queries * k);
  std::vector<std::int64_t> labels(queries * k);
  const auto times = support::run_in_turn(
      state, support::timer::thread, [&] { ours.search_into(asked, k, found); },
      [&] {
        theirs.search(static_cast<std::int64_t>(queries), reinterpret_cast<const std::uint8_t*>(asked.data()),
                      static_cast<std::int64_t>(k), distances.data(), labels.data());
      });
  for (std::size_t q = 0; q < queries; ++q)
    for (std::size_t j = 0; j < k; ++j)
      if (found[q][j].distance != static_cast<std::uint32_t>(distances[q * k + j]))
        return state.SkipWithError("the two disagree on a distance");
  state.counters["speedup"] = times.speedup();
  state.counters["faiss_ms"] = times.their_median() * 1e3;
}

}  // namespace

int main(int argc, char** argv) {
  for (const std::size_t bits : {128u, 256u, 512u, 1024u})
    for (const std::size_t queries : {1u, 1000u}) {
      const std::size_t n = 1'000'000, k = 10;
      const std::string name = "flat_hamming/" + std::to_string(bits) + "bits/" + std::to_string(n) + "rows/" +
                               std::to_string(queries) + "queries/k10";
      benchmark::RegisterBenchmark(name.c_str(), flat_hamming, bits, n, queries, k)
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond)
          ->Iterations(queries == 1 ? 31 : 5);
    }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
