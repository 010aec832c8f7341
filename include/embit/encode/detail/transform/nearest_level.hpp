// Numbers rounded to the levels of a segment.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/encode/detail/transform/gaussian_levels.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Finds the nearest of the levels of a segment. The values of all levels differ by even multiples of the step, so the
/// middle between two of them is a whole multiple: the number of whole steps in a number decides.
class nearest_level {
 public:
  explicit nearest_level(const level_segment& s)
      : segment_(s),
        reach_(std::accumulate(s.weights.begin(), s.weights.end(), 0)),
        inverse_step_(1 / s.step),
        levels_(2 * static_cast<std::size_t>(reach_) + 1) {
    std::vector<std::uint8_t> order(std::size_t{1} << s.bits);
    std::iota(order.begin(), order.end(), std::uint8_t{0});
    std::ranges::stable_sort(order, {}, [&](std::uint8_t level) { return s.multiple(level); });
    std::size_t rank = 0;
    for (std::size_t i = 0; i < levels_.size(); ++i) {
      const int multiple = static_cast<int>(i) - reach_;
      while (rank + 1 < order.size() && 2 * multiple >= s.multiple(order[rank]) + s.multiple(order[rank + 1])) ++rank;
      levels_[i] = order[rank];
    }
    for (std::size_t level = 0; level < order.size(); ++level)
      values_[level] = s.value(static_cast<std::uint8_t>(level));
  }

  const level_segment& segment() const noexcept { return segment_; }

  /// The level nearest to each number, of two equally near ones the larger; NaN gives the lowest.
  void operator()(std::span<const float> numbers, std::uint8_t* out) const noexcept {
    constexpr std::size_t block = 64;
    const auto reach = static_cast<float>(reach_), most = 2 * reach;
    std::int32_t at[block];
    for (std::size_t first = 0; first < numbers.size(); first += block) {
      const std::size_t count = (std::min)(block, numbers.size() - first);
      for (std::size_t i = 0; i < count; ++i) {
        const float shifted = numbers[first + i] * inverse_step_ + reach;
        at[i] = static_cast<std::int32_t>(shifted > 0 ? (shifted < most ? shifted : most) : 0.f);
      }
      for (std::size_t i = 0; i < count; ++i) out[first + i] = levels_[static_cast<std::size_t>(at[i])];
    }
  }

  /// Of the numbers that the levels suit.
  float deviation() const noexcept { return segment_.step / gaussian_quantizers[segment_.bits].step; }
  float value(std::uint8_t level) const noexcept { return values_[level]; }

 private:
  level_segment segment_;
  int reach_;
  float inverse_step_;
  std::vector<std::uint8_t> levels_;  // by whole steps above the lowest value
  std::array<float, 256> values_{};
};

}  // namespace embit::inline EMBIT_ABI::detail
