// Random sets of unit vectors.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/core/random.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace support {

/// Sets of vectors that are owned, viewed where a ragged_view is taken.
struct token_sets {
  embit::matrix<float> values;
  std::vector<std::size_t> offsets{0};
  std::vector<std::uint8_t> mask;

  embit::ragged_view<const float> view() const { return {values.view(), offsets, mask}; }
};

inline void normalize(std::span<float> row) {
  double squares = 0;
  for (const float x : row) squares += double{x} * double{x};
  for (float& x : row) x = static_cast<float>(double{x} / std::sqrt(squares));
}

/// Unit vectors around one common direction: their mean cosine is about `cosine`.
inline embit::matrix<float> unit_tokens(std::size_t count, std::size_t dim, float cosine, embit::rng& rng) {
  std::vector<float> common(dim);
  for (float& x : common) x = embit::normal(rng);
  normalize(common);
  const float along = std::sqrt(cosine), across = std::sqrt(1 - cosine);
  embit::matrix<float> rows(count, dim);
  for (std::size_t i = 0; i < count; ++i) {
    for (float& x : rows[i]) x = embit::normal(rng);
    normalize(rows[i]);
    for (std::size_t j = 0; j < dim; ++j) rows[i][j] = along * common[j] + across * rows[i][j];
    normalize(rows[i]);
  }
  return rows;
}

/// Sets of the given sizes.
inline token_sets random_sets(std::span<const std::size_t> sizes, std::size_t dim, std::uint64_t seed,
                              float cosine = 0) {
  embit::rng rng{seed};
  token_sets sets;
  for (const std::size_t size : sizes) sets.offsets.push_back(sets.offsets.back() + size);
  sets.values = unit_tokens(sets.offsets.back(), dim, cosine, rng);
  return sets;
}

inline double product(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t j = 0; j < a.size(); ++j) sum += double{a[j]} * double{b[j]};
  return sum;
}

/// Σ_q max_p q · p, in double.
inline double chamfer(embit::row_set<const float> query, embit::row_set<const float> document) {
  double sum = 0;
  for (std::size_t i = 0; i < query.rows(); ++i) {
    if (!query.counts(i)) continue;
    double best = -HUGE_VAL;
    for (std::size_t j = 0; j < document.rows(); ++j)
      if (document.counts(j)) best = std::max(best, product(query[i], document[j]));
    sum += best;
  }
  return sum;
}

}  // namespace support
