// Runs of adjacent bits of a code, and how a code is cut into them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/types.hpp>

#include <cstddef>
#include <span>

namespace embit::inline EMBIT_ABI {

/// Bits [first, first + length) of a code.
struct bit_range {
  std::size_t first = 0;
  std::size_t length = 0;
  friend constexpr bool operator==(const bit_range&, const bit_range&) = default;
};

/// The bits of `range` (at most 64 of them) of `code`, the first one lowest. O(1).
constexpr word substring(std::span<const word> code, bit_range range) noexcept {
  EMBIT_ASSERT(range.length <= word_bits && range.first + range.length <= code.size() * word_bits);
  if (range.length == 0) return 0;
  const std::size_t w = range.first / word_bits, shift = range.first % word_bits;
  word bits = code[w] >> shift;
  if (shift + range.length > word_bits) bits |= code[w + 1] << (word_bits - shift);
  return bits & tail_mask(range.length);
}

/// A code of `bits` bits cut into `parts` substrings as even as possible: lengths differ by at most one, longer ones
/// first.
class bit_split {
 public:
  /// @throws error errc::argument unless 1 <= parts <= bits.
  constexpr bit_split(std::size_t bits, std::size_t parts) : bits_(bits), parts_(parts) {
    if (parts == 0 || parts > bits) raise(errc::argument, "bit_split: ", parts, " substrings of ", bits, " bits");
  }

  constexpr std::size_t size() const noexcept { return parts_; }
  constexpr std::size_t bits() const noexcept { return bits_; }
  /// The length of the longest substring.
  constexpr std::size_t longest() const noexcept { return bits_ / parts_ + (bits_ % parts_ != 0); }

  constexpr bit_range operator[](std::size_t part) const noexcept {
    EMBIT_ASSERT(part < parts_);
    const std::size_t length = bits_ / parts_, longer = bits_ % parts_;
    return {part * length + (part < longer ? part : longer), length + (part < longer)};
  }

 private:
  std::size_t bits_;
  std::size_t parts_;
};

}  // namespace embit::inline EMBIT_ABI
