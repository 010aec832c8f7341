// What the C++ blocks of README.md that are no whole programs find around them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/embit.hpp>

#include <cstddef>

inline embit::matrix<float> readme_rows(std::size_t count, std::size_t dim) {
  embit::rng rng{7};
  embit::matrix<float> rows(count, dim);
  for (float& value : rows.values()) value = embit::normal(rng);
  return rows;
}

// Names for the block, which uses those that it needs.
#define EMBIT_README_PRELUDE                                                                     \
  [[maybe_unused]] embit::rng rng{42};                                                           \
  [[maybe_unused]] const auto x = readme_rows(30, 128), x_old = x, x_new = readme_rows(30, 160); \
  [[maybe_unused]] const auto more_rows = readme_rows(20, 160), queries = readme_rows(5, 160);
