// The scan of B-bit codes in plain C++: the reference of every other level.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/kernel/detail/level_scan/ops.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail::level_scan_portable {

using row_sums = std::array<std::int32_t, level_block_rows>;

/// Adds sections [first, last), whole groups, of a block to the sums of its rows. Byte by byte of the code, so that
/// the entries it picks from stay at hand.
inline void add_sections(const level_scan_job& job, std::size_t first, std::size_t last, const std::uint8_t* block,
                         row_sums& sums) {
  std::array<std::uint32_t, level_block_rows> group{};
  for (; first < last; ++first) {
    const level_section& s = job.sections[first];
    const std::uint8_t* table = job.tables + s.table;
    const std::uint8_t* codes = block + s.first * level_block_rows;
    std::array<std::uint32_t, level_block_rows> section{};
    for (std::size_t p = 0; p < s.bytes; ++p, table += 32, codes += level_block_rows)
      for (std::size_t r = 0; r < level_block_rows; ++r)
        section[r] += std::uint32_t{table[codes[r] & 15]} + table[16 + (codes[r] >> 4)];
    for (std::size_t r = 0; r < level_block_rows; ++r) group[r] += s.weight * section[r];
    if (s.group_weight == 0) continue;
    for (std::size_t r = 0; r < level_block_rows; ++r) sums[r] += s.group_weight * static_cast<std::int32_t>(group[r]);
    group = {};
  }
}

/// Of segments with scales: adds the hits of a block.
inline void scan_parts(const level_scan_job& job, std::size_t first, std::size_t rows, const std::uint8_t* codes,
                       level_stop& stop) {
  const level_row_score score{job};
  std::array<float, level_block_rows> distances;
  for (std::size_t r = 0; r < rows; ++r) distances[r] = score.base(job.score, first + r);
  std::size_t section = 0;
  for (std::size_t i = 0; i < job.part_count; ++i) {
    const level_part& part = job.parts[i];
    row_sums sums{};
    add_sections(job, section, part.last_section, codes, sums);
    section = part.last_section;
    const std::size_t scales = part.scale_byte == level_part::unscaled ? 0 : part.scale_byte;
    for (std::size_t r = 0; r < rows; ++r)
      distances[r] = score.with_part(part, sums[r], codes[scales * level_block_rows + r], distances[r]);
  }
  for (std::size_t r = 0; r < rows; ++r)
    if (is_near(distances[r], job.limit)) job.hits[stop.hits++] = {static_cast<std::uint32_t>(first + r), distances[r]};
}

inline level_stop scan(const level_scan_job& job) {
  const level_row_score score{job};
  level_stop stop{job.first_block, 0};
  for (; stop.at < job.last_block && stop.hits + level_block_rows <= level_hit_room; ++stop.at) {
    const std::size_t first = stop.at * level_block_rows, rows = (std::min)(level_block_rows, job.run.rows - first);
    const std::uint8_t* codes = job.run.codes + first * job.run.row_bytes;
    if (job.part_count != 0) {
      scan_parts(job, first, rows, codes, stop);
      continue;
    }
    row_sums sums{};
    std::array<float, level_block_rows> bounds;
    bool any = job.coarse_count == 0;
    if (job.coarse_count != 0) {
      add_sections(job, 0, job.coarse_count, codes, sums);
      for (std::size_t r = 0; r < rows; ++r) {
        bounds[r] = score.bound(sums[r], first + r);
        any = any || is_near(bounds[r], job.limit);
      }
    }
    if (!any) continue;
    add_sections(job, job.coarse_count, job.section_count, codes, sums);
    for (std::size_t r = 0; r < rows; ++r) {
      float d = score.distance(sums[r], first + r);
      if (job.coarse_count != 0) d = (std::max)(d, bounds[r]);
      if (is_near(d, job.limit)) job.hits[stop.hits++] = {static_cast<std::uint32_t>(first + r), d};
    }
  }
  return stop;
}

}  // namespace embit::inline EMBIT_ABI::detail::level_scan_portable
