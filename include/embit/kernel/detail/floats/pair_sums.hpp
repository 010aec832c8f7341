// The loops of sums over two rows of floats, one a SIMD level.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/kernel/detail/floats/batch.hpp>

#include <cstddef>

#if EMBIT_X86
#include <immintrin.h>
#endif

namespace embit::inline EMBIT_ABI::detail {

enum class pair_sum { product, squared_difference };

// Every level keeps four sums of whole vectors and joins them in one fixed way, so that a pair of rows gives the same
// float wherever it lies and whoever asks.

template <pair_sum Sum>
float pair_portable(const float* x, const float* y, std::size_t n) noexcept {
  using batch = float_batch;
  constexpr std::size_t width = batch::size;
  const auto term = [](const batch& a, const batch& b) {
    if constexpr (Sum == pair_sum::product) return a * b;
    const batch d = a - b;
    return d * d;
  };
  batch s0(0.f), s1(0.f), s2(0.f), s3(0.f);
  std::size_t i = 0;
  for (; i + 4 * width <= n; i += 4 * width) {
    s0 = s0 + term(batch::load_unaligned(x + i), batch::load_unaligned(y + i));
    s1 = s1 + term(batch::load_unaligned(x + i + width), batch::load_unaligned(y + i + width));
    s2 = s2 + term(batch::load_unaligned(x + i + 2 * width), batch::load_unaligned(y + i + 2 * width));
    s3 = s3 + term(batch::load_unaligned(x + i + 3 * width), batch::load_unaligned(y + i + 3 * width));
  }
  for (; i + width <= n; i += width) s0 = s0 + term(batch::load_unaligned(x + i), batch::load_unaligned(y + i));
  float lanes[width];
  ((s0 + s1) + (s2 + s3)).store_unaligned(lanes);
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  for (; i < n; ++i) sum += Sum == pair_sum::product ? x[i] * y[i] : (x[i] - y[i]) * (x[i] - y[i]);
  return sum;
}

#if EMBIT_X86

EMBIT_TARGET_AVX2 inline float lane_sum_avx2(__m256 x) noexcept {
  __m128 h = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  h = _mm_add_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
}

template <pair_sum Sum>
EMBIT_TARGET_AVX2 inline __m256 pair_step_avx2(__m256 x, __m256 y, __m256 sum) noexcept {
  if constexpr (Sum == pair_sum::product) return _mm256_fmadd_ps(x, y, sum);
  const __m256 d = _mm256_sub_ps(x, y);
  return _mm256_fmadd_ps(d, d, sum);
}

template <pair_sum Sum>
EMBIT_TARGET_AVX2 float pair_avx2(const float* x, const float* y, std::size_t n) noexcept {
  __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    s0 = pair_step_avx2<Sum>(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i), s0);
    s1 = pair_step_avx2<Sum>(_mm256_loadu_ps(x + i + 8), _mm256_loadu_ps(y + i + 8), s1);
    s2 = pair_step_avx2<Sum>(_mm256_loadu_ps(x + i + 16), _mm256_loadu_ps(y + i + 16), s2);
    s3 = pair_step_avx2<Sum>(_mm256_loadu_ps(x + i + 24), _mm256_loadu_ps(y + i + 24), s3);
  }
  for (; i + 8 <= n; i += 8) s0 = pair_step_avx2<Sum>(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i), s0);
  if (i < n) {
    alignas(32) static constexpr int kept[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    const __m256i mask = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kept + 8 - (n - i)));
    s1 = pair_step_avx2<Sum>(_mm256_maskload_ps(x + i, mask), _mm256_maskload_ps(y + i, mask), s1);
  }
  return lane_sum_avx2(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
}

template <pair_sum Sum>
EMBIT_TARGET_AVX512 inline __m512 pair_step_avx512(__m512 x, __m512 y, __m512 sum) noexcept {
  if constexpr (Sum == pair_sum::product) return _mm512_fmadd_ps(x, y, sum);
  const __m512 d = _mm512_sub_ps(x, y);
  return _mm512_fmadd_ps(d, d, sum);
}

template <pair_sum Sum>
EMBIT_TARGET_AVX512 float pair_avx512(const float* x, const float* y, std::size_t n) noexcept {
  __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  std::size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    s0 = pair_step_avx512<Sum>(_mm512_loadu_ps(x + i), _mm512_loadu_ps(y + i), s0);
    s1 = pair_step_avx512<Sum>(_mm512_loadu_ps(x + i + 16), _mm512_loadu_ps(y + i + 16), s1);
    s2 = pair_step_avx512<Sum>(_mm512_loadu_ps(x + i + 32), _mm512_loadu_ps(y + i + 32), s2);
    s3 = pair_step_avx512<Sum>(_mm512_loadu_ps(x + i + 48), _mm512_loadu_ps(y + i + 48), s3);
  }
  for (; i + 16 <= n; i += 16) s0 = pair_step_avx512<Sum>(_mm512_loadu_ps(x + i), _mm512_loadu_ps(y + i), s0);
  if (i < n) {
    const auto mask = static_cast<__mmask16>((1u << (n - i)) - 1);
    s1 = pair_step_avx512<Sum>(_mm512_maskz_loadu_ps(mask, x + i), _mm512_maskz_loadu_ps(mask, y + i), s1);
  }
  const __m512 s = _mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3));
  alignas(64) float lanes[16];  // through memory: g++ 12 warns of its own header's casts and extractions
  _mm512_store_ps(lanes, s);
  return lane_sum_avx2(_mm256_add_ps(_mm256_load_ps(lanes), _mm256_load_ps(lanes + 8)));
}

#endif  // EMBIT_X86

}  // namespace embit::inline EMBIT_ABI::detail
