// The rotation nearest to a matrix.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/linalg/detail/dense.hpp>
#include <embit/linalg/detail/double_product.hpp>
#include <embit/linalg/detail/polar.hpp>
#include <embit/linalg/orthonormalize.hpp>
#include <embit/linalg/symmetric_eigen.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>

namespace embit::inline EMBIT_ABI {

/// The orthogonal n × n matrix R that maximizes tr(Rᵀ M), which also minimizes |R - M|: R = U Wᵀ where M = U Σ Wᵀ.
/// Where M is singular R is one of the maximizers. O(n³): by products alone where M is well enough conditioned for them
/// (singular values from 10⁻⁴ of the largest on), then within some 10⁻⁶, else by eigenvalues, at several times the
/// cost. Schönemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika 1966.
/// @throws error errc::shape when M is not square, errc::not_finite.
template <class T>
matrix<std::remove_const_t<T>> nearest_rotation(matrix_view<T> m) {
  using Scalar = std::remove_const_t<T>;
  const std::size_t n = m.rows();
  if (m.cols() != n) raise(errc::shape, "nearest_rotation: ", n, " x ", m.cols(), " is not square");
  detail::require_finite(m, "nearest_rotation");
  matrix<Scalar> scaled(n, n);
  Scalar largest = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (const Scalar x : m[i]) largest = (std::max)(largest, std::abs(x));
  if (largest == 0) largest = 1;
  for (std::size_t i = 0; i < n; ++i)  // so that neither overflows nor vanishes what is squared
    std::ranges::transform(m[i], scaled[i].begin(), [largest](Scalar x) { return x / largest; });

  constexpr std::size_t least_for_products = 64;
  if (n >= least_for_products && detail::has_fast_products()) {
    matrix<double> exact(n, n);
    std::ranges::copy(scaled.values(), exact.values().begin());
    if (const auto found = detail::polar_factor(exact)) {
      std::ranges::transform(found->values(), scaled.values().begin(), [](double x) { return static_cast<Scalar>(x); });
      return scaled;
    }
  }

  // W diagonalizes MᵀM. The columns of M W are U Σ up to rounding, which is large only where σ is small and matters
  // little to the trace; orthonormalizing them, the largest first, gives a U that is orthogonal to the last digit.
  const matrix<Scalar> scaled_transposed = detail::dense_transposed(scaled);
  const matrix<Scalar> square = detail::dense_product(scaled_transposed, scaled);
  const matrix<Scalar> right = symmetric_eigen(square.view()).vectors;  // a row of it is a column of W
  matrix<Scalar> left = detail::dense_product(right, scaled_transposed);
  orthonormalize_rows(left.view());
  return detail::dense_product(detail::dense_transposed(left), right);
}

}  // namespace embit::inline EMBIT_ABI
