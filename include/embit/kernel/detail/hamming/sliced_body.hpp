// The bit-sliced Hamming kernel, stamped once per SIMD level, because compilers do not inline across targets and so
// one template cannot serve two levels. Included inside the namespace of a level, which defines EMBIT_STAMP_TARGET,
// its function attribute, and `slice`, its operations on a `plane` of `slice::words` words:
//   load, store, zero, broadcast, any, bit_not, bit_and, bit_xor, majority
//   less(p, l, t)      majority(~p, l, t): one step of a comparison from the least significant bit up
//   add(s, a, b)       a full adder: s becomes s ^ a ^ b, the carry is returned
//   add_inverted       the same where a and b stand for their complements, and so does the carry
//   exchange<S>(x, y)  swaps the bits of x at positions that have bit S set with the bits of y that lie S lower
//   spread(p, n, numbers)    where there is one: byte r gets, as bit i, bit r of the word at p + i * words, for i < n
//   load_rows(p, stride, r)  r[lane] gets, in word j, the word of that lane of the block at p + j * stride
// SPDX-License-Identifier: MIT
#ifdef EMBIT_STAMP_TARGET

/// Adds carries to a counter of planes by trees of full adders.
struct carry_counter {
  const word* table;
  const std::uint16_t* program;
  std::size_t plain;  ///< carries before this one are added as they are, the others complemented
  slice::plane count[slice_count_planes];

  EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE slice::plane carry(std::size_t i) const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(table);
    return slice::load(reinterpret_cast<const word*>(bytes + program[i]));
  }

  /// Adds two planes, or what they are the complements of, to a plane of the counter; so is what is returned.
  template <bool Inverted>
  EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE slice::plane add_to(std::size_t i, slice::plane a, slice::plane b) {
    if constexpr (Inverted) return slice::add_inverted(count[i], a, b);
    return slice::add(count[i], a, b);
  }

  /// Adds 16 carries from `first` on. What is returned is worth 16, or its complement is. The carries are added to
  /// each other first and enter the counter once a weight, since a chain through the counter would be all latency.
  /// An adder of complements gives complements.
  template <bool Inverted>
  EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE slice::plane add_batch(std::size_t first) {
    auto a0 = carry(first), a1 = carry(first + 3), a2 = carry(first + 6), a3 = carry(first + 9);
    auto a4 = carry(first + 12);
    auto b0 = slice::add(a0, carry(first + 1), carry(first + 2));
    const auto b1 = slice::add(a1, carry(first + 4), carry(first + 5));
    const auto b2 = slice::add(a2, carry(first + 7), carry(first + 8));
    auto c0 = slice::add(b0, b1, b2);
    auto b3 = slice::add(a3, carry(first + 10), carry(first + 11));
    const auto b4 = slice::add(a4, carry(first + 13), carry(first + 14));
    const auto b5 = slice::add(a0, a1, a2);
    auto c1 = slice::add(b3, b4, b5);
    const auto b6 = slice::add(a3, a4, carry(first + 15));
    const auto c2 = slice::add(b0, b3, b6);
    const auto b7 = add_to<Inverted>(0, a0, a3);
    const auto c3 = add_to<Inverted>(1, b0, b7);
    const auto d0 = slice::add(c0, c1, c2);
    const auto d1 = add_to<Inverted>(2, c0, c3);
    return add_to<Inverted>(3, d0, d1);
  }

  /// The same for whole batches, each of which is either plain or complemented.
  template <std::size_t Level>
  EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE slice::plane add_batches(std::size_t first) {
    constexpr std::size_t batch_level = 4;
    static_assert(slice_batch == std::size_t{1} << batch_level);
    if constexpr (Level == batch_level) {
      if (first < plain) return add_batch<false>(first);
      return slice::bit_not(add_batch<true>(first));
    } else {
      const auto a = add_batches<Level - 1>(first);
      const auto b = add_batches<Level - 1>(first + (std::size_t{1} << (Level - 1)));
      return slice::add(count[Level - 1], a, b);
    }
  }

  /// Adds 2^Level carries and hands what they are worth up to the top; returns what does not fit the counter.
  template <std::size_t Level>
  EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE slice::plane add_to_top(std::size_t first) {
    auto carry = add_batches<Level>(first);
#pragma GCC unroll 8
    for (std::size_t i = Level; i < slice_count_planes; ++i) {
      const auto next = slice::bit_and(count[i], carry);
      count[i] = slice::bit_xor(count[i], carry);
      carry = next;
    }
    return carry;
  }

  /// Adds `Groups` carries, as powers of two. No counter overflows twice in one slab, so the overflows are merged.
  template <std::size_t Groups>
  EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE slice::plane add_slab() {
    auto over = slice::zero();
    if constexpr ((Groups & 128) != 0) over = add_to_top<7>(0);
    if constexpr ((Groups & 64) != 0) over = add_to_top<6>(Groups & 128);
    if constexpr ((Groups & 32) != 0) over = slice::bit_xor(over, add_to_top<5>(Groups & 192));
    return over;
  }
};

