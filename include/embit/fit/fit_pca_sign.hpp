// Signs of the principal components.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/encode/sign_projection.hpp>
#include <embit/fit/fit_thresholds.hpp>
#include <embit/linalg/pca.hpp>

#include <cstddef>

namespace embit::inline EMBIT_ABI {

struct pca_sign_options {
  std::size_t bits = 0;  ///< of the codes, from 1 to the dimensions of the rows
  threshold_rule thresholds = threshold_rule::mean;
};

/// Learns one bit a principal component, the strongest first: the baseline that `fit_itq` rotates. A component of
/// little variance has as loud a bit as one of much. Components without variance (constant columns, fewer rows than
/// bits) give bits that say nothing. O(n · dim² + dim³). Gong and Lazebnik, "Iterative quantization: a Procrustean
/// approach to learning binary codes", CVPR 2011, section 2.1.
/// @param rows  n × dim.
/// @throws error errc::argument for no rows or bits outside 1..dim, errc::not_finite naming the row.
template <Executor Exec = inline_executor>
sign_projection fit_pca_sign(matrix_view<const float> rows, pca_sign_options options, const Exec& executor = {}) {
  if (options.bits == 0 || options.bits > rows.cols())
    raise(errc::argument, "pca_sign: ", options.bits, " bits where 1 to ", rows.cols(),
          " (the dimensions of the rows) can be had");
  const auto components = fit_pca(rows, {.dims = options.bits}, executor);
  return with_thresholds(sign_projection(components.directions), rows, options.thresholds, executor);
}

}  // namespace embit::inline EMBIT_ABI
