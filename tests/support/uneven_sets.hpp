// Generated sets that plain quantizers find hard: far from zero, of uneven energy, of fewer rows than dimensions.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace support {

/// Rows of 96 numbers whose deviations are (1 + j/4)^(-1/2), with means of 1.5 times as many normal deviations.
inline embit::matrix<float> strong_mean_rows(std::size_t n, std::uint64_t seed) {
  constexpr std::size_t dim = 96;
  embit::rng rng{seed};
  std::vector<float> deviation(dim), mean(dim);
  for (std::size_t j = 0; j < dim; ++j) {
    deviation[j] = 1 / std::sqrt(1 + static_cast<float>(j) / 4);
    mean[j] = 1.5f * deviation[j] * embit::normal(rng);
  }
  embit::matrix<float> rows(n, dim);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < dim; ++j) rows[i][j] = mean[j] + deviation[j] * embit::normal(rng);
  return rows;
}

/// Rows in blocks of 16 numbers of falling deviation, each block e^normal times as long in one row as in another.
inline embit::matrix<float> uneven_energy_rows(std::size_t n, std::size_t dim, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<float> rows(n, dim);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t first = 0; first < dim; first += 16) {
      const float length = std::exp(embit::normal(rng)) / std::sqrt(1 + static_cast<float>(first) / 16);
      for (std::size_t j = first; j < (std::min)(first + 16, dim); ++j) rows[i][j] = length * embit::normal(rng);
    }
  return rows;
}

/// Deviations (1 + j/8)^(-1/2), a mean of half of them: meant for fewer rows than dimensions.
inline embit::matrix<float> few_rows(std::size_t n, std::size_t dim, std::uint64_t seed) {
  embit::rng rng{seed};
  std::vector<float> mean(dim);
  for (float& m : mean) m = .5f * embit::normal(rng);
  embit::matrix<float> rows(n, dim);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < dim; ++j)
      rows[i][j] = (mean[j] + embit::normal(rng)) / std::sqrt(1 + static_cast<float>(j) / 8);
  return rows;
}

}  // namespace support
