// The best levels for a number of normal distribution, of 0 to 8 bits.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

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

}  // namespace embit::inline EMBIT_ABI::detail
