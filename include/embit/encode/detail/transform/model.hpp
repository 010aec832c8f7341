// What a fitted transform coder knows, and how it turns rows into levels and factors.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/encode/detail/transform/nearest_level.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/kernel/inner_product.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// |row|², also where a float does not hold it.
inline double squared_norm(std::span<const float> row) {
  const float square = dot(row.data(), row.data(), row.size());
  if (is_finite(square) && square > 1e-30f) return double{square};
  double sum = 0;
  for (const float x : row) sum += double{x} * double{x};
  return sum;
}

/// Scales rows to length 1; zero rows stay.
inline void scale_to_unit(matrix_view<float> rows) {
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    const double square = squared_norm(rows[i]);
    const double inverse = square > 0 ? 1 / std::sqrt(square) : 0.;
    for (float& x : rows[i]) x = static_cast<float>(double{x} * inverse);
  }
}

/// Where rows lie in the space of the codes before they are rounded.
struct transform_coordinates {
  matrix<float> z;             ///< rows × dimensions of the code
  std::vector<double> square;  ///< |row - center|² a row
  std::vector<double> along;   ///< ⟨row - center, center⟩ a row
};

/// A row as it is kept, but for its offset.
struct transform_code {
  std::vector<std::uint8_t> levels;  ///< one a dimension of the code
  std::vector<std::uint8_t> scales;  ///< one a segment that has them, as bytes
  float scale = 1;                   ///< of the whole row
};

/// Immutable, shared by encoders and the kernels they hand out.
struct transform_model {
  embit::metric metric = embit::metric::cosine;
  std::vector<float> center;  // dim
  row_panels axes;            // dimensions of the code × dim, orthonormal rows
  level_format format;
  float row_norm = 1;                 // to which rows are scaled before they are rounded where they keep a scale
  bool kept_norm = true;              // a row is as long as what the axes see of it, else as the whole row
  bool value_offset = false;          // offsets for l2 are of the values of rows, else of the rows themselves
  float mean_offset = 0;              // offsets are kept less this
  std::vector<nearest_level> levels;  // a segment

  std::size_t dim() const noexcept { return center.size(); }
  std::size_t dims() const noexcept { return axes.rows(); }
  bool keeps(row_factor which) const noexcept { return format.has(which); }
  void keep(row_factor which, bool kept) noexcept { format.factors[static_cast<std::size_t>(which)] = kept; }

  /// Of what codes and their factors depend on.
  encoder_fingerprint fingerprint() const {
    fingerprint_hash hash;
    hash.add(metric).add(center).add(row_norm).add(kept_norm).add(value_offset).add(mean_offset);
    hash.add_rows(axes);
    for (const level_segment& s : format.segments) {
      hash.add(s.dims).add(s.bits).add(s.step);
      for (const std::uint8_t weight : s.weights) hash.add(weight);
      if (s.scaled) hash.add(s.scaled);
    }
    for (std::size_t f = 0; f < row_factors; ++f) hash.add(format.factors[f]).add(format.units[f]);
    return hash.add(format.half_factors).value();
  }

  /// @throws error errc::shape for another dimension, errc::not_finite naming the row.
  void require_rows(matrix_view<const float> rows, std::string_view what) const {
    if (rows.cols() != dim()) raise(errc::shape, what, ": dimension ", rows.cols(), ", the encoder takes ", dim());
    require_finite(rows, what);
  }

  void set_levels() {
    levels.clear();
    for (const level_segment& s : format.segments) levels.emplace_back(s);
  }

  /// rows × dimensions of the code. O(rows · dim · dimensions of the code).
  matrix<float> along_axes(matrix_view<const float> rows) const {
    auto z = matrix<float>::uninitialized(rows.rows(), dims());
    gemm(rows, axes, z);
    return z;
  }

  /// Finite rows, on their way into codes.
  transform_coordinates coordinates(matrix_view<const float> rows) const {
    matrix<float> moved(rows);
    if (metric == metric::cosine) scale_to_unit(moved);
    subtract_center(moved);
    transform_coordinates found{along_axes(moved), std::vector<double>(rows.rows()), std::vector<double>(rows.rows())};
    for (std::size_t i = 0; i < rows.rows(); ++i) {
      found.square[i] = squared_norm(moved[i]);
      found.along[i] = double{dot(moved[i].data(), center.data(), dim())};
    }
    return found;
  }

  /// The rows that codes stand for: the center and, along the axes, the values as their scale makes them.
  template <Executor Exec>
  matrix<float> rows_of(const level_view& codes, const Exec& executor) const {
    matrix<float> values(codes.size(), dims()), rows(codes.size(), dim());
    for (std::size_t i = 0; i < codes.size(); ++i) {
      codes[i].decode(values[i]);  // on the scales of segments
      if (!keeps(row_factor::scale)) continue;
      for (float& x : values[i]) x *= codes[i].factor(row_factor::scale);
    }
    if (dims() != 0) gemm(values, row_panels::of_columns(axes.unpacked()), rows, executor);
    for (std::size_t i = 0; i < rows.rows(); ++i)
      for (std::size_t k = 0; k < dim(); ++k) rows[i][k] += center[k];
    return rows;
  }

  /// Finite queries before they are taken along the axes. They are seen from the center for squared distances, and
  /// where rows keep what their inner product with the center is.
  matrix<float> moved_queries(matrix_view<const float> queries) const {
    matrix<float> moved(queries);
    if (metric == metric::cosine) scale_to_unit(moved);
    if (metric == metric::l2 || keeps(row_factor::offset)) subtract_center(moved);
    return moved;
  }

