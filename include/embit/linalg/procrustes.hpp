// The rotation nearest to a matrix.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/linalg/orthonormalize.hpp>
#include <embit/linalg/symmetric_eigen.hpp>

#include <Eigen/Core>
#include <cstddef>
#include <type_traits>

namespace embit::inline EMBIT_ABI {

/// The orthogonal n × n matrix R that maximizes tr(Rᵀ M), which also minimizes |R - M|: R = U Wᵀ where M = U Σ Wᵀ.
/// Where M is singular R is one of the maximizers. O(n³).
/// Schönemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika 1966.
/// @throws error errc::shape when M is not square, errc::not_finite.
template <class T>
auto nearest_rotation(matrix_view<T> m) {
  using Scalar = std::remove_const_t<T>;
  const std::size_t n = m.rows();
  if (m.cols() != n) raise(errc::shape, "nearest_rotation: ", n, " x ", m.cols(), " is not square");
  detail::require_finite(m, "nearest_rotation");
  using dense = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using map = Eigen::Map<dense>;
  const auto size = static_cast<Eigen::Index>(n);
  dense scaled = Eigen::Map<const dense, 0, Eigen::OuterStride<>>(
      m.data(), size, size, Eigen::OuterStride<>(static_cast<Eigen::Index>(m.stride())));
  matrix<Scalar> out(n, n);
  if (n == 0) return out;
  const Scalar largest = scaled.cwiseAbs().maxCoeff();
  if (largest > 0) scaled /= largest;  // MᵀM neither overflows nor vanishes

  // W diagonalizes MᵀM. The columns of M W are U Σ up to rounding, which is large only where σ is small and matters
  // little to the trace; orthonormalizing them, the largest first, gives a U that is orthogonal to the last digit.
  matrix<Scalar> square(n, n), left(n, n);
  map(square.data(), size, size).noalias() = scaled.transpose() * scaled;
  auto pairs = symmetric_eigen(square.view());
  const map right(pairs.vectors.data(), size, size);
  map(left.data(), size, size).noalias() = right * scaled.transpose();
  orthonormalize_rows(left.view());
  map(out.data(), size, size).noalias() = map(left.data(), size, size).transpose() * right;
  return out;
}

}  // namespace embit::inline EMBIT_ABI
