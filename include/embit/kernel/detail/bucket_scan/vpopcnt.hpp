// Bucket kernels for AVX-512 with a vector popcount: eight codes at a time, whatever their width up to 512 bits.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/bucket_scan/ops.hpp>

#if EMBIT_X86

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

#define EMBIT_VPOPCNT_INLINE EMBIT_TARGET_VPOPCNT EMBIT_ALWAYS_INLINE

// Operations that could do without a mask are given a full one: g++ 12 warns of its own header otherwise, where the
// lanes that an unmasked form would leave alone are formally uninitialized.
inline constexpr __mmask8 vpopcnt_all = 0xff;

/// The low lanes below `count`.
EMBIT_VPOPCNT_INLINE __mmask8 vpopcnt_lanes(std::size_t count) {
  return count >= 8 ? __mmask8{0xff} : static_cast<__mmask8>((1u << count) - 1);
}

/// Bits that differ from the query, counted in each of up to 8 words; the words beyond `count` are not read.
EMBIT_VPOPCNT_INLINE __m512i vpopcnt_differences(const word* code, std::size_t count, __m512i query) {
  const __mmask8 lanes = vpopcnt_lanes(count);
  return _mm512_maskz_popcnt_epi64(lanes, _mm512_xor_si512(_mm512_maskz_loadu_epi64(lanes, code), query));
}

/// Sums of adjacent words: those of `a` in the even lanes, of `b` in the odd ones.
EMBIT_VPOPCNT_INLINE __m512i vpopcnt_add_pairs(__m512i a, __m512i b) {
  return _mm512_add_epi64(_mm512_maskz_unpacklo_epi64(vpopcnt_all, a, b),
                          _mm512_maskz_unpackhi_epi64(vpopcnt_all, a, b));
}

/// Sums of adjacent quarters: those of `a` in the low half, of `b` in the high one.
EMBIT_VPOPCNT_INLINE __m512i vpopcnt_add_quarters(__m512i a, __m512i b) {
  return _mm512_add_epi64(_mm512_maskz_shuffle_i64x2(vpopcnt_all, a, b, 0x88),
                          _mm512_maskz_shuffle_i64x2(vpopcnt_all, a, b, 0xdd));
}

/// Distances of up to 8 adjacent codes. The words of `query` are repeated over the register for widths 1, 2 and 4.
/// `order` says which code is in which lane.
template <std::size_t Words>
struct vpopcnt_group;

template <>
struct vpopcnt_group<1> {
  EMBIT_VPOPCNT_INLINE static __m512i query(const word* q, std::size_t) {
    return _mm512_set1_epi64(static_cast<long long>(q[0]));
  }
  EMBIT_VPOPCNT_INLINE static __m512i order() { return _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7); }
  EMBIT_VPOPCNT_INLINE static __m512i distances(const word* codes, std::size_t, std::size_t count, __m512i q) {
    return vpopcnt_differences(codes, count, q);
  }
};

template <>
struct vpopcnt_group<2> {
  EMBIT_VPOPCNT_INLINE static __m512i query(const word* q, std::size_t) {
    return _mm512_maskz_broadcast_i64x2(vpopcnt_all, _mm_loadu_si128(reinterpret_cast<const __m128i*>(q)));
  }
  EMBIT_VPOPCNT_INLINE static __m512i order() { return _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7); }
  EMBIT_VPOPCNT_INLINE static __m512i distances(const word* codes, std::size_t, std::size_t count, __m512i q) {
    return vpopcnt_add_pairs(vpopcnt_differences(codes, 2 * count, q),
                             vpopcnt_differences(codes + 8, count > 4 ? 2 * count - 8 : 0, q));
  }
};