  /// A row in levels, and by what the values they stand for are to be multiplied, in all or segment by segment, to have
  /// the inner product with what the axes see of the row that this has with itself: by 1 where rows keep no scale.
  /// @param z       changed where rows keep scales
  /// @param square  |row - center|²
  void quantize(std::span<float> z, double square, transform_code& out) const {
    out.levels.resize(dims());
    out.scales.clear();
    out.scale = keeps(row_factor::scale) ? quantize_scaled(z, kept_norm ? squared_norm(z) : square, out.levels) : 1.f;
    if (keeps(row_factor::scale)) return;
    std::uint8_t* level = out.levels.data();
    for (const nearest_level& nearest : levels) {
      const auto part = z.first(nearest.segment().dims);
      z = z.subspan(part.size());
      if (nearest.segment().scaled)
        out.scales.push_back(quantize_segment(part, nearest, level));
      else
        nearest(part, level);
      level += part.size();
    }
  }

  /// Of the values that a code stands for.
  double value_square(const transform_code& code) const {
    std::vector<float> values(dims());
    decode(code, values.data());
    return squared_norm(values);
  }

  /// What is added to the distances of a row: of l2 its squared norm, seen from the center, else minus its inner
  /// product with the center. @param of_row  in `from`
  double offset(const transform_coordinates& from, std::size_t of_row, const transform_code& code) const {
    if (metric != metric::l2) return -from.along[of_row];
    return value_offset ? value_square(code) : from.square[of_row];
  }

  /// 1 / the length of the values that levels stand for; 0 where all are 0.
  float inverse_norm(const transform_code& code) const {
    const double square = value_square({code.levels, code.scales, 1});
    return square > 0 ? static_cast<float>(1 / std::sqrt(square)) : 0.f;
  }

  /// The values that a code stands for, as its scales make them.
  void decode(const transform_code& code, float* out) const noexcept {
    const std::uint8_t* level = code.levels.data();
    const std::uint8_t* scaled = code.scales.data();
    for (const nearest_level& nearest : levels) {
      const float scale = nearest.segment().scaled ? segment_scale(*scaled++) : code.scale;
      for (std::size_t j = 0; j < nearest.segment().dims; ++j) *out++ = scale * nearest.value(*level++);
    }
  }

 private:
  // A row of which the code sees next to nothing must not be blown up.
  static constexpr double most_scale = 4;

  /// @param square  of the row, as far as its scale is to be of it
  float quantize_scaled(std::span<float> z, double square, std::span<std::uint8_t> out) const {
    const auto to_norm = static_cast<float>(square > 0 ? row_norm / std::sqrt(square) : 1.);
    for (float& x : z) x *= to_norm;
    std::size_t first = 0;
    double product = 0;
    for (const nearest_level& nearest : levels) {
      const auto part = z.subspan(first, nearest.segment().dims);
      nearest(part, out.data() + first);
      product += double{product_with_values(part, nearest, out.data() + first)};
      first += part.size();
    }
    const double scaled_square = square * to_norm * to_norm;
    const double factor =
        product * most_scale > scaled_square ? scaled_square / product : (square > 0 ? most_scale : 0.);
    return static_cast<float>(factor / to_norm);
  }

  /// On the scale on which the values have the inner product with the row that it has with itself. Scales come in steps
  /// of up to a 16th, so that of several bits a dimension the levels are taken that have it on a scale that there is.
  /// @return  the byte of the scale
  static std::uint8_t quantize_segment(std::span<const float> z, const nearest_level& nearest, std::uint8_t* level) {
    const double square = squared_norm(z), deviation{nearest.deviation()};
    const double norm = std::sqrt(square / static_cast<double>(z.size())) / deviation;
    if (nearest.segment().bits == 1) {
      nearest(z, level);
      const double product{product_with_values(z, nearest, level)};
      return segment_scale_code(
          static_cast<float>(product * most_scale * norm > square ? square / product : most_scale * norm));
    }
    constexpr int fewest = -1, most = 4;  // steps beside the norm of the row
    const int start = segment_scale_code(static_cast<float>(norm));
    std::vector<float> unscaled(z.size());
    std::vector<std::uint8_t> tried(z.size());
    double least = infinity<double>();
    std::uint8_t best = 0;
    for (int code = (std::max)(start + fewest, 0); code <= (std::min)(start + most, 255); ++code) {
      const float scale = segment_scale(static_cast<std::uint8_t>(code));
      for (std::size_t j = 0; j < z.size(); ++j) unscaled[j] = z[j] / scale;
      nearest(unscaled, tried.data());
      const double off = std::abs(double{scale} * double{product_with_values(z, nearest, tried.data())} - square);
      if (!(off < least)) continue;
      least = off;
      best = static_cast<std::uint8_t>(code);
      std::ranges::copy(tried, level);
    }
    return best;
  }

  static float product_with_values(std::span<const float> z, const nearest_level& nearest,
                                   const std::uint8_t* level) noexcept {
    float sum = 0;
    for (std::size_t j = 0; j < z.size(); ++j) sum += z[j] * nearest.value(level[j]);
    return sum;
  }

  void subtract_center(matrix_view<float> rows) const noexcept {
    for (std::size_t i = 0; i < rows.rows(); ++i)
      for (std::size_t k = 0; k < rows.cols(); ++k) rows[i][k] -= center[k];
  }
};

}  // namespace embit::inline EMBIT_ABI::detail
