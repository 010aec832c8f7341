// What share of true neighbours was found.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/results.hpp>

#include <algorithm>
#include <cstddef>

namespace support {

/// Of all queries together.
inline double recall(const embit::knn_result<float>& found, const embit::knn_result<float>& truth) {
  std::size_t seen = 0, all = 0;
  for (std::size_t q = 0; q < truth.queries(); ++q)
    for (const auto& each : truth[q]) {
      ++all;
      seen += std::ranges::any_of(found[q], [&](const auto& n) { return n.id == each.id; });
    }
  return static_cast<double>(seen) / static_cast<double>(all);
}

}  // namespace support
