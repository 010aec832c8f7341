// Line kernels that count one word at a time: plain C++, and the same with the popcnt instruction.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/bucket_scan/scalar.hpp>
#include <embit/kernel/detail/line_scan/ops.hpp>

#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

/// The loop of several levels, inlined into a function of each.
template <auto Distance, std::size_t Words>
EMBIT_ALWAYS_INLINE std::size_t line_scan_by(const line_scan_job& job, std::size_t& at, std::uint32_t threshold,
                                             bucket_hit* hits) {
  constexpr std::size_t line_codes = line_words / Words;
  std::size_t found = 0;
  for (std::size_t l = at; l < job.count; ++l) {
    if (found > bucket_hit_room - line_codes) {
      at = l;
      return found;
    }
    if (l < job.ahead_count) __builtin_prefetch(job.ahead[l].words());
    const code_line line = job.lines[l];
    const word* code = line.words() + line.first() * Words;
    const auto position = static_cast<std::uint32_t>(static_cast<std::size_t>(line.words() - job.codes) / Words);
    for (std::uint32_t i = line.first(); i <= line.last(); ++i, code += Words) {
      const std::uint32_t distance = Distance(code, Words, job.query);
      if (distance < threshold) hits[found++] = {position + i, distance};
    }
  }
  at = job.count;
  return found;
}

template <std::size_t Words>
std::size_t line_scan_portable(const line_scan_job& job, std::size_t& at, std::uint32_t threshold, bucket_hit* hits) {
  return line_scan_by<distance_by_words<Words>, Words>(job, at, threshold, hits);
}

#if EMBIT_X86
template <std::size_t Words>
EMBIT_TARGET_AVX2 std::size_t line_scan_avx2(const line_scan_job& job, std::size_t& at, std::uint32_t threshold,
                                             bucket_hit* hits) {
  return line_scan_by<distance_by_words<Words>, Words>(job, at, threshold, hits);
}
#endif

}  // namespace embit::inline EMBIT_ABI::detail
