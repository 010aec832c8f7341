// Eigenvalues and eigenvectors of a symmetric matrix.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

namespace embit::inline EMBIT_ABI {

template <class Scalar>
struct eigen_pairs {
  std::vector<Scalar> values;  ///< largest first
  matrix<Scalar> vectors;      ///< one a row, of length 1, its entry of largest magnitude positive
};

/// Eigenvalues and eigenvectors of a symmetric n × n matrix, of which the lower triangle is read. O(n³).
/// @throws error errc::shape when it is not square, errc::not_finite for what is read, or when the iteration does not
///         converge, which finite input does not do.
template <class T>
eigen_pairs<std::remove_const_t<T>> symmetric_eigen(matrix_view<T> symmetric) {
  using Scalar = std::remove_const_t<T>;
  const std::size_t n = symmetric.rows();
  if (symmetric.cols() != n) raise(errc::shape, "symmetric_eigen: ", n, " x ", symmetric.cols(), " is not square");
  eigen_pairs<Scalar> found{std::vector<Scalar>(n), matrix<Scalar>(n, n)};
  if (n == 0) return found;
  using dense = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;  // whatever the default is
  const auto size = static_cast<Eigen::Index>(n);
  dense input(size, size);
  for (std::size_t i = 0; i < n; ++i)
    if (!detail::all_finite(symmetric[i].data(), i + 1)) raise(errc::not_finite, "symmetric_eigen: row ", i);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k <= i; ++k) input.data()[k * n + i] = symmetric[i][k];  // Eigen reads the same triangle
  const Eigen::SelfAdjointEigenSolver<dense> solver(input);
  constexpr int converged = 0;  // Eigen::Success, whose name X11 defines
  if (static_cast<int>(solver.info()) != converged) raise(errc::not_finite, "symmetric_eigen: no convergence");
  for (std::size_t i = 0; i < n; ++i) {
    const std::span<const Scalar> column(solver.eigenvectors().data() + (n - 1 - i) * n, n);
    found.values[i] = solver.eigenvalues().data()[n - 1 - i];
    const auto larger = [](Scalar a, Scalar b) { return std::abs(a) < std::abs(b); };
    const Scalar sign = *std::ranges::max_element(column, larger) < 0 ? Scalar(-1) : Scalar(1);
    std::ranges::transform(column, found.vectors[i].begin(), [sign](Scalar x) { return sign * x; });
  }
  return found;
}

#if !EMBIT_KERNELS_HERE  // nor are decompositions compiled here, which take seconds
extern template eigen_pairs<float> symmetric_eigen(matrix_view<float> symmetric);
extern template eigen_pairs<float> symmetric_eigen(matrix_view<const float> symmetric);
extern template eigen_pairs<double> symmetric_eigen(matrix_view<double> symmetric);
extern template eigen_pairs<double> symmetric_eigen(matrix_view<const double> symmetric);
#endif

}  // namespace embit::inline EMBIT_ABI
