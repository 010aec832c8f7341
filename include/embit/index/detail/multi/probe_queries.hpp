// A batch of queries answered from the tables of a multi-index; those that would take too long, by a scan.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/multi/distinct_top_k.hpp>
#include <embit/index/detail/multi/multi_tables.hpp>
#include <embit/index/detail/multi/probe_workspace.hpp>
#include <embit/index/detail/multi/statistics.hpp>
#include <embit/index/detail/multi/table_probe.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/scan.hpp>
#include <embit/store/block_layout.hpp>
#include <embit/store/block_store.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Queries and what they are asked of.
template <bool Inlined>
struct probe_batch {
  const multi_tables<Inlined>& tables;
  const block_store<>& store;
  executor_ref executor;
  code_view<> queries;
  const row_choice& choice;
  double limit;  ///< what a scan costs a query, in nanoseconds
  probe_workspace& work;
  multi_index_statistics* statistics;

  search_statistics* scan_statistics() const noexcept { return statistics != nullptr ? &statistics->scan : nullptr; }
  /// The queries that gave up.
  code_view<> left() const noexcept { return {work.left_codes.data(), work.left.size(), store.bits()}; }
  /// Calls `scan(choice)` with what these may find.
  template <class Scan>
  std::invoke_result_t<Scan&, const row_choice&> for_left(Scan&& scan) const {
    if (!choice.each_query()) return scan(choice);
    const auto asked = [this](std::size_t i, row_id row) {
      return choice(row) && choice.accepts_for(work.left[i], row);
    };
    return scan(row_choice(asked));
  }
};

/// Rows that are not yet in the tables, and a few before them that share a superblock with them.
template <bool Inlined, class Found>
void scan_tail(const probe_batch<Inlined>& batch, std::size_t q, const row_choice& choice, Found& found,
               probe_worker& mine) {
  const std::size_t rows = batch.store.size();
  if (batch.tables.rows() == rows) return;
  const std::size_t first = batch.tables.rows() / superblock_rows * superblock_rows;
  static constexpr hamming kernel;
  knn_sink<Found> sink{&found, choice};
  mine.tail_query.assign(kernel, batch.queries.middle_rows(q, 1), rows - first);
  mine.tail += mine.tail_query.scan(batch.store, first, rows, choice.members(), mine.tail_scratch, sink);
}

/// Probes for every query: `answer(q, choice, mine, set)` is false where that would take longer than a scan.
template <bool Inlined, class Answer>
void probe_each(const probe_batch<Inlined>& batch, Answer&& answer) {
  batch.work.reset(batch.queries.size(), batch.executor.concurrency());
  const table_set set = batch.tables.set(batch.store);
  for_each_query(batch.executor, batch.queries.size(), [&](std::size_t q, std::size_t worker) {
    probe_worker& mine = batch.work.workers[worker];
    if (answer(q, batch.choice.for_query(q), mine, set))
      ++mine.probed;
    else
      batch.work.gave_up[q] = 1;
  });
  batch.work.collect_left(batch.queries);
}

/// The nearest rows of every query.
/// @param distance  of the last of them, most likely
template <bool Inlined>
void probe_nearest(const probe_batch<Inlined>& batch, std::size_t distance, knn_result<std::uint32_t>& result) {
  probe_workspace& work = batch.work;
  probe_each(batch, [&](std::size_t q, const row_choice& choice, probe_worker& mine, const table_set& set) {
    mine.nearest.reset(result.k());
    scan_tail(batch, q, choice, mine.nearest, mine);
    const nearest_goal goal{mine.nearest, distance};
    table_probe<Inlined, distinct_top_k> probe(set, batch.queries[q].data(), mine.nearest, choice, mine.probe,
                                               mine.counts);
    if (!probe.run(goal, batch.limit)) return false;
    mine.delivered.clear();
    for (const std::uint64_t key : mine.nearest.sorted()) mine.delivered.push_back(neighbor_of(key));
    result.assign(q, mine.delivered);
    return true;
  });
  if (!work.left.empty()) {
    work.left_result.reset(work.left.size(), result.k());
    batch.for_left([&](const row_choice& choice) {
      exhaustive_knn(hamming{}, batch.store, batch.executor, batch.left(), choice, work.left_result, work.scan,
                     batch.scan_statistics());
    });
    for (std::size_t i = 0; i < work.left.size(); ++i) result.assign(work.left[i], work.left_result[i]);
  }
  work.report(batch.statistics);
}

/// Every row within a radius of every query.
template <bool Inlined>
range_result<std::uint32_t> probe_within(const probe_batch<Inlined>& batch, std::uint32_t radius) {
  probe_workspace& work = batch.work;
  std::vector<std::vector<neighbor<std::uint32_t>>> lists(batch.queries.size());
  probe_each(batch, [&](std::size_t q, const row_choice& choice, probe_worker& mine, const table_set& set) {
    mine.within.reset(radius);
    scan_tail(batch, q, choice, mine.within, mine);
    table_probe<Inlined, distinct_in_radius> probe(set, batch.queries[q].data(), mine.within, choice, mine.probe,
                                                   mine.counts);
    if (!probe.run(radius_goal{radius}, batch.limit)) return false;
    for (const std::uint64_t key : mine.within.sorted()) lists[q].push_back(neighbor_of(key));
    return true;
  });
  range_result<std::uint32_t> left;
  if (!work.left.empty())
    left = batch.for_left([&](const row_choice& choice) {
      return exhaustive_range(hamming{}, batch.store, batch.executor, batch.left(), radius, choice,
                              batch.scan_statistics());
    });
  range_result<std::uint32_t> result;
  for (std::size_t q = 0, i = 0; q < batch.queries.size(); ++q)
    result.append(work.gave_up[q] != 0 ? left[i++] : std::span<const neighbor<std::uint32_t>>(lists[q]));
  work.report(batch.statistics);
  return result;
}

}  // namespace embit::inline EMBIT_ABI::detail

// Compiled once a program where that is asked for.
#if EMBIT_KERNELS_HERE
#include <embit/index/detail/multi/build_tables.hpp>
#endif
#ifdef EMBIT_COMPILED
namespace embit::inline EMBIT_ABI::detail {

#if EMBIT_KERNELS_HERE
#define EMBIT_PROBES template
#else
#define EMBIT_PROBES extern template
#endif
#define EMBIT_PROBES_OF(Inlined)                                                                                  \
  EMBIT_PROBES class multi_tables<Inlined>;                                                                       \
  EMBIT_PROBES void probe_nearest<Inlined>(const probe_batch<Inlined>&, std::size_t, knn_result<std::uint32_t>&); \
  EMBIT_PROBES range_result<std::uint32_t> probe_within<Inlined>(const probe_batch<Inlined>&, std::uint32_t);
EMBIT_PROBES_OF(true)
EMBIT_PROBES_OF(false)
#undef EMBIT_PROBES_OF
#undef EMBIT_PROBES

}  // namespace embit::inline EMBIT_ABI::detail
#endif
