// Random hyperplanes.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/sign_projection.hpp>

#include <cstddef>
#include <random>

namespace embit::inline EMBIT_ABI {

struct sign_lsh_options {
  std::size_t dim = 0;   ///< of the input rows, at least 1
  std::size_t bits = 0;  ///< of the codes, at least 1; any number
};

/// Random hyperplanes through the origin: P[bit differs] = θ/π for two rows at angle θ.
///
/// The planes are drawn row by row from `normal`: the same engine gives the same planes on every platform, and fewer
/// bits give the first planes of more. O(bits · dim).
/// Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002, section 3.
/// @throws error errc::argument when dim or bits is 0.
template <std::uniform_random_bit_generator Engine>
sign_projection sign_lsh(sign_lsh_options options, Engine& engine) {
  if (options.dim == 0 || options.bits == 0)
    raise(errc::argument, "sign_lsh: dim ", options.dim, " and bits ", options.bits, " must be at least 1");
  matrix<float> planes(options.bits, options.dim);
  for (float& x : planes.values()) x = normal(engine);
  return sign_projection(planes);
}

}  // namespace embit::inline EMBIT_ABI
