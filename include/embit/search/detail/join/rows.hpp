// What a join works on: some rows of a set of codes, the bits in which they vary, and keys made of these.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/codes/substring.hpp>
#include <embit/config.hpp>
#include <embit/core/types.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Rows of a set of codes: those of `ids`, or without ids the first `size`.
struct join_rows {
  const word* data = nullptr;
  std::size_t words = 0;
  const row_id* ids = nullptr;
  std::size_t size = 0;

  row_id id(std::size_t i) const noexcept { return ids != nullptr ? ids[i] : static_cast<row_id>(i); }
  const word* code(std::size_t i) const noexcept { return row(id(i)); }
  const word* row(row_id row) const noexcept { return data + std::size_t{row} * words; }
};

/// Up to 32 bits of a code, out of runs of adjacent ones.
class join_key {
 public:
  /// @param bits  which ones, ascending; at least one
  explicit join_key(std::span<const std::uint32_t> bits) : length_(bits.size()) {
    for (std::size_t i = 0, first = 0; i < bits.size(); ++i)
      if (i + 1 == bits.size() || bits[i + 1] != bits[i] + 1) {
        runs_.push_back({bits[first], i + 1 - first});
        first = i + 1;
      }
  }

  std::size_t length() const noexcept { return length_; }

  /// Calls `f(of)` with a function that does what `of` does, for codes one after another.
  template <class F>
  void for_many(F&& f) const {
    const std::size_t w = runs_[0].first / word_bits, shift = runs_[0].first % word_bits;
    const word mask = (word{1} << length_) - 1;
    if (runs_.size() == 1 && shift + length_ <= word_bits)
      f([w, shift, mask](const word* code) { return static_cast<std::uint32_t>(code[w] >> shift & mask); });
    else
      f([this](const word* code) { return of(code); });
  }

  std::uint32_t of(const word* code) const noexcept {
    word key = take(code, runs_[0]);
    std::size_t shift = runs_[0].length;
    for (std::size_t i = 1; i < runs_.size(); shift += runs_[i++].length) key |= take(code, runs_[i]) << shift;
    return static_cast<std::uint32_t>(key);
  }

 private:
  static word take(const word* code, bit_range range) noexcept {
    const std::size_t w = range.first / word_bits, shift = range.first % word_bits;
    word bits = code[w] >> shift;
    if (shift + range.length > word_bits) bits |= code[w + 1] << (word_bits - shift);
    return bits & ((word{1} << range.length) - 1);
  }

  std::size_t length_;
  std::vector<bit_range> runs_;
};

/// Where codes of two sets may agree or differ.
struct join_bits {
  std::vector<std::uint32_t> vary;  ///< bits that are not the same throughout one set, ascending
  std::vector<word> mask;           ///< these
  std::uint32_t differ = 0;         ///< bits that are the same throughout each set, but not in both
};

/// @param self  the sets are one. O(rows · words).
inline join_bits varying_bits(const join_rows& a, const join_rows& b, bool self) {
  join_bits bits;
  bits.mask.assign(a.words, 0);
  const auto collect = [&](const join_rows& rows) {
    for (std::size_t i = 1; i < rows.size; ++i)
      for (std::size_t w = 0; w < a.words; ++w) bits.mask[w] |= rows.code(i)[w] ^ rows.code(0)[w];
  };
  collect(a);
  if (!self) {
    collect(b);
    for (std::size_t w = 0; w < a.words; ++w)
      bits.differ += static_cast<std::uint32_t>(std::popcount((a.code(0)[w] ^ b.code(0)[w]) & ~bits.mask[w]));
  }
  for (std::size_t w = 0; w < a.words; ++w)
    for (word rest = bits.mask[w]; rest != 0; rest &= rest - 1)
      bits.vary.push_back(static_cast<std::uint32_t>(w * word_bits) +
                          static_cast<std::uint32_t>(std::countr_zero(rest)));
  return bits;
}

}  // namespace embit::inline EMBIT_ABI::detail
