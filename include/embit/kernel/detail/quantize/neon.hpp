// The quantization of float rows for AArch64 Advanced SIMD: 8 numbers at a time, a byte of each plane.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/kernel/detail/quantize/level.hpp>

#if EMBIT_NEON

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace embit::inline EMBIT_ABI::detail::quantize_neon {

/// 8 numbers, zeros beyond the `left` that there are.
struct eight {
  float32x4_t low, high;
};

inline eight load(const float* x, std::size_t left) noexcept {
  if (left >= 8) return {vld1q_f32(x), vld1q_f32(x + 4)};
  float padded[8] = {};
  std::memcpy(padded, x, left * sizeof(float));
  return {vld1q_f32(padded), vld1q_f32(padded + 4)};
}

/// 16 sums: those of the next 8 numbers go into the other half each time.
struct sums_of_eight {
  float64x2_t sum[2][4] = {};

  EMBIT_ALWAYS_INLINE void add(std::size_t half, const eight& a, const eight& b) noexcept {
    float64x2_t* to = sum[half];
    to[0] = vfmaq_f64(to[0], vcvt_f64_f32(vget_low_f32(a.low)), vcvt_f64_f32(vget_low_f32(b.low)));
    to[1] = vfmaq_f64(to[1], vcvt_high_f64_f32(a.low), vcvt_high_f64_f32(b.low));
    to[2] = vfmaq_f64(to[2], vcvt_f64_f32(vget_low_f32(a.high)), vcvt_f64_f32(vget_low_f32(b.high)));
    to[3] = vfmaq_f64(to[3], vcvt_high_f64_f32(a.high), vcvt_high_f64_f32(b.high));
  }
  double total() const noexcept {
    double all[grid_lanes];
    for (std::size_t i = 0; i < 8; ++i) vst1q_f64(all + 2 * i, sum[i / 4][i % 4]);
    return sum_lanes(all);
  }
};

/// Bit i is set where the lowest bit of number i is.
EMBIT_ALWAYS_INLINE std::uint32_t byte_of(uint32x4_t low, uint32x4_t high) noexcept {
  const int32x4_t place{0, 1, 2, 3}, next{4, 5, 6, 7};
  const uint32x4_t one = vdupq_n_u32(1);
  return vaddvq_u32(vorrq_u32(vshlq_u32(vandq_u32(low, one), place), vshlq_u32(vandq_u32(high, one), next)));
}

inline double square(const float* x, std::size_t dims) noexcept {
  sums_of_eight sums;
  for (std::size_t j = 0; j < dims; j += 8) {
    const eight v = load(x + j, dims - j);
    sums.add(j / 8 % 2, v, v);
  }
  return sums.total();
}

inline grid_sums row(const float* x, std::size_t dims, float inverse_step, std::size_t bits,
                     std::uint8_t* out) noexcept {
  const std::size_t plane = (dims + 7) / 8 * level_block_rows;
  const float32x4_t most = vdupq_n_f32(static_cast<float>((1u << (bits - 1)) - 1));
  const float32x4_t zero = vdupq_n_f32(0), unit = vdupq_n_f32(1);
  const uint32x4_t one = vdupq_n_u32(1);
  sums_of_eight magnitude, product;
  grid_sums sums;
  const auto step_of = [&](float32x4_t a) {
    const float32x4_t scaled = vmulq_n_f32(a, inverse_step);
    return vcvtq_u32_f32(vbslq_f32(vcltq_f32(scaled, most), scaled, most));  // NaN becomes the most, as in every level
  };
  for (std::size_t j = 0; j < dims; j += 8) {
    const std::size_t left = dims - j;
    const eight v = load(x + j, left), a{vabsq_f32(v.low), vabsq_f32(v.high)};
    const uint32x4_t low = step_of(a.low), high = step_of(a.high);
    const uint32x4_t y_low = vorrq_u32(vaddq_u32(low, low), one), y_high = vorrq_u32(vaddq_u32(high, high), one);
    magnitude.add(j / 8 % 2, a, {unit, unit});
    product.add(j / 8 % 2, a, {vcvtq_f32_u32(y_low), vcvtq_f32_u32(y_high)});
    std::uint32_t energies[8];
    vst1q_u32(energies, vmulq_u32(y_low, y_low));
    vst1q_u32(energies + 4, vmulq_u32(y_high, y_high));
    for (std::size_t i = 0; i < 8 && i < left; ++i) sums.energy += energies[i];

    if (out == nullptr) continue;
    const std::uint32_t positive = byte_of(vcgtq_f32(v.low, zero), vcgtq_f32(v.high, zero));
    const std::uint32_t used = left < 8 ? (1u << left) - 1 : 0xffu;
    out[0] = static_cast<std::uint8_t>(positive);
    for (std::size_t p = 1; p < bits; ++p) {
      const int32x4_t down = vdupq_n_s32(-static_cast<std::int32_t>(bits - 1 - p));
      const std::uint32_t set = byte_of(vshlq_u32(low, down), vshlq_u32(high, down));
      out[p * plane] = static_cast<std::uint8_t>(~(set ^ positive) & used);
    }
    out += level_block_rows;
  }
  sums.magnitude = magnitude.total();
  sums.product = product.total();
  return sums;
}

inline constexpr quantize_ops ops{square, row};

}  // namespace embit::inline EMBIT_ABI::detail::quantize_neon

#endif  // EMBIT_NEON
