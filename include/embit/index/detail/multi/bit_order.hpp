// Which bits of a code make up a key, so that buckets fill evenly.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/substring.hpp>
#include <embit/config.hpp>
#include <embit/core/types.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

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
