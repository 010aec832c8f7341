// How the work of a search is cut: groups of queries, each over ranges of rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/config.hpp>

#include <algorithm>
#include <cstddef>

namespace embit::inline EMBIT_ABI::detail {

/// Piece `i` of n things cut into `pieces` as even as whole `grain`s allow.
struct piece {
  std::size_t first, last;
  std::size_t size() const noexcept { return last - first; }
};

inline piece cut(std::size_t n, std::size_t pieces, std::size_t i, std::size_t grain = 1) noexcept {
  const std::size_t grains = n / grain + (n % grain != 0);
  const auto edge = [&](std::size_t j) {
    return (std::min)(n, (grains / pieces * j + (std::min)(j, grains % pieces)) * grain);
  };
  return {edge(i), edge(i + 1)};
}

/// Few queries share the rows out among the workers; many are themselves shared out, so that each worker sees all
/// rows and knows the tightest thresholds. A group is small enough for its collectors to stay in a cache.
struct partition {
  std::size_t groups = 1;  ///< of queries
  std::size_t ranges = 1;  ///< of rows, for each group

  partition(std::size_t queries, std::size_t rows, std::size_t workers) noexcept {
    constexpr std::size_t group_queries = 1024, queries_to_share = 64;
    groups = (queries + group_queries - 1) / group_queries;
    if (workers > 1 && queries >= workers * queries_to_share) groups = (groups + workers - 1) / workers * workers;
    groups = std::max<std::size_t>(groups, 1);
    const std::size_t superblocks = rows / superblock_rows + (rows % superblock_rows != 0);
    if (groups < workers)
      ranges = std::clamp<std::size_t>((workers + groups - 1) / groups, 1, std::max<std::size_t>(superblocks, 1));
  }

  std::size_t items() const noexcept { return groups * ranges; }
  piece queries_of(std::size_t item, std::size_t queries) const noexcept { return cut(queries, groups, item / ranges); }
  piece rows_of(std::size_t item, std::size_t rows) const noexcept {
    return cut(rows, ranges, item % ranges, superblock_rows);
  }
};

}  // namespace embit::inline EMBIT_ABI::detail
