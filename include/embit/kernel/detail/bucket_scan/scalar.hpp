// Bucket kernels that count one word at a time: plain C++, and the same with the popcnt instruction.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/bucket_scan/ops.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

/// The distance of one code, a word at a time. `Words` is 0 where the width is only known at run time.
template <std::size_t Words>
EMBIT_ALWAYS_INLINE std::uint32_t distance_by_words(const word* code, std::size_t words, const word* query) {
  const std::size_t width = Words != 0 ? Words : words;
  std::uint32_t distance = 0;
  for (std::size_t w = 0; w < width; ++w) distance += static_cast<std::uint32_t>(std::popcount(code[w] ^ query[w]));
  return distance;
}

/// The loop of several levels, inlined into a function of each.
template <auto Distance, std::size_t Words>
EMBIT_ALWAYS_INLINE std::size_t bucket_scan_by(const word* codes, std::size_t words, const code_range* ranges,
                                               std::size_t count, bucket_cursor& at, const word* query,
                                               std::uint32_t threshold, bucket_hit* hits) {
  const std::size_t width = Words != 0 ? Words : words;
  std::size_t found = 0;
  for (; at.range < count; ++at.range, at.offset = 0) {
    const code_range range = ranges[at.range];
    const word* code = codes + (std::size_t{range.first} + at.offset) * width;
    for (std::uint32_t i = at.offset; i < range.count; ++i, code += width) {
      const std::uint32_t distance = Distance(code, width, query);
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

template <std::size_t Words>
std::size_t bucket_scan_portable(const word* codes, std::size_t words, const code_range* ranges, std::size_t count,
                                 bucket_cursor& at, const word* query, std::uint32_t threshold, bucket_hit* hits) {
  return bucket_scan_by<distance_by_words<Words>, Words>(codes, words, ranges, count, at, query, threshold, hits);
}

#if EMBIT_X86
template <std::size_t Words>
EMBIT_TARGET_AVX2 std::size_t bucket_scan_avx2(const word* codes, std::size_t words, const code_range* ranges,
                                               std::size_t count, bucket_cursor& at, const word* query,
                                               std::uint32_t threshold, bucket_hit* hits) {
  return bucket_scan_by<distance_by_words<Words>, Words>(codes, words, ranges, count, at, query, threshold, hits);
}
#endif

}  // namespace embit::inline EMBIT_ABI::detail
