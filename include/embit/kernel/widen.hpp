// Rows of short numbers as floats.
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
#endif

namespace embit::inline EMBIT_ABI::detail {

inline void widen_portable(const half* from, std::size_t n, float* out) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = from[i];
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

/// out[i] = from[i] for n numbers, without loss.
inline void widen(const half* from, std::size_t n, float* out, isa level) noexcept {
#if EMBIT_X86
  if (level != isa::portable) return widen_avx2(from, n, out);
#endif
  static_cast<void>(level);
  widen_portable(from, n, out);
}
inline void widen(const float* from, std::size_t n, float* out, isa) noexcept {
  std::memcpy(out, from, n * sizeof(float));
}

/// out[i] = from[i] · scale for n numbers.
inline void widen(const std::int8_t* from, std::size_t n, float scale, float* out, isa level) noexcept {
#if EMBIT_X86
  if (level != isa::portable) return widen_avx2(from, n, scale, out);
#endif
  static_cast<void>(level);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(from[i]) * scale;
}
inline void widen(const std::int8_t* from, std::size_t n, float* out, isa level) noexcept {
  widen(from, n, 1.f, out, level);
}

}  // namespace embit::inline EMBIT_ABI::detail
