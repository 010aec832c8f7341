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
      codes[i].decode(values[i]);
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

  /// The levels of a row, and by what the values they stand for are to be multiplied to have the inner product with
  /// what the axes see of the row that this has with itself: 1 where rows keep no scale.
  /// @param z       changed where rows keep a scale
  /// @param square  |row - center|²
  float quantize(std::span<float> z, double square, std::span<std::uint8_t> out) const {
    const bool scaled = keeps(row_factor::scale);
    if (scaled && kept_norm) square = squared_norm(z);
    const auto to_norm = static_cast<float>(scaled && square > 0 ? row_norm / std::sqrt(square) : 1.);
    if (scaled)
      for (float& x : z) x *= to_norm;
    std::size_t first = 0;
    double product = 0;
    for (const nearest_level& nearest : levels) {
      const auto part = z.subspan(first, nearest.segment().dims);
      std::uint8_t* const level = out.data() + first;
      nearest(part, level);
      float sum = 0;
      if (scaled)
        for (std::size_t j = 0; j < part.size(); ++j) sum += part[j] * nearest.value(level[j]);
      product += double{sum};
      first += part.size();
    }
    if (!scaled) return 1;
    // A row of which the code sees next to nothing must not be blown up.
    constexpr double most = 4;
    const double scaled_square = square * to_norm * to_norm;
    const double factor = product * most > scaled_square ? scaled_square / product : (square > 0 ? most : 0.);
    return static_cast<float>(factor / to_norm);
  }

  /// Of the values that levels stand for.
  double value_square(std::span<const std::uint8_t> in) const noexcept {
    const std::uint8_t* level = in.data();
    double square = 0;
    for (const nearest_level& nearest : levels)
      for (std::size_t j = 0; j < nearest.segment().dims; ++j) {
        const double value{nearest.value(*level++)};
        square += value * value;
      }
    return square;
  }

  /// What is added to the distances of a row: of l2 its squared norm, seen from the center, else minus its inner
  /// product with the center. @param of_row  in `from`, @param scale  as `quantize` has found it with these levels
  double offset(const transform_coordinates& from, std::size_t of_row, float scale,
                std::span<const std::uint8_t> in) const noexcept {
    if (metric != metric::l2) return -from.along[of_row];
    return value_offset ? double{scale} * scale * value_square(in) : from.square[of_row];
  }

  /// 1 / the length of the values that levels stand for; 0 where all are 0.
  float inverse_norm(std::span<const std::uint8_t> in) const noexcept {
    const double square = value_square(in);
    return square > 0 ? static_cast<float>(1 / std::sqrt(square)) : 0.f;
  }

  /// The values that levels stand for.
  void decode(std::span<const std::uint8_t> in, float* out) const noexcept {
    const std::uint8_t* level = in.data();
    for (const nearest_level& nearest : levels)
      for (std::size_t j = 0; j < nearest.segment().dims; ++j) *out++ = nearest.value(*level++);
  }

 private:
  void subtract_center(matrix_view<float> rows) const noexcept {
    for (std::size_t i = 0; i < rows.rows(); ++i)
      for (std::size_t k = 0; k < rows.cols(); ++k) rows[i][k] -= center[k];
  }
};

}  // namespace embit::inline EMBIT_ABI::detail
