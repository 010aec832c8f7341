// The scan of B-bit codes for AVX-512 BW: a register has two bytes of each of 32 rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/level_scan/ops.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#if EMBIT_X86
#include <immintrin.h>

namespace embit::inline EMBIT_ABI::detail::level_scan_avx512 {

#define EMBIT_STAMP_TARGET EMBIT_TARGET_AVX512
#define EMBIT_LANES_INLINE EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE

// Operations that could do without a mask are given a full one: g++ 12 warns of its own header otherwise, where the
// lanes that an unmasked form would leave alone are formally uninitialized.
struct lanes {
  using vector = __m512i;
  using ints = __m512i;
  using floats = __m512;
  static constexpr std::size_t positions = 2, registers = 1, rows = 16, step_blocks = 4;

  struct table {
    vector low, high;
  };
  template <bool Last>
  EMBIT_LANES_INLINE vector load(const std::uint8_t* p) {
    return Last ? _mm512_maskz_loadu_epi64(0x0f, p) : _mm512_loadu_si512(p);
  }
  template <bool Last>
  EMBIT_LANES_INLINE table load_table(const std::uint8_t* p) {
    const vector entries = load<Last>(p);
    return {_mm512_maskz_shuffle_i64x2(0xff, entries, entries, 0xa0),
            _mm512_maskz_shuffle_i64x2(0xff, entries, entries, 0xf5)};
  }
  EMBIT_LANES_INLINE vector pick_low(const table& t, vector x) {
    return _mm512_shuffle_epi8(t.low, _mm512_and_si512(x, _mm512_set1_epi8(15)));
  }
  EMBIT_LANES_INLINE vector pick_high(const table& t, vector x) {
    return _mm512_shuffle_epi8(t.high, _mm512_and_si512(_mm512_srli_epi16(x, 4), _mm512_set1_epi8(15)));
  }

  EMBIT_LANES_INLINE vector zero() { return _mm512_setzero_si512(); }
  EMBIT_LANES_INLINE vector add_bytes(vector a, vector b) { return _mm512_add_epi8(a, b); }
  EMBIT_LANES_INLINE vector add_words(vector a, vector b) { return _mm512_add_epi16(a, b); }
  EMBIT_LANES_INLINE vector odd_bytes(vector x) { return _mm512_srli_epi16(x, 8); }
  EMBIT_LANES_INLINE vector scale_words(vector x, std::uint16_t weight) {
    return _mm512_mullo_epi16(x, _mm512_set1_epi16(static_cast<short>(weight)));
  }
  EMBIT_LANES_INLINE __m256i add_halves(vector x) {
    return _mm256_add_epi16(_mm512_maskz_extracti64x4_epi64(0x0f, x, 0), _mm512_maskz_extracti64x4_epi64(0x0f, x, 1));
  }
  EMBIT_LANES_INLINE ints scaled(__m256i words, std::int32_t weight) {
    return _mm512_mullo_epi32(_mm512_maskz_cvtepu16_epi32(0xffff, words), _mm512_set1_epi32(weight));
  }
  EMBIT_LANES_INLINE void widen(const vector* even, const vector* odd, std::int32_t weight, ints* sums) {
    const __m256i odd_rows = add_halves(*odd);
    const __m256i even_rows = _mm256_sub_epi16(add_halves(*even), _mm256_slli_epi16(odd_rows, 8));
    const __m256i low = _mm256_unpacklo_epi16(even_rows, odd_rows), high = _mm256_unpackhi_epi16(even_rows, odd_rows);
    sums[0] = add(sums[0], scaled(_mm256_permute2x128_si256(low, high, 0x20), weight));
    sums[1] = add(sums[1], scaled(_mm256_permute2x128_si256(low, high, 0x31), weight));
  }

  EMBIT_LANES_INLINE ints set(std::int32_t x) { return _mm512_set1_epi32(x); }
  EMBIT_LANES_INLINE ints add(ints a, ints b) { return _mm512_add_epi32(a, b); }
  EMBIT_LANES_INLINE floats set(float x) { return _mm512_set1_ps(x); }
  EMBIT_LANES_INLINE floats to_floats(ints x) { return _mm512_maskz_cvtepi32_ps(0xffff, x); }
  EMBIT_LANES_INLINE floats mul(floats a, floats b) {
    floats product = _mm512_mul_ps(a, b);
    EMBIT_ROUNDED("x", product);
    return product;
  }
  EMBIT_LANES_INLINE floats fma(floats a, floats b, floats c) { return _mm512_fmadd_ps(a, b, c); }
  EMBIT_LANES_INLINE floats larger(floats a, floats b) { return _mm512_maskz_max_ps(0xffff, a, b); }
  EMBIT_LANES_INLINE floats factor(const void* column, bool halves, std::size_t row) {
    if (!halves) return _mm512_loadu_ps(static_cast<const float*>(column) + row);
    const half* at = static_cast<const half*>(column) + row;
    return _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
  }
  EMBIT_LANES_INLINE floats segment_scales(const std::uint8_t* p) {
    const ints bits = _mm512_maskz_cvtepu8_epi32(0xffff, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm512_castsi512_ps(add(_mm512_maskz_slli_epi32(0xffff, bits, 19), set(std::int32_t{127 - 8} << 23)));
  }
  EMBIT_LANES_INLINE std::uint32_t within(floats x, floats limit) { return _mm512_cmp_ps_mask(x, limit, _CMP_NGT_UQ); }
  /// Sixteen places are written, whatever comes of them: a block never has more hits than rows before its end.
  EMBIT_LANES_INLINE std::size_t write_some(std::uint32_t first, std::uint32_t inside, floats distances,
                                            level_hit* hits) {
    const auto mask = static_cast<__mmask16>(inside);
    const __m512i here = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    const __m512i at = _mm512_maskz_compress_epi32(mask, add(here, set(static_cast<std::int32_t>(first))));
    const __m512i far_from = _mm512_castps_si512(_mm512_maskz_compress_ps(mask, distances));
    _mm512_storeu_si512(hits, _mm512_maskz_permutex2var_epi32(0xffff, at, low, far_from));
    _mm512_storeu_si512(hits + 8, _mm512_maskz_permutex2var_epi32(0xffff, at, high, far_from));
    return static_cast<std::size_t>(std::popcount(mask));
  }
  EMBIT_LANES_INLINE std::size_t write_hits(std::uint32_t first, std::uint32_t inside, const floats* distances,
                                            level_hit* hits) {
    const std::size_t before = write_some(first, inside & 0xffffu, distances[0], hits);
    return before + write_some(first + rows, inside >> rows, distances[1], hits + before);
  }
};

#include <embit/kernel/detail/level_scan/body.hpp>
#undef EMBIT_LANES_INLINE
#undef EMBIT_STAMP_TARGET

}  // namespace embit::inline EMBIT_ABI::detail::level_scan_avx512
#endif