/// As `write_slice_hits`; where the level can, the distances of 64 rows are made at once.
template <class Slice>
EMBIT_STAMP_TARGET inline std::size_t write_hits(const word* inside, const word* planes, std::size_t plane_count,
                                                 std::uint32_t query, std::uint32_t first_row, hamming_hit* hits) {
  if constexpr (requires(std::uint8_t * numbers) { Slice::spread(planes, std::size_t{}, numbers); }) {
    if (plane_count <= 16) {
      alignas(64) std::uint8_t low[word_bits], high[word_bits];
      std::size_t found = 0;
      for (std::size_t w = 0; w < Slice::words; ++w) {
        if (inside[w] == 0) continue;
        Slice::spread(planes + w, 8, low);
        Slice::spread(planes + 8 * Slice::words + w, plane_count - 8, high);
        for (word rest = inside[w]; rest != 0; rest &= rest - 1) {
          const auto bit = static_cast<unsigned>(std::countr_zero(rest));
          hits[found++] = {query, static_cast<std::uint32_t>(first_row + w * word_bits + bit),
                           static_cast<std::uint32_t>(low[bit] | high[bit] << 8)};
        }
      }
      return found;
    }
  }
  return write_slice_hits(inside, planes, plane_count, Slice::words, query, first_row, hits);
}

/// One query against the codes of a table: counts on from earlier slabs, and after the last compares.
template <std::size_t Words>
EMBIT_STAMP_TARGET inline std::size_t scan_query(const hamming_sliced_job& job, std::size_t query, hamming_hit* hits) {
  constexpr slab_shape shape{Words};
  constexpr std::size_t bytes = slice::words * sizeof(word);
  const std::uint16_t* program = job.programs + query * shape.program_size();
  word* counts = job.counts + (query - job.first_counted) * job.count_planes * slice::words;
  carry_counter counter;
  counter.table = job.table;
  counter.program = program;
  counter.plain = program[shape.groups()];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < slice_count_planes; ++i)
    counter.count[i] = job.first_slab ? slice::zero() : slice::load(counts + i * slice::words);
  auto over = counter.template add_slab<shape.groups()>();
  for (std::size_t i = slice_count_planes; i < job.count_planes; ++i) {
    const auto high = job.first_slab ? slice::zero() : slice::load(counts + i * slice::words);
    slice::store(counts + i * slice::words, slice::bit_xor(high, over));
    over = slice::bit_and(high, over);
  }
  if (!job.last_slab) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < slice_count_planes; ++i) slice::store(counts + i * slice::words, counter.count[i]);
    return 0;
  }

  const word* limit = job.limits + query * limit_words(job.count_planes);
  const auto odd = slice::bit_xor(slice::load(job.table + slice_parity * slice::words), slice::broadcast(limit[0]));
  auto inside = slice::less(odd, slice::zero(), slice::broadcast(limit[1]));
#pragma GCC unroll 8
  for (std::size_t i = 0; i < slice_count_planes; ++i)
    inside = slice::less(counter.count[i], inside, slice::broadcast(limit[i + 2]));
  for (std::size_t i = slice_count_planes; i < job.count_planes; ++i)
    inside = slice::less(slice::load(counts + i * slice::words), inside, slice::broadcast(limit[i + 2]));
  if (!slice::any(inside)) [[likely]]
    return 0;

  alignas(bytes) word inside_bits[slice::words];
  alignas(bytes) word planes[(word_bits / 2) * slice::words];
  slice::store(inside_bits, inside);
  slice::store(planes, odd);
#pragma GCC unroll 8
  for (std::size_t i = 0; i < slice_count_planes; ++i) slice::store(planes + (i + 1) * slice::words, counter.count[i]);
  for (std::size_t i = slice_count_planes; i < job.count_planes; ++i)
    slice::store(planes + (i + 1) * slice::words, slice::load(counts + i * slice::words));
  return write_hits<slice>(inside_bits, planes, job.count_planes + 1, static_cast<std::uint32_t>(query), job.first_row,
                           hits);
}

