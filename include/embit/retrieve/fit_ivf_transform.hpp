// Inverted lists of transform codes over float rows, with probes chosen for a recall.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/transform_coder.hpp>
#include <embit/fit/fit_transform_coder.hpp>
#include <embit/index/ivf_levels.hpp>
#include <embit/retrieve/fit_ivf.hpp>

#include <random>

namespace embit::inline EMBIT_ABI {

/// As `fit_ivf`, with transform codes of what rows have beside the centroids of their lists: `bits_per_dim` bits a
/// dimension in all, more where the residuals vary more. Worth a try where a few directions have most of what is left
/// beside the centroids; elsewhere RaBitQ's codes find more in the same time. O(dim³) on top.
/// @throws error as `fit_ivf` does.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
ivf_levels<transform_coder, Exec> fit_ivf_transform(matrix_view<const float> rows, const fit_ivf_options& options,
                                                    Engine& engine, const progress_callback& progress = {},
                                                    const Exec& executor = {}) {
  if (options.bits_per_dim < 1 || options.bits_per_dim > 8)
    raise(errc::argument, "fit_ivf_transform: ", options.bits_per_dim, " bits a dimension where 1 to 8 are possible");
  return detail::fit_lists<transform_coder>(
      rows, options, engine, progress, executor, [&](const matrix<float>& residuals, metric space, rng& draws) {
        return fit_transform_coder(
            residuals, {.bits = options.bits_per_dim * residuals.cols(), .metric = space, .compress_factors = false},
            draws);
      });
}

}  // namespace embit::inline EMBIT_ABI
