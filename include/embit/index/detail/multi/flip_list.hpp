// Every way to flip bits of a key, by number of bits.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// All masks of `length` bits, those of fewer set bits first, ascending among equals. Shared by the tables whose keys
/// have that length.
class flip_list {
 public:
  explicit flip_list(std::size_t length) : masks_(std::size_t{1} << length), first_(length + 2, 0) {
    const auto flips = [](std::size_t mask) { return static_cast<std::size_t>(std::popcount(mask)); };
    for (std::size_t mask = 0; mask < masks_.size(); ++mask) ++first_[flips(mask) + 1];
    for (std::size_t r = 0; r <= length; ++r) first_[r + 1] += first_[r];
    std::vector<std::size_t> next = first_;
    for (std::size_t mask = 0; mask < masks_.size(); ++mask)
      masks_[next[flips(mask)]++] = static_cast<std::uint32_t>(mask);
  }

  /// Masks of exactly `flips` bits.
  std::span<const std::uint32_t> operator[](std::size_t flips) const noexcept {
    return {masks_.data() + first_[flips], first_[flips + 1] - first_[flips]};
  }

  std::size_t memory() const noexcept {
    return masks_.capacity() * sizeof(std::uint32_t) + first_.capacity() * sizeof(std::size_t);
  }

 private:
  std::vector<std::uint32_t> masks_;
  std::vector<std::size_t> first_;  // by number of flips
};

}  // namespace embit::inline EMBIT_ABI::detail
