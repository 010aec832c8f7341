// What one SIMD level gives to the quantization of float rows, and the portable level of it.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace embit::inline EMBIT_ABI {

/// A row x on the uniform grid of 2^bits levels: dimension j becomes y_j = ±(2 u_j + 1) with the sign of x_j, where
/// u_j = min(⌊inverse_step · |x_j|⌋, 2^(bits - 1) - 1).
struct grid_sums {
  double magnitude = 0;      ///< Σ |x|
  double product = 0;        ///< ⟨x, y⟩
  std::uint64_t energy = 0;  ///< |y|²
};

namespace detail {

/// Sums are kept in 16 lanes, number j in lane j % 16, as doubles that hold every product exactly: with the one order
/// in `sum_lanes` every level gives the same sums, to the bit.
inline constexpr std::size_t grid_lanes = 16;

inline double sum_lanes(double* lanes) noexcept {
  for (std::size_t half = grid_lanes / 2; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) {
      lanes[i] += lanes[i + half];
      EMBIT_ROUNDED("m", lanes[i]);
    }
  return lanes[0];
}

/// The part of the quantization that is written once a level. `row` writes the planes of a row as they lie in a block
/// (see `level_run`), the most significant first, into bytes `level_block_rows` apart; without `out` it only sums.
struct quantize_ops {
  static constexpr std::string_view operation = "quantize";

  double (*square)(const float* x, std::size_t dims) noexcept;
  grid_sums (*row)(const float* x, std::size_t dims, float inverse_step, std::size_t bits, std::uint8_t* out) noexcept;
};

namespace quantize_portable {

inline double square(const float* x, std::size_t dims) noexcept {
  double lanes[grid_lanes] = {};
  for (std::size_t j = 0; j < dims; ++j) {
    lanes[j % grid_lanes] += double{x[j]} * double{x[j]};
    EMBIT_ROUNDED("m", lanes[j % grid_lanes]);
  }
  return sum_lanes(lanes);
}

inline grid_sums row(const float* x, std::size_t dims, float inverse_step, std::size_t bits,
                     std::uint8_t* out) noexcept {
  const std::size_t plane = (dims + 7) / 8 * level_block_rows;
  const auto most = static_cast<float>((1u << (bits - 1)) - 1);
  double magnitude[grid_lanes] = {}, product[grid_lanes] = {};
  grid_sums sums;
  for (std::size_t first = 0; first < dims; first += 8) {
    std::uint8_t bytes[most_level_bits] = {};
    for (std::size_t j = first; j < (std::min)(first + 8, dims); ++j) {
      const float a = std::abs(x[j]), scaled = inverse_step * a;
      const auto u = static_cast<std::uint32_t>(scaled < most ? scaled : most);
      const std::uint32_t y = 2 * u + 1, level = x[j] > 0 ? (1u << (bits - 1)) + u : (1u << (bits - 1)) - 1 - u;
      magnitude[j % grid_lanes] += double{a};
      product[j % grid_lanes] += double{a} * static_cast<double>(y);
      EMBIT_ROUNDED("m", magnitude[j % grid_lanes]);
      EMBIT_ROUNDED("m", product[j % grid_lanes]);
      sums.energy += y * y;
      for (std::size_t p = 0; p < bits; ++p)
        bytes[p] = static_cast<std::uint8_t>(bytes[p] | (level >> (bits - 1 - p) & 1) << (j - first));
    }
    if (out == nullptr) continue;
    for (std::size_t p = 0; p < bits; ++p) out[p * plane] = bytes[p];
    out += level_block_rows;
  }
  sums.magnitude = sum_lanes(magnitude);
  sums.product = sum_lanes(product);
  return sums;
}

inline constexpr quantize_ops ops{square, row};

}  // namespace quantize_portable

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
