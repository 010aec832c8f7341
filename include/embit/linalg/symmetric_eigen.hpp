// Eigenvalues and eigenvectors of a symmetric matrix.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>

#include <Eigen/Eigenvalues>
#include <cstddef>
#include <type_traits>
#include <vector>

namespace embit::inline EMBIT_ABI {

template <class Scalar>
struct eigen_pairs {
  std::vector<Scalar> values;  ///< largest first
  matrix<Scalar> vectors;      ///< one a row, of length 1, its entry of largest magnitude positive
};

/// Eigenvalues and eigenvectors of a symmetric n × n matrix, of which the lower triangle is read. O(n³).
/// @throws error errc::shape when it is not square, errc::not_finite when the iteration does not converge, which
///         finite input does not do.
template <class T>
auto symmetric_eigen(matrix_view<T> symmetric) {
  using Scalar = std::remove_const_t<T>;
  const std::size_t n = symmetric.rows();
  if (symmetric.cols() != n) raise(errc::shape, "symmetric_eigen: ", n, " x ", symmetric.cols(), " is not square");
  eigen_pairs<Scalar> found{std::vector<Scalar>(n), matrix<Scalar>(n, n)};
  if (n == 0) return found;
  using dense = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  // Read by columns: the lower triangle of the rows is the upper one of what Eigen sees, hence the transpose.
  const auto size = static_cast<Eigen::Index>(n);
  const dense input =
      Eigen::Map<const dense, 0, Eigen::OuterStride<>>(
          symmetric.data(), size, size, Eigen::OuterStride<>(static_cast<Eigen::Index>(symmetric.stride())))
          .transpose();
  const Eigen::SelfAdjointEigenSolver<dense> solver(input);
  if (solver.info() != Eigen::Success) raise(errc::not_finite, "symmetric_eigen: no convergence");
  for (std::size_t i = 0; i < n; ++i) {
    const auto column = static_cast<Eigen::Index>(n - 1 - i);
    found.values[i] = solver.eigenvalues()[column];
    Eigen::Index largest = 0;
    solver.eigenvectors().col(column).cwiseAbs().maxCoeff(&largest);
    const Scalar sign = solver.eigenvectors()(largest, column) < 0 ? Scalar(-1) : Scalar(1);
    for (std::size_t k = 0; k < n; ++k)
      found.vectors[i][k] = sign * solver.eigenvectors()(static_cast<Eigen::Index>(k), column);
  }
  return found;
}

}  // namespace embit::inline EMBIT_ABI
