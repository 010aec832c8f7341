// Principal components.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/linalg/mean.hpp>
#include <embit/linalg/symmetric_eigen.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct pca_options {
  std::size_t dims = 0;  ///< components to keep; 0 keeps all
};

/// Where rows lie and the directions in which they spread.
struct principal_components {
  std::vector<float> mean;       ///< dim
  matrix<float> directions;      ///< dims × dim, orthonormal rows, by falling variance
  std::vector<float> variances;  ///< dims, at least 0
};

/// The principal components of `rows` (n × dim). Fewer rows than dimensions leave directions of zero variance, which
/// are orthonormal like the others. O(n · dim² + dim³).
/// @throws error errc::argument for no rows, no dimensions or more components than dimensions, errc::not_finite.
template <Executor Exec = inline_executor>
principal_components fit_pca(matrix_view<const float> rows, pca_options options = {}, const Exec& executor = {}) {
  if (rows.rows() == 0 || rows.cols() == 0)
    raise(errc::argument, "fit_pca: ", rows.rows(), " x ", rows.cols(), " rows");
  if (options.dims > rows.cols())
    raise(errc::argument, "fit_pca: ", options.dims, " components of rows with ", rows.cols(), " dimensions");
  detail::require_finite(rows, "rows");
  const std::size_t dims = options.dims == 0 ? rows.cols() : options.dims;
  principal_components found{mean_row(rows), matrix<float>(dims, rows.cols()), std::vector<float>(dims)};
  const matrix<double> spread = covariance(rows, found.mean, executor);
  detail::require_finite(spread.view(), "covariance of the rows");
  const auto pairs = symmetric_eigen(spread.view());
  for (std::size_t i = 0; i < dims; ++i) {
    found.variances[i] = static_cast<float>((std::max)(pairs.values[i], 0.));
    std::ranges::transform(pairs.vectors[i], found.directions[i].begin(),
                           [](double x) { return static_cast<float>(x); });
  }
  return found;
}

}  // namespace embit::inline EMBIT_ABI
