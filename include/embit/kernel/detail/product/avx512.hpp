// The float product with AVX-512: tiles of 6 rows × 64 planes.
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

template <std::size_t... Panel>
struct product_row_avx512 {
  __m512 sum[sizeof...(Panel)];

  EMBIT_TARGET_AVX512 EMBIT_ALWAYS_INLINE void clear() noexcept { ((sum[Panel] = _mm512_setzero_ps()), ...); }
  EMBIT_TARGET_AVX512 EMBIT_ALWAYS_INLINE void add(__m512 value, const __m512* planes) noexcept {
    ((sum[Panel] = _mm512_fmadd_ps(value, planes[Panel], sum[Panel])), ...);
  }
  EMBIT_TARGET_AVX512 EMBIT_ALWAYS_INLINE void store(float* out) const noexcept {
    ((_mm512_storeu_ps(out + Panel * panel_width, sum[Panel])), ...);
  }
};

template <std::size_t... Row, std::size_t... Panel>
EMBIT_TARGET_AVX512 void product_rows_avx512(std::index_sequence<Row...>, std::index_sequence<Panel...>, const float* x,
                                             std::size_t stride, const float* panel, std::size_t dim, float* out,
                                             std::size_t out_stride) noexcept {
  // Arrays indexed by constants only, so that they live in registers: the packs unroll what -O2 would not.
  product_row_avx512<Panel...> row[sizeof...(Row)];
  __m512 planes[sizeof...(Panel)];
  (row[Row].clear(), ...);
  for (std::size_t k = 0; k < dim; ++k, panel += panel_width) {
    ((planes[Panel] = _mm512_load_ps(panel + Panel * dim * panel_width)), ...);
    (row[Row].add(_mm512_set1_ps(x[Row * stride + k]), planes), ...);
  }
  (row[Row].store(out + Row * out_stride), ...);
}

template <std::size_t Panels>
void product_tile_avx512(const float* x, std::size_t stride, std::size_t count, const float* panel, std::size_t dim,
                         float* out, std::size_t out_stride) noexcept {
  constexpr std::make_index_sequence<Panels> panels;
  if (count == 6)
    return product_rows_avx512(std::make_index_sequence<6>{}, panels, x, stride, panel, dim, out, out_stride);
  for (std::size_t i = 0; i < count; ++i)
    product_rows_avx512(std::make_index_sequence<1>{}, panels, x + i * stride, stride, panel, dim, out + i * out_stride,
                        out_stride);
}

inline void product_tile_avx512(const float* x, std::size_t stride, std::size_t count, const float* panel,
                                std::size_t panels, std::size_t dim, float* out, std::size_t out_stride) noexcept {
  switch (panels) {
    case 4: return product_tile_avx512<4>(x, stride, count, panel, dim, out, out_stride);
    case 3: return product_tile_avx512<3>(x, stride, count, panel, dim, out, out_stride);
    case 2: return product_tile_avx512<2>(x, stride, count, panel, dim, out, out_stride);
    default: return product_tile_avx512<1>(x, stride, count, panel, dim, out, out_stride);
  }
}

EMBIT_TARGET_AVX512 inline std::uint32_t product_signs_avx512(const float* values, const float* thresholds) noexcept {
  return _mm512_cmp_ps_mask(_mm512_loadu_ps(values), _mm512_loadu_ps(thresholds), _CMP_GT_OQ);
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI

#endif  // EMBIT_X86
