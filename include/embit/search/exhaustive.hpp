// Exhaustive k-nearest-neighbour, range and pair search over the workers of an executor.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/results.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/search/knn_scan.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/search/partition.hpp>
#include <embit/search/query_bounds.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/scan.hpp>
#include <embit/search/sinks.hpp>
#include <embit/search/top_k.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Puts in order what was found in ranges of rows, one range after the other: distances that are counted were found in
/// the order of the rows.
template <class K, class Store>
struct found_order {
  using neighbor_type = neighbor<typename K::distance_type>;

  std::vector<neighbor_type> candidates;
  struct comparing {};
  [[no_unique_address]] std::conditional_t<counts_distances<K, Store>, counting_sort, comparing> sort;

  std::span<const neighbor_type> select(std::size_t k) {
    if constexpr (counts_distances<K, Store>)
      return sort.select(candidates, k);
    else
      return select_top_k<typename K::compare>(candidates, k);
  }
  std::size_t memory() const noexcept {
    std::size_t bytes = candidates.capacity() * sizeof(neighbor_type);
    if constexpr (counts_distances<K, Store>) bytes += sort.memory();
    return bytes;
  }
};

/// What a k-nearest-neighbour search works with; kept between searches, so that they allocate nothing.
template <class K, class Store>
struct knn_workspace {
  std::vector<prepared_queries<K, Store>> groups;
  std::vector<collector<K, Store>> kept;        // a collector a query of an item
  std::vector<search_statistics> done;          // one an item
  std::vector<scan_scratch<K, Store>> scratch;  // one a worker
  std::vector<found_order<K, Store>> orders;    // one a worker

  /// Bytes of the lists.
  std::size_t memory() const noexcept {
    std::size_t bytes = kept.capacity() * sizeof(collector<K, Store>);
    for (const auto& list : kept) bytes += list.memory();
    for (const auto& order : orders) bytes += order.memory();
    return bytes;
  }
  /// Gives back the lists that only a search for very many neighbours needs.
  void trim() noexcept {
    for (auto& list : kept) trim(list);
    for (auto& order : orders)
      if (order.memory() > most_idle_bytes) order = {};
  }
  static void trim(collector<K, Store>& list) noexcept {
    if (list.memory() > most_idle_list) list = {};
  }
};

template <class K, class Store>
void prepare_groups(const K& kernel, const Store& store, const executor_ref& executor, typename K::query_view queries,
                    const partition& parts, std::vector<prepared_queries<K, Store>>& groups) {
  groups.resize(parts.groups);
  run_bulk(executor, parts.groups, [&](std::size_t g, std::size_t) {
    const piece part = cut(queries.size(), parts.groups, g);
    groups[g].assign(kernel, queries.middle_rows(part.first, part.size()), store.size());
  });
}

/// The `result.k()` nearest rows of each query; `result` has been reset to the number of queries. Where a worker meets
/// all rows with a group of queries, it goes from the queries to their results before it takes the next group.
template <class K, class Store>
void exhaustive_knn(const K& kernel, const Store& store, const executor_ref& executor, typename K::query_view queries,
                    const row_choice& choice, knn_result<typename K::distance_type>& result,
                    knn_workspace<K, Store>& work, search_statistics* statistics) {
  using collector_type = collector<K, Store>;
  const std::size_t nq = queries.size(), workers = executor.concurrency();
  const partition parts(nq, store.size(), workers);
  const std::size_t largest = cut(nq, parts.groups, 0).size();  // group
  const bool whole = parts.ranges == 1;
  const std::size_t places = whole ? (std::min)(parts.groups, workers) : parts.items();
  const auto place_of = [&](std::size_t item, std::size_t worker) { return places < parts.items() ? worker : item; };
  if (whole)
    work.groups.resize(places);
  else
    prepare_groups(kernel, store, executor, queries, parts, work.groups);
  work.kept.resize(places * largest);
  work.done.assign(parts.items(), {});
  work.scratch.resize(workers);
  work.orders.resize(workers);

  // What the items in places from `first` on have found for a group.
  const auto deliver = [&](std::size_t g, std::size_t first, std::size_t worker) {
    const piece group = cut(nq, parts.groups, g);
    found_order<K, Store>& order = work.orders[worker];
    for (std::size_t q = 0; q < group.size(); ++q) {
      order.candidates.clear();
      for (std::size_t r = 0; r < parts.ranges; ++r) {
        collector_type& top = work.kept[(first + r) * largest + q];
        const auto list = top.kept();
        order.candidates.insert(order.candidates.end(), list.begin(), list.end());
        work.trim(top);
      }
      result.assign(group.first + q, order.select(result.k()));
    }
  };
  run_bulk(executor, parts.items(), [&](std::size_t item, std::size_t worker) {
    const piece group = parts.queries_of(item, nq), rows = parts.rows_of(item, store.size());
    const std::size_t place = place_of(item, worker);
    auto& prepared = work.groups[whole ? place : item / parts.ranges];
    if (whole) prepared.assign(kernel, queries.middle_rows(group.first, group.size()), store.size());
    collector_type* tops = work.kept.data() + place * largest;
    const row_choice mine = choice.from_query(group.first);
    const knn_scan<K, Store> scan(kernel, queries.middle_rows(group.first, group.size()), prepared, store, mine,
                                  work.scratch[worker]);
    work.done[item] = scan.collect(rows, result.k(), tops);
    if (whole) deliver(item, place, worker);
  });
  if (!whole)
    run_bulk(executor, parts.groups, [&](std::size_t g, std::size_t worker) { deliver(g, g * parts.ranges, worker); });
  if (statistics != nullptr)
    for (const search_statistics& s : work.done) *statistics += s;
}

