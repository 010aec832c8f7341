// How bit-sliced Hamming kernels share work between queries: the plan, without any instruction of a machine.
//
// Codes stand as bit planes: plane d holds dimension d of many codes, and logic on planes computes for all of them at
// once. A slab is 64 to 256 dimensions. Its planes, with the parity plane of the slab before it, are elements 0, 1, …;
// group i takes elements 3i, 3i + 1, 3i + 2 as full adder inputs a, b, c, and appends its sum a ^ b ^ c as the next
// element, until one is left: the parity of all bits so far. A query q inverts elements. The sums are then inverted
// too, by the sum of the query's own bits, so they are the same planes for every query. Only the carries
// majority(a ^ qa, b ^ qb, c ^ qc) differ, and majority(~a, ~b, ~c) = ~majority(a, b, c) leaves four of them up to
// complement. They are tabulated once for many queries, and
//   distance = 2 · (number of carries set) + (parity ^ parity of the query).
// So 256 planes cost a query 128 look-ups and additions, and no XOR with the query at all.
//
// Complemented carries are added by an adder of their own, 16 at a time. A few groups, the free ones, have both forms
// in the table, so that every query can bring its number of complemented carries to a multiple of 16.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/hamming/ops.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

/// Words of a slab: the carries of 256 dimensions fill most of a first-level cache.
inline constexpr std::size_t slab_words = 4;

/// Carries that are added by one adder tree.
inline constexpr std::size_t slice_batch = 16;
inline constexpr std::size_t slice_free = slice_batch - 1;

/// A table begins with the parity of this and earlier slabs; carries follow.
inline constexpr std::size_t slice_parity = 0;
inline constexpr std::size_t slice_carries = 1;

/// Planes of the carry counter that is kept in registers: enough for one slab.
inline constexpr std::size_t slice_count_planes = 8;

/// Sizes of a slab of some words, in planes.
struct slab_shape {
  std::size_t words;

  constexpr std::size_t planes() const { return words * word_bits; }
  constexpr std::size_t groups() const { return planes() / 2; }
  constexpr std::size_t elements() const { return planes() + 1 + groups(); }
  constexpr std::size_t fixed_groups() const { return groups() - slice_free; }

  /// Where the four variants of a group begin in the table; free groups have their complements behind them.
  constexpr std::size_t entry(std::size_t group) const {
    return slice_carries + 4 * group + (group < fixed_groups() ? 0 : 4 * (group - fixed_groups()));
  }
  constexpr std::size_t table_planes() const { return entry(groups()); }

  /// A program is the byte offset of a plane for each carry, those added as they are before those complemented, then
  /// the number of the former.
  constexpr std::size_t program_size() const { return groups() + 1; }
};

static_assert(slab_shape{slab_words}.table_planes() * 64 <= 0xffff, "offsets are 16 bits");

/// Slabs of a code of `words` words, the last of which may be smaller.
constexpr std::size_t slabs_for(std::size_t words) { return (words + slab_words - 1) / slab_words; }
constexpr slab_shape shape_of_slab(std::size_t words, std::size_t slab) {
  return {words - slab * slab_words < slab_words ? words - slab * slab_words : slab_words};
}

/// Planes that count the carries of codes of `words` words.
constexpr std::size_t count_planes_for(std::size_t words) {
  const auto width = static_cast<std::size_t>(std::bit_width(words * word_bits / 2));
  return width < slice_count_planes ? slice_count_planes : width;
}

/// Writes the program of one slab of a query, for tables whose planes have `plane_bytes` bytes.
/// @param parity of the query before this slab; the parity with it is returned.
inline bool write_slice_program(slab_shape shape, const word* query, bool parity, std::size_t plane_bytes,
                                std::uint16_t* program) {
  std::array<bool, slab_shape{slab_words}.elements()> element;
  for (std::size_t i = 0; i < shape.planes(); ++i) element[i] = ((query[i / word_bits] >> (i % word_bits)) & 1) != 0;
  element[shape.planes()] = parity;

  std::array<std::uint16_t, slab_shape{slab_words}.groups()> complemented{};
  std::size_t plain = 0, inverted = 0, free_plain = 0;
  for (std::size_t i = 0; i < shape.groups(); ++i) {
    const bool a = element[3 * i], b = element[3 * i + 1], c = element[3 * i + 2];
    element[shape.planes() + 1 + i] = (a != b) != c;
    if (i == shape.fixed_groups()) free_plain = (slice_batch - plain % slice_batch) % slice_batch;
    const bool is_free = i >= shape.fixed_groups();
    const bool is_plain = is_free ? i - shape.fixed_groups() < free_plain : !c;
    const std::size_t variant = (a != c ? 1u : 0u) + (b != c ? 2u : 0u) + (is_plain == c ? 4u : 0u);
    const auto offset = static_cast<std::uint16_t>((shape.entry(i) + variant) * plane_bytes);
    program[plain] = complemented[inverted] = offset;  // one of them stays: without a branch that is a coin toss
    plain += is_plain;
    inverted += !is_plain;
  }
  for (std::size_t i = 0; i < inverted; ++i) program[plain + i] = complemented[i];
  program[shape.groups()] = static_cast<std::uint16_t>(plain);
  return element[shape.elements() - 1];
}

/// What the counts of a query are compared with, a word of 64 equal bits each: first the parity of the query, then the
/// bits of its threshold from the least significant up.
constexpr std::size_t limit_words(std::size_t count_planes) { return count_planes + 2; }
inline void write_limit(word* limit, std::size_t count_planes, bool parity, std::uint32_t threshold) {
  limit[0] = word{0} - (parity ? 1 : 0);
  for (std::size_t i = 0; i <= count_planes; ++i) limit[i + 1] = word{0} - ((threshold >> i) & 1);
}

/// Writes the pairs whose bit is set in `near`, row by row, with the distances that `planes` hold from the least
/// significant bit up. All planes have `words` words. Returns how many.
inline std::size_t write_slice_hits(const word* inside, const word* planes, std::size_t plane_count, std::size_t words,
                                    std::uint32_t query, std::uint32_t first_row, hamming_hit* hits) {
  std::size_t found = 0;
  for (std::size_t w = 0; w < words; ++w)
    for (word rest = inside[w]; rest != 0; rest &= rest - 1) {
      const auto bit = static_cast<unsigned>(std::countr_zero(rest));
      std::uint32_t distance = 0;
      for (std::size_t p = 0; p < plane_count; ++p)
        distance |= static_cast<std::uint32_t>((planes[p * words + w] >> bit) & 1) << p;
      hits[found++] = {query, static_cast<std::uint32_t>(first_row + w * word_bits + bit), distance};
    }
  return found;
}

}  // namespace embit::inline EMBIT_ABI::detail
