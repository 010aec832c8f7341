// The step of a uniform grid that fits one row best, by trying every step at which a level changes.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/finite.hpp>
#include <embit/kernel/quantize.hpp>

#include <algorithm>
#include <bit>
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

/// The inverse step at which a dimension goes one level up, and the dimension: steps above 0 are in the order of their
/// bits.
constexpr std::uint64_t level_change(float step, std::size_t dimension) noexcept {
  return std::uint64_t{std::bit_cast<std::uint32_t>(step)} << 32 | dimension;
}

/// Memory of one worker for `sweep_grid`.
struct grid_sweep_memory {
  std::vector<std::uint8_t> levels;              // of the last row
  std::vector<std::uint64_t> changes, unsorted;  // as level_change has them
  std::vector<std::uint32_t> places;
};

/// Sorts `memory.changes`. Most steps lie within a few powers of two: sign, exponent and eight bits more put each into
/// a bucket, and few changes are left in a wrong order there. O(changes), as a rule.
inline void sort_changes(grid_sweep_memory& memory) {
  constexpr std::size_t buckets = 2048, most_inserted = 64;  // the last has what is 2^8 times the smallest, and beyond
  auto& changes = memory.changes;
  auto& places = memory.places;
  if (changes.empty()) return;
  const auto prefix = [](std::uint64_t change) { return static_cast<std::size_t>(change >> 47); };
  const std::size_t least = prefix(*std::ranges::min_element(changes));
  const auto bucket = [&](std::uint64_t change) { return (std::min)(prefix(change) - least, buckets - 1); };
  places.assign(buckets, 0);
  for (const std::uint64_t change : changes) ++places[bucket(change)];
  std::uint32_t most = 0, before = 0;
  for (std::uint32_t& place : places) {
    most = (std::max)(most, place);
    before += std::exchange(place, before);
  }
  if (most > most_inserted) {
    std::ranges::sort(changes);
    return;
  }
  memory.unsorted.swap(changes);
  changes.resize(memory.unsorted.size());
  for (const std::uint64_t change : memory.unsorted) changes[places[bucket(change)]++] = change;
  for (std::size_t i = 1; i < changes.size(); ++i) {
    const std::uint64_t change = changes[i];
    std::size_t at = i;
    for (; at > 0 && change < changes[at - 1]; --at) changes[at] = changes[at - 1];
    changes[at] = change;
  }
}

/// The levels of 2^bits that maximize the cosine of a row and its code over all steps of the grid: those steps at
/// which some dimension goes one level up are tried in order. From 4 bits on the steps are left out that use less than
/// half of the levels, or that leave the largest number 10 levels outside.
/// Gao et al., "Practical and asymptotically optimal quantization of high-dimensional vectors in Euclidean space for
/// approximate nearest neighbor search", SIGMOD 2025 (arXiv 2409.09913), section 3.2.2.
/// O(dims · 2^bits), as a rule.
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
  if (bits >= 4 && largest > 0) {
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
      changes.push_back(level_change(at, j));
    }
  }
  sort_changes(memory);

  // As `better` has it, with what it needs of the best kept, and the energy as signed: that is a double at once.
  const std::vector<std::uint8_t> first = levels;
  double product = sums.product, best_square = product * product;
  auto energy = static_cast<std::int64_t>(sums.energy);
  auto best_energy = static_cast<double>(energy);
  grid_sums best = sums;
  std::size_t best_changes = 0;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto j = static_cast<std::uint32_t>(changes[i]);
    product += 2 * std::abs(double{x[j]});
    energy += 8 * (std::int64_t{levels[j]} + 1);
    ++levels[j];
    const double square = product * product, whole = static_cast<double>(energy);
    if (square * best_energy > best_square * whole) {
      best.product = product;
      best.energy = static_cast<std::uint64_t>(energy);
      best_square = square;
      best_energy = whole;
      best_changes = i + 1;
    }
  }
  levels = first;
  for (std::size_t i = 0; i < best_changes; ++i) ++levels[static_cast<std::uint32_t>(changes[i])];
  for (std::size_t j = 0; j < x.size(); ++j)
    levels[j] = static_cast<std::uint8_t>(x[j] > 0 ? most + 1 + levels[j] : most - levels[j]);
  return best;
}

}  // namespace embit::inline EMBIT_ABI::detail
