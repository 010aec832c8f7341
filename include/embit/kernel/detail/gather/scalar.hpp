// Gather kernels that count one word at a time: plain C++, and the same with the popcnt instruction.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace embit::inline EMBIT_ABI::detail {

/// Codes strewn over interleaved blocks, and a query.
struct gather_job {
  const word* const* lanes;  ///< where word 0 of each code is; the next ones follow `block_rows` apart
  std::size_t count;         ///< codes
  std::size_t words;         ///< of a code
  const word* query;
};

/// The kernel of one level: adds the distance of code i to `sums[i]`.
struct gather_ops {
  static constexpr std::string_view operation = "gather";

  void (*add)(const gather_job& job, std::uint32_t* sums);
};

/// The loop of several levels, inlined into a function of each. `Words` is 0 where the width is only known at run time.
template <std::size_t Words>
EMBIT_ALWAYS_INLINE void gather_words(const gather_job& job, std::uint32_t* sums) {
  const std::size_t words = Words != 0 ? Words : job.words;
  for (std::size_t i = 0; i < job.count; ++i) {
    const word* lane = job.lanes[i];
    std::size_t distance = 0;
    for (std::size_t w = 0; w < words; ++w)
      distance += static_cast<std::size_t>(std::popcount(lane[w * block_rows] ^ job.query[w]));
    sums[i] += static_cast<std::uint32_t>(distance);
  }
}
EMBIT_ALWAYS_INLINE void gather_any(const gather_job& job, std::uint32_t* sums) {
  switch (job.words) {
    case 1: return gather_words<1>(job, sums);
    case 2: return gather_words<2>(job, sums);
    case 3: return gather_words<3>(job, sums);
    default: return gather_words<0>(job, sums);
  }
}

inline void gather_portable(const gather_job& job, std::uint32_t* sums) { gather_any(job, sums); }

#if EMBIT_X86
EMBIT_TARGET_AVX2 inline void gather_avx2(const gather_job& job, std::uint32_t* sums) { gather_any(job, sums); }
#endif

}  // namespace embit::inline EMBIT_ABI::detail
