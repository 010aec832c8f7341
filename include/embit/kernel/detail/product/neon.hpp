// The float product for AArch64: tiles of 6 rows × 16 planes.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/kernel/detail/product/level.hpp>

#if EMBIT_NEON

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace embit::inline EMBIT_ABI::detail {

struct product_row_neon {
  float32x4_t sum[4];

  EMBIT_ALWAYS_INLINE void clear() noexcept { sum[0] = sum[1] = sum[2] = sum[3] = vdupq_n_f32(0); }
  EMBIT_ALWAYS_INLINE void add(float value, const float32x4_t* planes) noexcept {
    sum[0] = vfmaq_n_f32(sum[0], planes[0], value);
    sum[1] = vfmaq_n_f32(sum[1], planes[1], value);
    sum[2] = vfmaq_n_f32(sum[2], planes[2], value);
    sum[3] = vfmaq_n_f32(sum[3], planes[3], value);
  }
  EMBIT_ALWAYS_INLINE void store(float* out) const noexcept {
    for (std::size_t i = 0; i < 4; ++i) vst1q_f32(out + 4 * i, sum[i]);
  }
};

template <std::size_t... Row>
void product_rows_neon(std::index_sequence<Row...>, const float* x, std::size_t stride, const float* panel,
                       std::size_t dim, float* out, std::size_t out_stride) noexcept {
  // Arrays indexed by constants only, so that they live in registers: the packs unroll what -O2 would not.
  product_row_neon row[sizeof...(Row)];
  (row[Row].clear(), ...);
  for (std::size_t k = 0; k < dim; ++k, panel += panel_width) {
    const float32x4_t planes[] = {vld1q_f32(panel), vld1q_f32(panel + 4), vld1q_f32(panel + 8), vld1q_f32(panel + 12)};
    (row[Row].add(x[Row * stride + k], planes), ...);
  }
  (row[Row].store(out + Row * out_stride), ...);
}

inline void product_tile_neon(const float* x, std::size_t stride, std::size_t count, const float* panel,
                              std::size_t panels, std::size_t dim, float* out, std::size_t out_stride) noexcept {
  for (; panels > 0; --panels, panel += dim * panel_width, out += panel_width) {
    if (count == 6) {
      product_rows_neon(std::make_index_sequence<6>{}, x, stride, panel, dim, out, out_stride);
      continue;
    }
    for (std::size_t i = 0; i < count; ++i)
      product_rows_neon(std::make_index_sequence<1>{}, x + i * stride, stride, panel, dim, out + i * out_stride,
                        out_stride);
  }
}

inline std::uint32_t product_signs_neon(const float* values, const float* thresholds) noexcept {
  const uint32x4_t bit{1, 2, 4, 8};
  std::uint32_t bits = 0;
  for (std::size_t j = 0; j < panel_width; j += 4)
    bits |= vaddvq_u32(vandq_u32(vcgtq_f32(vld1q_f32(values + j), vld1q_f32(thresholds + j)), bit)) << j;
  return bits;
}

}  // namespace embit::inline EMBIT_ABI::detail

#endif  // EMBIT_NEON
