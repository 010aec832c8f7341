// How inverted lists are searched: one query list by list, many queries together.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/ivf/list_wishes.hpp>
#include <embit/index/detail/ivf/search.hpp>
#include <embit/kernel/level_run_scan.hpp>
#include <embit/kernel/level_scan.hpp>
#include <embit/kernel/nearest_centroids.hpp>
#include <embit/search/counting_top_k.hpp>
#include <embit/search/row_choice.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Takes hits of one extent for one query into a collector, by their places: few of them are looked up in the end.
struct level_knn_sink {
  counting_top_k& top;
  const row_choice& accepts;
  const row_id* ids = nullptr;  // of all places
  std::size_t first = 0;        // place of the extent
  bool all = accepts.all();
  std::size_t offers = 0;

  float limit() const noexcept { return top.bound(); }
  std::size_t wanted() const noexcept { return top.wanted(); }
  void take(std::span<const level_hit> hits) {
    const auto place = static_cast<std::uint32_t>(first);
    if (all) {
      offers += hits.size();
      top.offer_all(hits.size(), [&](std::size_t i) { return neighbor<float>{place + hits[i].row, hits[i].distance}; });
      return;
    }
    std::array<neighbor<float>, level_hit_room> chosen;
    std::size_t count = 0;
    for (const level_hit& hit : hits) {
      chosen[count] = {place + hit.row, hit.distance};
      count += accepts(ids[place + hit.row]);
    }
    offers += count;
    top.offer_all(count, [&](std::size_t i) { return chosen[i]; });
  }
};

/// Takes everything within a radius.
struct level_range_sink {
  std::vector<neighbor<float>>& found;
  const row_choice& accepts;
  float radius;
  const row_id* ids = nullptr;  // of all places
  std::size_t first = 0;        // place of the extent
  std::size_t offers = 0;

  float limit() const noexcept { return radius; }
  static constexpr std::size_t wanted() noexcept { return 0; }
  void take(std::span<const level_hit> hits) {
    for (const level_hit& hit : hits)
      if (const row_id id = ids[first + hit.row]; !is_nan(hit.distance) && hit.distance <= radius && accepts(id)) {
        ++offers;
        found.push_back({id, hit.distance});
      }
  }
};

/// What one worker writes for the query that it answers.
struct list_query_memory {
  level_query query;
  counting_top_k top;
  nearest_centroids::scratch centroids;
  level_run_scan scan;

  std::size_t memory() const noexcept { return top.memory(); }
};

/// What one thread does of a query whose lists are shared by several.
struct list_share {
  list_query_memory memory;
  std::vector<neighbor<float>> found;
  ivf_statistics did;
};

}  // namespace embit::inline EMBIT_ABI::detail
