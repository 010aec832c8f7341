// What the kernels of one SIMD level do with B-bit codes: sums of table entries picked by the nibbles of a code.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/half.hpp>
#include <embit/core/types.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace embit::inline EMBIT_ABI::detail {

/// Adjacent bytes of one plane of a row, as a prepared query sees them: byte p picks one of 16 entries by its low
/// and one by its high nibble, `tables[table + 32 p + nibble]` and `tables[table + 32 p + 16 + nibble]`. The sum of
/// a row is Σ over groups of group_weight · Σ over the sections of the group of weight · Σ entries; the sum of a group
/// fits 16 bits.
struct level_section {
  std::uint32_t first = 0;  // byte of the row
  std::uint32_t bytes = 0;
  std::uint32_t table = 0;
  std::uint16_t weight = 1;
  std::uint16_t entries_in_byte = 255;  // that can be added before 8 bits overflow
  std::int32_t group_weight = 0;        // above 0 in the last section of a group
};

/// How the sum of a row becomes its distance: base + offset + scale · unit · (bias + sum).
struct level_score {
  std::int32_t bias = 0;
  float unit = 0;
  float base = 0;
};

/// A segment where some have scales of their own in each row: what its sections sum up to adds unit · (bias + sum),
/// times the scale if there is one.
struct level_part {
  static constexpr std::uint32_t unscaled = ~std::uint32_t{0};

  std::uint32_t last_section = 0;  // the one after its last
  std::uint32_t scale_byte = unscaled;
  std::int32_t bias = 0;
  float unit = 0;
};

/// A column of factors, or none, and what they are multiples of.
struct level_column {
  const void* data = nullptr;
  float unit = 1;
};

/// A run of blocks against one prepared query.
struct level_scan_job {
  level_run run;
  const level_section* sections = nullptr;
  std::size_t section_count = 0;
  const std::uint8_t* tables = nullptr;
  level_score score;
  level_column offset, scale;
  // Of segments with scales, the base of the score alone counts; there is no bound then.
  const level_part* parts = nullptr;
  std::size_t part_count = 0;
  // The bound from the first sections, whole groups of them; there is none where their number is 0.
  std::size_t coarse_count = 0;
  level_score coarse = {};
  level_column coarse_scale = {}, error = {};  // the unit of the latter times the error of the query
  float limit = 0;                             // distances beyond it are not hits
  std::size_t first_block = 0, last_block = 0;
  bool prefetch = false;             // codes come from memory
  struct level_hit* hits = nullptr;  // room for `level_hit_room`

  bool halves() const noexcept { return run.format->half_factors; }
};

/// Whether a distance is a hit: not beyond the limit. Neither is one that is not a number: the sink knows its place.
inline bool is_near(float distance, float limit) noexcept {
  return is_nan(distance) || is_nan(limit) || distance <= limit;
}

/// A row within the limit, counted from the start of the run.
struct level_hit {
  std::uint32_t row;
  float distance;
};

/// Writes the rows of a block that are `inside`, a bit a row, and their distances; returns how many.
inline std::size_t write_hits(std::uint32_t first, std::uint32_t inside, const float* distances,
                              level_hit* hits) noexcept {
  std::size_t found = 0;
  for (; inside != 0; inside &= inside - 1) {
    const auto r = static_cast<std::uint32_t>(std::countr_zero(inside));
    hits[found++] = {first + r, distances[r]};
  }
  return found;
}

/// Blocks that a kernel may take at once, and hits that a job must have room for. A kernel goes on as long as the hits
/// of so many blocks fit; few, so that a loose limit is soon tightened.
inline constexpr std::size_t level_step_blocks = 4;
inline constexpr std::size_t level_hit_room = 2 * level_step_blocks * level_block_rows;

struct level_stop {
  std::size_t at;    // the block to go on from
  std::size_t hits;  // written
};

using level_scan_function = level_stop (*)(const level_scan_job&);

/// The scan of one level.
struct level_scan_ops {
  static constexpr std::string_view operation = "level_scan";

  level_scan_function scan;
};

/// The sum of whole groups of sections over one row, `byte(p)` of which is its byte p.
template <class Byte>
std::int32_t level_sum(std::span<const level_section> sections, const std::uint8_t* tables, Byte&& byte) noexcept {
  std::int32_t sum = 0, group = 0;
  for (const level_section& s : sections) {
    const std::uint8_t* table = tables + s.table;
    std::int32_t entries = 0;
    for (std::size_t p = 0; p < s.bytes; ++p, table += 32) {
      const std::uint8_t code = byte(s.first + p);
      entries += table[code & 15] + table[16 + (code >> 4)];
    }
    group += s.weight * entries;
    if (s.group_weight == 0) continue;
    sum += s.group_weight * group;
    group = 0;
  }
  return sum;
}

/// a · b + c, rounded once. Where flags let clang take a call of fmaf apart, it is not told what it calls.
inline float fused(float a, float b, float c) noexcept {
#if defined(__FAST_MATH__) && defined(__clang__)
  float (*function)(float, float, float) = ::fmaf;
  __asm__("" : "+r"(function));
  return function(a, b, c);
#else
  return std::fmaf(a, b, c);
#endif
}

/// The distance of a row from its sum. Products are fused with the sum they go into wherever there is one: a compiler
/// that fuses has nothing left to fuse.
struct level_row_score {
  const level_scan_job& job;

  float factor(const level_column& column, std::size_t row) const noexcept {
    return job.halves() ? float(static_cast<const half*>(column.data)[row])
                        : static_cast<const float*>(column.data)[row];
  }
  float estimate(const level_score& score, const level_column& scale, std::int32_t sum,
                 std::size_t row) const noexcept {
    const auto whole = static_cast<float>(score.bias + sum);
    float unit = score.unit;
    if (scale.data != nullptr) {
      float of_row = scale.unit * factor(scale, row);
      EMBIT_ROUNDED("m", of_row);
      unit *= of_row;
      EMBIT_ROUNDED("m", unit);
    }
    return fused(unit, whole, base(score, row));
  }
  float base(const level_score& score, std::size_t row) const noexcept {
    return job.offset.data == nullptr ? score.base : fused(job.offset.unit, factor(job.offset, row), score.base);
  }
  /// What a part adds to a distance. @param scale_code  of the row, where the part has scales
  static float with_part(const level_part& part, std::int32_t sum, std::uint8_t scale_code, float distance) noexcept {
    float unit = part.unit;
    if (part.scale_byte != level_part::unscaled) {
      unit *= segment_scale(scale_code);
      EMBIT_ROUNDED("m", unit);
    }
    return fused(unit, static_cast<float>(part.bias + sum), distance);
  }
  float distance(std::int32_t sum, std::size_t row) const noexcept { return estimate(job.score, job.scale, sum, row); }
  /// Below which no distance is, given the sum of the first `coarse_count` sections.
  float bound(std::int32_t coarse_sum, std::size_t row) const noexcept {
    return fused(-job.error.unit, factor(job.error, row), estimate(job.coarse, job.coarse_scale, coarse_sum, row));
  }
};

}  // namespace embit::inline EMBIT_ABI::detail
