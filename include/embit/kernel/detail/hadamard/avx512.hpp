// The Walsh–Hadamard transform with AVX-512.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/hadamard/level.hpp>

#if EMBIT_X86

#include <immintrin.h>

#include <cstddef>

namespace embit::inline EMBIT_ABI {

namespace detail::hadamard_avx512 {

#define EMBIT_STAMP_TARGET EMBIT_TARGET_AVX512

struct lanes {
  using vector = __m512;
  static constexpr std::size_t width = 16;
  static constexpr std::size_t registers = 16;

  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector load(const float* x) { return _mm512_loadu_ps(x); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE void store(float* x, vector v) { _mm512_storeu_ps(x, v); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector broadcast(float x) { return _mm512_set1_ps(x); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector add(vector a, vector b) {
    vector sum = _mm512_add_ps(a, b);
    EMBIT_ROUNDED("x", sum);
    return sum;
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector sub(vector a, vector b) {
    vector difference = _mm512_sub_ps(a, b);
    EMBIT_ROUNDED("x", difference);
    return difference;
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector mul(vector a, vector b) { return _mm512_mul_ps(a, b); }

  // partner + (±1) · x rounds once, as the sum and the difference do. (Shuffles by the compilers' own function: g++ 12
  // warns of the intrinsics in its header.)
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector inner(vector x) {
    const __m512 by1 = _mm512_setr_ps(1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1);
    const __m512 by2 = _mm512_setr_ps(1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1);
    const __m512 by4 = _mm512_setr_ps(1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1);
    const __m512 by8 = _mm512_setr_ps(1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1);
    x = _mm512_fmadd_ps(x, by1, __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
    x = _mm512_fmadd_ps(x, by2, __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
    x = _mm512_fmadd_ps(x, by4, __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
    return _mm512_fmadd_ps(x, by8, __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  }

  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector flip(vector x, word bits) {
    return _mm512_mask_xor_ps(x, static_cast<__mmask16>(bits), x, _mm512_set1_ps(-0.f));
  }
};

EMBIT_STAMP_TARGET inline void signs(const float* values, const float* thresholds, std::size_t words,
                                     word* out) noexcept {
  for (std::size_t w = 0; w < words; ++w) {
    word bits = 0;
    for (std::size_t j = 0; j < word_bits; j += 16, values += 16, thresholds += 16)
      bits |= word{_mm512_cmp_ps_mask(_mm512_loadu_ps(values), _mm512_loadu_ps(thresholds), _CMP_GT_OQ)} << j;
    out[w] = bits;
  }
}

#include <embit/kernel/detail/hadamard/body.hpp>

#undef EMBIT_STAMP_TARGET

}  // namespace detail::hadamard_avx512

}  // namespace embit::inline EMBIT_ABI

#endif  // EMBIT_X86
