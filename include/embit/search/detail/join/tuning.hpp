// What may be chosen about a join.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <cstddef>

namespace embit::inline EMBIT_ABI::detail {

/// What tests choose instead of costs, to see every way taken with few rows.
struct join_tuning {
  std::size_t substrings = 0;      ///< 0: as costs say
  bool scan = false;               ///< compare everything
  double large = double{1 << 25};  ///< two buckets with more pairs of rows are joined for themselves
};

}  // namespace embit::inline EMBIT_ABI::detail
