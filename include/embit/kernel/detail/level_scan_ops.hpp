// What the kernels of one SIMD level do with B-bit codes: sums of table entries picked by the nibbles of a code.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/half.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/level_run.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace embit::inline EMBIT_ABI::detail {

/// One plane of one segment, as a prepared query sees it. Byte p of the plane picks one of 16 entries by its low and
/// one by its high nibble: `tables[32 p + nibble]` and `tables[32 p + 16 + nibble]`. Where entries are wide, the high
/// bytes of all of them follow as a second array of 32 `bytes`.
struct level_section {
  std::uint32_t bytes = 0;
  std::uint32_t table = 0;  // offset of the first entry; planes of a segment share their table
  std::int32_t weight = 0;  // of the sum of the plane in the sum of the row
};

/// How the sum of a row becomes its distance: base + offset + scale · unit · (bias + sum).
struct level_score {
  std::int32_t bias = 0;
  float unit = 0;
  float base = 0;
};

/// A run of blocks against one prepared query.
struct level_scan_job {
  level_run run;
  const level_section* sections = nullptr;
  std::size_t section_count = 0;
  const std::uint8_t* tables = nullptr;
  bool wide = false;
  std::uint32_t largest_entry = 0;  // of narrow tables
  level_score score;
  const void* offset = nullptr;  // columns of factors, or null; of halves where `run.format->half_factors`
  const void* scale = nullptr;
  float offset_unit = 1, scale_unit = 1;
  // The bound from the first section alone, where `error` is not null.
  level_score coarse = {};
  const void* coarse_scale = nullptr;
  const void* error = nullptr;
  float coarse_scale_unit = 1, error_unit = 1;  // the latter times the error of the query
  float limit = 0;                              // distances beyond it are not hits
  std::size_t first_block = 0, last_block = 0;
  struct level_hit* hits = nullptr;  // room for `level_hit_room`
};

/// A row within the limit, counted from the start of the run.
struct level_hit {
  std::uint32_t row;
  float distance;
};

/// Hits that a job must have room for: a kernel goes on as long as a whole block fits.
inline constexpr std::size_t level_hit_room = 32 * level_block_rows;

struct level_stop {
  std::size_t at;       // the block to go on from
  std::size_t hits;     // written
  std::size_t refined;  // blocks that the coarse bound did not settle
};

using level_scan_function = level_stop (*)(const level_scan_job&) noexcept;

inline float level_factor(const void* column, bool halves, std::size_t row) noexcept {
  return halves ? float(static_cast<const half*>(column)[row]) : static_cast<const float*>(column)[row];
}

/// The sum of one section over one row whose bytes lie `level_block_rows` apart.
inline std::int32_t level_sum(const level_section& s, const std::uint8_t* tables, bool wide,
                              const std::uint8_t* bytes) noexcept {
  const std::uint8_t* table = tables + s.table;
  const std::size_t high = std::size_t{32} * s.bytes;
  std::int32_t sum = 0;
  for (std::size_t p = 0; p < s.bytes; ++p) {
    const std::size_t code = bytes[p * level_block_rows];
    const std::size_t low_entry = 32 * p + (code & 15), high_entry = 32 * p + 16 + (code >> 4);
    sum += table[low_entry] + table[high_entry];
    if (wide) sum += (table[high + low_entry] + table[high + high_entry]) << 8;
  }
  return sum;
}

/// The distance of a row from the sum of its sections, and whether its first section alone puts it beyond the limit.
/// Products are fused with the sum they go into wherever there is one: a compiler that fuses has nothing left to fuse.
struct level_row_score {
  const level_scan_job& job;
  bool halves = job.run.format->half_factors;

  float base(const level_score& score, std::size_t row) const noexcept {
    return job.offset == nullptr ? score.base
                                 : std::fmaf(job.offset_unit, level_factor(job.offset, halves, row), score.base);
  }
  float distance(std::int32_t sum, std::size_t row) const noexcept {
    const auto whole = static_cast<float>(job.score.bias + sum);
    if (job.scale == nullptr) return std::fmaf(job.score.unit, whole, base(job.score, row));
    const float unit = job.score.unit * (job.scale_unit * level_factor(job.scale, halves, row));
    return std::fmaf(unit, whole, base(job.score, row));
  }
  /// @param first_sum  of the first section, before its weight
  bool beyond(std::int32_t first_sum, std::size_t row) const noexcept {
    const auto whole = static_cast<float>(job.coarse.bias + 2 * first_sum);
    const float unit = job.coarse.unit * (job.coarse_scale_unit * level_factor(job.coarse_scale, halves, row));
    const float estimate = std::fmaf(unit, whole, base(job.coarse, row));
    return std::fmaf(-job.error_unit, level_factor(job.error, halves, row), estimate) > job.limit;
  }
};

}  // namespace embit::inline EMBIT_ABI::detail
