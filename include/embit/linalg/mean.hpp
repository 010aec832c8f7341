// The mean row, and sums over rows that are centered on the way.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/kernel/gemm.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// The mean of `rows` (n × dim), summed in double; zeros where there are no rows. O(n · dim).
/// @throws error errc::not_finite.
inline std::vector<float> mean_row(matrix_view<const float> rows) {
  detail::require_finite(rows, "rows");
  std::vector<double> sum(rows.cols());
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    const auto row = rows[i];
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += double{row[k]};
  }
  std::vector<float> mean(sum.size());
  const double n = static_cast<double>(std::max<std::size_t>(rows.rows(), 1));
  std::ranges::transform(sum, mean.begin(), [n](double s) { return static_cast<float>(s / n); });
  return mean;
}

/// rows - center, row by row. @param center dim floats.
/// @throws error errc::shape for a center of another dimension, errc::not_finite.
inline matrix<float> centered(matrix_view<const float> rows, std::span<const float> center) {
  if (center.size() != rows.cols())
    raise(errc::shape, "center: ", center.size(), " dimensions where the rows have ", rows.cols());
  detail::require_finite(rows, "rows");
  detail::require_finite(center, "center");
  matrix<float> out(rows);
  for (std::size_t i = 0; i < out.rows(); ++i)
    for (std::size_t k = 0; k < center.size(); ++k) out[i][k] -= center[k];
  return out;
}

namespace detail {

/// Rows [first, first + count) of `rows` - `center` (no center: zero), transposed into dim × count.
inline matrix<float> transposed(matrix_view<const float> rows, std::span<const float> center, std::size_t first,
                                std::size_t count) {
  constexpr std::size_t columns_at_once = 16;  // as many lines as stay in the first-level cache while they fill
  auto out = matrix<float>::uninitialized(rows.cols(), count);
  for (std::size_t begin = 0; begin < rows.cols(); begin += columns_at_once) {
    const std::size_t end = (std::min)(begin + columns_at_once, rows.cols());
    for (std::size_t i = 0; i < count; ++i) {
      const float* row = rows.data() + (first + i) * rows.stride();
      for (std::size_t k = begin; k < end; ++k)
        out.data()[k * count + i] = center.empty() ? row[k] : row[k] - center[k];
    }
  }
  return out;
}

/// xᵀ · y over centered rows; floats within a chunk of rows, doubles across them, the chunks in order, so that the
/// result does not depend on the threads.
template <Executor Exec>
matrix<double> cross_product(matrix_view<const float> x, std::span<const float> x_center, matrix_view<const float> y,
                             std::span<const float> y_center, const Exec& executor) {
  constexpr std::size_t chunk = 512;
  const bool same = x.data() == y.data() && x.cols() == y.cols() && x_center.data() == y_center.data();
  matrix<double> sum(x.cols(), y.cols(), 0.);
  matrix<float> part(x.cols(), y.cols());
  for (std::size_t first = 0; first < x.rows(); first += chunk) {
    const std::size_t count = (std::min)(chunk, x.rows() - first);
    const matrix<float> left = transposed(x, x_center, first, count);
    gemm(left, same ? row_panels(left.view()) : row_panels(transposed(y, y_center, first, count)), part, executor);
    for (std::size_t i = 0; i < sum.values().size(); ++i) sum.values()[i] += double{part.values()[i]};
  }
  return sum;
}

}  // namespace detail

/// xᵀ · y, the sum of the outer products of the rows. O(n · x.cols · y.cols).
/// @param x n × p, @param y n × q. @return p × q.
/// @throws error errc::shape when the rows are not as many, errc::not_finite.
template <Executor Exec = inline_executor>
matrix<double> cross_product(matrix_view<const float> x, matrix_view<const float> y, const Exec& executor = {}) {
  if (x.rows() != y.rows()) raise(errc::shape, "cross_product: ", x.rows(), " rows by ", y.rows(), " rows");
  detail::require_finite(x, "x");
  detail::require_finite(y, "y");
  return detail::cross_product(x, {}, y, {}, executor);
}

/// (rows - center)ᵀ · (rows - center) / n: the covariance where `center` is the mean; zeros where there are no rows.
/// O(n · dim²), and no copy of all rows.
/// @param rows n × dim, @param center dim floats. @return dim × dim, symmetric.
/// @throws error errc::shape for a center of another dimension, errc::not_finite.
template <Executor Exec = inline_executor>
matrix<double> covariance(matrix_view<const float> rows, std::span<const float> center, const Exec& executor = {}) {
  if (center.size() != rows.cols())
    raise(errc::shape, "center: ", center.size(), " dimensions where the rows have ", rows.cols());
  detail::require_finite(rows, "rows");
  detail::require_finite(center, "center");
  matrix<double> sum = detail::cross_product(rows, center, rows, center, executor);
  const double n = static_cast<double>(std::max<std::size_t>(rows.rows(), 1));
  for (double& x : sum.values()) x /= n;
  return sum;
}

}  // namespace embit::inline EMBIT_ABI
