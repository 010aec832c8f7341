// The loops that make floats of short numbers, one a SIMD level.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/half.hpp>
#include <embit/core/isa.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

#if EMBIT_X86
#include <immintrin.h>
#elif EMBIT_NEON
#include <arm_neon.h>
#endif

namespace embit::inline EMBIT_ABI::detail {

inline void widen_portable(const half* from, std::size_t n, float* out) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = from[i];
}
inline void widen_portable(const std::int8_t* from, std::size_t n, float scale, float* out) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(from[i]) * scale;
}

#if EMBIT_X86
EMBIT_TARGET_AVX2 inline void widen_avx2(const half* from, std::size_t n, float* out) noexcept {
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
  if (i == n) return;
  alignas(16) std::uint16_t rest[8] = {};
  alignas(32) float wide[8];
  std::memcpy(rest, from + i, (n - i) * sizeof(half));
  _mm256_store_ps(wide, _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(rest))));
  std::memcpy(out + i, wide, (n - i) * sizeof(float));
}

EMBIT_TARGET_AVX2 inline void widen_avx2(const std::int8_t* from, std::size_t n, float scale, float* out) noexcept {
  const __m256 factor = _mm256_set1_ps(scale);
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + i));
    _mm256_storeu_ps(out + i, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)), factor));
  }
  for (; i < n; ++i) out[i] = static_cast<float>(from[i]) * scale;
}
#endif

#if EMBIT_NEON
inline void widen_neon(const half* from, std::size_t n, float* out) noexcept {
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const uint16x4_t halves = vld1_u16(reinterpret_cast<const std::uint16_t*>(from + i));
    vst1q_f32(out + i, vcvt_f32_f16(vreinterpret_f16_u16(halves)));
  }
  widen_portable(from + i, n - i, out + i);
}
#endif

}  // namespace embit::inline EMBIT_ABI::detail
