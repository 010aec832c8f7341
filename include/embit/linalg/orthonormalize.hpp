// Gram–Schmidt.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/linalg/detail/dense.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Divides a row by its norm; false where that is not above `least`.
template <class T>
bool normalize_row(std::span<T> row, T least) {
  const T norm = std::sqrt(dense_dot(row.data(), row.data(), row.size()));
  if (!is_finite(norm) || norm <= least) return false;
  for (T& x : row) x /= norm;
  return true;
}

/// Makes row i orthogonal to the rows above it, which are orthonormal, and gives it length 1; false, with the row
/// spoilt, where next to nothing of it is left. Twice is enough to be orthogonal to working precision (Giraud,
/// Langou and Rozložník, "The loss of orthogonality in the Gram-Schmidt orthogonalization process", 2005).
template <class T>
bool orthonormalize_row(matrix_view<T> rows, std::size_t i, std::vector<T>& parts) {
  if (!normalize_row(rows[i], T(0))) return false;
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t j = 0; j < i; ++j) parts[j] = -dense_dot(rows[j].data(), rows[i].data(), rows.cols());
    add_rows(rows[i].data(), parts.data(), i, matrix_view<const T>(rows));
  }
  return normalize_row(rows[i], T(1e-12));
}

}  // namespace detail

/// Replaces the rows (m × n, m ≤ n) by orthonormal ones that span, from the first row down, what they spanned. A row
/// that depends on those above it becomes some direction orthogonal to them. O(m² · n).
/// @throws error errc::shape when there are more rows than columns, errc::not_finite; the rows are unchanged then.
template <class T>
void orthonormalize_rows(matrix_view<T> rows) {
  if (rows.rows() > rows.cols())
    raise(errc::shape, "orthonormalize_rows: ", rows.rows(), " rows of ", rows.cols(), " dimensions");
  detail::require_finite(rows, "rows");
  std::vector<T> parts(rows.rows());
  std::size_t axis = 0;
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    bool done = detail::orthonormalize_row(rows, i, parts);
    // Of all axes at least n - i are not in the span of the i rows above.
    for (; !done && axis < rows.cols(); ++axis) {
      std::ranges::fill(rows[i], T(0));
      rows[i][axis] = 1;
      done = detail::orthonormalize_row(rows, i, parts);
    }
  }
}

}  // namespace embit::inline EMBIT_ABI
