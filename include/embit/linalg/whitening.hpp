// Rows of equal variance in all directions.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/linalg/affine_transform.hpp>
#include <embit/linalg/mean.hpp>
#include <embit/linalg/pca.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace embit::inline EMBIT_ABI {

enum class whitening_method {
  pca,  ///< the principal components, each divided by its deviation: output in the order of their variances
  zca   ///< the same turned back: of all whitened rows those that are nearest to the input
};

struct whitening_options {
  whitening_method method = whitening_method::pca;
  std::size_t dims = 0;  ///< principal components to keep; 0 keeps all. `pca` then has so many outputs.
  float shrinkage = 0;   ///< from 0 to 1: variances are drawn so far towards their mean, 1 only centers and scales
};

namespace detail {

/// The deviations of all components after shrinkage; 0 for those in which the rows do not vary.
inline std::vector<double> whitening_deviations(const principal_components& components, double shrinkage) {
  double square = 0, total = 0;
  for (const float m : components.mean) square += double{m} * double{m};
  // Below this a variance is what rounding left of none: of the covariance, or of the mean that was subtracted.
  const double least = (std::max)(double{components.variances[0]} * 1e-6, square * 1e-13);
  std::vector<double> variances(components.variances.size());
  for (std::size_t i = 0; i < variances.size(); ++i) {
    variances[i] = double{components.variances[i]} > least ? double{components.variances[i]} : 0.;
    total += variances[i];
  }
  const double mean = total / static_cast<double>(variances.size());
  std::ranges::transform(variances, variances.begin(),
                         [=](double v) { return std::sqrt((1 - shrinkage) * v + shrinkage * mean); });
  return variances;
}

/// The directions, row i times factor(deviation i), which is not asked for where the deviation is 0.
template <class Factor>
matrix<float> scaled_directions(const matrix<float>& directions, const std::vector<double>& deviations,
                                const Factor& factor) {
  matrix<float> out(directions.rows(), directions.cols());
  for (std::size_t i = 0; i < out.rows(); ++i) {
    const double f = deviations[i] > 0 ? factor(deviations[i]) : 0.;
    std::ranges::transform(directions[i], out[i].begin(), [f](float x) { return static_cast<float>(f * double{x}); });
  }
  return out;
}

/// aᵀ · b as floats.
template <Executor Exec>
matrix<float> float_cross_product(const matrix<float>& a, const matrix<float>& b, const Exec& executor) {
  const matrix<double> product = cross_product(a, b, executor);
  matrix<float> out(product.rows(), product.cols());
  std::ranges::transform(product.values(), out.values().begin(), [](double x) { return static_cast<float>(x); });
  return out;
}

}  // namespace detail

/// The transform that gives `rows` (n × dim) the mean 0 and, without shrinkage, the covariance 1. Directions in which
/// they do not vary (constant columns, fewer rows than dimensions) become 0 instead of amplified rounding, unless
/// shrinkage lends them variance; rows that are all equal become 0. Its inverse undoes what is kept.
/// O(n · dim² + dim³).
/// Kessy, Lewin and Strimmer, "Optimal whitening and decorrelation", The American Statistician 2018.
/// @throws error errc::argument for no rows, no dimensions, more components than dimensions or shrinkage outside 0..1,
///         errc::not_finite.
template <Executor Exec = inline_executor>
affine_transform fit_whitening(matrix_view<const float> rows, whitening_options options = {},
                               const Exec& executor = {}) {
  if (!detail::is_between(options.shrinkage, 0.f, 1.f))
    raise(errc::argument, "fit_whitening: shrinkage ", options.shrinkage, " where 0 to 1 is possible");
  if (options.dims > rows.cols())
    raise(errc::argument, "fit_whitening: ", options.dims, " components of rows with ", rows.cols(), " dimensions");
  auto components = fit_pca(rows, {}, executor);
  auto deviations = detail::whitening_deviations(components, double{options.shrinkage});
  if (options.dims != 0) {
    components.directions = matrix<float>(components.directions.view().middle_rows(0, options.dims));
    deviations.resize(options.dims);
  }
  const auto& directions = components.directions;
  const matrix<float> map = detail::scaled_directions(directions, deviations, [](double d) { return 1 / d; });
  const matrix<float> back = detail::scaled_directions(directions, deviations, [](double d) { return d; });
  if (options.method == whitening_method::pca)
    return affine_transform(map, components.mean, detail::transposed(back, {}, 0, back.rows()));
  return affine_transform(detail::float_cross_product(directions, map, executor), components.mean,
                          detail::float_cross_product(directions, back, executor));
}

}  // namespace embit::inline EMBIT_ABI
