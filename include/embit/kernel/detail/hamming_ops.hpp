// What the Hamming kernels of one SIMD level offer: plain functions over raw memory, chosen once per call.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/block_run.hpp>

#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

/// A row, counted from the start of the run, that was nearer than the threshold.
struct hamming_hit {
  std::uint32_t row;
  std::uint32_t distance;
};

/// Where a kernel stopped: at the end of its blocks, or earlier because its hits had to be taken.
struct hamming_stop {
  std::size_t block;
  std::size_t hits;
};

/// Rows that an interleaved kernel scans between two looks at the room left for hits.
inline constexpr std::size_t hamming_step_rows = 64;
inline constexpr std::size_t hamming_step_blocks = hamming_step_rows / block_rows;

/// Hits an interleaved kernel has room for. Small, so that a loose threshold is soon tightened.
inline constexpr std::size_t hamming_hit_room = 2 * hamming_step_rows;

/// Compares one query with blocks [first, last) of `words` words each and writes, in ascending order, the rows nearer
/// than `threshold`. Stops when fewer than a step's hits have room. Lanes beyond the last row may be among the hits.
using hamming_interleaved_scan = hamming_stop (*)(const word* blocks, std::size_t words, std::size_t first,
                                                  std::size_t last, const word* query, std::uint32_t threshold,
                                                  hamming_hit* hits);

/// The kernels of one level.
struct hamming_ops {
  hamming_interleaved_scan interleaved;
};

}  // namespace embit::inline EMBIT_ABI::detail
