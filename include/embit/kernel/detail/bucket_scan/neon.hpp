// Bucket kernels for AArch64: two words a register, counted by bytes.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/bucket_scan/scalar.hpp>

#if EMBIT_NEON

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

/// The distance of one code; at most 512 bits, so that a byte of 8 registers' counts cannot overflow.
template <std::size_t Words>
EMBIT_ALWAYS_INLINE std::uint32_t neon_distance(const word* code, std::size_t words, const word* query) {
  const std::size_t width = Words != 0 ? Words : words;
  uint8x16_t counts = vdupq_n_u8(0);
  std::size_t w = 0;
  for (; w + 2 <= width; w += 2)
    counts = vaddq_u8(counts, vcntq_u8(vreinterpretq_u8_u64(veorq_u64(vld1q_u64(code + w), vld1q_u64(query + w)))));
  std::uint32_t distance = vaddlvq_u8(counts);
  if (w < width) distance += vaddv_u8(vcnt_u8(vcreate_u8(code[w] ^ query[w])));
  return distance;
}

template <std::size_t Words>
std::size_t bucket_scan_neon(const word* codes, std::size_t words, const code_range* ranges, std::size_t count,
                             bucket_cursor& at, const word* query, std::uint32_t threshold, bucket_hit* hits) {
  return bucket_scan_by<neon_distance<Words>, Words>(codes, words, ranges, count, at, query, threshold, hits);
}

}  // namespace embit::inline EMBIT_ABI::detail

#endif
