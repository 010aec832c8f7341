// Rows of independent normal numbers.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>

#include <cstddef>
#include <cstdint>

namespace support {

inline embit::matrix<float> normal_rows(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<float> m(rows, cols);
  for (float& x : m.values()) x = embit::normal(rng);
  return m;
}

}  // namespace support
