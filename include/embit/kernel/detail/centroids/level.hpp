// What one SIMD level gives to the choice of the nearest centroids, and the portable level of it.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/finite.hpp>
#include <embit/kernel/detail/level_scan/ops.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Centroids side by side in a group, and dimensions of one that lie together.
inline constexpr std::size_t centroid_group = 16, centroid_quad = 4;

/// Centroids in 8 bits, and a query in 8 bits: dimension 4t + j of centroid 16g + i is byte
/// 64 · (g · quads + t) + 4i + j of `values`. All numbers lie between −127 and 127; padding is zero.
struct centroid_job {
  const std::int8_t* values = nullptr;
  const std::int8_t* query = nullptr;  // quads · 4 numbers
  const std::int32_t* sums = nullptr;  // of the numbers of each centroid
  const float* steps = nullptr;        // what the numbers of each centroid are multiples of
  const float* terms = nullptr;        // infinity beyond the last centroid
  std::size_t groups = 0, quads = 0;
  float factor = 0;
};

/// The least of some numbers, and the first place where it is; infinity and place 0 where none is below infinity.
struct least_number {
  float value;
  std::uint32_t at;
};

/// The part of the choice of the nearest centroids that is written once a level. Every level gives the same floats:
/// sums are of whole numbers, and each result is rounded in the same places.
struct centroid_ops {
  static constexpr std::string_view operation = "centroids";

  /// distances[c] = terms[c] + factor · (steps[c] · ⟨query, centroid c⟩), the last product fused with the sum.
  void (*score)(const centroid_job&, float* distances) noexcept;

  /// Writes the places of a superset of the `most` least of `count` numbers in ascending order, and returns how many;
  /// `count` is a multiple of 16.
  std::size_t (*gather)(const float* distances, std::size_t count, std::size_t most, std::uint32_t* places) noexcept;

  /// The least of terms[c] − 2 · products[c], over `count` of them.
  least_number (*least)(const float* products, const float* terms, std::size_t count) noexcept;

  /// sums[j] += row[j]
  void (*add)(const float* row, std::size_t dim, double* sums) noexcept;
};

inline constexpr std::size_t centroid_bins = 256;

/// Numbers in bins of equal width between the least and the greatest: a number below `bin` / scale of the way is one of
/// the bins before. What is not finite has no scale, and everything is gathered.
struct centroid_scale {
  float lowest, scale;

  centroid_scale(float least, float greatest) noexcept : lowest(least), scale(0) {
    const float range = greatest - least;
    if (is_positive(range)) scale = static_cast<float>(centroid_bins - 1) / range;
    if (!is_finite(scale)) scale = 0;
  }
  bool tells() const noexcept { return scale > 0; }
};

/// The number of bins that hold at least `most` numbers.
inline std::size_t bins_for(const std::array<std::uint32_t, centroid_bins>& counts, std::size_t most) noexcept {
  std::size_t seen = 0, bin = 0;
  while (bin < centroid_bins && seen < most) seen += counts[bin++];
  return bin;
}

/// All places.
inline std::size_t gather_all(std::size_t count, std::uint32_t* places) noexcept {
  for (std::size_t i = 0; i < count; ++i) places[i] = static_cast<std::uint32_t>(i);
  return count;
}

/// Whether to gather less than all is worth a look at the numbers.
inline bool worth_binning(std::size_t count, std::size_t most) noexcept { return count > 64 && most < count / 4 * 3; }

namespace centroids_portable {

inline void score(const centroid_job& job, float* distances) noexcept {
  const std::int8_t* at = job.values;
  for (std::size_t g = 0; g < job.groups; ++g) {
    std::int32_t sum[centroid_group] = {};
    for (std::size_t t = 0; t < job.quads; ++t, at += centroid_group * centroid_quad)
      for (std::size_t i = 0; i < centroid_group; ++i)
        for (std::size_t j = 0; j < centroid_quad; ++j)
          sum[i] += std::int32_t{job.query[t * centroid_quad + j]} * std::int32_t{at[i * centroid_quad + j]};
    for (std::size_t i = 0; i < centroid_group; ++i) {
      const std::size_t c = g * centroid_group + i;
      distances[c] = fused(job.steps[c] * static_cast<float>(sum[i]), job.factor, job.terms[c]);
    }
  }
}

inline std::size_t gather(const float* distances, std::size_t count, std::size_t most, std::uint32_t* places) noexcept {
  if (!worth_binning(count, most)) return gather_all(count, places);
  float least = infinity<float>(), greatest = -least;
  for (std::size_t i = 0; i < count; ++i) {
    if (distances[i] < least) least = distances[i];
    if (distances[i] > greatest && distances[i] < infinity<float>()) greatest = distances[i];
  }
  const centroid_scale scale(least, greatest);
  if (!scale.tells()) return gather_all(count, places);
  const auto place = [&](float x) { return (std::min)((x - scale.lowest) * scale.scale, 255.f); };
  std::array<std::uint32_t, centroid_bins> counts{};
  for (std::size_t i = 0; i < count; ++i) ++counts[static_cast<std::uint32_t>(place(distances[i]))];
  const auto end = static_cast<float>(bins_for(counts, most));
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    places[kept] = static_cast<std::uint32_t>(i);
    kept += place(distances[i]) < end;
  }
  return kept;
}

inline least_number least(const float* products, const float* terms, std::size_t count) noexcept {
  least_number best{infinity<float>(), 0};
  for (std::size_t i = 0; i < count; ++i) {
    const float x = terms[i] - 2 * products[i];
    if (x < best.value) best = {x, static_cast<std::uint32_t>(i)};
  }
  return best;
}

inline void add(const float* row, std::size_t dim, double* sums) noexcept {
  for (std::size_t j = 0; j < dim; ++j) sums[j] += double{row[j]};
}

inline constexpr centroid_ops ops{score, gather, least, add};

}  // namespace centroids_portable

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
