// How the learning rate changes during training.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace embit::inline EMBIT_ABI {

/// The same rate all the time.
struct constant_schedule {
  float rate = 1e-3f;
  float operator()(std::size_t, std::size_t) const noexcept { return rate; }
};

/// The rate times `factor` after each share of the steps that `at` tells: once at 0.6 for the tenth of it over the
/// last four of ten epochs.
struct step_schedule {
  float rate = 1e-3f;
  float factor = 0.1f;
  double at = 0.6;  ///< the share of the steps after which the rate falls; it falls again after twice as many

  /// The rate of step `step` (from 1) of `steps`.
  float operator()(std::size_t step, std::size_t steps) const noexcept {
    const double each = (std::max)(at * static_cast<double>(steps), 1.);
    return rate * static_cast<float>(std::pow(double{factor}, std::floor(static_cast<double>(step - 1) / each)));
  }
};

/// A linear rise over `warmup` steps, under a half cosine that ends at zero.
/// Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5.
struct cosine_schedule {
  float rate = 1e-3f;
  std::size_t warmup = 50;

  /// The rate of step `step` (from 1) of `steps`.
  float operator()(std::size_t step, std::size_t steps) const noexcept {
    const double t = static_cast<double>(step), all = static_cast<double>(std::max<std::size_t>(steps, 1));
    const double rise = (std::min)(1., t / static_cast<double>(std::max<std::size_t>(warmup, 1)));
    return rate * static_cast<float>(rise * .5 * (1 + std::cos(std::numbers::pi * (std::min)(t / all, 1.))));
  }
};

}  // namespace embit::inline EMBIT_ABI
