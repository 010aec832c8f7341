// Random hyperplanes, orthogonal to one another in groups.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/sign_projection.hpp>
#include <embit/linalg/orthonormalize.hpp>

#include <algorithm>
#include <cstddef>
#include <random>

namespace embit::inline EMBIT_ABI {

struct super_bit_options {
  std::size_t dim = 0;    ///< of the input rows, at least 1
  std::size_t bits = 0;   ///< of the codes, at least 1; any number
  std::size_t group = 0;  ///< planes that are orthogonal to one another, at most dim; 0 takes dim
};

/// Random hyperplanes through the origin, orthonormal within each group: P[bit differs] = θ/π for two rows at angle θ
/// as with `sign_lsh`, and the share of differing bits varies less.
///
/// The planes are drawn group by group; fewer bits give the first planes of more. O(bits · group · dim).
/// Ji, Li, Yan, Zhang and Tian, "Super-bit locality-sensitive hashing", NIPS 2012, algorithm 1.
/// @throws error errc::argument when dim or bits is 0, or group is more than dim.
template <std::uniform_random_bit_generator Engine>
sign_projection super_bit(super_bit_options options, Engine& engine) {
  if (options.dim == 0 || options.bits == 0)
    raise(errc::argument, "super_bit: dim ", options.dim, " and bits ", options.bits, " must be at least 1");
  if (options.group > options.dim)
    raise(errc::argument, "super_bit: groups of ", options.group, " orthogonal planes in ", options.dim, " dimensions");
  const std::size_t group = options.group == 0 ? options.dim : options.group;
  matrix<float> planes(options.bits, options.dim);
  matrix<double> drawn((std::min)(group, options.bits), options.dim);
  for (std::size_t first = 0; first < options.bits; first += group) {
    const auto some = drawn.view().middle_rows(0, (std::min)(group, options.bits - first));
    for (std::size_t i = 0; i < some.rows(); ++i)
      for (double& x : some[i]) x = double{normal(engine)};
    orthonormalize_rows(some);
    for (std::size_t i = 0; i < some.rows(); ++i)
      std::ranges::transform(some[i], planes[first + i].begin(), [](double x) { return static_cast<float>(x); });
  }
  return sign_projection(planes);
}

}  // namespace embit::inline EMBIT_ABI
