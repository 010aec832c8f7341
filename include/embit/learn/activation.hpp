// Layers without parameters: ReLU, the sign with a straight-through gradient, rows of unit length.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/learn/detail/elementwise.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

inline void require_same_shape(matrix_view<const float> a, matrix_view<const float> b, const char* what) {
  if (a.rows() != b.rows() || a.cols() != b.cols())
    raise(errc::shape, what, ": ", a.rows(), " x ", a.cols(), " and ", b.rows(), " x ", b.cols());
}

}  // namespace detail

/// max(x, 0).
struct relu {
  /// In place.
  static void forward(matrix_view<float> x) noexcept {
    for (std::size_t i = 0; i < x.rows(); ++i) forward_row(x.data() + i * x.stride(), x.cols());
  }

  /// Turns dy into dx in place. @param y what `forward` made.
  static void backward(matrix_view<const float> y, matrix_view<float> dy) {
    detail::require_same_shape(y, dy, "relu");
    for (std::size_t i = 0; i < y.rows(); ++i) backward_row(y[i].data(), dy[i].data(), y.cols());
  }

 private:
  static void forward_row(float* x, std::size_t n) noexcept {
    detail::each_element(n, [=](std::size_t c) {
      const float value = x[c];
      x[c] = value > 0 ? value : 0.f;
    });
  }
  static void backward_row(const float* EMBIT_RESTRICT y, float* EMBIT_RESTRICT dy, std::size_t n) noexcept {
    detail::each_element(n, [=](std::size_t c) {
      const float slope = dy[c];
      dy[c] = y[c] > 0 ? slope : 0.f;
    });
  }
};

/// x > 0 ? 1 : -1, with the gradient of x clipped to [-1, 1].
/// Bengio, Léonard and Courville, "Estimating or propagating gradients through stochastic neurons for conditional
/// computation", 2013; the clipping is that of Courbariaux et al., "Binarized neural networks", 2016, equation 4.
struct straight_through_sign {
  /// out += factor · sign(x).
  static void add(float factor, std::span<const float> x, std::span<float> out) noexcept {
    const float *EMBIT_RESTRICT from = x.data(), above = factor, below = -factor;
    float* EMBIT_RESTRICT to = out.data();
    detail::each_element(x.size(), [=](std::size_t c) {
      const float sign = from[c] > 0 ? above : below;
      to[c] += sign;
    });
  }

  /// dx = factor · dy where |x| ≤ 1, else 0.
  static void backward(float factor, std::span<const float> x, std::span<const float> dy,
                       std::span<float> dx) noexcept {
    const float *EMBIT_RESTRICT at = x.data(), *EMBIT_RESTRICT slope = dy.data();
    float* EMBIT_RESTRICT to = dx.data();
    detail::each_element(x.size(), [=](std::size_t c) {
      const float scaled = factor * slope[c];
      to[c] = std::abs(at[c]) <= 1 ? scaled : 0.f;
    });
  }
};

/// Rows divided by their Euclidean norms; a zero row stays zero.
struct unit_rows {
  /// @param x n × dim, @param y n × dim, overwritten, may be x, @param norms n, overwritten.
  /// @throws error errc::shape
  static void forward(matrix_view<const float> x, matrix_view<float> y, std::span<float> norms) {
    detail::require_same_shape(x, y, "unit_rows");
    if (norms.size() != x.rows()) raise(errc::shape, "unit_rows: ", norms.size(), " norms of ", x.rows(), " rows");
    for (std::size_t i = 0; i < x.rows(); ++i) {
      const float* from = x.data() + i * x.stride();
      float* to = y.data() + i * y.stride();
      norms[i] = std::sqrt(detail::row_dot(from, from, x.cols()));
      const float factor = norms[i] > 0 ? 1 / norms[i] : 0.f;
      for (std::size_t k = 0; k < x.cols(); ++k) to[k] = factor * from[k];
    }
  }

  /// Turns dy into dx in place. @param y, norms what `forward` made.
  /// @throws error errc::shape
  static void backward(matrix_view<const float> y, std::span<const float> norms, matrix_view<float> dy) {
    detail::require_same_shape(y, dy, "unit_rows");
    for (std::size_t i = 0; i < y.rows(); ++i) {
      const float along = detail::row_dot(y[i].data(), dy[i].data(), y.cols());
      const float factor = norms[i] > 0 ? 1 / norms[i] : 0.f;
      detail::add_scaled(-along, y[i].data(), dy[i].data(), y.cols());
      for (float& d : dy[i]) d *= factor;
    }
  }
};

}  // namespace embit::inline EMBIT_ABI
