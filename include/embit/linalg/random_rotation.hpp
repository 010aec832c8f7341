// Rotations drawn uniformly.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/linalg/orthonormalize.hpp>

#include <algorithm>
#include <cstddef>
#include <random>

namespace embit::inline EMBIT_ABI {

/// A random orthogonal matrix, dim × dim, all equally likely (Haar measure): Gaussian rows, orthonormalized in double.
/// O(dim³).
/// @throws error errc::argument when dim is 0.
template <class Scalar = float, std::uniform_random_bit_generator Engine>
matrix<Scalar> random_rotation(std::size_t dim, Engine& engine) {
  if (dim == 0) raise(errc::argument, "random_rotation: of 0 dimensions");
  matrix<double> rows(dim, dim);
  for (double& x : rows.values()) x = double{normal(engine)};
  orthonormalize_rows(rows.view());
  matrix<Scalar> out(dim, dim);
  std::ranges::transform(rows.values(), out.values().begin(), [](double x) { return static_cast<Scalar>(x); });
  return out;
}

}  // namespace embit::inline EMBIT_ABI
