// What is asked of the tables of a multi-index.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/index/multi_index_costs.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace embit::inline EMBIT_ABI::detail {

/// Fewer rows than this are scanned in less time than a choice takes.
inline constexpr std::size_t fewest_rows = 4096;

/// Fewest bits of a key, and the lengths that are tried.
inline constexpr std::size_t shortest_key = 4, shortest_tried = 10, longest_tried = 17;

/// The share of a scan's cost that tables may promise to take and still be tried: a promise may be wrong, and a choice
/// is changed for a clear gain only.
inline constexpr double worth_trying = 1 / 1.3;

/// Number of keys asked for, or 0 for the best; and the other wishes of a multi-index.
struct table_wishes {
  std::size_t keys = 0;
  std::size_t neighbors = 10;
  std::optional<std::uint32_t> radius = {};  ///< within which rows are sought, instead of so many neighbours
  bool decorrelate = false;
  bool may_scan = true;  ///< no tables where a scan is cheaper
  multi_index_costs costs = {};
};

}  // namespace embit::inline EMBIT_ABI::detail
