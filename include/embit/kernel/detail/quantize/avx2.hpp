// The quantization of float rows with AVX2: 8 numbers at a time, a byte of each plane.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/kernel/detail/quantize/level.hpp>

#if EMBIT_X86

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail::quantize_avx2 {

/// 16 sums: those of the next 8 numbers go into the other half each time.
struct lanes {
  __m256d sum[2][2];

  EMBIT_TARGET_AVX2 EMBIT_ALWAYS_INLINE void clear() noexcept {
    sum[0][0] = sum[0][1] = sum[1][0] = sum[1][1] = _mm256_setzero_pd();
  }
  EMBIT_TARGET_AVX2 EMBIT_ALWAYS_INLINE double total() const noexcept {
    double all[grid_lanes];
    for (std::size_t i = 0; i < 4; ++i) _mm256_storeu_pd(all + 4 * i, sum[i / 2][i % 2]);
    return sum_lanes(all);
  }
};

EMBIT_TARGET_AVX2 EMBIT_ALWAYS_INLINE __m256d low_of(__m256 x) noexcept {
  return _mm256_cvtps_pd(_mm256_castps256_ps128(x));
}
EMBIT_TARGET_AVX2 EMBIT_ALWAYS_INLINE __m256d high_of(__m256 x) noexcept {
  return _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
}

/// All ones in the first `left` lanes.
EMBIT_TARGET_AVX2 EMBIT_ALWAYS_INLINE __m256i lanes_of(std::size_t left) noexcept {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(left < 8 ? static_cast<int>(left) : 8), index);
}

EMBIT_TARGET_AVX2 inline double square(const float* x, std::size_t dims) noexcept {
  lanes sums;
  sums.clear();
  for (std::size_t j = 0; j < dims; j += 8) {
    const __m256 v = _mm256_maskload_ps(x + j, lanes_of(dims - j));
    auto& sum = sums.sum[j / 8 % 2];
    sum[0] = _mm256_fmadd_pd(low_of(v), low_of(v), sum[0]);
    sum[1] = _mm256_fmadd_pd(high_of(v), high_of(v), sum[1]);
  }
  return sums.total();
}

EMBIT_TARGET_AVX2 inline grid_sums row(const float* x, std::size_t dims, float inverse_step, std::size_t bits,
                                       std::uint8_t* out) noexcept {
  const std::size_t plane = (dims + 7) / 8 * level_block_rows;
  const __m256 scale = _mm256_set1_ps(inverse_step), most = _mm256_set1_ps(static_cast<float>((1u << (bits - 1)) - 1));
  const __m256 sign = _mm256_set1_ps(-0.f);
  const __m256i one = _mm256_set1_epi32(1);
  lanes magnitude, product;
  magnitude.clear();
  product.clear();
  __m256i energy = _mm256_setzero_si256();
  for (std::size_t j = 0; j < dims; j += 8) {
    const __m256i used = lanes_of(dims - j);
    const __m256 v = _mm256_maskload_ps(x + j, used), a = _mm256_andnot_ps(sign, v);
    // A NaN becomes the most, as in every level.
    const __m256i u = _mm256_cvttps_epi32(_mm256_min_ps(_mm256_mul_ps(scale, a), most));
    const __m256i y = _mm256_or_si256(_mm256_slli_epi32(u, 1), one);
    const __m256 levels = _mm256_cvtepi32_ps(y);
    auto& magnitudes = magnitude.sum[j / 8 % 2];
    auto& products = product.sum[j / 8 % 2];
    magnitudes[0] = _mm256_add_pd(magnitudes[0], low_of(a));
    magnitudes[1] = _mm256_add_pd(magnitudes[1], high_of(a));
    products[0] = _mm256_fmadd_pd(low_of(a), low_of(levels), products[0]);
    products[1] = _mm256_fmadd_pd(high_of(a), high_of(levels), products[1]);
    energy = _mm256_add_epi32(energy, _mm256_and_si256(_mm256_mullo_epi32(y, y), used));

    if (out == nullptr) continue;
    const auto positive =
        static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_GT_OQ)));
    const auto bits_used = static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(used)));
    out[0] = static_cast<std::uint8_t>(positive);
    for (std::size_t p = 1; p < bits; ++p) {
      const __m256i up = _mm256_sll_epi32(u, _mm_cvtsi32_si128(static_cast<int>(32 - bits + p)));
      const auto set = static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(up)));
      out[p * plane] = static_cast<std::uint8_t>(~(set ^ positive) & bits_used);
    }
    out += level_block_rows;
  }
  alignas(32) std::uint32_t energies[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(energies), energy);
  grid_sums sums{magnitude.total(), product.total()};
  for (const std::uint32_t e : energies) sums.energy += e;
  return sums;
}

inline constexpr quantize_ops ops{square, row};

}  // namespace embit::inline EMBIT_ABI::detail::quantize_avx2

#endif  // EMBIT_X86
