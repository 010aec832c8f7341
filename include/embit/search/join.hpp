// All pairs of codes within a Hamming radius, of one set or between two.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/types.hpp>
#include <embit/search/detail/join/equal_codes.hpp>
#include <embit/search/detail/join/plan.hpp>
#include <embit/search/detail/join/rows.hpp>
#include <embit/search/detail/join/run.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/store/block_layout.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Fewer rows are compared before equal ones are found.
inline constexpr std::size_t fewest_to_collapse = 512;

/// A set of codes of which one of each is joined.
inline join_rows distinct_rows(code_view<> codes, const equal_codes& equal) noexcept {
  if (!equal.any()) return {codes.data(), codes.words(), nullptr, codes.size()};
  return {codes.data(), codes.words(), equal.heads().data(), equal.heads().size()};
}

/// Turns pairs of codes into pairs of the rows that have them, under the names that the caller has for rows.
class pair_expansion {
 public:
  /// @param names   of the rows, ascending; null where rows are called by their numbers
  /// @param within  both rows of a pair are of one set, and the smaller comes first
  pair_expansion(const equal_codes& in_a, const equal_codes& in_b, const row_id* names, bool within,
                 pair_report<std::uint32_t>& report)
      : a_(in_a), b_(in_b), names_(names), within_(within), pairs_(report) {}

  /// Every row with the code of `a` and every one with that of `b`; false where the caller wants no more.
  bool operator()(row_id a, row_id b, std::uint32_t distance) {
    for (row_id x = a; x != equal_codes::none; x = a_.next(x))
      for (row_id y = b; y != equal_codes::none; y = b_.next(y))
        if (!add(within_ && y < x ? y : x, within_ && y < x ? x : y, distance)) return false;
    return true;
  }
  /// Every two rows of a chain; the second from row `second` on, and the first before it where the sets are two.
  bool equal_rows(row_id head, row_id second) {
    for (row_id x = head; x != equal_codes::none && (within_ || x < second); x = a_.next(x))
      for (row_id y = a_.next(x); y != equal_codes::none; y = a_.next(y))
        if (y >= second && !add(x, y - second, 0)) return false;
    return true;
  }
  bool flush() { return pairs_.flush(); }

 private:
  bool add(row_id a, row_id b, std::uint32_t distance) {
    return pairs_.add(names_ != nullptr ? names_[a] : a, names_ != nullptr ? names_[b] : b, distance);
  }

  const equal_codes& a_;
  const equal_codes& b_;
  const row_id* names_;
  bool within_;
  pair_buffer<std::uint32_t> pairs_;
};

/// Joins the distinct codes of one set: reports heads of `equal`, the smaller first.
inline void join_distinct(code_view<> codes, const equal_codes& equal, std::uint32_t radius,
                          const executor_ref& executor, pair_report<std::uint32_t>& report, const join_tuning& tuning) {
  const join_rows rows = distinct_rows(codes, equal);
  join_run(codes.bits(), true, radius, executor, report, tuning)(rows, rows);
}

/// Every pair of rows within a radius, told by `names[row]` where there are names, which ascend with the rows.
inline void join_within(code_view<> codes, const row_id* names, std::uint32_t radius, const executor_ref& executor,
                        pair_report<std::uint32_t>& report, const join_tuning& tuning = {}) {
  if (codes.size() < 2) return;
  equal_codes equal;
  if (radius == 0 || codes.size() >= fewest_to_collapse) equal = equal_codes(codes, {}, executor);
  if (!equal.any() && names == nullptr) {
    if (radius != 0) join_distinct(codes, equal, radius, executor, report, tuning);
    return;
  }
  pair_expansion pairs(equal, equal, names, true, report);
  for (const row_id head : equal.heads())
    if (!pairs.equal_rows(head, 0)) return;
  if (radius != 0) {
    pair_report<std::uint32_t> heads(pairs);
    join_distinct(codes, equal, radius, executor, heads, tuning);
  }
  pairs.flush();
}

/// Every pair of a row of `a` and a row of `b` within a radius.
inline void join_between(code_view<> a, code_view<> b, std::uint32_t radius, const executor_ref& executor,
                         pair_report<std::uint32_t>& report, const join_tuning& tuning = {}) {
  if (a.empty() || b.empty()) return;
  equal_codes in_a, in_b;
  if (radius == 0) {
    in_a = equal_codes(a, b, executor);
  } else if ((std::min)(a.size(), b.size()) >= fewest_to_collapse) {
    in_a = equal_codes(a, {}, executor);
    in_b = equal_codes(b, {}, executor);
  }
  pair_expansion pairs(in_a, in_b, nullptr, false, report);
  if (radius == 0) {
    for (const row_id head : in_a.heads())
      if (!pairs.equal_rows(head, static_cast<row_id>(a.size()))) return;
  } else {
    pair_report<std::uint32_t> heads(pairs);
    join_run(a.bits(), false, radius, executor, heads, tuning)(distinct_rows(a, in_a), distinct_rows(b, in_b));
  }
  pairs.flush();
}

}  // namespace detail

/// Finds every pair of codes within `radius` of each other, the radius included: `found(a, b, distance)` is called once
/// a pair, with a < b, one call at a time and in no particular order; where it returns bool, false ends the search. It
/// may throw, which ends the search, too. Pairs are streamed: memory is that of one table, about 8 · words + 4 bytes a
/// row, and 8 bytes a row for equal codes. Rows that agree in a substring are compared (Norouzi et al., "Fast Exact
/// Search in Hamming Space with Multi-Index Hashing", section 3), or all of them where that is cheaper.
///
/// @param executor  shares the buckets of a table among its workers
/// @throws error errc::argument for codes with bits set beyond their width or 2³² - 1 and more rows; what `found`
/// throws.
template <class Found, Executor Exec = inline_executor>
  requires std::invocable<Found&, row_id, row_id, std::uint32_t>
void pairs_within(code_view<> codes, std::uint32_t radius, Found&& found, const Exec& executor = {}) {
  detail::require_row_count(codes.size());
  require_clean_tails(codes, "codes");
  detail::pair_report<std::uint32_t> report(found);
  detail::join_within(codes, nullptr, radius, executor, report);
}

/// The same for every pair of a row of `a` and a row of `b`: new rows against old ones, records of two lists. Calls
/// `found(row of a, row of b, distance)`.
/// @throws error errc::shape for sets of different widths; else as `pairs_within`.
template <class Found, Executor Exec = inline_executor>
  requires std::invocable<Found&, row_id, row_id, std::uint32_t>
void pairs_between(code_view<> a, code_view<> b, std::uint32_t radius, Found&& found, const Exec& executor = {}) {
  if (!a.empty() && !b.empty() && a.bits() != b.bits())
    raise(errc::shape, "b: codes of ", b.bits(), " bits, a has codes of ", a.bits());
  detail::require_row_count(a.size() + b.size());
  require_clean_tails(a, "a");
  require_clean_tails(b, "b");
  detail::pair_report<std::uint32_t> report(found);
  detail::join_between(a, b, radius, executor, report);
}

}  // namespace embit::inline EMBIT_ABI
