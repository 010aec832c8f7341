// Where the tokens of a collection lie.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/ragged_view.hpp>

#include <cmath>
#include <cstddef>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// The mean of the tokens that count, each scaled to unit norm; zeros where there are none. A hash center for
/// `muvera::with_centers`: without it, planes through the origin hardly cut a narrow cone of tokens. O(tokens · dim).
/// @throws error errc::not_finite naming document and token.
template <class T>
std::vector<float> fit_center(ragged_view<T> documents) {
  std::vector<double> sum(documents.cols());
  std::size_t count = 0;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const auto tokens = documents[i];
    for (std::size_t t = 0; t < tokens.rows(); ++t) {
      if (!tokens.counts(t)) continue;
      double squares = 0;
      for (const float x : tokens[t]) squares += double{x} * double{x};
      if (!detail::is_finite(squares))
        raise(errc::not_finite, "fit_center: document ", i, ", token ", t, " is not finite");
      ++count;
      const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0.;
      for (std::size_t j = 0; j < sum.size(); ++j) sum[j] += static_cast<double>(tokens[t][j]) * scale;
    }
  }
  std::vector<float> center(sum.size());
  for (std::size_t j = 0; j < sum.size(); ++j)
    center[j] = count == 0 ? 0.f : static_cast<float>(sum[j] / static_cast<double>(count));
  return center;
}

}  // namespace embit::inline EMBIT_ABI
