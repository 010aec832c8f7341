// Sixteen floats at a time, in one AVX-512 register.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/tokens/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#if EMBIT_X86
#include <immintrin.h>

namespace embit::inline EMBIT_ABI::detail::tokens_avx512 {

/// See portable.hpp. Masked forms stand where the plain ones make g++ 12 warn of its own header.
struct lanes16 {
  using vector = __m512;

  static constexpr std::size_t product_rows = 10;
  static constexpr std::size_t product_vectors = 2;
  static constexpr std::size_t max_rows = 12;
  static constexpr std::size_t max_panels = 2;

#define EMBIT_LANES EMBIT_TARGET_AVX512 static EMBIT_ALWAYS_INLINE
  EMBIT_LANES vector load(const float* p) { return _mm512_loadu_ps(p); }
  EMBIT_LANES void store(float* p, vector x) { _mm512_storeu_ps(p, x); }
  EMBIT_LANES vector broadcast(float x) { return _mm512_set1_ps(x); }
  EMBIT_LANES vector zero() { return _mm512_setzero_ps(); }
  EMBIT_LANES vector add(vector a, vector b) { return _mm512_add_ps(a, b); }
  EMBIT_LANES vector subtract(vector a, vector b) { return _mm512_sub_ps(a, b); }
  EMBIT_LANES vector multiply(vector a, vector b) { return _mm512_mul_ps(a, b); }
  EMBIT_LANES vector divide(vector a, vector b) { return _mm512_div_ps(a, b); }
  EMBIT_LANES vector fma(vector a, vector b, vector c) { return _mm512_fmadd_ps(a, b, c); }
  EMBIT_LANES vector maximum(vector a, vector b) { return _mm512_maskz_max_ps(0xffff, a, b); }
  EMBIT_LANES vector square_root(vector a) { return _mm512_maskz_sqrt_ps(0xffff, a); }

  EMBIT_LANES float sum(vector a) {
    alignas(64) float lanes[16];
    _mm512_store_ps(lanes, a);
    const __m256 x = _mm256_add_ps(_mm256_load_ps(lanes), _mm256_load_ps(lanes + 8));
    __m128 h = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    h = _mm_add_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
  }

  EMBIT_LANES std::uint32_t above(vector a, vector b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }

  EMBIT_LANES void gather_bits(const std::uint16_t* masks, std::size_t stride, std::size_t count,
                               std::uint16_t* codes) {
    __m256i code = _mm256_setzero_si256();
    for (std::size_t b = 0; b < count; ++b) {
      const __m256i bit = _mm256_set1_epi16(static_cast<short>(1u << b));
      code = _mm256_or_si256(code, _mm256_maskz_mov_epi16(masks[b * stride], bit));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes), code);
  }

  EMBIT_LANES void transpose(const float* const* in, std::size_t at, float* out, std::size_t out_stride) {
    __m512 r[16], t[16];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < 16; ++i) r[i] = _mm512_loadu_ps(in[i] + at);
#pragma GCC unroll 16
    for (std::size_t i = 0; i < 16; i += 2) {
      t[i] = _mm512_maskz_unpacklo_ps(0xffff, r[i], r[i + 1]);
      t[i + 1] = _mm512_maskz_unpackhi_ps(0xffff, r[i], r[i + 1]);
    }
#pragma GCC unroll 16
    for (std::size_t i = 0; i < 16; i += 4) {
      r[i] = _mm512_maskz_shuffle_ps(0xffff, t[i], t[i + 2], 0x44);
      r[i + 1] = _mm512_maskz_shuffle_ps(0xffff, t[i], t[i + 2], 0xee);
      r[i + 2] = _mm512_maskz_shuffle_ps(0xffff, t[i + 1], t[i + 3], 0x44);
      r[i + 3] = _mm512_maskz_shuffle_ps(0xffff, t[i + 1], t[i + 3], 0xee);
    }
#pragma GCC unroll 16
    for (std::size_t i = 0; i < 4; ++i) {
      t[i] = _mm512_maskz_shuffle_f32x4(0xffff, r[i], r[i + 4], 0x88);
      t[i + 4] = _mm512_maskz_shuffle_f32x4(0xffff, r[i], r[i + 4], 0xdd);
      t[i + 8] = _mm512_maskz_shuffle_f32x4(0xffff, r[i + 8], r[i + 12], 0x88);
      t[i + 12] = _mm512_maskz_shuffle_f32x4(0xffff, r[i + 8], r[i + 12], 0xdd);
    }
#pragma GCC unroll 16
    for (std::size_t i = 0; i < 4; ++i) {
      _mm512_storeu_ps(out + i * out_stride, _mm512_maskz_shuffle_f32x4(0xffff, t[i], t[i + 8], 0x88));
      _mm512_storeu_ps(out + (i + 4) * out_stride, _mm512_maskz_shuffle_f32x4(0xffff, t[i + 4], t[i + 12], 0x88));
      _mm512_storeu_ps(out + (i + 8) * out_stride, _mm512_maskz_shuffle_f32x4(0xffff, t[i], t[i + 8], 0xdd));
      _mm512_storeu_ps(out + (i + 12) * out_stride, _mm512_maskz_shuffle_f32x4(0xffff, t[i + 4], t[i + 12], 0xdd));
    }
  }
#undef EMBIT_LANES
};

#define EMBIT_STAMP_TARGET EMBIT_TARGET_AVX512
#include <embit/kernel/detail/tokens/chamfer_body.hpp>
#include <embit/kernel/detail/tokens/sums_body.hpp>
#undef EMBIT_STAMP_TARGET

inline constexpr token_ops tokens{add_tokens, finish_document};
inline constexpr chamfer_ops chamfer{max_products, max_signs};

}  // namespace embit::inline EMBIT_ABI::detail::tokens_avx512
#endif
