// Keys of codes: the substrings that tables are addressed by, of adjacent bits or of bits in a better order.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/substring.hpp>
#include <embit/config.hpp>
#include <embit/core/types.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Longest key: a table has 2^length starts.
inline constexpr std::size_t longest_key = 18;

/// Cuts a code into keys of almost equal length. Without an order the bits of a key are adjacent; with one, key bit
/// i of the whole code is code bit `order[i]`.
class key_split {
 public:
  key_split(std::size_t bits, std::size_t keys, std::vector<std::uint16_t> order = {})
      : split_(bits, keys), order_(std::move(order)) {}

  std::size_t size() const noexcept { return split_.size(); }
  std::size_t bits() const noexcept { return split_.bits(); }
  std::size_t length(std::size_t key) const noexcept { return split_[key].length; }
  bool adjacent() const noexcept { return order_.empty(); }
  std::span<const std::uint16_t> order() const noexcept { return order_; }

  /// Key `i` of a code whose words lie `stride` words apart.
  std::uint32_t key(std::size_t i, const word* code, std::size_t stride) const noexcept {
    return adjacent() ? cut(split_[i], code, stride) : gather(split_[i], code, stride);
  }

  static std::uint32_t cut(bit_range range, const word* code, std::size_t stride) noexcept {
    const std::size_t w = range.first / word_bits, shift = range.first % word_bits;
    word bits = code[w * stride] >> shift;
    if (shift + range.length > word_bits) bits |= code[(w + 1) * stride] << (word_bits - shift);
    return static_cast<std::uint32_t>(bits & tail_mask(range.length));
  }

  bit_range range(std::size_t i) const noexcept { return split_[i]; }

 private:
  std::uint32_t gather(bit_range range, const word* code, std::size_t stride) const noexcept {
    std::uint32_t key = 0;
    for (std::size_t i = 0; i < range.length; ++i) {
      const std::size_t bit = order_[range.first + i];
      key |= static_cast<std::uint32_t>(code[bit / word_bits * stride] >> bit % word_bits & 1) << i;
    }
    return key;
  }

  bit_split split_;
  std::vector<std::uint16_t> order_;
};

}  // namespace embit::inline EMBIT_ABI::detail
