// The Walsh–Hadamard transform with AVX2.
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

namespace detail::hadamard_avx2 {

#define EMBIT_STAMP_TARGET EMBIT_TARGET_AVX2

struct lanes {
  using vector = __m256;
  static constexpr std::size_t width = 8;
  static constexpr std::size_t registers = 8;

  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector load(const float* x) { return _mm256_loadu_ps(x); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE void store(float* x, vector v) { _mm256_storeu_ps(x, v); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector broadcast(float x) { return _mm256_set1_ps(x); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector add(vector a, vector b) {
    vector sum = _mm256_add_ps(a, b);
    EMBIT_ROUNDED("x", sum);
    return sum;
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector sub(vector a, vector b) {
    vector difference = _mm256_sub_ps(a, b);
    EMBIT_ROUNDED("x", difference);
    return difference;
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector mul(vector a, vector b) { return _mm256_mul_ps(a, b); }

  // partner + (±1) · x rounds once, as the sum and the difference do.
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector inner(vector x) {
    const __m256 by1 = _mm256_setr_ps(1, -1, 1, -1, 1, -1, 1, -1), by2 = _mm256_setr_ps(1, 1, -1, -1, 1, 1, -1, -1),
                 by4 = _mm256_setr_ps(1, 1, 1, 1, -1, -1, -1, -1);
    x = _mm256_fmadd_ps(x, by1, _mm256_permute_ps(x, 0xb1));
    x = _mm256_fmadd_ps(x, by2, _mm256_permute_ps(x, 0x4e));
    return _mm256_fmadd_ps(x, by4, _mm256_permute2f128_ps(x, x, 1));
  }

  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector flip(vector x, word bits) {
    const __m256i place = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24);
    const __m256i moved = _mm256_sllv_epi32(_mm256_set1_epi32(static_cast<int>(bits)), place);
    return _mm256_xor_ps(x, _mm256_and_ps(_mm256_castsi256_ps(moved), _mm256_set1_ps(-0.f)));
  }
};

EMBIT_STAMP_TARGET inline void signs(const float* values, const float* thresholds, std::size_t words,
                                     word* out) noexcept {
  for (std::size_t w = 0; w < words; ++w) {
    word bits = 0;
    for (std::size_t j = 0; j < word_bits; j += 8, values += 8, thresholds += 8) {
      const __m256 above = _mm256_cmp_ps(_mm256_loadu_ps(values), _mm256_loadu_ps(thresholds), _CMP_GT_OQ);
      bits |= static_cast<word>(static_cast<unsigned>(_mm256_movemask_ps(above))) << j;
    }
    out[w] = bits;
  }
}

#include <embit/kernel/detail/hadamard/body.hpp>

#undef EMBIT_STAMP_TARGET

}  // namespace detail::hadamard_avx2

}  // namespace embit::inline EMBIT_ABI

#endif  // EMBIT_X86
