// Hamming kernels for AArch64 Advanced SIMD: byte popcounts for few queries, the portable bit slices for many, whose
// 16-byte vectors are its registers.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/hamming/ops.hpp>
#include <embit/kernel/detail/hamming/portable.hpp>

#include <cstddef>

#if EMBIT_NEON
#include <arm_neon.h>

namespace embit::inline EMBIT_ABI::detail::hamming_neon {

#define EMBIT_STAMP_TARGET

struct lanes {
  using vector = uint64x2_t;
  static constexpr std::size_t words = 2;
  static constexpr std::size_t step_blocks = 2;
  static constexpr bool counts_bytes = true;

  static EMBIT_ALWAYS_INLINE vector load(const word* p) { return vld1q_u64(p); }
  static EMBIT_ALWAYS_INLINE void store(word* p, vector x) { vst1q_u64(p, x); }
  static EMBIT_ALWAYS_INLINE vector zero() { return vdupq_n_u64(0); }
  static EMBIT_ALWAYS_INLINE vector broadcast(word x) { return vdupq_n_u64(x); }
  static EMBIT_ALWAYS_INLINE vector add(vector a, vector b) { return vaddq_u64(a, b); }
  static EMBIT_ALWAYS_INLINE vector add_bytes(vector a, vector b) {
    return vreinterpretq_u64_u8(vaddq_u8(vreinterpretq_u8_u64(a), vreinterpretq_u8_u64(b)));
  }
  static EMBIT_ALWAYS_INLINE vector bit_or(vector a, vector b) { return vorrq_u64(a, b); }
  static EMBIT_ALWAYS_INLINE word negatives(vector x) {
    return vgetq_lane_u64(x, 0) >> (word_bits - 1) | vgetq_lane_u64(x, 1) >> (word_bits - 1) << 1;
  }
  static EMBIT_ALWAYS_INLINE vector widen(vector x) {
    return vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(vreinterpretq_u8_u64(x))));
  }
  static EMBIT_ALWAYS_INLINE vector count(vector x, vector q) {
    return vreinterpretq_u64_u8(vcntq_u8(vreinterpretq_u8_u64(veorq_u64(x, q))));
  }
};

#include <embit/kernel/detail/hamming/interleaved_body.hpp>
#undef EMBIT_STAMP_TARGET

inline constexpr hamming_ops ops{interleaved, hamming_portable::ops.sliced, 24, 8};

}  // namespace embit::inline EMBIT_ABI::detail::hamming_neon
#endif
