// Which rows of a file are read.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string_view>

namespace embit::inline EMBIT_ABI {

/// Which rows of a file to read.
struct row_range {
  std::size_t first = 0;
  std::size_t count = (std::numeric_limits<std::size_t>::max)();  ///< at most; the end of the file ends it too
};

namespace detail {

/// How many of `rows` rows the range has.
/// @throws error errc::out_of_range when it begins past the end.
inline std::size_t rows_within(row_range range, std::size_t rows, std::string_view what) {
  if (range.first > rows) raise(errc::out_of_range, what, ": rows from ", range.first, " on, of ", rows);
  return (std::min)(range.count, rows - range.first);
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
