// Near-duplicates: all pairs of a million codes within a radius, a tenth of them near copies of others. The columns are
// what they took and the pairs; of fewer rows also how many times the time of a scan, and of the best of a scan and
// joins by any number of tables that makes sense: what the choice by costs loses.
//   bench_duplicates --benchmark_filter=<codes>/<data>/<bits>/<radius>/<threads>
//   bench_duplicates --benchmark_filter=choice/<codes>/<bits>/<radius>
// Of one thread the time is what that thread had of a processor, of several the time on the wall; "speedup" is that of
// one thread over the processor time of the busiest of several.
// SPDX-License-Identifier: MIT
#include <embit/core/executor.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/search/join.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "support/measure.hpp"
#include "support/near_copies.hpp"

namespace {

template <class Exec>
double seconds_of_join(support::timer timer, embit::code_view<> codes, std::uint32_t radius, const Exec& executor,
                       const embit::detail::join_tuning& tuning, std::size_t& pairs) {
  pairs = 0;
  auto count = [&](embit::row_id, embit::row_id, std::uint32_t) { ++pairs; };
  return support::seconds_of(timer, [&] {
    embit::detail::pair_report<std::uint32_t> report(count);
    embit::detail::join_within(codes, nullptr, radius, executor, report, tuning);
  });
}

/// Threads of a pool, and how long the busiest of them had a processor in every bulk: what several threads would take
/// on a machine that has nothing else to do.
class timed_pool {
 public:
  explicit timed_pool(std::size_t threads) : pool_(threads) {}
  std::size_t concurrency() const noexcept { return pool_.concurrency(); }
  template <class F>
  void bulk(std::size_t items, F&& f) const {
    std::vector<double> busy(concurrency());
    const double start = support::now(support::timer::thread);
    pool_.bulk(items, [&](std::size_t item, std::size_t worker) {
      const double begin = support::now(support::timer::thread);
      f(item, worker);
      busy[worker] += support::now(support::timer::thread) - begin;
    });
    const double own = support::now(support::timer::thread) - start;
    waited_ += (std::max)(own, *std::ranges::max_element(busy)) - own;
  }
  /// Seconds that the calling thread would have waited for others, since the last call of this.
  double waited() const noexcept { return std::exchange(waited_, 0); }

 private:
  embit::thread_pool pool_;
  mutable double waited_ = 0;
};

void join(benchmark::State& state, std::size_t rows, bench::copies data, std::size_t bits, std::uint32_t radius,
          std::size_t threads) {
  const embit::code_store<>& codes = bench::near_copies_of(rows, data, bits);
  const embit::thread_pool pool(threads);
  const timed_pool timed(threads);
  std::vector<double> times, alone, longest;
  std::size_t pairs = 0;
  for (auto _ : state) {
    times.push_back(threads == 1
                        ? seconds_of_join(support::timer::thread, codes, radius, embit::inline_executor{}, {}, pairs)
                        : seconds_of_join(support::timer::wall, codes, radius, pool, {}, pairs));
    state.SetIterationTime(times.back());
    if (threads == 1) continue;
    longest.push_back(seconds_of_join(support::timer::thread, codes, radius, timed, {}, pairs));
    longest.back() += timed.waited();
    alone.push_back(seconds_of_join(support::timer::thread, codes, radius, embit::inline_executor{}, {}, pairs));
  }
  state.counters["s"] = support::median(times);
  if (threads != 1) state.counters["speedup"] = support::median(alone) / support::median(longest);
  state.counters["pairs"] = static_cast<double>(pairs);
}

void choice(benchmark::State& state, std::size_t rows, bench::copies data, std::size_t bits, std::uint32_t radius) {
  const embit::code_store<>& codes = bench::near_copies_of(rows, data, bits);
  // Substrings within two bits: more bits never pay for so few rows.
  std::vector<embit::detail::join_tuning> ways{{}, {.substrings = 0, .scan = true}};
  for (std::size_t m = radius / 3 + 1; m <= std::min<std::size_t>(radius + 1, 10); ++m)
    ways.push_back({.substrings = m});
  std::vector<std::vector<double>> times(ways.size());
  std::vector<std::size_t> order(ways.size());
  for (std::size_t way = 0; way < ways.size(); ++way) order[way] = way;
  std::size_t pairs = 0, expected = 0;
  embit::rng rng{7};
  for (auto _ : state) {
    // In another order each time: what ran before leaves caches and memory warm for the same way.
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[embit::uniform_index(rng, i)]);
    for (const std::size_t way : order) {
      times[way].push_back(
          seconds_of_join(support::timer::thread, codes, radius, embit::inline_executor{}, ways[way], pairs));
      if (expected == 0) expected = pairs;
      if (pairs != expected) state.SkipWithError("ways find different pairs");
    }
    state.SetIterationTime(times[0].back());
  }
  std::size_t best = 1;
  for (std::size_t way = 2; way < ways.size(); ++way)
    if (support::median(times[way]) < support::median(times[best])) best = way;
  const double chosen = support::median(times[0]);
  state.counters["s"] = chosen;
  state.counters["of_scan"] = chosen / support::median(times[1]);
  state.counters["of_best"] = chosen / support::median(times[best]);
  state.counters["best_substrings"] = static_cast<double>(ways[best].substrings);  // 0: a scan
}

void add(std::size_t rows, bench::copies data, std::size_t bits, std::uint32_t radius, std::size_t threads) {
  const std::string name = std::to_string(rows) + "/" + std::string(bench::name_of(data)) + "/" + std::to_string(bits) +
                           "/" + std::to_string(radius) + "/" + std::to_string(threads);
  benchmark::RegisterBenchmark(name.c_str(), [=](auto& state) { join(state, rows, data, bits, radius, threads); })
      ->UseManualTime()
      ->Iterations(3)
      ->Unit(benchmark::kMillisecond);
}

}  // namespace

int main(int argc, char** argv) {
  using bench::copies;
  for (const auto data : {copies::uniform, copies::skewed})
    for (const std::size_t bits : {std::size_t{64}, std::size_t{128}, std::size_t{256}, std::size_t{1024}})
      for (const std::uint32_t radius : {0u, 3u, 6u, 8u, 10u})
        for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) add(1'000'000, data, bits, radius, threads);
  for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) add(10'000'000, copies::uniform, 64, 3, threads);
  for (const std::size_t rows : {std::size_t{2000}, std::size_t{20'000}, std::size_t{200'000}})
    for (std::uint32_t radius = 1; radius <= 16; ++radius)
      benchmark::RegisterBenchmark(("choice/" + std::to_string(rows) + "/64/" + std::to_string(radius)).c_str(),
                                   [=](auto& state) { choice(state, rows, copies::uniform, 64, radius); })
          ->UseManualTime()
          ->Iterations(rows < 20'000    ? 51
                       : rows < 200'000 ? 9
                                        : 3)
          ->Unit(benchmark::kMillisecond);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
