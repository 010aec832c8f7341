// Where training beside codes that are there already begins: at the linear map that comes nearest to their values.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/fit/detail/recurrent/rows.hpp>
#include <embit/fit/detail/recurrent/start.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/linalg/mean.hpp>
#include <embit/linalg/pca.hpp>
#include <embit/linalg/symmetric_eigen.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// The shape of the recurrence whose codes these are.
/// @throws error errc::argument for codes of another kind.
inline recurrent_shape shape_of_codes(level_view codes) {
  const level_format* format = codes.format();
  const auto is_recurrent = [&] {
    if (format == nullptr || format->segments.size() != 1) return false;
    const level_segment& s = format->segments[0];
    level_format same{
        .segments = {level_segment::uniform(s.dims, s.bits, std::ldexp(1.f, 1 - static_cast<int>(s.bits)))}};
    same.factors[static_cast<std::size_t>(row_factor::inverse_norm)] = true;
    return s.bits > 0 && *format == same;
  };
  if (!is_recurrent()) raise(errc::argument, "old_codes: not of the format that recurrent encoders write");
  return {format->segments[0].dims, format->segments[0].bits - 1};
}

/// The values that the codes of the given rows stand for.
inline matrix<float> decoded(level_view codes, std::span<const row_id> rows) {
  matrix<float> values(rows.size(), codes.format()->dims());
  for (std::size_t i = 0; i < rows.size(); ++i) codes[rows[i]].decode(values[i]);
  return values;
}

/// values ≈ offset + map · (row - mean).
struct affine_fit {
  std::vector<float> mean, offset;
  matrix<float> map;
};

/// The sum of the variances of the columns.
inline double total_variance(matrix_view<const float> rows, std::span<const float> mean) {
  double sum = 0;
  for (std::size_t i = 0; i < rows.rows(); ++i)
    for (std::size_t k = 0; k < mean.size(); ++k) {
      const double d = double{rows[i][k]} - double{mean[k]};
      sum += d * d;
    }
  return sum / static_cast<double>(rows.rows());
}

/// Ridge regression of values on rows, as many, and then all of it scaled so that the predictions spread as the
/// values do, where regression shrinks what it cannot tell. O(n · dim · (dim + dims) + dim³).
template <Executor Exec>
affine_fit fit_values(matrix_view<const float> rows, matrix_view<const float> values, const Exec& executor) {
  constexpr double strength = 1e-3;  // beside the mean variance
  const auto pca = fit_pca(rows, {}, executor);
  affine_fit fit{pca.mean, mean_row(values), matrix<float>(values.cols(), rows.cols())};
  const auto sums = cross_product(values, fit.offset, rows, fit.mean, executor);
  matrix<float> joint(values.cols(), rows.cols()), along(values.cols(), rows.cols());
  const double n = static_cast<double>(rows.rows());
  std::ranges::transform(sums.values(), joint.values().begin(), [n](double x) { return static_cast<float>(x / n); });
  gemm(joint, pca.directions, along, executor);

  double ridge = 1e-30;
  for (const float v : pca.variances) ridge += strength * double{v} / static_cast<double>(pca.variances.size());
  double predicted = 0;
  for (std::size_t i = 0; i < along.rows(); ++i)
    for (std::size_t k = 0; k < along.cols(); ++k) {
      const double variance = double{pca.variances[k]}, slope = double{along[i][k]} / (variance + ridge);
      predicted += slope * slope * variance;
      along[i][k] = static_cast<float>(slope);
    }
  const double spread = total_variance(values, fit.offset);
  const float factor = predicted > 0 && spread > 0 ? static_cast<float>(std::sqrt(spread / predicted)) : 1.f;
  for (float& x : along.values()) x *= factor;
  gemm(along, row_panels::of_columns(pca.directions), fit.map, executor);
  return fit;
}

/// The matrix A⁺ (n × m) of A (m × n) that undoes as much of it as can be undone: Aᵀ (A Aᵀ)⁻¹ over the directions in
/// which A is more than rounding. O(m² n + m³). A template, so that only who calls it compiles the decomposition.
template <std::same_as<float> T>
matrix<T> pseudo_inverse(const matrix<T>& a) {
  const std::size_t m = a.rows();
  matrix<float> square(m, m), vectors(m, m), scaled(m, m), inverse(m, m), out(a.cols(), m);
  gemm(a, a, square);
  matrix<double> exact(m, m);
  std::ranges::copy(square.values(), exact.values().begin());
  const auto pairs = symmetric_eigen(exact.view());
  for (std::size_t i = 0; i < m; ++i) {
    const double value = pairs.values[i], factor = value > 1e-5 * pairs.values[0] ? 1 / value : 0.;
    for (std::size_t k = 0; k < m; ++k) {
      vectors[i][k] = static_cast<float>(pairs.vectors[i][k]);
      scaled[i][k] = static_cast<float>(factor * pairs.vectors[i][k]);
    }
  }
  gemm(transposed(vectors, {}, 0, m), row_panels::of_columns(scaled), inverse);
  gemm(transposed(a, {}, 0, m), inverse, out);
  return out;
}

/// A network whose codes, before training, are the grid of what the rows tell of the old codes' values.
/// @param values  of the old codes of the rows that are learned from.
template <Executor Exec>
trained_net compatible_start(const split_rows& rows, const matrix<float>& values, std::size_t loops, std::size_t hidden,
                             rng& engine, const Exec& executor) {
  auto [mean, offset, map] = fit_values(rows.learned, values, executor);
  // Inputs in unit scale: the rows of the map have length 1 in the mean.
  double square = 0;
  for (const float x : map.values()) square += double{x} * double{x};
  const float deviation = square > 0 ? static_cast<float>(std::sqrt(static_cast<double>(map.rows()) / square)) : 1.f;
  for (float& x : map.values()) x *= deviation;
  const matrix<float> inverse = pseudo_inverse(map);
  auto net = network_of<trained_net>(mean, deviation, map, inverse, loops, hidden, engine);

  // Codes lie about the offset, the rows that they rebuild about zero.
  std::ranges::copy(offset, net.project.output.bias.value.values().begin());
  std::vector<float> back(inverse.rows());
  for (std::size_t k = 0; k < back.size(); ++k) {
    double sum = 0;
    for (std::size_t j = 0; j < offset.size(); ++j) sum -= double{inverse[k][j]} * double{offset[j]};
    back[k] = static_cast<float>(sum);
  }
  for (skip_block& block : net.rebuild) std::ranges::copy(back, block.output.bias.value.values().begin());
  return net;
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
