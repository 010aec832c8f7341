// Near-duplicates as groups: rows that pairs within a radius connect.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/search/detail/join/equal_codes.hpp>
#include <embit/search/join.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/store/block_layout.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Every row in one group; alone where it has no duplicate. Groups are in the order of their smallest rows, which
/// represent them. 12 bytes a row.
class duplicate_groups {
 public:
  /// No rows.
  duplicate_groups() = default;

  /// @param representatives  one a row: the smallest row of its group, which is its own
  /// @throws error errc::argument for a row that is not so.
  explicit duplicate_groups(std::span<const row_id> representatives) {
    group_of_.reserve(representatives.size());
    for (std::size_t row = 0; row < representatives.size(); ++row) {
      const row_id smallest = representatives[row];
      if (smallest > row || representatives[smallest] != smallest)
        raise(errc::argument, "representatives: row ", row, " has ", smallest, ", which is not its own");
      group_of_.push_back(smallest == row ? groups_++ : group_of_[smallest]);
    }
    ends_.assign(groups_, 0);
    for (const std::uint32_t group : group_of_) ++ends_[group];
    for (std::size_t group = 0, sum = 0; group < groups_; ++group) {
      const std::size_t count = ends_[group];
      ends_[group] = static_cast<std::uint32_t>(sum);
      sum += count;
    }
    rows_of_.resize(group_of_.size());
    for (std::size_t row = 0; row < group_of_.size(); ++row)
      rows_of_[ends_[group_of_[row]]++] = static_cast<row_id>(row);
  }

  /// Groups, those of one row included.
  std::size_t size() const noexcept { return ends_.size(); }
  /// Rows in all.
  std::size_t rows() const noexcept { return group_of_.size(); }
  /// Rows that do not represent a group: those to drop where one of each is kept.
  std::size_t duplicates() const noexcept { return rows() - size(); }

  std::uint32_t group_of(row_id row) const noexcept {
    EMBIT_ASSERT(row < rows());
    return group_of_[row];
  }
  /// In ascending order.
  std::span<const row_id> rows_of(std::size_t group) const& noexcept {
    EMBIT_ASSERT(group < size());
    const std::size_t first = group == 0 ? 0 : ends_[group - 1];
    return {rows_of_.data() + first, ends_[group] - first};
  }
  std::span<const row_id> rows_of(std::size_t) const&& = delete;
  /// The smallest row of a group.
  row_id representative(std::size_t group) const noexcept { return rows_of(group).front(); }

 private:
  std::uint32_t groups_ = 0;
  std::vector<std::uint32_t> group_of_;  // by row
  std::vector<std::uint32_t> ends_;      // by group, in the rows below
  std::vector<row_id> rows_of_;          // by group
};

/// What counts as a duplicate.
struct duplicate_options {
  std::uint32_t radius = 3;  ///< rows that differ in so many bits or fewer are connected
  /// No row of a group differs in more bits from its representative: a chain of near-duplicates that leads further
  /// becomes several groups.
  std::uint32_t largest_distance = (std::numeric_limits<std::uint32_t>::max)();
};

namespace detail {

/// Rows that pairs connect, as trees whose roots are the smallest rows.
class connected_rows {
 public:
  explicit connected_rows(std::size_t rows) : parents_(rows) {
    for (std::size_t row = 0; row < rows; ++row) parents_[row] = static_cast<row_id>(row);
  }

  row_id root(row_id row) noexcept {
    while (parents_[row] != row) row = parents_[row] = parents_[parents_[row]];
    return row;
  }
  void connect(row_id a, row_id b) noexcept {
    a = root(a);
    b = root(b);
    (a < b ? parents_[b] : parents_[a]) = (std::min)(a, b);
  }

  /// The root of every row.
  std::vector<row_id> roots() && noexcept {
    for (row_id& parent : parents_) parent = parents_[parent];  // that of a smaller row, which is a root by now
    return std::move(parents_);
  }

 private:
  std::vector<row_id> parents_;
};

/// Cuts groups so that no row is farther than `most` from its representative: in the order of rows, each goes to the
/// first representative of its group that is near enough, or becomes one. Rows of a chain have one code.
inline void cut_chains(code_view<> codes, const equal_codes& equal, std::uint32_t most, std::vector<row_id>& roots) {
  const duplicate_groups connected(roots);
  std::vector<row_id> represent;
  for (std::size_t group = 0; group < connected.size(); ++group) {
    represent.clear();
    for (const row_id row : connected.rows_of(group)) roots[row] = equal_codes::none;
    for (const row_id row : connected.rows_of(group)) {
      if (roots[row] != equal_codes::none) continue;  // with the first of its code
      row_id to = row;
      for (const row_id other : represent) {
        if (hamming{}(codes[row], codes[other]) > most) continue;
        to = other;
        break;
      }
      if (to == row) represent.push_back(row);
      for (row_id same = row; same != equal_codes::none; same = equal.next(same)) roots[same] = to;
    }
  }
}

}  // namespace detail

/// Groups rows that are connected by pairs within a radius. Pairs are not kept, and equal codes cost nothing: a million
/// of them are a million rows of one group. Time and memory as of `pairs_within`, and 4 bytes a row; with
/// `largest_distance` each distinct code of a group is compared with the representatives that the group is cut into.
/// The groups do not depend on the executor.
/// @throws error errc::argument for codes with bits set beyond their width or 2³² - 1 and more rows.
template <Executor Exec = inline_executor>
duplicate_groups group_duplicates(code_view<> codes, const duplicate_options& options = {}, const Exec& executor = {}) {
  detail::require_row_count(codes.size());
  require_clean_tails(codes, "codes");
  const executor_ref workers(executor);
  const detail::equal_codes equal =
      options.radius == 0 ? detail::equal_codes(codes, {}, workers) : detail::collapsed(codes, workers);
  detail::connected_rows connected(codes.size());
  for (const row_id head : equal.heads())
    for (row_id row = equal.next(head); row != detail::equal_codes::none; row = equal.next(row))
      connected.connect(head, row);
  if (options.radius != 0) {
    auto connect = [&](row_id a, row_id b, std::uint32_t) { connected.connect(a, b); };
    detail::pair_report<std::uint32_t> report(connect);
    detail::join_distinct(codes, equal, options.radius, workers, report, {});
  }
  std::vector<row_id> roots = std::move(connected).roots();
  if (options.largest_distance < codes.bits()) detail::cut_chains(codes, equal, options.largest_distance, roots);
  return duplicate_groups(roots);
}

}  // namespace embit::inline EMBIT_ABI