/// In what order a list of neighbours is.
enum class list_order { by_distance, by_row };

/// Every row within its `radius` of each query, the radius included. By row only of stores in the order of their rows.
template <class K, class Store>
range_result<typename K::distance_type> exhaustive_range(const K& kernel, const Store& store,
                                                         const executor_ref& executor, typename K::query_view queries,
                                                         const query_bounds<typename K::distance_type>& radius,
                                                         const row_choice& choice, search_statistics* statistics,
                                                         list_order wanted) {
  using distance = typename K::distance_type;
  const std::size_t nq = queries.size();
  const partition parts(nq, store.size(), executor.concurrency());
  std::vector<prepared_queries<K, Store>> groups;
  prepare_groups(kernel, store, executor, queries, parts, groups);
  std::vector<std::vector<neighbor<distance>>> kept(parts.ranges * nq);
  std::vector<search_statistics> done(parts.items());
  std::vector<scan_scratch<K, Store>> scratch(executor.concurrency());

  run_bulk(executor, parts.items(), [&](std::size_t item, std::size_t worker) {
    const piece group = parts.queries_of(item, nq), rows = parts.rows_of(item, store.size());
    const row_choice mine = choice.from_query(group.first);
    range_sink<distance, typename K::compare> sink{kept.data() + item % parts.ranges * nq + group.first,
                                                   radius.from(group.first), mine};
    done[item] =
        groups[item / parts.ranges].scan(store, rows.first, rows.last, choice.members(), scratch[worker], sink);
  });
  if (statistics != nullptr)
    for (const search_statistics& s : done) *statistics += s;

  std::size_t total = 0;
  for (const auto& list : kept) total += list.size();
  range_result<distance> result;
  result.reserve(nq, total);
  found_order<K, Store> order;
  for (std::size_t q = 0; q < nq; ++q) {
    order.candidates = std::move(kept[q]);
    for (std::size_t r = 1; r < parts.ranges; ++r)
      order.candidates.insert(order.candidates.end(), kept[r * nq + q].begin(), kept[r * nq + q].end());
    if (wanted == list_order::by_row)
      result.append(order.candidates);
    else
      result.append(order.select(order.candidates.size()));
  }
  return result;
}
template <class K, class Store>
range_result<typename K::distance_type> exhaustive_range(const K& kernel, const Store& store,
                                                         const executor_ref& executor, typename K::query_view queries,
                                                         const query_bounds<typename K::distance_type>& radius,
                                                         const row_choice& choice, search_statistics* statistics) {
  return exhaustive_range(kernel, store, executor, queries, radius, choice, statistics, list_order::by_distance);
}

/// Batches of queries that rows of a store can be.
template <class QueryView>
concept CodeQueries = std::same_as<QueryView, code_view<>> || std::same_as<QueryView, level_view>;

/// Copies of some rows of a store, as queries of a kernel.
template <class Store>
code_view<> gather_queries(const Store& store, std::span<const row_id> rows, std::vector<word>& memory) {
  const std::size_t words = words_for(store.bits());
  memory.resize(rows.size() * words);
  for (std::size_t i = 0; i < rows.size(); ++i) store.copy_row(rows[i], std::span(memory).subspan(i * words, words));
  return {memory.data(), rows.size(), store.bits()};
}
inline level_view gather_queries(const level_view& store, std::span<const row_id> rows, level_store& memory) {
  memory = level_store(store, rows);
  return memory.view();
}

/// What the copies are kept in.
template <class QueryView>
using gathered_queries = std::conditional_t<std::same_as<QueryView, level_view>, level_store, std::vector<word>>;

/// Reports every pair of chosen rows a < b within `radius` once, in no particular order, until that is stopped. The
/// rows are their own queries, a superblock of them at a time.
template <class K, class Store>
void exhaustive_pairs(const K& kernel, const Store& store, const executor_ref& executor,
                      typename K::distance_type radius, const row_choice& choice,
                      pair_report<typename K::distance_type>& report) {
  using distance = typename K::distance_type;
  const std::size_t rows = store.size();
  const std::size_t tiles = (rows + superblock_rows - 1) / superblock_rows;
  run_bulk(executor, tiles, [&](std::size_t tile, std::size_t) {
    if (report.stopped()) return;
    const std::size_t first = tile * superblock_rows, last = (std::min)(first + superblock_rows, rows);
    std::vector<row_id> ids;
    choice.for_each(first, last, [&](std::size_t row) { ids.push_back(static_cast<row_id>(row)); });
    if (ids.empty()) return;
    gathered_queries<typename K::query_view> queries;
    prepared_queries<K, Store> group;
    group.assign(kernel, gather_queries(store, std::span<const row_id>(ids), queries), rows - first);
    scan_scratch<K, Store> scratch;
    pair_buffer<distance> pairs(report);
    pair_sink<distance, typename K::compare> sink{ids, radius, choice, pairs};
    group.scan(store, in_row_order<Store> ? first : 0, rows, choice.members(), scratch, sink);
    pairs.flush();
  });
}

}  // namespace embit::inline EMBIT_ABI::detail
