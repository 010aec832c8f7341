// Fewer query tokens for reranking: those that say nearly the same are added up.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/ragged_view.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Carves the tokens of a query into balls and returns the sum of each: the first token that is in no ball yet makes
/// one of itself and of all others whose cosine with it is at least `tau`. Tokens of a ball then share the document
/// token that suits their sum, so that scores fall a little and reranking gets cheaper with every ball saved.
/// Dhulipala et al., "MUVERA", NeurIPS 2024, section 3.1. O(tokens² · dim).
/// @param query  tokens × dim; tokens that a mask leaves out are in no ball.
/// @throws error errc::argument unless 0 < tau ≤ 1, errc::not_finite naming the token.
inline matrix<float> carve_balls(row_set<const float> query, float tau) {
  if (!detail::is_positive(tau) || tau > 1)
    raise(errc::argument, "carve_balls: tau ", tau, ", not above 0 and at most 1");
  detail::require_finite(query, "query");
  const std::size_t n = query.rows(), dim = query.cols();
  const auto product = [&](std::size_t a, std::size_t b) {
    double sum = 0;
    for (std::size_t j = 0; j < dim; ++j) sum += double{query[a][j]} * double{query[b][j]};
    return sum;
  };
  std::vector<double> norms(n);
  for (std::size_t i = 0; i < n; ++i) norms[i] = std::sqrt(product(i, i));
  std::vector<bool> taken(n);
  for (std::size_t i = 0; i < n; ++i) taken[i] = !query.counts(i);
  std::vector<float> sums;
  std::size_t balls = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (taken[i]) continue;
    sums.resize(++balls * dim, 0.f);
    float* const sum = sums.data() + (balls - 1) * dim;
    for (std::size_t j = i; j < n; ++j) {
      if (taken[j] || (j != i && product(i, j) < double{tau} * norms[i] * norms[j])) continue;
      taken[j] = true;
      for (std::size_t k = 0; k < dim; ++k) sum[k] += query[j][k];
    }
  }
  matrix<float> out(balls, dim);
  std::ranges::copy(sums, out.values().begin());
  return out;
}

}  // namespace embit::inline EMBIT_ABI
