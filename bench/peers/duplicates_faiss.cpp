// Near-duplicates against FAISS: range_search of the set against itself, by a flat index and by a multi-hash, in turns,
// in one thread. FAISS finds every pair twice, and every row itself.
// SPDX-License-Identifier: MIT
#include <embit/search/join.hpp>

#include <benchmark/benchmark.h>
#include <faiss/Index.h>
#include <faiss/IndexBinaryFlat.h>
#include <faiss/IndexBinaryHash.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <omp.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "../support/measure.hpp"
#include "../support/near_copies.hpp"

namespace {

const std::uint8_t* bytes(embit::code_view<> codes) { return reinterpret_cast<const std::uint8_t*>(codes.data()); }

void against(benchmark::State& state, faiss::IndexBinary& index, std::size_t rows, std::uint32_t radius) {
  const embit::code_view<> codes = bench::near_copies_of(rows, bench::copies::uniform, 64);
  const auto n = static_cast<faiss::Index::idx_t>(rows);
  index.add(n, bytes(codes));
  std::size_t ours = 0, theirs = 0;
  const auto times = support::run_in_turn(
      state, support::timer::thread,
      [&] {
        ours = 0;
        embit::pairs_within(codes, radius, [&](embit::row_id, embit::row_id, std::uint32_t) { ++ours; });
      },
      [&] {
        faiss::RangeSearchResult result(n);
        index.range_search(n, bytes(codes), static_cast<int>(radius) + 1, &result);
        theirs = result.lims[rows];
      });
  state.counters["s"] = times.our_median();
  state.counters["faiss_s"] = times.their_median();
  state.counters["times_as_fast"] = times.speedup();
  state.counters["faiss_found"] = static_cast<double>(theirs - rows) / 2 / static_cast<double>(ours);
}

template <class Index, class... Args>
void add(const std::string& name, std::size_t rows, std::uint32_t radius, Args... args) {
  benchmark::RegisterBenchmark((name + "/" + std::to_string(rows) + "/" + std::to_string(radius)).c_str(),
                               [=](auto& state) {
                                 Index index(64, args...);
                                 if constexpr (requires { index.nflip; }) index.nflip = static_cast<int>(radius) / 4;
                                 against(state, index, rows, radius);
                               })
      ->UseManualTime()
      ->Iterations(3)
      ->Unit(benchmark::kMillisecond);
}

}  // namespace

int main(int argc, char** argv) {
  omp_set_num_threads(1);
  for (const std::uint32_t radius : {3u, 6u}) {
    add<faiss::IndexBinaryFlat>("flat", 50'000, radius);
    add<faiss::IndexBinaryMultiHash>("multi_hash", 200'000, radius, 4, 16);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
