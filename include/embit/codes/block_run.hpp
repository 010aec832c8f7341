// The interleaved layout of binary codes, as kernels see it.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/kept_in.hpp>
#include <embit/config.hpp>
#include <embit/core/types.hpp>

#include <cstddef>

namespace embit::inline EMBIT_ABI {

/// Codes in a block: one 64-bit lane each of a 512-bit register.
inline constexpr std::size_t block_rows = 8;

/// Codes that the bit-sliced kernels take at a time; runs begin at multiples of it.
inline constexpr std::size_t superblock_rows = 512;

/// Adjacent blocks in memory. Word w of the code in lane l of block b is `data[(b * words + w) * 8 + l]`, so that one
/// aligned 64-byte load gives one word of 8 codes and distances need no horizontal sum. Lanes of the last block
/// beyond `rows` are zero.
struct block_run {
  /// The store that has codes in such runs.
  template <class Source>
  using store_for = codes_kept_in<Source, block_store>;

  const word* data = nullptr;
  std::size_t words = 0;         ///< of a code
  row_id first_row = 0;          ///< the row in lane 0 of the first block
  std::size_t rows = 0;          ///< codes in the run
  const word* planes = nullptr;  ///< bit planes of the whole superblocks (see `hamming_batch::build_planes`), or none

  constexpr std::size_t blocks() const noexcept { return (rows + block_rows - 1) / block_rows; }
};

}  // namespace embit::inline EMBIT_ABI
