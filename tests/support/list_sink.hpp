// What a scan of levels offers, query by query.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/types.hpp>

#include <cstddef>
#include <optional>
#include <vector>

namespace support {

struct found_row {
  embit::row_id row;
  float distance;
  friend bool operator==(const found_row&, const found_row&) = default;
};

struct list_sink {
  std::optional<float> largest;
  std::vector<std::vector<found_row>> lists;

  std::optional<float> limit(std::size_t) const { return largest; }
  void offer(std::size_t query, embit::row_id row, float distance) { lists[query].push_back({row, distance}); }
};

}  // namespace support
