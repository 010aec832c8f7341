// The step of a uniform grid that fits one row best, by trying every step at which a level changes.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/finite.hpp>
#include <embit/kernel/quantize.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Whether a code of a row is at a smaller angle to it than another.
inline bool better(const grid_sums& a, const grid_sums& b) noexcept {
  return a.product * a.product * static_cast<double>(b.energy) > b.product * b.product * static_cast<double>(a.energy);
}

/// Memory of one worker for `sweep_grid`.
struct grid_sweep_memory {
  std::vector<std::uint8_t> levels;                      // of the last row
  std::vector<std::pair<float, std::uint32_t>> changes;  // inverse step at which a dimension goes one level up
};

/// The levels of 2^bits that maximize the cosine of a row and its code over all steps of the grid: those steps at
/// which some dimension goes one level up are tried in order. Above 4 bits the steps are left out that use less than
/// half of the levels, or that leave the largest number 10 levels outside.
/// Gao et al., "Practical and asymptotically optimal quantization of high-dimensional vectors in Euclidean space for
/// approximate nearest neighbor search", SIGMOD 2025 (arXiv 2409.09913), section 3.2.2.
/// O(dims · 2^bits · log).
inline grid_sums sweep_grid(std::span<const float> x, std::size_t bits, grid_sweep_memory& memory) {
  const std::size_t most = (std::size_t{1} << (bits - 1)) - 1;
  float largest = 0;
  for (const float v : x) largest = (std::max)(largest, std::abs(v));
  auto& levels = memory.levels;
  auto& changes = memory.changes;
  levels.assign(x.size(), 0);
  changes.clear();
  grid_sums sums;
  float from = 0, to = (std::numeric_limits<float>::max)();
  if (bits > 4 && largest > 0) {
    from = static_cast<float>(most + 1) / 2 / largest;
    to = static_cast<float>(most + 10) / largest;
  }
  for (std::size_t j = 0; j < x.size(); ++j) {
    const float a = std::abs(x[j]), start = from * a;
    levels[j] = static_cast<std::uint8_t>((std::min)(start, static_cast<float>(most)));
    const std::size_t y = 2 * std::size_t{levels[j]} + 1;
    sums.magnitude += double{a};
    sums.product += double{a} * static_cast<double>(y);
    sums.energy += y * y;
    for (std::size_t u = levels[j] + std::size_t{1}; u <= most; ++u) {
      const float at = static_cast<float>(u) / a;
      if (!is_finite(at) || at > to) break;
      changes.emplace_back(at, static_cast<std::uint32_t>(j));
    }
  }
  std::ranges::sort(changes);

  const auto up = [&](grid_sums& s, std::size_t j) {
    s.product += 2 * std::abs(double{x[j]});
    s.energy += 8 * (std::size_t{levels[j]} + 1);
    ++levels[j];
  };
  const std::vector<std::uint8_t> first = levels;
  grid_sums best = sums, now = sums;
  std::size_t best_changes = 0;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    up(now, changes[i].second);
    if (better(now, best)) {
      best = now;
      best_changes = i + 1;
    }
  }
  levels = first;
  for (std::size_t i = 0; i < best_changes; ++i) ++levels[changes[i].second];
  for (std::size_t j = 0; j < x.size(); ++j)
    levels[j] = static_cast<std::uint8_t>(x[j] > 0 ? most + 1 + levels[j] : most - levels[j]);
  return best;
}

}  // namespace embit::inline EMBIT_ABI::detail
