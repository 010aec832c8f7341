// Turns pairs of codes into pairs of the rows that have them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>
#include <embit/search/detail/join/equal_codes.hpp>
#include <embit/search/pair_report.hpp>

namespace embit::inline EMBIT_ABI::detail {

/// Turns pairs of codes into pairs of the rows that have them, under the names that the caller has for rows.
template <class Distance>
class pair_expansion {
 public:
  /// @param names   of the rows, ascending; null where rows are called by their numbers
  /// @param within  both rows of a pair are of one set, and the smaller comes first
  pair_expansion(const equal_codes& in_a, const equal_codes& in_b, const row_id* names, bool within,
                 pair_report<Distance>& report)
      : a_(in_a), b_(in_b), names_(names), within_(within), pairs_(report) {}

  /// Every row with the code of `a` and every one with that of `b`; false where the caller wants no more.
  bool operator()(row_id a, row_id b, Distance distance) {
    for (row_id x = a; x != equal_codes::none; x = a_.next(x))
      for (row_id y = b; y != equal_codes::none; y = b_.next(y))
        if (!add(within_ && y < x ? y : x, within_ && y < x ? x : y, distance)) return false;
    return true;
  }
  /// Every two rows of a chain; the second from row `second` on, and the first before it where the sets are two.
  bool equal_rows(row_id head, row_id second, Distance distance) {
    for (row_id x = head; x != equal_codes::none && (within_ || x < second); x = a_.next(x))
      for (row_id y = a_.next(x); y != equal_codes::none; y = a_.next(y))
        if (y >= second && !add(x, y - second, distance)) return false;
    return true;
  }
  bool flush() { return pairs_.flush(); }

 private:
  bool add(row_id a, row_id b, Distance distance) {
    return pairs_.add(names_ != nullptr ? names_[a] : a, names_ != nullptr ? names_[b] : b, distance);
  }

  const equal_codes& a_;
  const equal_codes& b_;
  const row_id* names_;
  bool within_;
  pair_buffer<Distance> pairs_;
};

}  // namespace embit::inline EMBIT_ABI::detail
