// The Walsh–Hadamard transform for AArch64 Advanced SIMD.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/hadamard/level.hpp>

#if EMBIT_NEON

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI {

namespace detail::hadamard_neon {

#define EMBIT_STAMP_TARGET

struct lanes {
  using vector = float32x4_t;
  static constexpr std::size_t width = 4;
  static constexpr std::size_t registers = 16;

  static EMBIT_ALWAYS_INLINE vector load(const float* x) { return vld1q_f32(x); }
  static EMBIT_ALWAYS_INLINE void store(float* x, vector v) { vst1q_f32(x, v); }
  static EMBIT_ALWAYS_INLINE vector broadcast(float x) { return vdupq_n_f32(x); }
  static EMBIT_ALWAYS_INLINE vector add(vector a, vector b) {
    vector sum = vaddq_f32(a, b);
    EMBIT_ROUNDED("w", sum);
    return sum;
  }
  static EMBIT_ALWAYS_INLINE vector sub(vector a, vector b) {
    vector difference = vsubq_f32(a, b);
    EMBIT_ROUNDED("w", difference);
    return difference;
  }
  static EMBIT_ALWAYS_INLINE vector mul(vector a, vector b) { return vmulq_f32(a, b); }

  // partner + (±1) · x rounds once, as the sum and the difference do.
  static EMBIT_ALWAYS_INLINE vector inner(vector x) {
    const vector by1{1, -1, 1, -1}, by2{1, 1, -1, -1};
    x = vfmaq_f32(vrev64q_f32(x), x, by1);
    return vfmaq_f32(vextq_f32(x, x, 2), x, by2);
  }

  static EMBIT_ALWAYS_INLINE vector flip(vector x, word bits) {
    const int32x4_t place{31, 30, 29, 28};
    const uint32x4_t sign =
        vandq_u32(vshlq_u32(vdupq_n_u32(static_cast<std::uint32_t>(bits)), place), vdupq_n_u32(std::uint32_t{1} << 31));
    return vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(x), sign));
  }
};

inline void signs(const float* values, const float* thresholds, std::size_t words, word* out) noexcept {
  const uint32x4_t bit{1, 2, 4, 8};
  for (std::size_t w = 0; w < words; ++w) {
    word bits = 0;
    for (std::size_t j = 0; j < word_bits; j += 4, values += 4, thresholds += 4)
      bits |= word{vaddvq_u32(vandq_u32(vcgtq_f32(vld1q_f32(values), vld1q_f32(thresholds)), bit))} << j;
    out[w] = bits;
  }
}

#include <embit/kernel/detail/hadamard/body.hpp>

#undef EMBIT_STAMP_TARGET

}  // namespace detail::hadamard_neon

}  // namespace embit::inline EMBIT_ABI

#endif  // EMBIT_NEON
