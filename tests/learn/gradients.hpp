// Gradients against differences of the function itself.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>

#include <support/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace support {

inline embit::matrix<float> normal_rows(std::size_t rows, std::size_t cols, std::uint64_t seed, float scale = 1) {
  embit::rng rng{seed};
  embit::matrix<float> m(rows, cols);
  for (auto& x : m.values()) x = scale * embit::normal(rng);
  return m;
}

inline embit::matrix<float> normal_unit_rows(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  auto m = normal_rows(rows, cols, seed);
  for (std::size_t i = 0; i < rows; ++i) {
    double square = 0;
    for (const float x : m[i]) square += double{x} * double{x};
    for (float& x : m[i]) x = static_cast<float>(double{x} / std::sqrt(square));
  }
  return m;
}

/// Σ a · b: what a test takes as the loss of a layer, b being the derivative that it then hands to `backward`.
inline double inner(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * double{b[i]};
  return sum;
}

/// Holds the derivative of `loss` along a few random directions, by central differences, against the gradient.
/// @param values    what `loss` depends on; as before on return.
/// @param gradient  by the values, computed before.
template <class Loss>
void check_gradient(std::span<float> values, std::span<const float> gradient, Loss&& loss, double tolerance = 5e-3,
                    float reach = 2e-3f) {
  REQUIRE(values.size() == gradient.size());
  const std::vector<float> kept(values.begin(), values.end()), slope(gradient.begin(), gradient.end());
  double norm = 0;
  for (const float g : slope) norm += double{g} * double{g};
  REQUIRE(norm > 0);
  embit::rng rng{values.size()};
  for (int trial = 0; trial < 5; ++trial) {
    // Half along the gradient, so that what is compared is not a sum that nearly cancels.
    std::vector<double> direction(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      direction[i] = double{embit::normal(rng)} / std::sqrt(static_cast<double>(values.size())) +
                     (trial % 2 == 0 ? 1. : -1.) * double{slope[i]} / std::sqrt(norm);
    double expected = 0, moved = 0;
    const auto at = [&](double distance) {
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>(double{kept[i]} + distance * direction[i]);
      return loss();
    };
    const double above = at(double{reach});
    std::vector<float> high(values.begin(), values.end());
    const double below = at(-double{reach});
    // The steps as they were after rounding to float.
    for (std::size_t i = 0; i < values.size(); ++i)
      expected += double{slope[i]} * (double{high[i]} - double{values[i]});
    moved = above - below;
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = kept[i];
    CAPTURE(trial, expected, moved);
    REQUIRE(std::abs(moved - expected) <= tolerance * 2 * double{reach} * std::sqrt(norm));
  }
}

}  // namespace support
