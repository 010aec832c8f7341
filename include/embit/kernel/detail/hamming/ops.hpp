// What the Hamming kernels of one SIMD level offer: plain functions over raw memory, chosen once per call.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/config.hpp>
#include <embit/core/types.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace embit::inline EMBIT_ABI::detail {

/// A pair nearer than the threshold of its query; rows are counted from the start of the run.
struct hamming_hit {
  std::uint32_t query;
  std::uint32_t row;
  std::uint32_t distance;
};

/// Where a kernel stopped (a block or a query): at the end, or earlier because its hits had to be taken.
struct hamming_stop {
  std::size_t at;
  std::size_t hits;
};

/// Hits an interleaved kernel has room for, and rows it may find between two looks at the room left. Few, so that a
/// loose threshold is soon tightened.
inline constexpr std::size_t hamming_interleaved_room = 128;
inline constexpr std::size_t hamming_step_rows = word_bits;

/// Hits a sliced kernel has room for.
inline constexpr std::size_t hamming_sliced_room = 2 * superblock_rows;

/// One query against blocks [first_block, last_block).
struct hamming_interleaved_job {
  const word* blocks;
  std::size_t words;
  const word* query;
  std::uint32_t query_number;
  std::uint32_t threshold;
  std::size_t first_block;
  std::size_t last_block;
  bool prefetch;  ///< codes come from memory
  hamming_hit* hits;
};

/// Queries [first_query, last_query) against one slab of one superblock.
struct hamming_sliced_job {
  const word* table;              ///< of the slab
  const std::uint16_t* programs;  ///< of the slab, one after another from query 0
  const word* limits;             ///< of each query from 0
  word* counts;                   ///< count planes of each query from `first_counted`, kept between slabs
  std::size_t first_counted;
  std::size_t first_query;
  std::size_t last_query;
  std::size_t count_planes;
  std::uint32_t first_row;
  bool first_slab;
  bool last_slab;
  const word* soon;             ///< what is read next, asked for while queries are computed,
  std::size_t lines_per_query;  ///< so many cache lines at each
  hamming_hit* hits;
};

/// Asks for `Lines` cache lines well ahead of a scan that is about to read those at `codes`.
template <std::size_t Lines>
EMBIT_ALWAYS_INLINE void prefetch_lines(const word* codes) {
  constexpr std::size_t ahead = 8192 / sizeof(word);
#pragma GCC unroll 8
  for (std::size_t line = 0; line < Lines; ++line) __builtin_prefetch(codes + ahead + line * block_rows);
}

/// Writes the rows from `block` on that have a bit in `inside`, given the distance of each less `offset` (modulo 2^64);
/// returns how many.
inline std::size_t write_interleaved_hits(const word* values, word offset, word inside,
                                          const hamming_interleaved_job& job, std::size_t block, hamming_hit* hits) {
  std::size_t found = 0;
  for (; inside != 0; inside &= inside - 1) {
    const auto i = static_cast<std::size_t>(std::countr_zero(inside));
    hits[found++] = {job.query_number, static_cast<std::uint32_t>(block * block_rows + i),
                     static_cast<std::uint32_t>(values[i] + offset)};
  }
  return found;
}

/// Writes the rows nearer than the threshold, in ascending order; lanes beyond the last row may be among them.
using hamming_interleaved_scan = hamming_stop (*)(const hamming_interleaved_job&);

/// Writes, for one query after another, its rows nearer than its threshold in ascending order.
using hamming_sliced_scan = hamming_stop (*)(const hamming_sliced_job&);

/// Bit-sliced kernels, by words of a slab less one. They take `rows` codes at a time, which divides a superblock.
struct hamming_sliced_ops {
  std::size_t rows;
  /// Writes the bit planes of a superblock: plane d is 8 words, bit r % 64 of word r / 64 of it is
  /// dimension d of row r.
  void (*transpose)(const word* blocks, std::size_t words, word* planes);
  /// Fills the table of a slab from its planes, the first word of which is that of the first of `rows` rows.
  std::array<void (*)(const word* planes, bool first_slab, word* table), 4> tabulate;
  std::array<hamming_sliced_scan, 4> scan;
};

/// An interleaved kernel for codes whose bytes are taken apart, which pays for as many queries as `from`.
struct hamming_nibble_ops {
  std::size_t from = 0;
  std::size_t slices_from = 0;  ///< queries from which bit slices are faster all the same, without planes
  /// Writes each 8 words of blocks as 16: of every byte the low half, then the high half, a byte each.
  void (*split)(const word* codes, std::size_t words, word* nibbles) = nullptr;
  /// Takes a job whose codes and query are such, of twice the words.
  hamming_interleaved_scan scan = nullptr;

  static constexpr word low(word x) { return x & 0x0f0f0f0f0f0f0f0f; }
  static constexpr word high(word x) { return low(x >> 4); }
};

/// The kernels of one level. `sliced` is null where there are none.
struct hamming_ops {
  static constexpr std::string_view operation = "hamming";

  hamming_interleaved_scan interleaved;
  const hamming_sliced_ops* sliced;

  /// Queries from which bit slices are faster: with planes found on the way, or stored.
  std::size_t slices_from;
  std::size_t slices_from_with_planes;
  hamming_nibble_ops nibbles = {};  ///< none where the level counts the bits of words

  /// Codes that are wider leave no room in the first-level cache.
  constexpr bool nibbles_pay(std::size_t queries, std::size_t words) const {
    return nibbles.scan != nullptr && queries >= nibbles.from && words <= 16;
  }

  /// Codes of one word leave less to share, so it takes more queries.
  constexpr bool slices_pay(std::size_t queries, std::size_t words, bool have_planes) const {
    const std::size_t from = have_planes                   ? slices_from_with_planes
                             : nibbles_pay(queries, words) ? nibbles.slices_from
                                                           : slices_from;
    return sliced != nullptr && queries >= (words == 1 ? 2 * from : from);
  }
};

}  // namespace embit::inline EMBIT_ABI::detail
