// Measuring on noisy machines: what is compared runs in turn, medians are kept, ratios are quoted.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace support {

inline double seconds_of(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
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
paired_times run_in_turn(benchmark::State& state, const auto& ours, const auto& theirs) {
  ours();  // caches, workspaces and page tables are warm from here on
  theirs();
  paired_times times;
  for (auto _ : state) {
    times.ours.push_back(seconds_of(ours));
    times.theirs.push_back(seconds_of(theirs));
    state.SetIterationTime(times.ours.back());
  }
  return times;
}

}  // namespace support
