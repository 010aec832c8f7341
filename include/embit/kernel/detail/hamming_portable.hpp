// Hamming kernels in plain C++: the reference of every other level.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/block_run.hpp>
#include <embit/kernel/detail/hamming_ops.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

inline hamming_stop hamming_interleaved_portable(const word* blocks, std::size_t words, std::size_t first,
                                                 std::size_t last, const word* query, std::uint32_t threshold,
                                                 hamming_hit* hits) {
  std::size_t found = 0;
  std::size_t block = first;
  for (; block < last && found + block_rows <= hamming_hit_room; ++block) {
    const word* codes = blocks + block * words * block_rows;
    std::array<std::uint32_t, block_rows> distance{};
    for (std::size_t w = 0; w < words; ++w)
      for (std::size_t lane = 0; lane < block_rows; ++lane)
        distance[lane] += static_cast<std::uint32_t>(std::popcount(codes[w * block_rows + lane] ^ query[w]));
    for (std::size_t lane = 0; lane < block_rows; ++lane)
      if (distance[lane] < threshold)
        hits[found++] = {static_cast<std::uint32_t>(block * block_rows + lane), distance[lane]};
  }
  return {block, found};
}

inline constexpr hamming_ops hamming_portable{hamming_interleaved_portable};

}  // namespace embit::inline EMBIT_ABI::detail
