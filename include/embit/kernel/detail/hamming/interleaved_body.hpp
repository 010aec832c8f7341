// The interleaved Hamming kernel, stamped once per SIMD level (see hamming/sliced_body.hpp for why). Included inside
// the namespace of a level, which defines EMBIT_STAMP_TARGET and `lanes`, its operations on words of several codes:
//   vector              a register of `lanes::words` words, one code each
//   load, broadcast, add (64-bit lanes), store, negatives (a bit a lane)
//   count(x, q)         the bits of x ^ q, counted by 64-bit lane or by byte
//   counts_bytes        whether by byte; then there are also add_bytes, zero, and widen, which sums the bytes of lanes
//   step_blocks         blocks whose sums stay in registers
// SPDX-License-Identifier: MIT
#ifdef EMBIT_STAMP_TARGET

/// Writes the hits of `Blocks` blocks from `block` on; returns how many. Words is 0 where the width is not static.
/// Sums begin at -threshold, so that one look at all sign bits tells whether there is any hit.
template <class Lanes, std::size_t Words, std::size_t Blocks>
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE std::size_t scan_step(const hamming_interleaved_job& job, std::size_t block,
                                                             hamming_hit* hits) {
  constexpr std::size_t block_registers = block_rows / Lanes::words;
  constexpr std::size_t registers = Blocks * block_registers;
  const std::size_t words = Words != 0 ? Words : job.words;
  const word* codes = job.blocks + block * words * block_rows;
  const auto at = [&](std::size_t r, std::size_t w) {
    return codes + (r / block_registers * words + w) * block_rows + r % block_registers * Lanes::words;
  };
  typename Lanes::vector over[registers];
  const auto start = Lanes::broadcast(word{0} - job.threshold);
#pragma GCC unroll 8
  for (std::size_t r = 0; r < registers; ++r) over[r] = start;
  if constexpr (Lanes::counts_bytes) {
    constexpr std::size_t most_words = 255 / 8;  // before a byte overflows
    for (std::size_t w = 0; w < words;) {
      const std::size_t end = words - w < most_words ? words : w + most_words;
      typename Lanes::vector bytes[registers];
#pragma GCC unroll 8
      for (std::size_t r = 0; r < registers; ++r) bytes[r] = Lanes::zero();
      for (; w < end; ++w) {
        const auto query = Lanes::broadcast(job.query[w]);
        if (job.prefetch) prefetch_lines<Blocks>(codes + w * Blocks * block_rows);
#pragma GCC unroll 8
        for (std::size_t r = 0; r < registers; ++r)
          bytes[r] = Lanes::add_bytes(bytes[r], Lanes::count(Lanes::load(at(r, w)), query));
      }
#pragma GCC unroll 8
      for (std::size_t r = 0; r < registers; ++r) over[r] = Lanes::add(over[r], Lanes::widen(bytes[r]));
    }
  } else {
    for (std::size_t w = 0; w < words; ++w) {
      const auto query = Lanes::broadcast(job.query[w]);
      if (job.prefetch) prefetch_lines<Blocks>(codes + w * Blocks * block_rows);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < registers; ++r)
        over[r] = Lanes::add(over[r], Lanes::count(Lanes::load(at(r, w)), query));
    }
  }
  auto any = over[0];
#pragma GCC unroll 8
  for (std::size_t r = 1; r < registers; ++r) any = Lanes::bit_or(any, over[r]);
  if (Lanes::negatives(any) == 0) [[likely]]
    return 0;

  alignas(64) word excess[Blocks * block_rows];
  word inside = 0;
#pragma GCC unroll 8
  for (std::size_t r = 0; r < registers; ++r) {
    Lanes::store(excess + r * Lanes::words, over[r]);
    inside |= Lanes::negatives(over[r]) << (r * Lanes::words);
  }
  return write_interleaved_hits(excess, inside, job, block, hits);
}

template <class Lanes, std::size_t Words>
EMBIT_STAMP_TARGET inline hamming_stop scan_blocks(const hamming_interleaved_job& job) {
  std::size_t found = 0, block = job.first_block;
  while (block < job.last_block && found + hamming_step_rows <= hamming_interleaved_room) {
    if (job.last_block - block < Lanes::step_blocks) {
      found += scan_step<Lanes, Words, 1>(job, block++, job.hits + found);
      continue;
    }
    found += scan_step<Lanes, Words, Lanes::step_blocks>(job, block, job.hits + found);
    block += Lanes::step_blocks;
  }
  return {block, found};
}

/// Where each word of a code stands as `Parts` words.
template <class Lanes, std::size_t Parts>
inline hamming_stop scan_words(const hamming_interleaved_job& job) {
  switch (job.words / Parts) {
    case 1: return scan_blocks<Lanes, Parts>(job);
    case 2: return scan_blocks<Lanes, 2 * Parts>(job);
    case 3: return scan_blocks<Lanes, 3 * Parts>(job);
    case 4: return scan_blocks<Lanes, 4 * Parts>(job);
    case 8: return scan_blocks<Lanes, 8 * Parts>(job);
    case 16: return scan_blocks<Lanes, 16 * Parts>(job);
    default: return scan_blocks<Lanes, 0>(job);
  }
}

inline hamming_stop interleaved(const hamming_interleaved_job& job) { return scan_words<lanes, 1>(job); }

#endif  // EMBIT_STAMP_TARGET
