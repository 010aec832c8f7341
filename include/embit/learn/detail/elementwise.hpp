// The loops of training over elements, in steps of a constant length that compilers turn into vector instructions.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/matrix_view.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace embit::inline EMBIT_ABI {

namespace detail {

inline constexpr std::size_t vector_step = 8;

/// f(c) for every c < n. GCC vectorizes loops of a constant length at -O2 too; told not to unroll them, it does so at
/// -O3 as well, where it would first write them out, and what selects between numbers then ends as branches.
template <class F>
void each_element(std::size_t n, F f) noexcept {
  std::size_t k = 0;
  for (; k + vector_step <= n; k += vector_step)
#pragma GCC unroll 1
    for (std::size_t c = k; c < k + vector_step; ++c) f(c);
  for (; k < n; ++k) f(k);
}

/// Columns [first, first + count) of a matrix.
template <class T>
matrix_view<T> columns_of(matrix_view<T> m, std::size_t first, std::size_t count) {
  EMBIT_ASSERT(first + count <= m.cols());
  return {m.data() + first, m.rows(), count, m.stride()};
}

inline void copy_rows(matrix_view<const float> from, matrix_view<float> to) {
  for (std::size_t i = 0; i < from.rows(); ++i) std::ranges::copy(from[i], to[i].begin());
}

/// y += f · x.
inline void add_scaled(float f, const float* EMBIT_RESTRICT x, float* EMBIT_RESTRICT y, std::size_t n) noexcept {
  each_element(n, [=](std::size_t c) { y[c] += f * x[c]; });
}

inline float row_dot(const float* x, const float* y, std::size_t n) noexcept {
  float sums[vector_step] = {};
  std::size_t k = 0;
  for (; k + vector_step <= n; k += vector_step)
    for (std::size_t c = 0; c < vector_step; ++c) sums[c] += x[k + c] * y[k + c];
  float sum = 0;
  for (const float s : sums) sum += s;
  for (; k < n; ++k) sum += x[k] * y[k];
  return sum;
}

/// sums += x, in double.
inline void add_to_sums(const float* EMBIT_RESTRICT x, double* EMBIT_RESTRICT sums, std::size_t n) noexcept {
  each_element(n, [=](std::size_t c) { sums[c] += double{x[c]}; });
}

/// sums += x · y, in double.
inline void add_products(const float* EMBIT_RESTRICT x, const float* EMBIT_RESTRICT y, double* EMBIT_RESTRICT sums,
                         std::size_t n) noexcept {
  each_element(n, [=](std::size_t c) { sums[c] += double{x[c] * y[c]}; });
}

/// sums += x², in double.
inline void add_squares(const float* EMBIT_RESTRICT x, double* EMBIT_RESTRICT sums, std::size_t n) noexcept {
  each_element(n, [=](std::size_t c) { sums[c] += double{x[c] * x[c]}; });
}

/// x *= factors.
inline void scale_by(const float* EMBIT_RESTRICT factors, float* EMBIT_RESTRICT x, std::size_t n) noexcept {
  each_element(n, [=](std::size_t c) { x[c] *= factors[c]; });
}

/// y = x · factors + offsets; y may be x.
inline void scale_and_shift(const float* x, const float* EMBIT_RESTRICT factors, const float* EMBIT_RESTRICT offsets,
                            float* y, std::size_t n) noexcept {
  std::size_t k = 0;
  for (; k + vector_step <= n; k += vector_step) {
    float out[vector_step];
    for (std::size_t c = 0; c < vector_step; ++c) out[c] = x[k + c] * factors[k + c] + offsets[k + c];
    for (std::size_t c = 0; c < vector_step; ++c) y[k + c] = out[c];
  }
  for (; k < n; ++k) y[k] = x[k] * factors[k] + offsets[k];
}

/// 2^x for -126 ≤ x ≤ 0, relative error below 1e-6. The same float on every machine that does not contract a product
/// and a sum into one operation.
inline float power_of_two(float x) noexcept {
  // Adding and taking away 1.5 · 2^23 rounds to a whole number, which then lies in the low bits.
  const float shifted = x + 0x1.8p+23f;
  const float fraction = x - (shifted - 0x1.8p+23f);
  float p = 1.5403530e-4f;  // the series of 2^x: ln(2)^k / k!
  p = p * fraction + 1.3333558e-3f;
  p = p * fraction + 9.6181291e-3f;
  p = p * fraction + 5.5504109e-2f;
  p = p * fraction + 2.4022651e-1f;
  p = p * fraction + 6.9314718e-1f;
  p = p * fraction + 1.f;
  const auto whole = std::bit_cast<std::int32_t>(shifted) << 23;
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(p) + whole);
}

/// out = e^(x - top), where no x is above `top`, 2^-126 where that would be smaller; the sum of it.
inline double exp_row(const float* EMBIT_RESTRICT x, float top, float* EMBIT_RESTRICT out, std::size_t n) noexcept {
  // Two loops: in one, compilers make a branch of the smallest power, for which the rest is a constant.
  each_element(n, [=](std::size_t c) { out[c] = (std::max)((x[c] - top) * 0x1.715476p+0f, -126.f); });
  each_element(n, [=](std::size_t c) { out[c] = power_of_two(out[c]); });
  float sums[vector_step] = {};
  std::size_t k = 0;
  for (; k + vector_step <= n; k += vector_step)
    for (std::size_t c = 0; c < vector_step; ++c) sums[c] += out[k + c];
  double sum = 0;
  for (const float s : sums) sum += double{s};
  for (; k < n; ++k) sum += double{out[k]};
  return sum;
}

/// The largest of n ≥ 1 numbers.
inline float largest(const float* x, std::size_t n) noexcept {
  float best[vector_step];
  std::fill_n(best, vector_step, x[0]);
  std::size_t k = 0;
  for (; k + vector_step <= n; k += vector_step)
    for (std::size_t c = 0; c < vector_step; ++c) best[c] = x[k + c] > best[c] ? x[k + c] : best[c];
  float top = *std::max_element(best, best + vector_step);
  for (; k < n; ++k) top = (std::max)(top, x[k]);
  return top;
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
