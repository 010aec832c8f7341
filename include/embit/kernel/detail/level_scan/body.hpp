// The scan of B-bit codes by byte shuffles, stamped once per SIMD level (see hamming/sliced_body.hpp for why).
// Included inside the namespace of a level, which defines EMBIT_STAMP_TARGET and `lanes`, its operations:
//   vector, ints, floats  registers of codes and sums, of 32-bit integers, of floats
//   positions, registers  bytes of a row that a register of codes has of each of its rows; registers that have them of
//                         all rows of a block
//   table, load_table<Last>, load<Last>
//                         codes and what they pick from; the last register of a section may have one position of two
//   pick_low, pick_high   entries by the low and high nibbles of codes
//   zero, add_bytes, add_words, odd_bytes (of 16-bit lanes, moved to the even ones), scale_words
//   widen                 adds the sums of a block times a weight to integers, row by row
//   set, add, to_floats, mul, fma, larger, factor, within (a bit a lane: not beyond, or not a number)
//   segment_scales        of adjacent rows, from their bytes
//
// Nibbles pick entries of 8 bits. As many as fit are added in bytes; these sums go into 16-bit ones, those of odd rows
// shifted down, those of even rows with the odd ones above them, which are taken off in the end (sums wrap around).
// Several blocks share what is loaded of a table.
// SPDX-License-Identifier: MIT
#ifdef EMBIT_STAMP_TARGET

/// Sums of the registers of `Blocks` blocks, in 16 bits a row.
template <std::size_t Blocks>
struct word_sums {
  static constexpr std::size_t registers = Blocks * lanes::registers;
  lanes::vector even[registers], odd[registers];

  EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE void clear() {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < registers; ++r) even[r] = odd[r] = lanes::zero();
  }
  EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE void add(std::size_t r, lanes::vector bytes) {
    even[r] = lanes::add_words(even[r], bytes);
    odd[r] = lanes::add_words(odd[r], lanes::odd_bytes(bytes));
  }
  EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE void add(const word_sums& other, std::uint16_t weight) {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < registers; ++r) {
      even[r] = lanes::add_words(even[r], lanes::scale_words(other.even[r], weight));
      odd[r] = lanes::add_words(odd[r], lanes::scale_words(other.odd[r], weight));
    }
  }
};

/// The entries that each register of the blocks picks at one step.
template <std::size_t Blocks, bool Last>
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE void pick(const std::uint8_t* table, const std::uint8_t* codes,
                                                 std::size_t block_bytes, bool prefetch, lanes::vector* low,
                                                 lanes::vector* high) {
  constexpr std::size_t register_bytes = lanes::positions * level_block_rows / lanes::registers;
  const lanes::table entries = lanes::load_table<Last>(table);
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Blocks * lanes::registers; ++r) {
    const std::uint8_t* at = codes + r / lanes::registers * block_bytes + r % lanes::registers * register_bytes;
    if (prefetch) __builtin_prefetch(at + Blocks * block_bytes);
    const lanes::vector x = lanes::load<Last>(at);
    low[r] = lanes::pick_low(entries, x);
    high[r] = lanes::pick_high(entries, x);
  }
}

/// Adds one step to the sums, without help from bytes.
template <std::size_t Blocks, bool Last>
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE void add_step(const std::uint8_t* table, const std::uint8_t* codes,
                                                     std::size_t block_bytes, bool prefetch, word_sums<Blocks>& sums) {
  lanes::vector low[word_sums<Blocks>::registers], high[word_sums<Blocks>::registers];
  pick<Blocks, Last>(table, codes, block_bytes, prefetch, low, high);
#pragma GCC unroll 8
  for (std::size_t r = 0; r < word_sums<Blocks>::registers; ++r) {
    sums.add(r, low[r]);
    sums.add(r, high[r]);
  }
}

