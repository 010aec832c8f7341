// The interleaved Hamming kernel, stamped once per SIMD level (see hamming/sliced_body.hpp for why). Included inside
// the namespace of a level, which defines EMBIT_STAMP_TARGET and `lanes`, its operations on words of several codes:
//   vector              a register of `lanes::words` words, one code each
//   load, broadcast, add (64-bit lanes), store
//   count(x, q)         the bits of x ^ q, counted by 64-bit lane or by byte
//   counts_bytes        whether by byte; then there are also add_bytes, zero, widen, which sums the bytes of lanes,
//                       bit_or, and negatives, a bit a lane; else `least` of two, and `below`, a bit a lane
//   step_blocks         blocks whose sums stay in registers
// SPDX-License-Identifier: MIT
#ifdef EMBIT_STAMP_TARGET

/// Some blocks from one on, as registers of codes. Words is 0 where the width is not static.
template <class Lanes, std::size_t Words, std::size_t Blocks>
struct block_registers {
  static constexpr std::size_t in_block = block_rows / Lanes::words, count = Blocks * in_block;

  const word* codes;
  std::size_t words;

  EMBIT_ALWAYS_INLINE block_registers(const hamming_interleaved_job& job, std::size_t block)
      : codes(job.blocks + block * (Words != 0 ? Words : job.words) * block_rows),
        words(Words != 0 ? Words : job.words) {}

  EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE typename Lanes::vector load(std::size_t r, std::size_t w) const {
    return Lanes::load(codes + (r / in_block * words + w) * block_rows + r % in_block * Lanes::words);
  }
  EMBIT_ALWAYS_INLINE void prefetch(std::size_t w) const { prefetch_lines<Blocks>(codes + w * Blocks * block_rows); }
};

/// Writes the hits of `Blocks` blocks from `block` on; returns how many. One look at all rows together tells whether
/// there is any hit: bytes are counted from -threshold on, so that it is a look at signs.
template <class Lanes, std::size_t Words, std::size_t Blocks>
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE std::size_t scan_step_by_bytes(const hamming_interleaved_job& job,
                                                                      std::size_t block, hamming_hit* hits) {
  const block_registers<Lanes, Words, Blocks> codes(job, block);
  constexpr std::size_t registers = codes.count;
  typename Lanes::vector over[registers];
  const auto start = Lanes::broadcast(word{0} - job.threshold);
#pragma GCC unroll 8
  for (std::size_t r = 0; r < registers; ++r) over[r] = start;
  constexpr std::size_t most_words = 255 / 8;  // before a byte overflows
  for (std::size_t w = 0; w < codes.words;) {
    const std::size_t end = codes.words - w < most_words ? codes.words : w + most_words;
    typename Lanes::vector bytes[registers];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < registers; ++r) bytes[r] = Lanes::zero();
    for (; w < end; ++w) {
      const auto query = Lanes::broadcast(job.query[w]);
      if (job.prefetch) codes.prefetch(w);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < registers; ++r)
        bytes[r] = Lanes::add_bytes(bytes[r], Lanes::count(codes.load(r, w), query));
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < registers; ++r) over[r] = Lanes::add(over[r], Lanes::widen(bytes[r]));
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
  return write_interleaved_hits(excess, job.threshold, inside, job, block, hits);
}

/// The same where bits are counted by lane: the nearest row of each lane alone is compared first. Nothing is added to
/// the first count, which batches gain from. One query waits for memory, and does so less in a loop over the words
/// that is left a loop: each of its loads then goes from line to line.
template <class Lanes, std::size_t Words, std::size_t Blocks>
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE std::size_t scan_step_by_lanes(const hamming_interleaved_job& job,
                                                                      std::size_t block, hamming_hit* hits) {
  const block_registers<Lanes, Words, Blocks> codes(job, block);
  constexpr std::size_t registers = codes.count;
  typename Lanes::vector distance[registers];
  if (job.prefetch) {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < registers; ++r) distance[r] = Lanes::broadcast(0);
#pragma GCC unroll 1
    for (std::size_t w = 0; w < codes.words; ++w) {
      const auto query = Lanes::broadcast(job.query[w]);
      codes.prefetch(w);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < registers; ++r)
        distance[r] = Lanes::add(distance[r], Lanes::count(codes.load(r, w), query));
    }
  } else {
    const auto first = Lanes::broadcast(job.query[0]);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < registers; ++r) distance[r] = Lanes::count(codes.load(r, 0), first);
#pragma GCC unroll 1
    for (std::size_t w = 1; w < codes.words; ++w) {
      const auto query = Lanes::broadcast(job.query[w]);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < registers; ++r)
        distance[r] = Lanes::add(distance[r], Lanes::count(codes.load(r, w), query));
    }
  }
  auto nearest = distance[0];
#pragma GCC unroll 8
  for (std::size_t r = 1; r < registers; ++r) nearest = Lanes::least(nearest, distance[r]);
  const auto threshold = Lanes::broadcast(job.threshold);
  if (Lanes::below(nearest, threshold) == 0) [[likely]]
    return 0;

  alignas(64) word distances[Blocks * block_rows];
  word inside = 0;
#pragma GCC unroll 8
  for (std::size_t r = 0; r < registers; ++r) {
    Lanes::store(distances + r * Lanes::words, distance[r]);
    inside |= Lanes::below(distance[r], threshold) << (r * Lanes::words);
  }
  return write_interleaved_hits(distances, 0, inside, job, block, hits);
}

template <class Lanes, std::size_t Words, std::size_t Blocks>
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE std::size_t scan_step(const hamming_interleaved_job& job, std::size_t block,
                                                             hamming_hit* hits) {
  if constexpr (Lanes::counts_bytes)
    return scan_step_by_bytes<Lanes, Words, Blocks>(job, block, hits);
  else
    return scan_step_by_lanes<Lanes, Words, Blocks>(job, block, hits);
}

/// Whether `Blocks` blocks of codes of one word hold no hit: of so little work the end of a step is a large part.
template <class Lanes, std::size_t Blocks>
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE bool none_inside(const hamming_interleaved_job& job, std::size_t block) {
  const block_registers<Lanes, 1, Blocks> codes(job, block);
  const auto query = Lanes::broadcast(job.query[0]);
  typename Lanes::vector nearest[4];
#pragma GCC unroll 32
  for (std::size_t r = 0; r < codes.count; ++r) {
    const auto distance = Lanes::count(codes.load(r, 0), query);
    nearest[r % 4] = r < 4 ? distance : Lanes::least(nearest[r % 4], distance);
  }
  nearest[0] = Lanes::least(Lanes::least(nearest[0], nearest[1]), Lanes::least(nearest[2], nearest[3]));
  return Lanes::below(nearest[0], Lanes::broadcast(job.threshold)) == 0;
}

template <class Lanes, std::size_t Words>
EMBIT_STAMP_TARGET inline hamming_stop scan_blocks(const hamming_interleaved_job& job) {
  std::size_t found = 0, block = job.first_block;
  while (block < job.last_block && found + hamming_step_rows <= hamming_interleaved_room) {
    if constexpr (!Lanes::counts_bytes && Words == 1) {
      constexpr std::size_t looked_at = 2 * Lanes::step_blocks;
      if (!job.prefetch && job.last_block - block >= looked_at && none_inside<Lanes, looked_at>(job, block)) {
        block += looked_at;
        continue;
      }
    }
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
