// Gram–Schmidt.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix_view.hpp>

#include <Eigen/Core>
#include <cmath>
#include <cstddef>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Makes row i orthogonal to the rows above it, which are orthonormal, and gives it length 1; false, with the row
/// spoilt, when next to nothing of it is left. Twice is enough to be orthogonal to working precision (Giraud,
/// Langou and Rozložník, "The loss of orthogonality in the Gram-Schmidt orthogonalization process", 2005).
template <class Map>
bool orthonormalize_row(Map& rows, Eigen::Index i) {
  const auto before = rows.row(i).norm();
  if (!(before > 0)) return false;
  rows.row(i) /= before;
  for (int pass = 0; pass < 2; ++pass) {
    const auto above = rows.topRows(i);
    rows.row(i) -= (rows.row(i) * above.transpose()) * above;
  }
  const auto left = rows.row(i).norm();
  if (!(left > typename Map::Scalar(1e-12))) return false;
  rows.row(i) /= left;
  return true;
}

}  // namespace detail

/// Replaces the rows (m × n, m ≤ n) by orthonormal ones that span, from the first row down, what they spanned. A row
/// that depends on those above it becomes some direction orthogonal to them. O(m² · n).
/// @throws error errc::shape when there are more rows than columns.
template <class Scalar>
void orthonormalize_rows(matrix_view<Scalar> rows) {
  if (rows.rows() > rows.cols())
    raise(errc::shape, "orthonormalize_rows: ", rows.rows(), " rows of ", rows.cols(), " dimensions");
  using dense = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::Map<dense, 0, Eigen::OuterStride<>> map(rows.data(), static_cast<Eigen::Index>(rows.rows()),
                                                 static_cast<Eigen::Index>(rows.cols()),
                                                 Eigen::OuterStride<>(static_cast<Eigen::Index>(rows.stride())));
  Eigen::Index axis = 0;
  for (Eigen::Index i = 0; i < map.rows(); ++i) {
    bool done = detail::orthonormalize_row(map, i);
    // Of all axes at least n - i are not in the span of the i rows above.
    for (; !done && axis < map.cols(); ++axis) {
      map.row(i).setZero();
      map(i, axis) = 1;
      done = detail::orthonormalize_row(map, i);
    }
  }
}

}  // namespace embit::inline EMBIT_ABI
