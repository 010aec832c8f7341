// Hamming kernels for AVX-512 with VPOPCNTDQ: a popcount for few queries, the bit slices of AVX-512 for many.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/hamming/avx512.hpp>
#include <embit/kernel/detail/hamming/ops.hpp>

#include <cstddef>

#if EMBIT_X86
#include <immintrin.h>

namespace embit::inline EMBIT_ABI::detail::hamming_vpopcnt {

#define EMBIT_STAMP_TARGET EMBIT_TARGET_VPOPCNT

struct lanes {
  using vector = __m512i;
  static constexpr std::size_t words = 8;
  static constexpr std::size_t step_blocks = 8;
  static constexpr bool counts_bytes = false;

  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector load(const word* p) { return _mm512_load_si512(p); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE void store(word* p, vector x) { _mm512_store_si512(p, x); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector broadcast(word x) {
    return _mm512_set1_epi64(static_cast<long long>(x));
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector add(vector a, vector b) { return _mm512_add_epi64(a, b); }
  // Of numbers below 2^32, whose minimum is cheaper than that of 64 bits; masked, since g++ 12 warns of its own header.
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector least(vector a, vector b) {
    return _mm512_maskz_min_epu32(0xffff, a, b);
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE word below(vector x, vector limit) {
    return _mm512_cmplt_epu64_mask(x, limit);
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector count(vector x, vector q) {
    return _mm512_popcnt_epi64(_mm512_xor_si512(x, q));
  }
};

#include <embit/kernel/detail/hamming/interleaved_body.hpp>
#undef EMBIT_STAMP_TARGET

inline constexpr hamming_ops ops{interleaved, &hamming_avx512::sliced, 40, 28};

}  // namespace embit::inline EMBIT_ABI::detail::hamming_vpopcnt
#endif
