// Sixteen floats at a time, in two AVX2 registers.
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

namespace embit::inline EMBIT_ABI::detail::tokens_avx2 {

/// See portable.hpp.
struct lanes16 {
  struct vector {
    __m256 low, high;
  };

  static constexpr std::size_t product_rows = 5;
  static constexpr std::size_t product_vectors = 1;
  static constexpr std::size_t max_rows = 6;
  static constexpr std::size_t max_panels = 1;

#define EMBIT_LANES EMBIT_TARGET_AVX2 static EMBIT_ALWAYS_INLINE
  EMBIT_LANES vector load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  EMBIT_LANES void store(float* p, vector x) {
    _mm256_storeu_ps(p, x.low);
    _mm256_storeu_ps(p + 8, x.high);
  }
  EMBIT_LANES vector broadcast(float x) {
    const __m256 all = _mm256_set1_ps(x);
    return {all, all};
  }
  EMBIT_LANES vector zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  EMBIT_LANES vector add(vector a, vector b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
  EMBIT_LANES vector subtract(vector a, vector b) {
    return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
  }
  EMBIT_LANES vector multiply(vector a, vector b) {
    return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
  }
  EMBIT_LANES vector divide(vector a, vector b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }
  EMBIT_LANES vector fma(vector a, vector b, vector c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
  }
  EMBIT_LANES vector maximum(vector a, vector b) {
    return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
  }
  EMBIT_LANES vector square_root(vector a) { return {_mm256_sqrt_ps(a.low), _mm256_sqrt_ps(a.high)}; }

  EMBIT_LANES float sum(vector a) {
    const __m256 x = _mm256_add_ps(a.low, a.high);
    __m128 h = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    h = _mm_add_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
  }

  EMBIT_LANES std::uint32_t above(vector a, vector b) {
    const int low = _mm256_movemask_ps(_mm256_cmp_ps(a.low, b.low, _CMP_GT_OQ));
    const int high = _mm256_movemask_ps(_mm256_cmp_ps(a.high, b.high, _CMP_GT_OQ));
    return static_cast<std::uint32_t>(low | high << 8);
  }

  EMBIT_LANES void gather_bits(const std::uint16_t* masks, std::size_t stride, std::size_t count,
                               std::uint16_t* codes) {
    const __m256i lane = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384,
                                           static_cast<short>(-32768));
    __m256i code = _mm256_setzero_si256();
    for (std::size_t b = 0; b < count; ++b) {
      const __m256i set = _mm256_and_si256(_mm256_set1_epi16(static_cast<short>(masks[b * stride])), lane);
      const __m256i bit = _mm256_set1_epi16(static_cast<short>(1u << b));
      code = _mm256_or_si256(code, _mm256_and_si256(_mm256_cmpeq_epi16(set, lane), bit));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes), code);
  }

  EMBIT_LANES void transpose8(const float* const* in, std::size_t at, float* out, std::size_t out_stride) {
    __m256 r[8], t[8];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(in[i] + at);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 4; ++i) {
      t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
      t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; i += 4) {
      r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
      r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
      r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
      r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 4; ++i) {
      _mm256_storeu_ps(out + i * out_stride, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
      _mm256_storeu_ps(out + (i + 4) * out_stride, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
  }
  EMBIT_LANES void transpose(const float* const* in, std::size_t at, float* out, std::size_t out_stride) {
    for (std::size_t i = 0; i < 16; i += 8)
      for (std::size_t j = 0; j < 16; j += 8) transpose8(in + i, at + j, out + j * out_stride + i, out_stride);
  }
#undef EMBIT_LANES
};

#define EMBIT_STAMP_TARGET EMBIT_TARGET_AVX2
#include <embit/kernel/detail/tokens/chamfer_body.hpp>
#include <embit/kernel/detail/tokens/sums_body.hpp>
#undef EMBIT_STAMP_TARGET

inline constexpr token_ops tokens{add_tokens, finish_document};
inline constexpr chamfer_ops chamfer{max_products, max_signs};

}  // namespace embit::inline EMBIT_ABI::detail::tokens_avx2
#endif
