// The flat index, built without flags, beside a plain popcount loop built with -march=native: one query, one thread,
// the same codes and k, in turn.
#include <embit/index/flat.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "../../support/measure.hpp"
#include "../../support/random_codes.hpp"
#include "popcount_loop.hpp"

namespace {

void flat_hamming(benchmark::State& state, std::size_t bits, std::size_t n, std::size_t k) {
  const embit::code_store<> codes = support::random_codes(n, bits, 1), query = support::random_codes(1, bits, 2);
  const embit::flat_index index{codes};
  embit::knn_result<std::uint32_t> ours;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> theirs;
  const auto times = support::run_in_turn(
      state, support::timer::thread, [&] { index.search_into(query, k, ours); },
      [&] { theirs = native::popcount_loop(codes.data(), n, codes.words(), query.data(), k); });
  for (std::size_t i = 0; i < k; ++i)
    if (theirs[i] != std::pair(ours[0][i].distance, ours[0][i].id)) return state.SkipWithError("the two disagree");
  state.counters["speedup"] = times.speedup();
  state.counters["loop_ms"] = times.their_median() * 1e3;
}

}  // namespace

int main(int argc, char** argv) {
  for (const std::size_t bits : {128u, 256u, 512u, 1024u}) {
    const std::string name = "flat_hamming/" + std::to_string(bits) + "bits/1000000rows/1queries/k10";
    benchmark::RegisterBenchmark(name.c_str(), flat_hamming, bits, std::size_t{1'000'000}, std::size_t{10})
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond)
        ->Iterations(31);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
