// The float product with AVX2 and FMA: tiles of 6 rows × 16 planes.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/kernel/detail/product/level.hpp>

#if EMBIT_X86

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace embit::inline EMBIT_ABI {

namespace detail {

template <std::size_t... Row>
EMBIT_TARGET_AVX2 void product_rows_avx2(std::index_sequence<Row...>, const float* x, std::size_t stride,
                                         const float* panel, std::size_t dim, float* out,
                                         std::size_t out_stride) noexcept {
  // Arrays indexed by constants only, so that they live in registers: the packs unroll what -O2 would not.
  __m256 low[sizeof...(Row)], high[sizeof...(Row)], value[sizeof...(Row)];
  ((low[Row] = high[Row] = _mm256_setzero_ps()), ...);
  for (std::size_t k = 0; k < dim; ++k, panel += panel_width) {
    const __m256 first = _mm256_load_ps(panel), second = _mm256_load_ps(panel + 8);
    ((value[Row] = _mm256_broadcast_ss(x + Row * stride + k), low[Row] = _mm256_fmadd_ps(value[Row], first, low[Row]),
      high[Row] = _mm256_fmadd_ps(value[Row], second, high[Row])),
     ...);
  }
  ((_mm256_storeu_ps(out + Row * out_stride, low[Row]), _mm256_storeu_ps(out + Row * out_stride + 8, high[Row])), ...);
}

inline void product_tile_avx2(const float* x, std::size_t stride, std::size_t count, const float* panel,
                              std::size_t panels, std::size_t dim, float* out, std::size_t out_stride) noexcept {
  for (; panels > 0; --panels, panel += dim * panel_width, out += panel_width) {
    if (count == 6) {
      product_rows_avx2(std::make_index_sequence<6>{}, x, stride, panel, dim, out, out_stride);
      continue;
    }
    for (std::size_t i = 0; i < count; ++i)
      product_rows_avx2(std::make_index_sequence<1>{}, x + i * stride, stride, panel, dim, out + i * out_stride,
                        out_stride);
  }
}

EMBIT_TARGET_AVX2 inline std::uint32_t product_signs_avx2(const float* values, const float* thresholds) noexcept {
  const auto low = _mm256_cmp_ps(_mm256_loadu_ps(values), _mm256_loadu_ps(thresholds), _CMP_GT_OQ);
  const auto high = _mm256_cmp_ps(_mm256_loadu_ps(values + 8), _mm256_loadu_ps(thresholds + 8), _CMP_GT_OQ);
  return static_cast<std::uint32_t>(_mm256_movemask_ps(low)) | static_cast<std::uint32_t>(_mm256_movemask_ps(high))
                                                                   << 8;
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI

#endif  // EMBIT_X86
