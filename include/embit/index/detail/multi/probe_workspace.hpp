// What searches of a multi-index write, worker by worker.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/results.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/multi/distinct_top_k.hpp>
#include <embit/index/detail/multi/table_probe.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/scan.hpp>
#include <embit/store/block_store.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// What one worker of a search writes.
struct probe_worker {
  probe_scratch probe;
  probe_counts counts;
  distinct_top_k nearest;
  distinct_in_radius within;
  std::vector<neighbor<std::uint32_t>> delivered;
  prepared_queries<hamming, block_store<>> tail_query;
  scan_scratch<hamming, block_store<>> tail_scratch;
  search_statistics tail;
  std::size_t probed = 0;

  std::size_t memory() const noexcept {
    return nearest.memory() + within.memory() + delivered.capacity() * sizeof(neighbor<std::uint32_t>);
  }
  void trim() noexcept {
    if (memory() <= most_idle_bytes) return;
    nearest = {};
    within = {};
    delivered = {};
  }
};

/// What a search writes; kept between searches.
struct probe_workspace {
  std::vector<probe_worker> workers;
  std::vector<unsigned char> gave_up;  // by query
  std::vector<std::size_t> left;       // queries that gave up
  std::vector<word> left_codes;
  knn_result<std::uint32_t> left_result;
  knn_workspace<hamming, block_store<>> scan;

  void reset(std::size_t queries, std::size_t worker_count) {
    workers.resize(worker_count);
    for (auto& w : workers) {
      w.counts = {};
      w.tail = {};
      w.probed = 0;
    }
    gave_up.assign(queries, 0);
  }
  void collect_left(code_view<> queries) {
    left.clear();
    left_codes.clear();
    for (std::size_t q = 0; q < queries.size(); ++q) {
      if (gave_up[q] == 0) continue;
      left.push_back(q);
      left_codes.insert(left_codes.end(), queries[q].begin(), queries[q].end());
    }
  }
  std::size_t memory() const noexcept {
    std::size_t bytes = left_result.memory() + scan.memory() + left_codes.capacity() * sizeof(word);
    for (const auto& w : workers) bytes += sizeof w + w.memory();
    return bytes;
  }
  void trim() noexcept {
    for (auto& w : workers) w.trim();
    scan.trim();
    if (left_result.k() > left_result.most_in_place) left_result = {};
  }
  /// Adds what the workers did to the statistics of a multi-index, where given.
  template <class Statistics>
  void report(Statistics* statistics) const {
    if (statistics == nullptr) return;
    for (const auto& w : workers) {
      statistics->lookups += w.counts.lookups;
      statistics->candidates += w.counts.candidates;
      statistics->survivors += w.counts.survivors;
      statistics->probed += w.probed;
      statistics->scan += w.tail;
    }
    statistics->bailed_out += left.size();
  }
};

}  // namespace embit::inline EMBIT_ABI::detail
