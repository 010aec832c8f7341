// The scan of B-bit codes in plain C++: the reference of every other level.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/kernel/detail/level_scan_ops.hpp>
#include <embit/kernel/level_run.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail::level_scan_portable {

/// Adds a section of a block to the sums of its rows, byte by byte of the code, so that the table stays at hand.
inline void add_section(const level_scan_job& job, const level_section& s, const std::uint8_t* codes,
                        std::array<std::int32_t, level_block_rows>& sums) noexcept {
  for (std::size_t r = 0; r < level_block_rows; ++r)
    sums[r] += s.weight * level_sum(s, job.tables, job.wide, codes + r);
}

inline level_stop scan(const level_scan_job& job) noexcept {
  const level_row_score score{job};
  level_stop stop{job.first_block, 0, 0};
  for (; stop.at < job.last_block && stop.hits + level_block_rows <= level_hit_room; ++stop.at) {
    const std::size_t first = stop.at * level_block_rows, last = std::min(first + level_block_rows, job.run.rows);
    const std::uint8_t* codes = job.run.codes + first * job.run.row_bytes;
    std::array<std::int32_t, level_block_rows> sums{};
    std::size_t section = 0;
    if (job.error != nullptr) {
      const level_section& s = job.sections[section++];
      bool all_beyond = true;
      for (std::size_t row = first; row < last; ++row) {
        const std::int32_t sum = level_sum(s, job.tables, job.wide, codes + (row - first));
        sums[row - first] = s.weight * sum;
        all_beyond = all_beyond && score.beyond(sum, row);
      }
      if (all_beyond) continue;
      codes += s.bytes * level_block_rows;
    }
    ++stop.refined;
    for (; section < job.section_count; ++section) {
      add_section(job, job.sections[section], codes, sums);
      codes += job.sections[section].bytes * level_block_rows;
    }
    for (std::size_t row = first; row < last; ++row)
      if (const float d = score.distance(sums[row - first], row); d <= job.limit)
        job.hits[stop.hits++] = {static_cast<std::uint32_t>(row), d};
  }
  return stop;
}

}  // namespace embit::inline EMBIT_ABI::detail::level_scan_portable
