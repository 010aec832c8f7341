// A generated set whose variance falls along its directions, as that of embeddings does.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/linalg/random_rotation.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace support {

/// `n` unit rows of `dim` numbers: deviations i^(-1/2), a common offset of .4 times such a row, a random rotation.
inline embit::matrix<float> anisotropic_rows(std::size_t n, std::size_t dim, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<float> flat(n, dim), offset(1, dim), rows(n, dim);
  const auto deviation = [](std::size_t k) { return 1 / std::sqrt(static_cast<float>(k + 1)); };
  for (std::size_t k = 0; k < dim; ++k) offset[0][k] = .4f * deviation(k) * embit::normal(rng);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < dim; ++k) flat[i][k] = deviation(k) * embit::normal(rng) + offset[0][k];
  embit::gemm(flat, embit::random_rotation(dim, rng), rows);
  for (std::size_t i = 0; i < n; ++i) {
    double square = 0;
    for (const float x : rows[i]) square += double{x} * double{x};
    for (float& x : rows[i]) x = static_cast<float>(double{x} / std::sqrt(square));
  }
  return rows;
}

}  // namespace support
