// What the bucket kernels of one SIMD level offer: plain functions over row-major codes, chosen once per index.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace embit::inline EMBIT_ABI::detail {

/// Adjacent codes of a row-major array.
struct code_range {
  std::uint32_t first;
  std::uint32_t count;
};

/// A code, by its place in the array, that was nearer than the threshold.
struct bucket_hit {
  std::uint32_t position;
  std::uint32_t distance;
};

/// Where a kernel goes on: at code `offset` of range `range`.
struct bucket_cursor {
  std::size_t range = 0;
  std::uint32_t offset = 0;
};

/// Codes that a kernel compares between two looks at the room left for hits, and writes hits for at a time.
inline constexpr std::size_t bucket_step = 8;

/// Hits that a kernel has room for. Small, so that a loose threshold is soon tightened.
inline constexpr std::size_t bucket_hit_room = 64;

/// Compares a query with the codes of `count` ranges from `at` on, writes those nearer than `threshold`, and returns
/// how many there are. Stops early, with `at` before the end, when fewer than a step's hits have room.
using bucket_scan_function = std::size_t (*)(const word* codes, std::size_t words, const code_range* ranges,
                                             std::size_t count, bucket_cursor& at, const word* query,
                                             std::uint32_t threshold, bucket_hit* hits);

/// The kernels of one level by number of words; the first serves every other number.
struct bucket_ops {
  static constexpr std::string_view operation = "bucket_scan";

  bucket_scan_function any, one, two, four;
};

}  // namespace embit::inline EMBIT_ABI::detail
