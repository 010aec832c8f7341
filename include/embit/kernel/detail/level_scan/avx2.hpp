// The scan of B-bit codes for AVX2: a register has a byte of each of 32 rows.
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

namespace embit::inline EMBIT_ABI::detail::level_scan_avx2 {

#define EMBIT_STAMP_TARGET EMBIT_TARGET_AVX2
#define EMBIT_LANES_INLINE EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE

struct lanes {
  using vector = __m256i;
  using ints = __m256i;
  using floats = __m256;
  static constexpr std::size_t positions = 1, registers = 1, rows = 8, step_blocks = 2;

  struct table {
    vector low, high;
  };
  EMBIT_LANES_INLINE vector twice(const std::uint8_t* p) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  template <bool>
  EMBIT_LANES_INLINE table load_table(const std::uint8_t* p) {
    return {twice(p), twice(p + 16)};
  }
  template <bool>
  EMBIT_LANES_INLINE vector load(const std::uint8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  EMBIT_LANES_INLINE vector pick_low(const table& t, vector x) {
    return _mm256_shuffle_epi8(t.low, _mm256_and_si256(x, _mm256_set1_epi8(15)));
  }
  EMBIT_LANES_INLINE vector pick_high(const table& t, vector x) {
    return _mm256_shuffle_epi8(t.high, _mm256_and_si256(_mm256_srli_epi16(x, 4), _mm256_set1_epi8(15)));
  }

  EMBIT_LANES_INLINE vector zero() { return _mm256_setzero_si256(); }
  EMBIT_LANES_INLINE vector add_bytes(vector a, vector b) { return _mm256_add_epi8(a, b); }
  EMBIT_LANES_INLINE vector add_words(vector a, vector b) { return _mm256_add_epi16(a, b); }
  EMBIT_LANES_INLINE vector odd_bytes(vector x) { return _mm256_srli_epi16(x, 8); }
  EMBIT_LANES_INLINE vector scale_words(vector x, std::uint16_t weight) {
    return _mm256_mullo_epi16(x, _mm256_set1_epi16(static_cast<short>(weight)));
  }
  EMBIT_LANES_INLINE void widen(const vector* even, const vector* odd, std::int32_t weight, ints* sums) {
    const vector even_rows = _mm256_sub_epi16(*even, _mm256_slli_epi16(*odd, 8));
    const vector low = _mm256_unpacklo_epi16(even_rows, *odd), high = _mm256_unpackhi_epi16(even_rows, *odd);
    const __m128i words[4] = {_mm256_castsi256_si128(low), _mm256_castsi256_si128(high),
                              _mm256_extracti128_si256(low, 1), _mm256_extracti128_si256(high, 1)};
#pragma GCC unroll 4
    for (std::size_t r = 0; r < 4; ++r)
      sums[r] = add(sums[r], _mm256_mullo_epi32(_mm256_cvtepu16_epi32(words[r]), _mm256_set1_epi32(weight)));
  }

  EMBIT_LANES_INLINE ints set(std::int32_t x) { return _mm256_set1_epi32(x); }
  EMBIT_LANES_INLINE ints add(ints a, ints b) { return _mm256_add_epi32(a, b); }
  EMBIT_LANES_INLINE floats set(float x) { return _mm256_set1_ps(x); }
  EMBIT_LANES_INLINE floats to_floats(ints x) { return _mm256_cvtepi32_ps(x); }
  EMBIT_LANES_INLINE floats mul(floats a, floats b) {
    floats product = _mm256_mul_ps(a, b);
    EMBIT_ROUNDED("x", product);
    return product;
  }
  EMBIT_LANES_INLINE floats fma(floats a, floats b, floats c) { return _mm256_fmadd_ps(a, b, c); }
  EMBIT_LANES_INLINE floats larger(floats a, floats b) { return _mm256_max_ps(a, b); }
  EMBIT_LANES_INLINE floats factor(const void* column, bool halves, std::size_t row) {
    if (!halves) return _mm256_loadu_ps(static_cast<const float*>(column) + row);
    const half* at = static_cast<const half*>(column) + row;
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
  }
  EMBIT_LANES_INLINE floats segment_scales(const std::uint8_t* p) {
    const ints bits = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    return _mm256_castsi256_ps(add(_mm256_slli_epi32(bits, 19), set(std::int32_t{127 - 8} << 23)));
  }
  EMBIT_LANES_INLINE std::uint32_t within(floats x, floats limit) {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(x, limit, _CMP_NGT_UQ)));
  }
  EMBIT_LANES_INLINE std::size_t write_hits(std::uint32_t first, std::uint32_t inside, const floats* distances,
                                            level_hit* hits) {
    alignas(64) float all[level_block_rows];
    for (std::size_t r = 0; r < level_block_rows / rows; ++r) _mm256_store_ps(all + r * rows, distances[r]);
    return detail::write_hits(first, inside, all, hits);
  }
};

#include <embit/kernel/detail/level_scan/body.hpp>
#undef EMBIT_LANES_INLINE
#undef EMBIT_STAMP_TARGET

}  // namespace embit::inline EMBIT_ABI::detail::level_scan_avx2
#endif
