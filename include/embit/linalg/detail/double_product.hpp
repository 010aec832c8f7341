// The product of larger square matrices of doubles, at the level of the machine.
//
// The loops are written in vectors that GCC and Clang know without a header, and compiled once for each level that has
// long ones; the others get the plain product.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/linalg/detail/dense.hpp>

#include <algorithm>
#include <cstddef>

namespace embit::inline EMBIT_ABI::detail {

inline constexpr std::size_t double_panel = 16;  // columns at a time
inline constexpr std::size_t double_rows = 4;    // rows at a time

/// Four rows of a times one panel of b (cols of `depth`, 16 side by side) into 4 × 16 numbers.
using double_tile = void (*)(const double* a, std::size_t stride, const double* panel, std::size_t depth, double* out);

#if EMBIT_X86
#define EMBIT_DOUBLE_TILE(name, target)                                                                               \
  target inline void name(const double* a, std::size_t stride, const double* panel, std::size_t depth, double* out) { \
    typedef double vec __attribute__((vector_size(64), aligned(64), may_alias));                                      \
    vec r00 = {}, r01 = {}, r10 = {}, r11 = {}, r20 = {}, r21 = {}, r30 = {}, r31 = {};                               \
    const double *a1 = a + stride, *a2 = a1 + stride, *a3 = a2 + stride;                                              \
    for (std::size_t k = 0; k < depth; ++k, panel += double_panel) {                                                  \
      const vec b0 = *reinterpret_cast<const vec*>(panel), b1 = *reinterpret_cast<const vec*>(panel + 8);             \
      r00 += a[k] * b0, r01 += a[k] * b1;                                                                             \
      r10 += a1[k] * b0, r11 += a1[k] * b1;                                                                           \
      r20 += a2[k] * b0, r21 += a2[k] * b1;                                                                           \
      r30 += a3[k] * b0, r31 += a3[k] * b1;                                                                           \
    }                                                                                                                 \
    vec* const to = reinterpret_cast<vec*>(out);                                                                      \
    to[0] = r00, to[1] = r01, to[2] = r10, to[3] = r11, to[4] = r20, to[5] = r21, to[6] = r30, to[7] = r31;           \
  }
EMBIT_DOUBLE_TILE(double_tile_avx2, EMBIT_TARGET_AVX2)
EMBIT_DOUBLE_TILE(double_tile_avx512, EMBIT_TARGET_AVX512)
#undef EMBIT_DOUBLE_TILE
#endif

inline double_tile double_tile_for(isa level) noexcept {
#if EMBIT_X86
  if (level == isa::avx512 || level == isa::vpopcnt) return double_tile_avx512;
  if (level == isa::avx2) return double_tile_avx2;
#endif
  static_cast<void>(level);
  return nullptr;
}

/// Whether products are worth more than decompositions here.
inline bool has_fast_products() noexcept { return double_tile_for(active_isa()) != nullptr; }

/// out = a · b, where `out` has the size of the product and is neither. O(a.rows · a.cols · b.cols).
inline void fast_product(const matrix<double>& a, const matrix<double>& b, matrix<double>& out) {
  const double_tile tile = double_tile_for(active_isa());
  const std::size_t depth = b.rows();
  if (tile == nullptr || a.rows() < double_rows) {
    out = dense_product(a, b);
    return;
  }
  aligned_vector<double> panel(depth * double_panel);
  alignas(buffer_alignment) double sums[double_rows * double_panel];
  for (std::size_t first = 0; first < b.cols(); first += double_panel) {
    const std::size_t width = (std::min)(double_panel, b.cols() - first);
    for (std::size_t k = 0; k < depth; ++k) std::copy_n(b[k].data() + first, width, panel.data() + k * double_panel);
    for (std::size_t next = 0; next < a.rows(); next += double_rows) {
      const std::size_t row = (std::min)(next, a.rows() - double_rows);  // some of the last ones twice
      tile(a[row].data(), a.cols(), panel.data(), depth, sums);
      for (std::size_t i = 0; i < double_rows; ++i)
        std::copy_n(sums + i * double_panel, width, out[row + i].data() + first);
    }
  }
}

}  // namespace embit::inline EMBIT_ABI::detail
