// Quantizers of a standard normal number into 1, 2, 4 or 8 bits, and the nearest level of a number.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Levels for a number of variance 1, and what of its variance they lose.
struct gaussian_quantizer {
  std::size_t bits = 0;
  double distortion = 1;
  float step = 1;
  std::array<std::uint8_t, most_level_bits> weights{};

  /// Levels for `dims` numbers of the given deviation, which is above 0.
  level_segment segment(std::size_t dims, float deviation) const noexcept {
    return {.dims = dims, .bits = bits, .step = step * deviation, .weights = weights};
  }
};

/// For 0 to 8 bits the best quantizers found whose levels are sums of whole weights up to 255: weights by coordinate
/// descent from many starts, steps by golden section, distortions by exact integration over the cells. Free levels
/// (Lloyd and Max) would lose .3634, .1175, .03454, .009497, .002499, .000641, .000163 and .0000413; uniform grids lose
/// .011543 at 4 bits and .0000877 at 8.
inline constexpr std::array<gaussian_quantizer, 9> gaussian_quantizers{{
    {.bits = 0, .distortion = 1, .step = 1, .weights = {}},
    {.bits = 1, .distortion = .363380, .step = .79788456f, .weights = {1}},
    {.bits = 2, .distortion = .117482, .step = .07551749f, .weights = {13, 7}},
    {.bits = 3, .distortion = .035267, .step = .00571181f, .weights = {173, 131, 79}},
    {.bits = 4, .distortion = .009890, .step = .00723135f, .weights = {156, 98, 77, 41}},
    {.bits = 5, .distortion = .002663, .step = .00630582f, .weights = {157, 146, 95, 75, 39}},
    {.bits = 6, .distortion = .000722, .step = .00783419f, .weights = {134, 129, 74, 66, 33, 17}},
    {.bits = 7, .distortion = .000201, .step = .00969393f, .weights = {124, 91, 62, 54, 31, 27, 15}},
    {.bits = 8, .distortion = .0000512, .step = .01068604f, .weights = {128, 64, 51, 44, 40, 32, 22, 16}},
}};

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

  float value(std::uint8_t level) const noexcept { return values_[level]; }

 private:
  level_segment segment_;
  int reach_;
  float inverse_step_;
  std::vector<std::uint8_t> levels_;  // by whole steps above the lowest value
  std::array<float, 256> values_{};
};

}  // namespace embit::inline EMBIT_ABI::detail
