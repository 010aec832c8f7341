// Hamming kernels for AVX2: byte shuffles on interleaved blocks for few queries, bit slices for many.
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

namespace embit::inline EMBIT_ABI::detail::hamming_avx2 {

#define EMBIT_STAMP_TARGET EMBIT_TARGET_AVX2

struct slice {
  using plane = __m256i;
  static constexpr std::size_t words = 4;

  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane load(const word* p) {
    return _mm256_load_si256(reinterpret_cast<const plane*>(p));
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE void store(word* p, plane x) {
    _mm256_store_si256(reinterpret_cast<plane*>(p), x);
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane zero() { return _mm256_setzero_si256(); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane broadcast(word x) {
    return _mm256_set1_epi64x(static_cast<long long>(x));
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE bool any(plane x) { return _mm256_testz_si256(x, x) == 0; }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane bit_not(plane x) {
    return _mm256_xor_si256(x, _mm256_set1_epi64x(-1));
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane bit_and(plane a, plane b) { return _mm256_and_si256(a, b); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane bit_xor(plane a, plane b) { return _mm256_xor_si256(a, b); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane majority(plane a, plane b, plane c) {
    return _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(c, _mm256_or_si256(a, b)));
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane less(plane p, plane l, plane t) {
    return _mm256_or_si256(_mm256_and_si256(l, t), _mm256_andnot_si256(p, _mm256_or_si256(l, t)));
  }
  // The carry is a where a = b, else the old s (or its complement), hence a ^ ((a ^ b) & (a ^ s)).
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane add(plane& s, plane a, plane b) {
    const plane differs = _mm256_xor_si256(a, s);
    s = _mm256_xor_si256(differs, b);
    return _mm256_xor_si256(a, _mm256_and_si256(_mm256_xor_si256(a, b), differs));
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE plane add_inverted(plane& s, plane a, plane b) {
    const plane differs = _mm256_xor_si256(a, s);
    s = _mm256_xor_si256(differs, b);
    return _mm256_xor_si256(a, _mm256_andnot_si256(differs, _mm256_xor_si256(a, b)));
  }

  template <int Shift>
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE void exchange(plane& x, plane& y) {
    constexpr word low = ~word{0} / ((word{1} << Shift) + 1);  // positions with bit `Shift` clear
    const plane mask = _mm256_set1_epi64x(static_cast<long long>(low));
    const plane moved = _mm256_and_si256(_mm256_xor_si256(_mm256_srli_epi64(x, Shift), y), mask);
    y = _mm256_xor_si256(y, moved);
    x = _mm256_xor_si256(x, _mm256_slli_epi64(moved, Shift));
  }

  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE void load_rows(const word* p, std::size_t stride, plane* r) {
    for (std::size_t half = 0; half < 2; ++half, p += words, r += words) {
      const plane a = load(p), b = load(p + stride), c = load(p + 2 * stride), d = load(p + 3 * stride);
      const plane ab02 = _mm256_unpacklo_epi64(a, b), ab13 = _mm256_unpackhi_epi64(a, b);
      const plane cd02 = _mm256_unpacklo_epi64(c, d), cd13 = _mm256_unpackhi_epi64(c, d);
      r[0] = _mm256_permute2x128_si256(ab02, cd02, 0x20);
      r[1] = _mm256_permute2x128_si256(ab13, cd13, 0x20);
      r[2] = _mm256_permute2x128_si256(ab02, cd02, 0x31);
      r[3] = _mm256_permute2x128_si256(ab13, cd13, 0x31);
    }
  }
};

/// Counts bits by looking nibbles up: Mula, Kurz and Lemire, "Faster population counts using AVX2 instructions", The
/// Computer Journal 2018, section 3.
struct lanes {
  using vector = __m256i;
  static constexpr std::size_t words = 4;
  static constexpr std::size_t step_blocks = 2;
  static constexpr bool counts_bytes = true;

  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector load(const word* p) { return slice::load(p); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE void store(word* p, vector x) { slice::store(p, x); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector zero() { return slice::zero(); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector broadcast(word x) {
    return _mm256_set1_epi64x(static_cast<long long>(x));
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector add(vector a, vector b) { return _mm256_add_epi64(a, b); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector add_bytes(vector a, vector b) { return _mm256_add_epi8(a, b); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector bit_or(vector a, vector b) { return _mm256_or_si256(a, b); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE word negatives(vector x) {
    return static_cast<word>(_mm256_movemask_pd(_mm256_castsi256_pd(x)));
  }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector widen(vector x) { return _mm256_sad_epu8(x, zero()); }
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector count(vector x, vector q) {
    const vector bits =
        _mm256_set_epi64x(0x0403030203020201, 0x0302020102010100, 0x0403030203020201, 0x0302020102010100);
    const vector low = _mm256_set1_epi8(15);
    const vector d = _mm256_xor_si256(x, q);
    const vector high = _mm256_and_si256(_mm256_srli_epi16(d, 4), low);
    return _mm256_add_epi8(_mm256_shuffle_epi8(bits, _mm256_and_si256(d, low)), _mm256_shuffle_epi8(bits, high));
  }
};

#include <embit/kernel/detail/hamming/interleaved_body.hpp>
#include <embit/kernel/detail/hamming/sliced_body.hpp>

/// Counts the bits of nibbles that stand in bytes of their own: what several queries would do to a code each, taking
/// its bytes apart, is done once.
struct nibble_lanes : lanes {
  EMBIT_STAMP_TARGET static EMBIT_ALWAYS_INLINE vector count(vector x, vector q) {
    const vector bits =
        _mm256_set_epi64x(0x0403030203020201, 0x0302020102010100, 0x0403030203020201, 0x0302020102010100);
    return _mm256_shuffle_epi8(bits, _mm256_xor_si256(x, q));
  }
};

EMBIT_STAMP_TARGET inline void split(const word* codes, std::size_t words, word* nibbles) {
  const __m256i low = _mm256_set1_epi8(15);
  for (std::size_t i = 0; i < words; i += block_rows, nibbles += 2 * block_rows)
    for (std::size_t j = 0; j < block_rows; j += slice::words) {
      const __m256i x = slice::load(codes + i + j);
      slice::store(nibbles + j, _mm256_and_si256(x, low));
      slice::store(nibbles + block_rows + j, _mm256_and_si256(_mm256_srli_epi16(x, 4), low));
    }
}

inline hamming_stop scan_nibbles(const hamming_interleaved_job& job) { return scan_words<nibble_lanes, 2>(job); }
#undef EMBIT_STAMP_TARGET

inline constexpr hamming_ops ops{interleaved, &sliced, 8, 3, {8, 32, split, scan_nibbles}};

}  // namespace embit::inline EMBIT_ABI::detail::hamming_avx2
#endif