/// The sums of a section over `Blocks` blocks.
template <std::size_t Blocks>
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE void add_section(const level_section& s, const std::uint8_t* table,
                                                        const std::uint8_t* codes, std::size_t block_bytes,
                                                        bool prefetch, word_sums<Blocks>& sums) {
  constexpr std::size_t registers = word_sums<Blocks>::registers;
  constexpr std::size_t step_bytes = lanes::positions * level_block_rows;
  const std::size_t steps = s.bytes / lanes::positions, at_once = s.entries_in_byte / 2;
  if (at_once != 0) {
    for (std::size_t step = 0; step < steps;) {
      const std::size_t end = (std::min)(step + at_once, steps);
      lanes::vector bytes[registers], low[registers], high[registers];
#pragma GCC unroll 8
      for (std::size_t r = 0; r < registers; ++r) bytes[r] = lanes::zero();
      for (; step < end; ++step, table += step_bytes, codes += step_bytes) {
        pick<Blocks, false>(table, codes, block_bytes, prefetch, low, high);
#pragma GCC unroll 8
        for (std::size_t r = 0; r < registers; ++r)
          bytes[r] = lanes::add_bytes(bytes[r], lanes::add_bytes(low[r], high[r]));
      }
#pragma GCC unroll 8
      for (std::size_t r = 0; r < registers; ++r) sums.add(r, bytes[r]);
    }
  } else {
    for (std::size_t step = 0; step < steps; ++step, table += step_bytes, codes += step_bytes)
      add_step<Blocks, false>(table, codes, block_bytes, prefetch, sums);
  }
  if constexpr (lanes::positions > 1)
    if (s.bytes % lanes::positions != 0) add_step<Blocks, true>(table, codes, block_bytes, prefetch, sums);
}

/// Adds sections [first, last), whole groups, of `Blocks` blocks to the sums of their rows.
template <std::size_t Blocks>
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE void add_sections(const level_scan_job& job, std::size_t first, std::size_t last,
                                                         const std::uint8_t* codes, lanes::ints* sums) {
  constexpr std::size_t ints = level_block_rows / lanes::rows;
  const std::size_t block_bytes = level_block_rows * job.run.row_bytes;
  word_sums<Blocks> group;
  group.clear();
  for (; first < last; ++first) {
    const level_section& s = job.sections[first];
    const std::uint8_t* const table = job.tables + s.table;
    const std::uint8_t* const section_codes = codes + s.first * level_block_rows;
    if (s.weight == 1) {
      add_section<Blocks>(s, table, section_codes, block_bytes, job.prefetch, group);
    } else {
      word_sums<Blocks> section;
      section.clear();
      add_section<Blocks>(s, table, section_codes, block_bytes, job.prefetch, section);
      group.add(section, s.weight);
    }
    if (s.group_weight == 0) continue;
#pragma GCC unroll 8
    for (std::size_t b = 0; b < Blocks; ++b)
      lanes::widen(group.even + b * lanes::registers, group.odd + b * lanes::registers, s.group_weight,
                   sums + b * ints);
    group.clear();
  }
}

/// What is added to the products of adjacent rows.
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE lanes::floats bases(const level_scan_job& job, const level_score& score,
                                                           std::size_t row) {
  const auto base = lanes::set(score.base);
  if (job.offset.data == nullptr) return base;
  return lanes::fma(lanes::set(job.offset.unit), lanes::factor(job.offset.data, job.halves(), row), base);
}

/// As level_row_score, of adjacent rows.
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE lanes::floats estimates(const level_scan_job& job, const level_score& score,
                                                               const level_column& scale, lanes::ints sums,
                                                               std::size_t row) {
  const auto whole = lanes::to_floats(lanes::add(lanes::set(score.bias), sums));
  auto unit = lanes::set(score.unit);
  if (scale.data != nullptr)
    unit = lanes::mul(unit, lanes::mul(lanes::set(scale.unit), lanes::factor(scale.data, job.halves(), row)));
  return lanes::fma(unit, whole, bases(job, score, row));
}

/// Writes the rows of a block whose distances are within the limit; returns how many.
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE std::size_t write_hits(const level_scan_job& job, std::size_t block,
                                                              const lanes::floats* distances, level_hit* hits) {
  constexpr std::size_t registers = level_block_rows / lanes::rows;
  const auto limit = lanes::set(job.limit);
  std::uint32_t inside = 0;
#pragma GCC unroll 8
  for (std::size_t r = 0; r < registers; ++r) inside |= lanes::within(distances[r], limit) << (r * lanes::rows);
  if (inside == 0) [[likely]]
    return 0;
  const std::size_t first = block * level_block_rows;
  if (job.run.rows - first < level_block_rows) inside &= (1u << (job.run.rows - first)) - 1;
  alignas(64) float all[level_block_rows];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < registers; ++r) lanes::store(all + r * lanes::rows, distances[r]);
  std::size_t found = 0;
  for (; inside != 0; inside &= inside - 1) {
    const auto r = static_cast<std::size_t>(std::countr_zero(inside));
    hits[found++] = {static_cast<std::uint32_t>(first + r), all[r]};
  }
  return found;
}

