// Line kernels for AVX-512 with a vector popcount: a register is a line.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/line_scan/ops.hpp>

#if EMBIT_X86

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

/// Sums of the counts of each code, in all of its lanes. Masks are for g++ 12, as in bucket_scan/vpopcnt.hpp.
template <std::size_t Words>
EMBIT_TARGET_VPOPCNT EMBIT_ALWAYS_INLINE __m512i line_sums(__m512i counts) {
  if constexpr (Words >= 2)
    counts = _mm512_add_epi64(counts, _mm512_maskz_permutex_epi64(__mmask8{0xff}, counts, 0b10'11'00'01));
  if constexpr (Words == 4)
    counts = _mm512_add_epi64(counts, _mm512_maskz_permutex_epi64(__mmask8{0xff}, counts, 0b01'00'11'10));
  return counts;
}

template <std::size_t Words>
EMBIT_TARGET_VPOPCNT std::size_t line_scan_vpopcnt(const line_scan_job& job, std::size_t& at, std::uint32_t threshold,
                                                   bucket_hit* hits) {
  constexpr unsigned first_lanes = Words == 1 ? 0xff : Words == 2 ? 0x55 : 0x11;
  const __m512i limit = _mm512_set1_epi64(threshold);
  alignas(64) word repeated[line_words];
  for (std::size_t w = 0; w < line_words; ++w) repeated[w] = job.query[w % Words];
  const __m512i query = _mm512_load_si512(repeated);
  const __m512i order = Words == 1   ? _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7)
                        : Words == 2 ? _mm512_setr_epi64(0, 0, 1, 1, 2, 2, 3, 3)
                                     : _mm512_setr_epi64(0, 0, 0, 0, 1, 1, 1, 1);
  std::size_t found = 0;
  for (std::size_t i = at; i < job.count; ++i) {
    if (i < job.ahead_count) __builtin_prefetch(job.ahead[i].words());
    const code_line line = job.lines[i];
    const __m512i distance =
        line_sums<Words>(_mm512_popcnt_epi64(_mm512_xor_si512(_mm512_load_si512(line.words()), query)));
    unsigned inside = _mm512_cmplt_epu64_mask(distance, limit);
    if (inside == 0) continue;
    inside &= first_lanes & (0xffu << line.first() * Words) & ((1u << (line.last() + 1) * Words) - 1);
    const auto position = static_cast<std::int64_t>(static_cast<std::size_t>(line.words() - job.codes) / Words);
    const __m512i place = _mm512_add_epi64(order, _mm512_set1_epi64(position));
    const __m512i packed = _mm512_or_si512(_mm512_maskz_slli_epi64(__mmask8{0xff}, distance, 32), place);
    _mm512_storeu_si512(hits + found, _mm512_maskz_compress_epi64(static_cast<__mmask8>(inside), packed));
    found += static_cast<std::size_t>(__builtin_popcount(inside));
    if (found > bucket_hit_room - line_words) {
      at = i + 1;
      return found;
    }
  }
  at = job.count;
  return found;
}

}  // namespace embit::inline EMBIT_ABI::detail

#endif
