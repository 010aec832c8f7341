// What share of the nearest rows a search found, of rows that are equally near any being as good.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/results.hpp>

#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

/// The share of the true neighbours that were found; one that is as far as the last of them is as good.
inline double recall_by_distance(const knn_result<std::uint32_t>& found, const knn_result<std::uint32_t>& truth) {
  std::size_t good = 0, all = 0;
  for (std::size_t q = 0; q < truth.queries(); ++q) {
    all += truth[q].size();
    for (const auto& f : found[q]) good += f.distance <= truth[q].back().distance;
  }
  return all == 0 ? 1 : static_cast<double>(good) / static_cast<double>(all);
}

}  // namespace embit::inline EMBIT_ABI::detail
