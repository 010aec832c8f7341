// The scan of B-bit codes for AArch64 Advanced SIMD: a register has a byte of each of 16 rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/level_scan/ops.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#if EMBIT_NEON
#include <arm_neon.h>

namespace embit::inline EMBIT_ABI::detail::level_scan_neon {

#define EMBIT_STAMP_TARGET

struct lanes {
  using vector = uint8x16_t;
  using ints = int32x4_t;
  using floats = float32x4_t;
  static constexpr std::size_t positions = 1, registers = 2, rows = 4, step_blocks = 2;

  struct table {
    vector low, high;
  };
  template <bool>
  static EMBIT_ALWAYS_INLINE table load_table(const std::uint8_t* p) {
    return {vld1q_u8(p), vld1q_u8(p + 16)};
  }
  template <bool>
  static EMBIT_ALWAYS_INLINE vector load(const std::uint8_t* p) {
    return vld1q_u8(p);
  }
  static EMBIT_ALWAYS_INLINE vector pick_low(const table& t, vector x) {
    return vqtbl1q_u8(t.low, vandq_u8(x, vdupq_n_u8(15)));
  }
  static EMBIT_ALWAYS_INLINE vector pick_high(const table& t, vector x) { return vqtbl1q_u8(t.high, vshrq_n_u8(x, 4)); }

  static EMBIT_ALWAYS_INLINE vector bytes(uint16x8_t x) { return vreinterpretq_u8_u16(x); }
  static EMBIT_ALWAYS_INLINE uint16x8_t words(vector x) { return vreinterpretq_u16_u8(x); }
  static EMBIT_ALWAYS_INLINE vector zero() { return vdupq_n_u8(0); }
  static EMBIT_ALWAYS_INLINE vector add_bytes(vector a, vector b) { return vaddq_u8(a, b); }
  static EMBIT_ALWAYS_INLINE vector add_words(vector a, vector b) { return bytes(vaddq_u16(words(a), words(b))); }
  static EMBIT_ALWAYS_INLINE vector odd_bytes(vector x) { return bytes(vshrq_n_u16(words(x), 8)); }
  static EMBIT_ALWAYS_INLINE vector scale_words(vector x, std::uint16_t weight) {
    return bytes(vmulq_n_u16(words(x), weight));
  }
  static EMBIT_ALWAYS_INLINE void widen(const vector* even, const vector* odd, std::int32_t weight, ints* sums) {
    for (std::size_t r = 0; r < registers; ++r, sums += 4) {
      const uint16x8_t odd_rows = words(odd[r]);
      const uint16x8_t even_rows = vsubq_u16(words(even[r]), vshlq_n_u16(odd_rows, 8));
      const uint16x8_t low = vzip1q_u16(even_rows, odd_rows), high = vzip2q_u16(even_rows, odd_rows);
      const auto add_scaled = [&](ints& sum, uint16x4_t four) {
        sum = vmlaq_n_s32(sum, vreinterpretq_s32_u32(vmovl_u16(four)), weight);
      };
      add_scaled(sums[0], vget_low_u16(low));
      add_scaled(sums[1], vget_high_u16(low));
      add_scaled(sums[2], vget_low_u16(high));
      add_scaled(sums[3], vget_high_u16(high));
    }
  }

  static EMBIT_ALWAYS_INLINE ints set(std::int32_t x) { return vdupq_n_s32(x); }
  static EMBIT_ALWAYS_INLINE ints add(ints a, ints b) { return vaddq_s32(a, b); }
  static EMBIT_ALWAYS_INLINE floats set(float x) { return vdupq_n_f32(x); }
  static EMBIT_ALWAYS_INLINE floats to_floats(ints x) { return vcvtq_f32_s32(x); }
  static EMBIT_ALWAYS_INLINE floats mul(floats a, floats b) {
    floats product = vmulq_f32(a, b);
    EMBIT_ROUNDED("w", product);
    return product;
  }
  static EMBIT_ALWAYS_INLINE floats fma(floats a, floats b, floats c) { return vfmaq_f32(c, a, b); }
  static EMBIT_ALWAYS_INLINE floats larger(floats a, floats b) {
    return vbslq_f32(vcgtq_f32(a, b), a, b);  // b where one is not a number, as elsewhere
  }
  static EMBIT_ALWAYS_INLINE floats factor(const void* column, bool halves, std::size_t row) {
    if (!halves) return vld1q_f32(static_cast<const float*>(column) + row);
    const auto* at = reinterpret_cast<const std::uint16_t*>(static_cast<const half*>(column) + row);
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(at)));
  }
  static EMBIT_ALWAYS_INLINE floats segment_scales(const std::uint8_t* p) {
    const uint32x4_t codes{p[0], p[1], p[2], p[3]};
    return vreinterpretq_f32_u32(vaddq_u32(vshlq_n_u32(codes, 19), vdupq_n_u32(std::uint32_t{127 - 8} << 23)));
  }
  static EMBIT_ALWAYS_INLINE std::uint32_t within(floats x, floats limit) {
    const uint32x4_t bit{1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(vmvnq_u32(vcgtq_f32(x, limit)), bit));
  }
  static EMBIT_ALWAYS_INLINE std::size_t write_hits(std::uint32_t first, std::uint32_t inside, const floats* distances,
                                                    level_hit* hits) {
    alignas(64) float all[level_block_rows];
    for (std::size_t r = 0; r < level_block_rows / rows; ++r) vst1q_f32(all + r * rows, distances[r]);
    return detail::write_hits(first, inside, all, hits);
  }
};

#include <embit/kernel/detail/level_scan/body.hpp>
#undef EMBIT_STAMP_TARGET

}  // namespace embit::inline EMBIT_ABI::detail::level_scan_neon
#endif
