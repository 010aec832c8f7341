// The Hamming radius that finds rows of a cosine by their sign codes.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

namespace embit::inline EMBIT_ABI {

struct radius_options {
  std::size_t bits = 0;  ///< of a code, each the side of a random hyperplane: `sign_lsh` and `sim_hash` make such
  double cosine = .9;    ///< -1 to 1: rows with this one and more are to be found
  double recall = .99;   ///< how likely, above 0 and below 1
};

/// The least radius within which the codes of two rows of the given cosine lie with the given probability, over the
/// choice of the planes; rows of a larger cosine do so more often. Planes being independent, codes of rows at angle θ
/// differ in Binomial(bits, θ / π) bits (Charikar, "Similarity estimation techniques from rounding algorithms", STOC
/// 2002, section 3); those of orthogonal planes vary less, and codes learned from rows are not covered. O(bits).
/// @throws error errc::argument for no bits, or a cosine or recall out of its range.
inline std::uint32_t plan_radius(const radius_options& options) {
  if (options.bits == 0 || options.bits > 0xffffffffu) raise(errc::argument, "plan_radius: ", options.bits, " bits");
  if (!(options.cosine >= -1 && options.cosine <= 1))
    raise(errc::argument, "cosine: ", options.cosine, " is not from -1 to 1");
  if (!(options.recall > 0 && options.recall < 1))
    raise(errc::argument, "recall: ", options.recall, " is not between 0 and 1");
  const double differing = std::acos(options.cosine) / std::numbers::pi, n = static_cast<double>(options.bits);
  const auto bits = static_cast<std::uint32_t>(options.bits);
  if (differing <= 0) return 0;
  if (differing >= 1) return bits;
  double log_chance = n * std::log1p(-differing), sum = std::exp(log_chance);  // of a distance of 0
  const double log_odds = std::log(differing) - std::log1p(-differing);
  std::uint32_t radius = 0;
  while (sum < options.recall && radius < bits) {
    log_chance += log_odds + std::log((n - radius) / (radius + 1.));
    sum += std::exp(log_chance);
    ++radius;
  }
  return radius;
}

}  // namespace embit::inline EMBIT_ABI