template <>
struct vpopcnt_group<4> {
  EMBIT_VPOPCNT_INLINE static __m512i query(const word* q, std::size_t) {
    return _mm512_maskz_broadcast_i64x4(vpopcnt_all, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q)));
  }
  EMBIT_VPOPCNT_INLINE static __m512i order() { return _mm512_setr_epi64(0, 2, 1, 3, 4, 6, 5, 7); }
  EMBIT_VPOPCNT_INLINE static __m512i two_codes(const word* codes, std::size_t first, std::size_t count, __m512i q) {
    return vpopcnt_differences(codes + 4 * first, count > first ? 4 * (count - first) : 0, q);
  }
  EMBIT_VPOPCNT_INLINE static __m512i distances(const word* codes, std::size_t, std::size_t count, __m512i q) {
    return vpopcnt_add_quarters(vpopcnt_add_pairs(two_codes(codes, 0, count, q), two_codes(codes, 2, count, q)),
                                vpopcnt_add_pairs(two_codes(codes, 4, count, q), two_codes(codes, 6, count, q)));
  }
};

/// Any width up to 8 words: one code a register.
template <>
struct vpopcnt_group<0> {
  EMBIT_VPOPCNT_INLINE static __m512i query(const word* q, std::size_t words) {
    return _mm512_maskz_loadu_epi64(vpopcnt_lanes(words), q);
  }
  EMBIT_VPOPCNT_INLINE static __m512i order() { return _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7); }
  EMBIT_VPOPCNT_INLINE static __m512i pair(const word* codes, std::size_t words, std::size_t i, std::size_t count,
                                           __m512i q) {
    return vpopcnt_add_pairs(vpopcnt_differences(codes + i * words, i < count ? words : 0, q),
                             vpopcnt_differences(codes + (i + 1) * words, i + 1 < count ? words : 0, q));
  }
  EMBIT_VPOPCNT_INLINE static __m512i distances(const word* codes, std::size_t words, std::size_t count, __m512i q) {
    return vpopcnt_add_quarters(vpopcnt_add_quarters(pair(codes, words, 0, count, q), pair(codes, words, 2, count, q)),
                                vpopcnt_add_quarters(pair(codes, words, 4, count, q), pair(codes, words, 6, count, q)));
  }
};

template <std::size_t Words>
EMBIT_TARGET_VPOPCNT std::size_t bucket_scan_vpopcnt(const word* codes, std::size_t words, const code_range* ranges,
                                                     std::size_t count, bucket_cursor& at, const word* query,
                                                     std::uint32_t threshold, bucket_hit* hits) {
  using group = vpopcnt_group<Words>;
  const std::size_t width = Words != 0 ? Words : words;
  const __m512i q = group::query(query, words), limit = _mm512_set1_epi64(threshold), order = group::order();
  std::size_t found = 0;
  for (; at.range < count; ++at.range, at.offset = 0) {
    const code_range range = ranges[at.range];
    const word* base = codes + std::size_t{range.first} * width;
    for (std::uint32_t i = at.offset; i < range.count; i += 8) {
      const std::size_t rest = range.count - i;
      const __m512i distance = group::distances(base + i * width, words, rest, q);
      __mmask8 inside = _mm512_cmplt_epu64_mask(distance, limit);
      if (inside == 0) continue;
      if (rest < 8)
        inside = _mm512_mask_cmplt_epu64_mask(inside, order, _mm512_set1_epi64(static_cast<long long>(rest)));
      // A hit is its position below its distance; compressed in a register, since storing compressed is slow on Zen 4.
      const __m512i position = _mm512_add_epi64(order, _mm512_set1_epi64(std::int64_t{range.first} + i));
      const __m512i packed = _mm512_or_si512(_mm512_maskz_slli_epi64(vpopcnt_all, distance, 32), position);
      _mm512_storeu_si512(hits + found, _mm512_maskz_compress_epi64(inside, packed));
      found += static_cast<std::size_t>(__builtin_popcount(inside));
      if (found > bucket_hit_room - bucket_step) {
        at.offset = i + 8;
        return found;
      }
    }
  }
  return found;
}

#undef EMBIT_VPOPCNT_INLINE

}  // namespace embit::inline EMBIT_ABI::detail

#endif
