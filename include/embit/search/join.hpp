// All pairs of codes within a Hamming radius, of one set or between two.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/search_arguments.hpp>
#include <embit/core/types.hpp>
#include <embit/search/detail/join/tuning.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/store/block_layout.hpp>

#include <concepts>
#include <cstdint>

namespace embit::inline EMBIT_ABI {

namespace detail {

class equal_codes;

/// Joins the distinct codes of one set: reports heads of `equal`, the smaller first.
void join_distinct(code_view<> codes, const equal_codes& equal, std::uint32_t radius, const executor_ref& executor,
                   pair_report<std::uint32_t>& report, const join_tuning& tuning);

/// Every pair of rows within a radius, told by `names[row]` where there are names, which ascend with the rows.
void join_within(code_view<> codes, const row_id* names, std::uint32_t radius, const executor_ref& executor,
                 pair_report<std::uint32_t>& report, const join_tuning& tuning = {});

/// The same with equal codes as groups.
void join_groups(code_view<> codes, std::uint32_t radius, const executor_ref& executor,
                 pair_report<std::uint32_t>& report, const join_tuning& tuning = {});

/// Every pair of a row of `a` and a row of `b` within a radius.
void join_between(code_view<> a, code_view<> b, std::uint32_t radius, const executor_ref& executor,
                  pair_report<std::uint32_t>& report, const join_tuning& tuning = {});

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
void pairs_within(code_view<> codes, search_bound<std::uint32_t> radius, Found&& found, const Exec& executor = {}) {
  detail::require_row_count(codes.size());
  require_clean_tails(codes, "codes");
  detail::pair_report<std::uint32_t> report(found);
  detail::join_within(codes, nullptr, radius, executor, report);
}

/// What is told of rows whose codes are equal.
enum class equal_rows {
  as_pairs,  ///< every two of them, and each of them with every row that is near
  as_groups  ///< each with the first of them, which alone is told with other rows: it stands for all
};

/// Which pairs are told.
struct pair_options {
  std::uint32_t radius = 3;  ///< of rows that differ in so many bits or fewer
  equal_rows equal = equal_rows::as_pairs;
};

/// The same, and with `equal_rows::as_groups` n equal codes are told by n - 1 pairs in place of n (n - 1) / 2, and
/// their neighbours once in place of n times: what the pairs connect is the same. Calls `found` as above.
/// @throws error as above.
template <class Found, Executor Exec = inline_executor>
  requires std::invocable<Found&, row_id, row_id, std::uint32_t>
void pairs_within(code_view<> codes, const pair_options& options, Found&& found, const Exec& executor = {}) {
  detail::require_row_count(codes.size());
  require_clean_tails(codes, "codes");
  detail::pair_report<std::uint32_t> report(found);
  if (options.equal == equal_rows::as_groups)
    detail::join_groups(codes, options.radius, executor, report);
  else
    detail::join_within(codes, nullptr, options.radius, executor, report);
}

/// The same for every pair of a row of `a` and a row of `b`: new rows against old ones, records of two lists. Calls
/// `found(row of a, row of b, distance)`.
/// @throws error errc::shape for sets of different widths; else as `pairs_within`.
template <class Found, Executor Exec = inline_executor>
  requires std::invocable<Found&, row_id, row_id, std::uint32_t>
void pairs_between(code_view<> a, code_view<> b, search_bound<std::uint32_t> radius, Found&& found,
                   const Exec& executor = {}) {
  if (!a.empty() && !b.empty() && a.bits() != b.bits())
    raise(errc::shape, "b: codes of ", b.bits(), " bits, a has codes of ", a.bits());
  detail::require_row_count(a.size() + b.size());
  require_clean_tails(a, "a");
  require_clean_tails(b, "b");
  detail::pair_report<std::uint32_t> report(found);
  detail::join_between(a, b, radius, executor, report);
}

}  // namespace embit::inline EMBIT_ABI

#if EMBIT_KERNELS_HERE
#include <embit/search/detail/join/pairs.hpp>
#endif
