// An affine layer.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/random.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/learn/detail/elementwise.hpp>
#include <embit/learn/parameter.hpp>
#include <embit/linalg/mean.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// The sum of all rows, in double, into one row.
inline void sum_rows(matrix_view<const float> rows, std::span<float> out) {
  std::vector<double> sums(rows.cols());
  for (std::size_t i = 0; i < rows.rows(); ++i) add_to_sums(rows[i].data(), sums.data(), sums.size());
  std::ranges::transform(sums, out.begin(), [](double s) { return static_cast<float>(s); });
}

/// The derivative of y = x · weightᵀ by the weight: dyᵀ · x.
template <Executor Exec>
void weight_gradient(matrix_view<const float> x, matrix_view<const float> dy, matrix_view<float> gradient,
                     const Exec& executor) {
  gemm(transposed(dy, {}, 0, dy.rows()), row_panels::of_columns(x), gradient, executor);
}

}  // namespace detail

/// y = x · weightᵀ + bias.
struct linear {
  parameter weight;  ///< out × in
  parameter bias;    ///< 1 × out

  linear() = default;
  /// All zeros.
  linear(std::size_t in, std::size_t out) : weight(out, in), bias(1, out) {}

  std::size_t in() const noexcept { return weight.value.cols(); }
  std::size_t out() const noexcept { return weight.value.rows(); }

  /// Draws the weights with variance 2 / (in + out); the bias becomes zero.
  /// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
  template <std::uniform_random_bit_generator Engine>
  void draw(Engine& engine) {
    const float deviation = std::sqrt(2.f / static_cast<float>(in() + out()));
    for (float& w : weight.value.values()) w = deviation * normal(engine);
    std::ranges::fill(bias.value.values(), 0.f);
  }

  /// @param x n × in, @param y n × out, overwritten. O(n · in · out).
  /// @throws error errc::shape
  template <Executor Exec = inline_executor>
  void forward(matrix_view<const float> x, matrix_view<float> y, const Exec& executor = {}) const {
    gemm(x, weight.value, y, executor);
    for (std::size_t i = 0; i < y.rows(); ++i) detail::add_scaled(1, bias.value.data(), y[i].data(), out());
  }

  /// Sets the gradients of weight and bias, and `dx` unless it is empty, from dy = ∂loss/∂y.
  /// @param x what `forward` had, n × in, @param dy n × out, @param dx n × in, overwritten, or empty.
  /// @throws error errc::shape
  template <Executor Exec = inline_executor>
  void backward(matrix_view<const float> x, matrix_view<const float> dy, matrix_view<float> dx,
                const Exec& executor = {}) {
    detail::weight_gradient(x, dy, weight.gradient, executor);
    detail::sum_rows(dy, bias.gradient[0]);
    if (!dx.empty()) gemm(dy, row_panels::of_columns(weight.value), dx, executor);
  }

  void collect(parameter_list& list) {
    list.push_back(&weight);
    list.push_back(&bias);
  }
};

}  // namespace embit::inline EMBIT_ABI
