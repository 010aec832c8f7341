// Measuring on noisy machines: what is compared runs in turn, medians are kept, ratios are quoted.
#pragma once

#include <benchmark/benchmark.h>

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace support {

/// Time on the wall, or what the calling thread had of a processor: for work of one thread the latter says the same
/// on a machine that others use too.
enum class timer { wall, thread };

inline double now(timer t) {
  timespec time{};
  clock_gettime(t == timer::wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

inline double seconds_of(timer t, const auto& work) {
  const double start = now(t);
  work();
  return now(t) - start;
}

inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The times of two pieces of work that ran in turn.
struct paired_times {
  std::vector<double> ours, theirs;
  double our_median() const { return median(ours); }
  double their_median() const { return median(theirs); }
  /// How many times as fast as the other ours is, pair by pair.
  double speedup() const {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < ours.size(); ++i) ratios.push_back(theirs[i] / ours[i]);
    return median(std::move(ratios));
  }
};

/// Runs a benchmark's loop: `ours` is what it reports the time of, `theirs` runs after it every time.
paired_times run_in_turn(benchmark::State& state, timer t, const auto& ours, const auto& theirs) {
  ours();  // caches, workspaces and page tables are warm from here on
  theirs();
  paired_times times;
  for (auto _ : state) {
    times.ours.push_back(seconds_of(t, ours));
    times.theirs.push_back(seconds_of(t, theirs));
    state.SetIterationTime(times.ours.back());
  }
  return times;
}

}  // namespace support
