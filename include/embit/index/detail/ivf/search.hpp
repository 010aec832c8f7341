// What a search of lists of codes works with, and where it puts what it finds.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/results.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/ivf/list_wishes.hpp>
#include <embit/kernel/hamming_scan.hpp>
#include <embit/search/code_partition.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/sinks.hpp>
#include <embit/search/top_k.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What searches of an ivf_index did.
struct ivf_statistics {
  std::size_t lists = 0;         ///< that were looked at
  std::size_t rows_scanned = 0;  ///< (query, row) pairs whose distance was computed
  std::size_t offers = 0;        ///< pairs that reached a result list, if only for a while

  ivf_statistics& operator+=(const ivf_statistics& other) noexcept {
    lists += other.lists;
    rows_scanned += other.rows_scanned;
    offers += other.offers;
    return *this;
  }
};

namespace detail {

/// The k nearest rows of lists. Lists come in any order, so that an equally near row of a smaller number may follow.
struct list_knn_sink {
  unordered_histogram_top_k& top;
  const row_choice& accepts;
  const row_id* ids = nullptr;  // of the rows of the run
  std::size_t offers = 0;

  std::size_t threshold(std::size_t) const noexcept { return std::size_t{top.bound()} + 1; }
  void offer(std::size_t, row_id at, std::uint32_t distance) {
    if (distance <= top.bound()) keep(ids[at], distance);
  }
  void keep(row_id row, std::uint32_t distance) {
    if (!accepts(row)) return;
    ++offers;
    top.offer(row, distance);
  }
};

/// The same of several queries that look at one list.
struct list_batch_sink {
  std::span<unordered_histogram_top_k> tops;  // of all queries of the batch
  std::span<const std::uint32_t> queries;     // those of the list
  const row_choice& accepts;                  // counted from the first query of the batch
  const row_id* ids = nullptr;                // of the rows of the run
  bool all = accepts.all();
  std::size_t offers = 0;

  std::size_t threshold(std::size_t i) const noexcept { return std::size_t{tops[queries[i]].bound()} + 1; }
  void offer(std::size_t i, row_id at, std::uint32_t distance) {
    unordered_histogram_top_k& top = tops[queries[i]];
    if (distance > top.bound()) return;
    const row_id row = ids[at];
    if (!all && !accepts.for_query(queries[i])(row)) return;
    ++offers;
    top.offer(row, distance);
  }
};

/// Every row within a radius.
struct list_range_sink {
  std::vector<neighbor<std::uint32_t>>& found;
  std::uint32_t radius;
  const row_choice& accepts;
  const row_id* ids = nullptr;
  std::size_t offers = 0;

  std::size_t threshold(std::size_t) const noexcept { return std::size_t{radius} + 1; }
  void offer(std::size_t, row_id at, std::uint32_t distance) { keep(ids[at], distance); }
  void keep(row_id row, std::uint32_t distance) {
    if (distance > radius || !accepts(row)) return;
    ++offers;
    found.push_back({row, distance});
  }
};

/// Of one thread.
struct ivf_worker {
  hamming_batch query;
  hamming_batch::scratch scratch;
  code_partition::workspace partition;
  unordered_histogram_top_k top;
  std::vector<neighbor<std::uint32_t>> found;
  std::vector<word> code;                       // of a row that is read alone, or of the queries of a list
  std::vector<unordered_histogram_top_k> tops;  // of queries that are answered together
  std::vector<row_id> nearest, others;          // lists that these look at: the first of each, and the rest
  list_wishes wishes;
  ivf_statistics did;

  std::size_t memory() const noexcept {
    std::size_t bytes = partition.memory() + top.memory() + found.capacity() * sizeof(neighbor<std::uint32_t>) +
                        (nearest.capacity() + others.capacity() + wishes.queries.capacity()) * sizeof(row_id);
    for (const unordered_histogram_top_k& each : tops) bytes += sizeof each + each.memory();
    return bytes;
  }
  void trim() noexcept {
    if (memory() <= most_idle_bytes) return;
    partition = {};
    top = {};
    found = {};
    tops = {};
    nearest = {};
    others = {};
    wishes = {};
  }
};

struct ivf_workspace {
  std::vector<ivf_worker> workers;

  std::size_t memory() const noexcept {
    std::size_t bytes = 0;
    for (const ivf_worker& mine : workers) bytes += sizeof mine + mine.memory();
    return bytes;
  }
  void trim() noexcept {
    for (ivf_worker& mine : workers) mine.trim();
  }
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
