// Rows in the order of the groups that they belong to.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// The rows of each group, ascending, by a counting sort: the same however the groups were found.
class grouped_rows {
 public:
  /// O(rows + groups). @param group_of  (row) → its group, below `groups`
  template <class GroupOf>
  grouped_rows(std::size_t rows, std::size_t groups, const GroupOf& group_of) : first_(groups + 1), rows_(rows) {
    for (std::size_t row = 0; row < rows; ++row) ++first_[group_of(row) + 1];
    std::partial_sum(first_.begin(), first_.end(), first_.begin());
    std::vector<std::size_t> next(first_.begin(), first_.end() - 1);
    for (std::size_t row = 0; row < rows; ++row) rows_[next[group_of(row)]++] = static_cast<row_id>(row);
  }

  std::size_t size(std::size_t group) const noexcept { return first_[group + 1] - first_[group]; }
  std::span<const row_id> of(std::size_t group) const noexcept {
    return std::span<const row_id>(rows_).subspan(first_[group], size(group));
  }
  /// All of them, group after group.
  std::span<const row_id> rows() const noexcept { return rows_; }

 private:
  std::vector<std::size_t> first_;  // of each group, and one more
  std::vector<row_id> rows_;
};

/// How many clusters each group of rows gets: by its size, at least one and at most one a row, `clusters` in all, which
/// is no more than there are rows.
inline std::vector<std::size_t> shares_of(const grouped_rows& groups, std::size_t count, std::size_t clusters) {
  std::vector<std::size_t> share(count), order(count);
  const auto rows = static_cast<double>(groups.rows().size());
  const auto wanted = [&](std::size_t g) {
    return static_cast<double>(groups.size(g)) * static_cast<double>(clusters) / rows;
  };
  std::size_t given = 0;
  for (std::size_t g = 0; g < count; ++g) {
    const auto whole = static_cast<std::size_t>(wanted(g));
    share[g] = std::clamp<std::size_t>(whole, (std::min)(groups.size(g), std::size_t{1}), groups.size(g));
    given += share[g];
  }
  const auto lacks = [&](std::size_t g) { return wanted(g) - static_cast<double>(share[g]); };
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (; given < clusters; ++given) {
    const auto can = [&](std::size_t g) { return share[g] < groups.size(g); };
    ++share[*std::ranges::max_element(
        order, [&](std::size_t a, std::size_t b) { return can(a) != can(b) ? can(b) : lacks(a) < lacks(b); })];
  }
  for (; given > clusters; --given)
    --share[*std::ranges::max_element(order, [&](std::size_t a, std::size_t b) {
      return (share[a] > 1) != (share[b] > 1) ? share[b] > 1 : lacks(a) > lacks(b);
    })];
  return share;
}

}  // namespace embit::inline EMBIT_ABI::detail
