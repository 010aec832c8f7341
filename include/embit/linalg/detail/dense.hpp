// Products of small dense matrices in double, for where a float product is not exact enough.
//
// Eigen's products are faster, and each kind of them takes whoever compiles it half a second and more. The loops here
// are cut into steps of a constant length, which compilers turn into vector instructions at -O2.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>

#include <algorithm>
#include <cstddef>

namespace embit::inline EMBIT_ABI {

namespace detail {

inline constexpr std::size_t dense_step = 8;

template <class T>
T dense_dot(const T* a, const T* b, std::size_t n) noexcept {
  T sums[dense_step] = {};
  std::size_t k = 0;
  for (; k + dense_step <= n; k += dense_step)
    for (std::size_t c = 0; c < dense_step; ++c) sums[c] += a[k + c] * b[k + c];
  T sum = 0;
  for (const T s : sums) sum += s;
  for (; k < n; ++k) sum += a[k] * b[k];
  return sum;
}

/// out += f[0] · x + f[1] · (x + stride) + …, four rows of n at once.
template <class T>
void add_four_rows(T* EMBIT_RESTRICT out, const T* f, const T* EMBIT_RESTRICT x, std::size_t stride,
                   std::size_t n) noexcept {
  const T f0 = f[0], f1 = f[1], f2 = f[2], f3 = f[3];
  const T *x1 = x + stride, *x2 = x1 + stride, *x3 = x2 + stride;
  std::size_t k = 0;
  for (; k + dense_step <= n; k += dense_step)
    for (std::size_t c = k; c < k + dense_step; ++c) out[c] += (f0 * x[c] + f1 * x1[c]) + (f2 * x2[c] + f3 * x3[c]);
  for (; k < n; ++k) out[k] += (f0 * x[k] + f1 * x1[k]) + (f2 * x2[k] + f3 * x3[k]);
}

/// out += Σ factors[i] · rows[i] over the first `count` rows. O(count · cols).
template <class T>
void add_rows(T* out, const T* factors, std::size_t count, matrix_view<const T> rows) noexcept {
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4)
    add_four_rows(out, factors + i, rows.data() + i * rows.stride(), rows.stride(), rows.cols());
  for (; i < count; ++i) {
    const T* row = rows.data() + i * rows.stride();
    for (std::size_t k = 0; k < rows.cols(); ++k) out[k] += factors[i] * row[k];
  }
}

/// a · b.
template <class T>
matrix<T> dense_product(const matrix<T>& a, const matrix<T>& b) {
  matrix<T> out(a.rows(), b.cols(), T(0));
  for (std::size_t i = 0; i < a.rows(); ++i) add_rows(out[i].data(), a[i].data(), b.rows(), b.view());
  return out;
}

template <class T>
matrix<T> dense_transposed(const matrix<T>& a) {
  matrix<T> out(a.cols(), a.rows());
  for (std::size_t i = 0; i < a.rows(); ++i)
    for (std::size_t k = 0; k < a.cols(); ++k) out[k][i] = a[i][k];
  return out;
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
