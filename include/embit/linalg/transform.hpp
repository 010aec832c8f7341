// The contract of what turns float rows into float rows: rotations, centering, whitening and pipelines of them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/kernel/inner_product.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>

namespace embit::inline EMBIT_ABI {

/// Turns rows of dim() floats into rows of output_dim() floats, each row on its own: `apply(rows[, executor])`.
/// Immutable, and valid once constructed.
template <class T>
concept FloatTransform = requires(const T& transform, matrix_view<const float> rows) {
  { transform.dim() } -> std::convertible_to<std::size_t>;
  { transform.output_dim() } -> std::convertible_to<std::size_t>;
  { transform.apply(rows) } -> std::same_as<matrix<float>>;
};

/// A FloatTransform that can be undone, as far as it keeps what it is given: `apply_inverse(rows[, executor])`.
template <class T>
concept InvertibleTransform = FloatTransform<T> && requires(const T& transform, matrix_view<const float> rows) {
  { transform.apply_inverse(rows) } -> std::same_as<matrix<float>>;
};

/// A FloatTransform that can write its output over its input: `apply_in_place(rows[, executor])`.
template <class T>
concept InPlaceTransform = FloatTransform<T> && requires(const T& transform, matrix_view<float> rows) {
  transform.apply_in_place(rows);
};

namespace detail {

inline void require_columns(matrix_view<const float> rows, std::size_t dim) {
  if (rows.cols() != dim) raise(errc::shape, "rows: ", rows.cols(), " columns where the transform has ", dim);
}

/// Refuses rows with NaN or infinity, and rows so long that they could not be turned without overflow.
inline void require_rotatable(matrix_view<const float> rows, std::size_t dim) {
  require_columns(rows, dim);
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    if (is_finite(dot(rows[i].data(), rows[i].data(), dim))) continue;
    require_finite(rows, "rows");
    double square = 0;
    for (const float x : rows[i]) square += double{x} * double{x};
    const double longest = double{(std::numeric_limits<float>::max)()} / 2;
    if (std::sqrt(square) > longest)
      raise(errc::not_finite, "rows: row ", i, " has the norm ", std::sqrt(square), ", more than ", longest);
  }
}

/// Refuses rows that a transform made too large for floats.
inline void require_result(const matrix<float>& rows) { require_finite(rows.view(), "transformed rows"); }

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
