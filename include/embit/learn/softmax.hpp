// Cross-entropy of classes: a softmax over logits, with a margin that the right class must be ahead by.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/learn/detail/elementwise.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct softmax_options {
  float scale = 1;   ///< of the logits, the inverse of a temperature; above 0
  float margin = 0;  ///< taken from the logits of the right classes, before the scale
};

namespace detail {

inline void require_softmax(matrix_view<const float> logits, const softmax_options& options) {
  if (logits.rows() == 0 || logits.cols() == 0)
    raise(errc::argument, "softmax: ", logits.rows(), " rows of ", logits.cols(), " classes");
  if (!is_positive(options.scale) || !is_finite(options.margin))
    raise(errc::argument, "softmax: scale ", options.scale, ", margin ", options.margin);
}

/// One row: turns scaled logits into their softmax, and returns the logarithm of the sum that they were divided by.
inline double softmax_row(std::span<float> logits) noexcept {
  const float top = largest(logits.data(), logits.size());
  const double sum = exp_row(logits.data(), top, logits.data(), logits.size());
  const auto inverse = static_cast<float>(1 / sum);
  for (float& x : logits) x *= inverse;
  return std::log(sum) + double{top};
}

}  // namespace detail

/// The mean over the rows of -log p(target), where p is the softmax of scale · (logit - margin where it is the target):
/// with cosines as logits the additive margin of Wang et al., "Additive margin softmax for face verification", IEEE
/// Signal Processing Letters 2018, equation 4.
/// @param logits   n × classes, overwritten by the derivatives of the loss.
/// @param classes  n, below the number of classes
/// @throws error errc::shape; errc::out_of_range naming the row of a class that is none; errc::argument for no rows,
///         no classes, or a scale that is not positive.
inline double softmax_cross_entropy(matrix_view<float> logits, std::span<const std::uint32_t> classes,
                                    const softmax_options& options = {}) {
  detail::require_softmax(logits, options);
  if (classes.size() != logits.rows())
    raise(errc::shape, "softmax: ", classes.size(), " classes of ", logits.rows(), " rows");
  for (std::size_t i = 0; i < classes.size(); ++i)
    if (classes[i] >= logits.cols())
      raise(errc::out_of_range, "classes: row ", i, " is of class ", classes[i], " of ", logits.cols());
  const float weight = options.scale / static_cast<float>(logits.rows());
  double loss = 0;
  for (std::size_t i = 0; i < logits.rows(); ++i) {
    const auto row = logits[i];
    row[classes[i]] -= options.margin;
    for (float& x : row) x *= options.scale;
    const float own = row[classes[i]];
    loss += detail::softmax_row(row) - double{own};
    row[classes[i]] -= 1;
    for (float& x : row) x *= weight;
  }
  return loss / static_cast<double>(logits.rows());
}

/// The same for rows of several classes: -Σ target · log p, the margin being taken from every class with a target above
/// 0. A row of targets adds up to 1, or to 0 where nothing is known of the row.
/// @param targets  n × classes, not negative
inline double softmax_cross_entropy(matrix_view<float> logits, matrix_view<const float> targets,
                                    const softmax_options& options = {}) {
  detail::require_softmax(logits, options);
  if (targets.rows() != logits.rows() || targets.cols() != logits.cols())
    raise(errc::shape, "softmax: ", targets.rows(), " x ", targets.cols(), " targets of ", logits.rows(), " x ",
          logits.cols(), " logits");
  const float weight = options.scale / static_cast<float>(logits.rows());
  double loss = 0;
  for (std::size_t i = 0; i < logits.rows(); ++i) {
    const auto row = logits[i];
    const auto target = targets[i];
    double sum = 0, own = 0;
    for (std::size_t k = 0; k < row.size(); ++k) {
      if (!detail::is_between(target[k], 0.f, detail::infinity<float>()))
        raise(errc::argument, "targets: row ", i, ", class ", k, " is ", target[k]);
      if (target[k] > 0) row[k] -= options.margin;
      row[k] *= options.scale;
      sum += double{target[k]};
      own += double{target[k]} * double{row[k]};
    }
    loss += sum * detail::softmax_row(row) - own;
    for (std::size_t k = 0; k < row.size(); ++k) row[k] = weight * (static_cast<float>(sum) * row[k] - target[k]);
  }
  return loss / static_cast<double>(logits.rows());
}

}  // namespace embit::inline EMBIT_ABI
