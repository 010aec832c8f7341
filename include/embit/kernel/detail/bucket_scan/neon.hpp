// Bucket kernels for AArch64: two words a register, counted by bytes.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/bucket_scan/ops.hpp>

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
  const std::size_t width = Words != 0 ? Words : words;
  std::size_t found = 0;
  for (; at.range < count; ++at.range, at.offset = 0) {
    const code_range range = ranges[at.range];
    const word* code = codes + (std::size_t{range.first} + at.offset) * width;
    for (std::uint32_t i = at.offset; i < range.count; ++i, code += width) {
      const std::uint32_t distance = neon_distance<Words>(code, words, query);
      if (distance >= threshold) continue;
      hits[found++] = {range.first + i, distance};
      if (found == bucket_hit_room) {
        at.offset = i + 1;
        return found;
      }
    }
  }
  return found;
}

}  // namespace embit::inline EMBIT_ABI::detail

#endif