template <std::size_t Words>
EMBIT_STAMP_TARGET inline hamming_stop scan_slab(const hamming_sliced_job& job) {
  std::size_t found = 0;
  std::size_t query = job.first_query;
  for (; query < job.last_query && found + slice::words * word_bits <= hamming_sliced_room; ++query) {
    const word* soon = job.soon + (query - job.first_counted) * job.lines_per_query * block_rows;
    for (std::size_t line = 0; line < job.lines_per_query; ++line) __builtin_prefetch(soon + line * block_rows, 0, 2);
    found += scan_query<Words>(job, query, job.hits + found);
  }
  return {query, found};
}

template <std::size_t Words>
EMBIT_STAMP_TARGET inline void tabulate_slab(const word* planes, bool first_slab, word* table) {
  constexpr slab_shape shape{Words};
  constexpr std::size_t bytes = slice::words * sizeof(word);
  alignas(bytes) word derived[(shape.groups() + 1) * slice::words];  // the parity handed in, then the sums of groups
  slice::store(derived, first_slab ? slice::zero() : slice::load(table + slice_parity * slice::words));
  const word* last = derived + shape.groups() * slice::words;
  for (std::size_t group = 0; group < shape.groups(); ++group) {
    slice::plane element[3];
    for (std::size_t j = 0; j < 3; ++j) {
      const std::size_t k = 3 * group + j;
      element[j] =
          slice::load(k < shape.planes() ? planes + k * block_rows : derived + (k - shape.planes()) * slice::words);
    }
    const auto [a, b, c] = element;
    slice::store(derived + (group + 1) * slice::words, slice::bit_xor(slice::bit_xor(a, b), c));
    const auto not_a = slice::bit_not(a), not_b = slice::bit_not(b);
    const slice::plane carry[4] = {slice::majority(a, b, c), slice::majority(not_a, b, c), slice::majority(a, not_b, c),
                                   slice::majority(not_a, not_b, c)};
    word* entry = table + shape.entry(group) * slice::words;
    for (std::size_t v = 0; v < 4; ++v) slice::store(entry + v * slice::words, carry[v]);
    if (group < shape.fixed_groups()) continue;
    for (std::size_t v = 0; v < 4; ++v) slice::store(entry + (v + 4) * slice::words, slice::bit_not(carry[v]));
  }
  slice::store(table + slice_parity * slice::words, slice::load(last));
}

/// Exchanges three bits of the index of r with the bits of position worth Shift, 2 Shift and 4 Shift.
template <int Shift>
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE void exchange_index(slice::plane* r) {
  for (int i = 0; i < 4; ++i) slice::exchange<4 * Shift>(r[i], r[i + 4]);
  for (int i : {0, 1, 4, 5}) slice::exchange<2 * Shift>(r[i], r[i + 2]);
  for (int i : {0, 2, 4, 6}) slice::exchange<Shift>(r[i], r[i + 1]);
}

/// Bit planes of one word of `slice::words` times 64 rows: `code` is that word in the first block, the next block's is
/// `stride` words on. Word j of a plane is 64 rows, which is 8 blocks of 8 lanes; so rows are first collected by
/// (block, lane) with j across the register, then a 64 × 64 transposition goes on in each word.
EMBIT_STAMP_TARGET inline void transpose_word(const word* code, std::size_t stride, word* planes) {
  alignas(slice::words * sizeof(word)) word middle[word_bits * slice::words];
  slice::plane r[8];
  for (std::size_t block = 0; block < 8; ++block) {
    slice::load_rows(code + block * stride, 8 * stride, r);
    exchange_index<1>(r);
    for (std::size_t lane = 0; lane < 8; ++lane) slice::store(middle + (block * 8 + lane) * slice::words, r[lane]);
  }
  for (std::size_t low = 0; low < 8; ++low) {
    for (std::size_t high = 0; high < 8; ++high) r[high] = slice::load(middle + (high * 8 + low) * slice::words);
    exchange_index<8>(r);
    for (std::size_t high = 0; high < 8; ++high) slice::store(planes + (high * 8 + low) * block_rows, r[high]);
  }
}

EMBIT_STAMP_TARGET inline void transpose(const word* blocks, std::size_t words, word* planes) {
  for (std::size_t w = 0; w < words; ++w)
    for (std::size_t j = 0; j < block_rows; j += slice::words)
      transpose_word(blocks + (j * 8 * words + w) * block_rows, words * block_rows,
                     planes + w * word_bits * block_rows + j);
}

inline constexpr hamming_sliced_ops sliced{slice::words * word_bits,
                                           transpose,
                                           {tabulate_slab<1>, tabulate_slab<2>, tabulate_slab<3>, tabulate_slab<4>},
                                           {scan_slab<1>, scan_slab<2>, scan_slab<3>, scan_slab<4>}};

#endif  // EMBIT_STAMP_TARGET
