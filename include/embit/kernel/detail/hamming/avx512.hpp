// Hamming kernels for AVX-512 F and BW: byte shuffles on interleaved blocks for few queries, bit slices for many.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/hamming/ops.hpp>
#include <embit/kernel/detail/hamming/slices.hpp>

#include <cstddef>
#include <cstdint>

#if EMBIT_X86
#include <immintrin.h>

namespace embit::inline EMBIT_ABI::detail::hamming_avx512 {

#define EMBIT_STAMP_TARGET EMBIT_TARGET_AVX512

/// Ternary logic does a full adder in two instructions. Its constants are truth tables of (a, b, c), a the high bit.
struct slice {
  using plane = __m512i;
  static constexpr std::size_t words = 8;
  static constexpr __mmask8 all = 0xff;  // the unmasked forms of some intrinsics make gcc 12 warn

  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane load(const word* p) { return _mm512_load_si512(p); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE void store(word* p, plane x) { _mm512_store_si512(p, x); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane zero() { return _mm512_setzero_si512(); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane broadcast(word x) {
    return _mm512_set1_epi64(static_cast<long long>(x));
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE bool any(plane x) { return _mm512_test_epi64_mask(x, x) != 0; }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane bit_not(plane x) {
    return _mm512_ternarylogic_epi64(x, x, x, 0x55);
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane bit_and(plane a, plane b) { return _mm512_and_si512(a, b); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane bit_xor(plane a, plane b) { return _mm512_xor_si512(a, b); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane majority(plane a, plane b, plane c) {
    return _mm512_ternarylogic_epi64(a, b, c, 0xe8);
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane less(plane p, plane l, plane t) {
    return _mm512_ternarylogic_epi64(p, l, t, 0x8e);
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane add(plane& s, plane a, plane b) {
    s = _mm512_ternarylogic_epi64(s, a, b, 0x96);
    return _mm512_ternarylogic_epi64(a, b, s, 0xd4);  // from the new s: a where a = b, else ~s; saves a copy
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane add_inverted(plane& s, plane a, plane b) {
    s = _mm512_ternarylogic_epi64(s, a, b, 0x96);
    return _mm512_ternarylogic_epi64(a, b, s, 0xe8);
  }

  template <int Shift>
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE void exchange(plane& x, plane& y) {
    const plane old = x;
    if constexpr (Shift >= 8) {  // whole bytes: one masked shuffle each
      constexpr int byte = Shift / 8;
      const plane swapped = _mm512_set4_epi32(0x0f0e0d0c, 0x0b0a0908, 0x07060504, 0x03020100);
      const plane order = _mm512_xor_si512(swapped, _mm512_set1_epi8(byte));
      constexpr __mmask64 high = byte == 4 ? 0xf0f0f0f0f0f0f0f0 : byte == 2 ? 0xcccccccccccccccc : 0xaaaaaaaaaaaaaaaa;
      x = _mm512_mask_shuffle_epi8(x, high, y, order);
      y = _mm512_mask_shuffle_epi8(y, ~high, old, order);
    } else {
      constexpr long long low = Shift == 4 ? 0x0f0f0f0f0f0f0f0f : Shift == 2 ? 0x3333333333333333 : 0x5555555555555555;
      const plane moved =
          _mm512_ternarylogic_epi64(_mm512_maskz_srli_epi64(all, x, Shift), y, _mm512_set1_epi64(low), 0x28);
      y = _mm512_xor_si512(y, moved);
      x = _mm512_xor_si512(x, _mm512_maskz_slli_epi64(all, moved, Shift));
    }
  }

  /// Byte r gets, as bit i, bit r of the word at `planes + i * words`.
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE void spread(const word* planes, std::size_t count,
                                                            std::uint8_t* numbers) {
    plane sum = zero();
    for (std::size_t i = 0; i < count; ++i)
      sum = _mm512_mask_add_epi8(sum, planes[i * words], sum, _mm512_set1_epi8(static_cast<char>(1u << i)));
    _mm512_store_si512(numbers, sum);
  }

  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE void load_rows(const word* p, std::size_t stride, plane* r) {
    for (std::size_t j = 0; j < 8; ++j) r[j] = load(p + j * stride);
    for (int i = 0; i < 4; ++i) {
      const plane x = r[i], y = r[i + 4];
      r[i] = _mm512_maskz_shuffle_i64x2(all, x, y, 0x44);
      r[i + 4] = _mm512_maskz_shuffle_i64x2(all, x, y, 0xee);
    }
    for (int i : {0, 1, 4, 5}) {
      const plane x = r[i], y = r[i + 2];
      r[i] = _mm512_mask_permutex_epi64(x, 0xcc, y, 0x4e);
      r[i + 2] = _mm512_mask_permutex_epi64(y, 0x33, x, 0x4e);
    }
    for (int i : {0, 2, 4, 6}) {
      const plane x = r[i], y = r[i + 1];
      r[i] = _mm512_maskz_unpacklo_epi64(all, x, y);
      r[i + 1] = _mm512_maskz_unpackhi_epi64(all, x, y);
    }
  }
};

/// Counts bits by looking nibbles up.
struct lanes {
  using vector = __m512i;
  static constexpr std::size_t words = 8;
  static constexpr std::size_t step_blocks = 4;
  static constexpr bool counts_bytes = true;

  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector load(const word* p) { return _mm512_load_si512(p); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE void store(word* p, vector x) { _mm512_store_si512(p, x); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector zero() { return _mm512_setzero_si512(); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector broadcast(word x) {
    return _mm512_set1_epi64(static_cast<long long>(x));
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector add(vector a, vector b) { return _mm512_add_epi64(a, b); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector add_bytes(vector a, vector b) { return _mm512_add_epi8(a, b); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector bit_or(vector a, vector b) { return _mm512_or_si512(a, b); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE word negatives(vector x) { return _mm512_movepi64_mask(x); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector widen(vector x) { return _mm512_sad_epu8(x, zero()); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector count(vector x, vector q) {
    const vector bits = _mm512_set4_epi32(0x04030302, 0x03020201, 0x03020201, 0x02010100);  // of 0 to 15
    const vector low = _mm512_set1_epi8(15);
    const vector d = _mm512_xor_si512(x, q);
    const vector high = _mm512_and_si512(_mm512_srli_epi16(d, 4), low);
    return _mm512_add_epi8(_mm512_shuffle_epi8(bits, _mm512_and_si512(d, low)), _mm512_shuffle_epi8(bits, high));
  }
};

#include <embit/kernel/detail/hamming/interleaved_body.hpp>
#include <embit/kernel/detail/hamming/sliced_body.hpp>
#undef EMBIT_STAMP_TARGET

inline constexpr hamming_ops ops{interleaved, &sliced, 8, 3};

}  // namespace embit::inline EMBIT_ABI::detail::hamming_avx512
#endif
