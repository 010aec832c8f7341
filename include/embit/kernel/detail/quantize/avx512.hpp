// The quantization of float rows with AVX-512: 16 numbers at a time, their bits from masks.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/kernel/detail/quantize/level.hpp>

#if EMBIT_X86

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail::quantize_avx512 {

// The masked forms with all lanes are the plain instructions; g++ 12 warns of the plain forms in its header.
inline constexpr __mmask16 all16 = 0xffff;
inline constexpr __mmask8 all8 = 0xff;

/// Lanes 0 to 7 and 8 to 15 of a register of floats, widened.
struct halves {
  __m512d low, high;
};

EMBIT_TARGET_AVX512 EMBIT_ALWAYS_INLINE halves widened(__m512 x) noexcept {
  return {_mm512_maskz_cvtps_pd(all8, _mm512_maskz_extractf32x8_ps(all8, x, 0)),
          _mm512_maskz_cvtps_pd(all8, _mm512_maskz_extractf32x8_ps(all8, x, 1))};
}

EMBIT_TARGET_AVX512 EMBIT_ALWAYS_INLINE double sum_of(__m512d low, __m512d high) noexcept {
  double lanes[grid_lanes];
  _mm512_storeu_pd(lanes, low);
  _mm512_storeu_pd(lanes + 8, high);
  return sum_lanes(lanes);
}

EMBIT_TARGET_AVX512 EMBIT_ALWAYS_INLINE __mmask16 lanes_of(std::size_t left) noexcept {
  return static_cast<__mmask16>(left >= 16 ? 0xffffu : (1u << left) - 1);
}

EMBIT_TARGET_AVX512 inline double square(const float* x, std::size_t dims) noexcept {
  __m512d low = _mm512_setzero_pd(), high = low;
  for (std::size_t j = 0; j < dims; j += 16) {
    const halves v = widened(_mm512_maskz_loadu_ps(lanes_of(dims - j), x + j));
    low = _mm512_fmadd_pd(v.low, v.low, low);
    high = _mm512_fmadd_pd(v.high, v.high, high);
  }
  return sum_of(low, high);
}

EMBIT_TARGET_AVX512 inline grid_sums row(const float* x, std::size_t dims, float inverse_step, std::size_t bits,
                                         std::uint8_t* out) noexcept {
  const std::size_t plane = (dims + 7) / 8 * level_block_rows;
  const __m512 scale = _mm512_set1_ps(inverse_step), most = _mm512_set1_ps(static_cast<float>((1u << (bits - 1)) - 1));
  const __m512i one = _mm512_set1_epi32(1);
  __m512d magnitude_low = _mm512_setzero_pd(), magnitude_high = magnitude_low;
  __m512d product_low = magnitude_low, product_high = magnitude_low;
  __m512i energy = _mm512_setzero_si512();
  for (std::size_t j = 0; j < dims; j += 16) {
    const __mmask16 used = lanes_of(dims - j);
    const __m512 v = _mm512_maskz_loadu_ps(used, x + j), a = _mm512_abs_ps(v);
    // A NaN becomes the most, as in every level.
    const __m512i u = _mm512_maskz_cvttps_epi32(used, _mm512_maskz_min_ps(all16, _mm512_mul_ps(scale, a), most));
    const __m512i y = _mm512_or_si512(_mm512_maskz_slli_epi32(all16, u, 1), one);
    const halves wide = widened(a), levels = widened(_mm512_maskz_cvtepi32_ps(all16, y));
    magnitude_low = _mm512_add_pd(magnitude_low, wide.low);
    magnitude_high = _mm512_add_pd(magnitude_high, wide.high);
    product_low = _mm512_fmadd_pd(wide.low, levels.low, product_low);
    product_high = _mm512_fmadd_pd(wide.high, levels.high, product_high);
    energy = _mm512_mask_add_epi32(energy, used, energy, _mm512_mullo_epi32(y, y));

    if (out == nullptr) continue;
    const __mmask16 positive = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_GT_OQ);
    const bool second = dims - j > 8;
    std::uint8_t* byte = out;
    std::uint32_t mask = positive;
    for (std::size_t p = 0;;) {
      byte[0] = static_cast<std::uint8_t>(mask);
      if (second) byte[level_block_rows] = static_cast<std::uint8_t>(mask >> 8);
      if (++p == bits) break;
      byte += plane;
      const __mmask16 set = _mm512_test_epi32_mask(u, _mm512_set1_epi32(1 << (bits - 1 - p)));
      mask = static_cast<std::uint32_t>(_kand_mask16(_kxnor_mask16(set, positive), used));
    }
    out += 2 * level_block_rows;
  }
  alignas(64) std::uint32_t energies[16];
  _mm512_store_si512(energies, energy);
  grid_sums sums{sum_of(magnitude_low, magnitude_high), sum_of(product_low, product_high)};
  for (const std::uint32_t e : energies) sums.energy += e;
  return sums;
}

inline constexpr quantize_ops ops{square, row};

}  // namespace embit::inline EMBIT_ABI::detail::quantize_avx512

#endif  // EMBIT_X86
