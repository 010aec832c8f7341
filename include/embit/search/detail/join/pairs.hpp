// A join as a whole: equal codes are collapsed, the others joined, and pairs of codes become pairs of rows again.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/types.hpp>
#include <embit/search/detail/join/equal_codes.hpp>
#include <embit/search/detail/join/pair_expansion.hpp>
#include <embit/search/detail/join/rows.hpp>
#include <embit/search/detail/join/run.hpp>
#include <embit/search/detail/join/tuning.hpp>
#include <embit/search/pair_report.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Fewer rows are compared before equal ones are found.
inline constexpr std::size_t fewest_to_collapse = 512;

EMBIT_KERNELS_INLINE void join_distinct(code_view<> codes, const equal_codes& equal, std::uint32_t radius,
                                        const executor_ref& executor, pair_report<std::uint32_t>& report,
                                        const join_tuning& tuning) {
  const join_rows rows = distinct_rows(codes, equal);
  join_run(codes.bits(), true, radius, executor, report, tuning)(rows, rows);
}

EMBIT_KERNELS_INLINE void join_within(code_view<> codes, const row_id* names, std::uint32_t radius,
                                      const executor_ref& executor, pair_report<std::uint32_t>& report,
                                      const join_tuning& tuning) {
  if (codes.size() < 2) return;
  equal_codes equal;
  if (radius == 0)
    equal = equal_codes(codes, {}, executor);
  else if (codes.size() >= fewest_to_collapse)
    equal = collapsed(codes, executor);
  if (!equal.any() && names == nullptr) {
    if (radius != 0) join_distinct(codes, equal, radius, executor, report, tuning);
    return;
  }
  pair_expansion<std::uint32_t> pairs(equal, equal, names, true, report);
  for (const row_id head : equal.heads())
    if (!pairs.equal_rows(head, 0, 0)) return;
  if (radius != 0) {
    pair_report<std::uint32_t> heads(pairs);
    join_distinct(codes, equal, radius, executor, heads, tuning);
  }
  pairs.flush();
}

EMBIT_KERNELS_INLINE void join_groups(code_view<> codes, std::uint32_t radius, const executor_ref& executor,
                                      pair_report<std::uint32_t>& report, const join_tuning& tuning) {
  if (codes.size() < 2) return;
  const equal_codes equal(codes, {}, executor);
  pair_buffer<std::uint32_t> pairs(report);
  for (const row_id head : equal.heads())
    for (row_id row = equal.next(head); row != equal_codes::none; row = equal.next(row))
      if (!pairs.add(head, row, 0)) return;
  if (pairs.flush() && radius != 0) join_distinct(codes, equal, radius, executor, report, tuning);
}

EMBIT_KERNELS_INLINE void join_between(code_view<> a, code_view<> b, std::uint32_t radius, const executor_ref& executor,
                                       pair_report<std::uint32_t>& report, const join_tuning& tuning) {
  if (a.empty() || b.empty()) return;
  equal_codes in_a, in_b;
  if (radius == 0) {
    in_a = equal_codes(a, b, executor);
  } else if ((std::min)(a.size(), b.size()) >= fewest_to_collapse) {
    in_a = collapsed(a, executor);
    in_b = collapsed(b, executor);
  }
  pair_expansion<std::uint32_t> pairs(in_a, in_b, nullptr, false, report);
  if (radius == 0) {
    for (const row_id head : in_a.heads())
      if (!pairs.equal_rows(head, static_cast<row_id>(a.size()), 0)) return;
  } else {
    pair_report<std::uint32_t> heads(pairs);
    join_run(a.bits(), false, radius, executor, heads, tuning)(distinct_rows(a, in_a), distinct_rows(b, in_b));
  }
  pairs.flush();
}

}  // namespace embit::inline EMBIT_ABI::detail
