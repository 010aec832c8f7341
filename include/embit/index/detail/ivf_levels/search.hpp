// How inverted lists are searched: one query list by list, many queries together.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
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

/// Queries of a batch that want each list, in the order of the lists.
struct list_wishes {
  std::vector<std::uint32_t> first;    // of each list, and one more
  std::vector<std::uint32_t> queries;  // in order

  /// @param lists  of the queries, `probes` each but for those that are numbered beyond `size`
  void assign(std::span<const row_id> wanted, std::size_t probes, std::size_t size) {
    first.assign(size + 1, 0);
    for (const row_id list : wanted) ++first[list + 1];
    for (std::size_t l = 0; l < size; ++l) first[l + 1] += first[l];
    queries.resize(wanted.size());
    at_.assign(first.begin(), first.end() - 1);
    for (std::size_t i = 0; i < wanted.size(); ++i) queries[at_[wanted[i]]++] = static_cast<std::uint32_t>(i / probes);
  }

 private:
  std::vector<std::uint32_t> at_;
};

}  // namespace embit::inline EMBIT_ABI::detail
