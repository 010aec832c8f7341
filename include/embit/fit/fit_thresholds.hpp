// Where the bits of a sign hasher change: at zero, at the mean, at the median, or where one says.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/encode/hadamard_lsh.hpp>
#include <embit/encode/sign_projection.hpp>
#include <embit/encode/thresholds.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/linalg/mean.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

enum class threshold_rule {
  zero,   ///< planes through the origin
  mean,   ///< planes through the mean of the rows: what centering them first would give
  median  ///< planes that halve the rows: every bit is set in half of them
};

namespace detail {

template <Executor Exec>
matrix<float> projections_of(const sign_projection& hasher, matrix_view<const float> rows, const Exec& executor) {
  matrix<float> out(rows.rows(), hasher.bits());
  gemm(rows, hasher.planes(), out, executor);
  require_finite(out.view(), "projections");
  return out;
}
template <Executor Exec>
matrix<float> projections_of(const hadamard_projection& hasher, matrix_view<const float> rows, const Exec& executor) {
  return hasher.projections(rows, executor);
}

/// The middle number, or the middle between the two in the middle: half of them, rounded down, are above it where no
/// two are equal.
inline float median_of(std::span<float> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 != 0) return *middle;
  const float below = *std::max_element(values.begin(), middle);
  return below + (*middle - below) / 2;
}

}  // namespace detail

/// One threshold a bit, from what the hasher's planes make of `rows` (n × dim); a sample of the rows will do.
/// O(n · bits · dim) and, for the median, n · bits floats of memory.
/// @throws error errc::argument for no rows, errc::shape for another dimension, errc::not_finite.
template <class Hasher, Executor Exec = inline_executor>
std::vector<float> fit_thresholds(const Hasher& hasher, matrix_view<const float> rows, threshold_rule rule,
                                  const Exec& executor = {}) {
  if (rows.rows() == 0) raise(errc::argument, "fit_thresholds: no rows");
  if (rows.cols() != hasher.dim())
    raise(errc::shape, "rows: ", rows.cols(), " columns where the planes have ", hasher.dim());
  detail::require_finite(rows, "rows");
  std::vector<float> thresholds(hasher.bits());
  if (rule == threshold_rule::zero) return thresholds;
  if (rule == threshold_rule::mean) {
    const auto mean = mean_row(rows);
    const auto at = detail::projections_of(hasher, matrix_view<const float>(mean.data(), 1, mean.size()), executor);
    std::ranges::copy(at[0], thresholds.begin());
    return thresholds;
  }
  const auto all = detail::projections_of(hasher, rows, executor);
  std::vector<float> column(rows.rows());
  for (std::size_t j = 0; j < thresholds.size(); ++j) {
    for (std::size_t i = 0; i < column.size(); ++i) column[i] = all[i][j];
    thresholds[j] = detail::median_of(column);
  }
  return thresholds;
}

/// The hasher with thresholds fitted to `rows` by a rule.
/// @throws error as `fit_thresholds` does.
template <class Hasher, Executor Exec = inline_executor>
Hasher with_thresholds(const Hasher& hasher, matrix_view<const float> rows, threshold_rule rule,
                       const Exec& executor = {}) {
  return with_thresholds(hasher, fit_thresholds(hasher, rows, rule, executor));
}

}  // namespace embit::inline EMBIT_ABI
