// Keys of codes: the substrings that tables are addressed by, of adjacent bits or of bits in a better order.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/substring.hpp>
#include <embit/config.hpp>
#include <embit/core/types.hpp>

#include <bit>
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

/// An order of bits in which each of `keys` keys holds bits that agree with each other as little as possible, so that
/// buckets fill evenly: keys take turns, each taking the free bit whose squared correlations with its own bits sum to
/// the least. `sample` holds codes of `bits` bits, row after row. O(bits² · sample / 64).
inline std::vector<std::uint16_t> decorrelated_order(std::span<const word> sample, std::size_t bits, std::size_t keys) {
  const std::size_t words = words_for(bits), n = sample.size() / words, plane = words_for(n);
  std::vector<word> planes(bits * plane, 0);
  for (std::size_t row = 0; row < n; ++row)
    for (std::size_t bit = 0; bit < bits; ++bit)
      planes[bit * plane + row / word_bits] |= (sample[row * words + bit / word_bits] >> bit % word_bits & 1)
                                               << row % word_bits;
  const auto correlation = [&](std::size_t a, std::size_t b) {
    std::size_t differ = 0;
    for (std::size_t w = 0; w < plane; ++w)
      differ += static_cast<std::size_t>(std::popcount(planes[a * plane + w] ^ planes[b * plane + w]));
    const double agreement = 1.0 - 2.0 * static_cast<double>(differ) / static_cast<double>(n);
    return agreement * agreement;
  };

  const bit_split split(bits, keys);
  std::vector<std::uint16_t> order(bits);
  std::vector<double> likeness(keys * bits, 0);  // of each free bit to the bits of each key
  std::vector<bool> taken(bits, false);
  for (std::size_t turn = 0; turn < split.longest(); ++turn)
    for (std::size_t k = 0; k < keys; ++k) {
      if (turn >= split[k].length) continue;
      std::size_t best = bits;
      for (std::size_t bit = 0; bit < bits; ++bit)
        if (!taken[bit] && (best == bits || likeness[k * bits + bit] < likeness[k * bits + best])) best = bit;
      taken[best] = true;
      order[split[k].first + turn] = static_cast<std::uint16_t>(best);
      for (std::size_t bit = 0; bit < bits; ++bit)
        if (!taken[bit]) likeness[k * bits + bit] += correlation(best, bit);
    }
  return order;
}

}  // namespace embit::inline EMBIT_ABI::detail
