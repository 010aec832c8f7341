// What benchmarks of approximate indexes share: recall where distances are equal, and one set that is held at a time.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/results.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "code_data.hpp"

namespace bench {

/// The share of the nearest neighbours that were found, where equal distances count as the same neighbour.
inline double share_found(const embit::knn_result<std::uint32_t>& found,
                          const embit::knn_result<std::uint32_t>& exact) {
  std::size_t hits = 0;
  for (std::size_t q = 0; q < exact.queries(); ++q)
    for (const auto& n : found[q]) hits += n.distance <= exact[q].back().distance;
  return static_cast<double>(hits) / static_cast<double>(exact.queries() * exact.k());
}

/// What was made of a set, for as long as no other is asked for. @tparam Made  has the `set` that it is made of
template <class Made>
const Made& made_of(const code_set& set) {
  static std::unique_ptr<const Made> last;
  if (last == nullptr || !(last->set == set)) {
    last = nullptr;  // before there is another
    last = std::make_unique<Made>(set);
  }
  return *last;
}

}  // namespace bench