/// Writes the hits of `Blocks` blocks from `block` on; returns how many.
template <std::size_t Blocks>
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE std::size_t scan_step(const level_scan_job& job, std::size_t block,
                                                             level_hit* hits) {
  constexpr std::size_t registers = level_block_rows / lanes::rows;
  const std::size_t first = block * level_block_rows;
  const std::uint8_t* codes = job.run.codes + first * job.run.row_bytes;
  lanes::ints sums[Blocks * registers];
  lanes::floats bounds[Blocks * registers], distances[Blocks * registers];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Blocks * registers; ++r) {
    sums[r] = lanes::set(std::int32_t{0});
    bounds[r] = lanes::set(-infinity<float>());
  }
  if (job.coarse_count != 0) {
    add_sections<Blocks>(job, 0, job.coarse_count, codes, sums);
    std::uint32_t inside = 0;
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Blocks * registers; ++r) {
      const std::size_t row = first + r * lanes::rows;
      const auto error = lanes::factor(job.error.data, job.halves(), row);
      bounds[r] =
          lanes::fma(lanes::set(-job.error.unit), error, estimates(job, job.coarse, job.coarse_scale, sums[r], row));
      inside |= lanes::within(bounds[r], lanes::set(job.limit));
    }
    if (inside == 0) return 0;
  }
  add_sections<Blocks>(job, job.coarse_count, job.section_count, codes, sums);
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Blocks * registers; ++r) {
    const auto estimate = estimates(job, job.score, job.scale, sums[r], first + r * lanes::rows);
    distances[r] = lanes::larger(bounds[r], estimate);
  }
  std::size_t found = 0;
#pragma GCC unroll 8
  for (std::size_t b = 0; b < Blocks; ++b) found += write_hits(job, block + b, distances + b * registers, hits + found);
  return found;
}

/// The same where segments have scales.
template <std::size_t Blocks>
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE std::size_t scan_step_by_parts(const level_scan_job& job, std::size_t block,
                                                                      level_hit* hits) {
  constexpr std::size_t registers = level_block_rows / lanes::rows;
  const std::size_t first = block * level_block_rows, block_bytes = level_block_rows * job.run.row_bytes;
  const std::uint8_t* codes = job.run.codes + first * job.run.row_bytes;
  lanes::floats distances[Blocks * registers];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Blocks * registers; ++r) distances[r] = bases(job, job.score, first + r * lanes::rows);
  std::size_t section = 0;
  for (std::size_t i = 0; i < job.part_count; ++i) {
    const level_part& part = job.parts[i];
    lanes::ints sums[Blocks * registers];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Blocks * registers; ++r) sums[r] = lanes::set(part.bias);
    add_sections<Blocks>(job, section, part.last_section, codes, sums);
    section = part.last_section;
    const std::uint8_t* scales = codes + std::size_t{part.scale_byte} * level_block_rows;
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Blocks * registers; ++r) {
      auto unit = lanes::set(part.unit);
      if (part.scale_byte != level_part::unscaled)
        unit =
            lanes::mul(unit, lanes::segment_scales(scales + r / registers * block_bytes + r % registers * lanes::rows));
      distances[r] = lanes::fma(unit, lanes::to_floats(sums[r]), distances[r]);
    }
  }
  std::size_t found = 0;
#pragma GCC unroll 8
  for (std::size_t b = 0; b < Blocks; ++b) found += write_hits(job, block + b, distances + b * registers, hits + found);
  return found;
}

template <std::size_t Blocks>
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE std::size_t scan_blocks_by_parts(const level_scan_job& job, level_stop& stop) {
  while (job.last_block - stop.at >= Blocks && stop.hits + Blocks * level_block_rows <= level_hit_room) {
    stop.hits += scan_step_by_parts<Blocks>(job, stop.at, job.hits + stop.hits);
    stop.at += Blocks;
  }
  return job.last_block - stop.at;
}

EMBIT_STAMP_TARGET inline level_stop scan_by_parts(const level_scan_job& job) {
  level_stop stop{job.first_block, 0};
  if (scan_blocks_by_parts<lanes::step_blocks>(job, stop) < lanes::step_blocks) scan_blocks_by_parts<1>(job, stop);
  return stop;
}

EMBIT_STAMP_TARGET inline level_stop scan(const level_scan_job& job) {
  constexpr std::size_t blocks = lanes::step_blocks;
  static_assert(blocks <= level_step_blocks);
  if (job.part_count != 0) return scan_by_parts(job);
  level_stop stop{job.first_block, 0};
  while (stop.at < job.last_block && stop.hits + blocks * level_block_rows <= level_hit_room) {
    const bool whole = job.last_block - stop.at >= blocks;
    stop.hits += whole ? scan_step<blocks>(job, stop.at, job.hits + stop.hits)
                       : scan_step<1>(job, stop.at, job.hits + stop.hits);
    stop.at += whole ? blocks : 1;
  }
  return stop;
}

#endif  // EMBIT_STAMP_TARGET
