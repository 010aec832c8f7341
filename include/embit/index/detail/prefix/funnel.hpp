// The search of nested codes by a funnel: few bits of all rows, then more bits of those that are left.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/codes/code_view.hpp>
#include <embit/codes/prefix_steps.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/results.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/index/funnel_queries.hpp>
#include <embit/kernel/gathered_hamming.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/search/prefix_scan.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/scan.hpp>
#include <embit/search/top_k.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What searches of a prefix_index did.
struct funnel_statistics : search_statistics {
  std::size_t candidates = 0;  ///< (query, row) pairs that went on from the first step of a funnel

  funnel_statistics& operator+=(const funnel_statistics& other) noexcept {
    search_statistics::operator+=(other);
    candidates += other.candidates;
    return *this;
  }
};

namespace detail {

/// Of one thread.
struct funnel_worker {
  std::vector<neighbor<std::uint32_t>> candidates;
  std::vector<word> query;  // the words of a step
};

template <class Store>
struct prefix_workspace {
  knn_workspace<prefix_hamming<Store>, prefix_rows<Store>> scan;
  knn_result<std::uint32_t> first;  // what the first step of a funnel keeps
  std::vector<word> queries;        // by their first bits
  std::vector<funnel_worker> workers;

  std::size_t memory() const noexcept {
    std::size_t bytes = scan.memory() + first.memory() + queries.capacity() * sizeof(word);
    for (const funnel_worker& mine : workers) bytes += mine.candidates.capacity() * sizeof(neighbor<std::uint32_t>);
    return bytes;
  }
  void trim() noexcept {
    scan.trim();
    if (memory() > most_idle_bytes) first = {}, queries = {}, workers = {};
  }
};

/// Refuses a funnel that cannot be, whatever rows there are.
/// @throws error errc::argument for a width that the codes are not cut at, or not above the one before it, and for
/// steps that keep nothing, or more than the one before.
inline void require_funnel(const prefix_steps& steps, std::span<const funnel_step> funnel) {
  std::size_t width = 0, keep = 0;
  for (const funnel_step& step : funnel) {
    if (steps.steps_of(step.width) == 0)
      raise(errc::argument, "funnel: no step of the index has ", step.width, " bits");
    if (step.width <= width) raise(errc::argument, "funnel: ", step.width, " bits after ", width, " bits");
    if (step.keep == 0) raise(errc::argument, "funnel: keeps 0 rows at ", step.width, " bits");
    if (width != 0 && step.keep > keep)
      raise(errc::argument, "funnel: keeps ", step.keep, " rows at ", step.width, " bits, of the ", keep,
            " that are left");
    width = step.width;
    keep = step.keep;
  }
}

/// Adds to the distances of candidates those by the bits of a step. Codes are fetched some candidates ahead.
template <class Segment>
void add_step(const Segment& segment, std::span<const word> query, std::span<neighbor<std::uint32_t>> candidates) {
  constexpr std::size_t at_once = 32;
  std::array<const word*, 2 * at_once> lanes;
  std::array<std::uint32_t, at_once> sums;
  const auto places = [&](std::size_t first) {
    return std::span(lanes).subspan(first % lanes.size(),
                                    (std::min)(at_once, candidates.size() - (std::min)(first, candidates.size())));
  };
  const auto fetch = [&](std::size_t first) {
    const auto to = places(first);
    for (std::size_t i = 0; i < to.size(); ++i) {
      const row_id row = candidates[first + i].id;
      to[i] = segment.block(row / block_rows) + row % block_rows;
      for (std::size_t w = 0; w < query.size(); ++w) __builtin_prefetch(to[i] + w * block_rows);
    }
  };
  fetch(0);
  for (std::size_t first = 0; first < candidates.size(); first += at_once) {
    fetch(first + at_once);
    const auto some = places(first);
    sums.fill(0);
    add_gathered(some, query, sums.data());
    for (std::size_t i = 0; i < some.size(); ++i) candidates[first + i].distance += sums[i];
  }
}

/// The same for the steps [from, to), of one query.
template <class Store>
void add_steps(const Store& store, std::size_t from, std::size_t to, std::span<const word> query, funnel_worker& mine) {
  for (std::size_t step = from; step < to; ++step) {
    mine.query.resize(store.steps().words(step));
    store.steps().cut(query, step, mine.query.data());
    add_step(store.segment(step), mine.query, mine.candidates);
  }
}

/// Leaves the nearest.
inline void keep_nearest(std::vector<neighbor<std::uint32_t>>& candidates, std::size_t keep) {
  if (candidates.size() <= keep) return;
  std::nth_element(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(keep), candidates.end(),
                   neighbor_order<std::less<>>{});
  candidates.resize(keep);
}

/// The `result.k()` nearest rows that a funnel of at least one step finds for each query.
template <class Store>
void funnel_knn(const Store& store, const executor_ref& executor, code_view<> queries,
                std::span<const funnel_step> funnel, const row_choice& choice, knn_result<std::uint32_t>& result,
                prefix_workspace<Store>& work, funnel_statistics* statistics) {
  constexpr std::size_t most_kept = std::size_t{1} << 20;  // of all queries that are searched at a time
  const prefix_steps& steps = store.steps();
  const std::size_t count = steps.steps_of(funnel[0].width), kept = (std::min)(funnel[0].keep, store.size());
  const std::size_t at_once = std::max<std::size_t>(most_kept / kept, 64);
  const prefix_rows<Store> rows(store, count);
  const prefix_hamming<Store> kernel(store, count);
  work.workers.resize(executor.concurrency());
  for (std::size_t begin = 0; begin < queries.size(); begin += at_once) {
    const code_view<> group = queries.middle_rows(begin, (std::min)(at_once, queries.size() - begin));
    work.first.reset(group.size(), kept);
    exhaustive_knn(kernel, rows, executor, first_bits(group, funnel[0].width, work.queries), choice.from_query(begin),
                   work.first, work.scan, statistics);
    for_each_query(executor, group.size(), [&](std::size_t q, std::size_t worker) {
      funnel_worker& mine = work.workers[worker];
      mine.candidates.assign(work.first[q].begin(), work.first[q].end());
      std::size_t done = count;
      for (const funnel_step& step : funnel.subspan(1)) {
        add_steps(store, done, steps.steps_of(step.width), group[q], mine);
        done = steps.steps_of(step.width);
        keep_nearest(mine.candidates, step.keep);
      }
      add_steps(store, done, steps.size(), group[q], mine);
      result.assign(begin + q, select_top_k<std::less<>>(mine.candidates, result.k()));
    });
    if (statistics != nullptr)
      for (const auto list : work.first) statistics->candidates += list.size();
  }
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
