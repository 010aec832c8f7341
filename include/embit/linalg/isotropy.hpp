// How evenly rows spread over the directions there are.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/linalg/pca.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What `isotropy` finds. Rows spread evenly have a mean cosine near 0 and the rank of their dimension; a large mean
/// cosine asks for centering, a small rank for whitening.
struct isotropy_report {
  double mean_cosine = 0;     ///< of all pairs of different rows, zero rows left out; 0 for fewer than two
  double effective_rank = 0;  ///< the exponential of the entropy of the variances of the components; 0 for equal rows
  double participation = 0;   ///< (Σ variance)² / Σ variance², at most the effective rank
};

namespace detail {

/// The mean cosine of all pairs: |Σ x / |x||² is n and twice their sum.
inline double mean_cosine(matrix_view<const float> rows) {
  std::vector<double> sum(rows.cols());
  double count = 0;
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    double square = 0;
    for (const float x : rows[i]) square += double{x} * double{x};
    if (square == 0) continue;
    const double norm = std::sqrt(square);
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += double{rows[i][k]} / norm;
    ++count;
  }
  if (count < 2) return 0;
  double square = 0;
  for (const double s : sum) square += s * s;
  return (square - count) / (count * (count - 1));
}

}  // namespace detail

/// Measures the spread of `rows` (n × dim): cosines about the origin, variances about the mean. O(n · dim² + dim³).
/// The effective rank is that of Roy and Vetterli, "The effective rank: a measure of effective dimensionality",
/// EUSIPCO 2007, definition 1, of the covariance.
/// @throws error errc::argument for no rows or no dimensions, errc::not_finite.
template <Executor Exec = inline_executor>
isotropy_report isotropy(matrix_view<const float> rows, const Exec& executor = {}) {
  const auto components = fit_pca(rows, {}, executor);
  isotropy_report found;
  found.mean_cosine = detail::mean_cosine(rows);
  double total = 0, squares = 0, entropy = 0;
  for (const float v : components.variances) total += double{v};
  if (total == 0) return found;
  for (const float v : components.variances) {
    const double share = double{v} / total;
    squares += share * share;
    if (share > 0) entropy -= share * std::log(share);
  }
  found.effective_rank = std::exp(entropy);
  found.participation = 1 / squares;
  return found;
}

}  // namespace embit::inline EMBIT_ABI
