// Building the tables of a multi-index: how many keys, which bits in each, and what searching them will cost.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/multi/flip_list.hpp>
#include <embit/index/detail/multi/bucket_table.hpp>
#include <embit/index/detail/multi/distance_forecast.hpp>
#include <embit/index/detail/multi/key_split.hpp>
#include <embit/index/detail/multi/probe_plan.hpp>
#include <embit/index/detail/multi/table_probe.hpp>
#include <embit/kernel/bucket_scan.hpp>
#include <embit/kernel/line_scan.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/store/block_store.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Fewest bits of a key, and the lengths that the cost model tries.
inline constexpr std::size_t shortest_key = 4, shortest_tried = 10, longest_tried = 17;

/// Fewer rows than this are scanned in less time than a choice takes.
inline constexpr std::size_t fewest_rows = 4096;

/// What probing costs before it has been measured: of a lookup and a word of a candidate, in nanoseconds, where the
/// tables fit a large cache and where they do not; of fetching a code by its row; against a row of a scan.
inline constexpr double cached_lookup = 6, lookup_guess = 16, word_guess = 0.3, gathered_guess = 2.5;
inline constexpr double candidate_against_scan = 2, cache_bytes = 1 << 24;

/// The share of a scan's time that tables may promise to take and still be tried: a promise may be wrong.
inline constexpr double worth_trying = 0.75;

/// Queries from which on a scan is at its cheapest for each.
inline constexpr std::size_t full_batch = 64;

/// Number of keys asked for, or 0 for the best; and the other wishes of a multi-index.
struct table_wishes {
  std::size_t keys = 0;
  std::size_t neighbors = 10;
  bool decorrelate = false;
  bool measure = true;
};

/// Processor time of this thread, in nanoseconds, where there is such a clock: others may want the processor, too.
inline double thread_nanoseconds() noexcept {
#ifdef CLOCK_THREAD_CPUTIME_ID
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e9 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec);
#else
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
#endif
}

/// How long scans of a store take, in nanoseconds a query: alone, and in a large batch.
struct scan_times {
  double single = 0;
  double batched = 0;

  scan_times() = default;
  explicit scan_times(const block_store<>& store) {
    const std::size_t large = store.size() * store.words() > (std::size_t{1} << 24);
    const auto rows = spread_rows(store.size(), large ? row_sample::query_count : full_batch);
    const code_store<> queries = copy_rows(store, rows);
    knn_workspace<hamming, block_store<>> work;
    single = batched = (std::numeric_limits<double>::max)();
    time_single(store);
    for (int repeat = 0; repeat < 2; ++repeat) batched = (std::min)(batched, time(store, queries.view(), work));
    batched = (std::min)(batched, single);
  }

  /// Times single queries once more: what else runs may have held up all those that were timed in one moment.
  void time_single(const block_store<>& store) {
    constexpr std::size_t repeats = 4;
    const code_store<> queries = copy_rows(store, spread_rows(store.size(), repeats));
    knn_workspace<hamming, block_store<>> work;
    for (std::size_t q = 0; q < queries.size(); ++q)
      single = (std::min)(single, time(store, queries.view().middle_rows(q, 1), work));
    batched = (std::min)(batched, single);
  }

  /// For each of a batch of queries that `workers` share.
  double for_each_of(std::size_t queries, std::size_t workers) const noexcept {
    const double batch = static_cast<double>(std::clamp<std::size_t>(queries, 1, full_batch) - 1) / (full_batch - 1);
    const double split = static_cast<double>(std::max<std::size_t>(workers / std::max<std::size_t>(queries, 1), 1));
    return (single + (batched - single) * batch) / split;
  }

 private:
  static double time(const block_store<>& store, code_view<> queries, knn_workspace<hamming, block_store<>>& work) {
    knn_result<std::uint32_t> found;
    found.reset(queries.size(), std::min<std::size_t>(store.size(), 10));
    const double start = thread_nanoseconds();
    exhaustive_knn(hamming{}, store, inline_executor{}, queries, row_choice{}, found, work, nullptr);
    return (thread_nanoseconds() - start) / static_cast<double>(queries.size());
  }
};

/// The tables over the first rows of a store, with what is known about searching them. Without any where they would
/// not pay.
template <bool Inlined>
class multi_tables {
 public:
  /// No tables over no rows.
  explicit multi_tables(std::size_t bits) : keys_(bits, 1), scan_(words_for(bits)), by_line_(words_for(bits)) {}

  /// @throws error errc::argument for a number of keys that does not fit the width.
  template <Executor Exec>
  multi_tables(const block_store<>& store, const table_wishes& wishes, const Exec& executor)
      : keys_(store.bits(), 1), scan_(store.words()), by_line_(store.words()) {
    const std::size_t rows = store.size();
    if (rows == 0 || (wishes.keys == 0 && rows < fewest_rows)) return;
    const row_sample sample(store);
    const distance_forecast distances(store, sample);
    if (wishes.measure) scans_ = scan_times(store);
    if (!choose(store, sample, distances, wishes)) return;
    fill(store, executor);
    if (wishes.measure) {
      calibrate(store, sample, distances, wishes.neighbors);
      scans_.time_single(store);
      if (wishes.keys == 0 && mean_cost(plan_, distances.distances(wishes.neighbors)) > worth_trying * scans_.single) {
        drop();
        return;
      }
    }
    forecast(sample, distances);
  }

  bool empty() const noexcept { return tables_.empty(); }
  /// Rows that the tables hold, or would hold if they paid.
  std::size_t rows() const noexcept { return rows_; }
  const key_split& keys() const noexcept { return keys_; }
  const probe_plan& plan() const noexcept { return plan_; }
  const scan_times& scans() const noexcept { return scans_; }

  table_set set(const block_store<>& store) const noexcept {
    return {store, keys_, tables_, flips_, plan_, scan_, by_line_, costs_};
  }

  /// What is expected of a search for k neighbours: how far the last one is, and what it costs to be certain of it.
  struct outlook {
    std::size_t distance;
    double cost;
  };
  outlook expect(std::size_t k) const noexcept {
    if (outlooks_.empty()) return {keys_.bits(), plan_.cost(0, plan_.size())};
    if (k <= distance_forecast::longest) return outlooks_[std::clamp<std::size_t>(k, 1, outlooks_.size()) - 1];
    const std::size_t doublings = static_cast<std::size_t>(std::bit_width((k - 1) / distance_forecast::longest));
    return outlooks_[(std::min)(distance_forecast::longest - 1 + doublings, outlooks_.size() - 1)];
  }

  std::size_t memory() const noexcept {
    std::size_t bytes = plan_.memory() + outlooks_.capacity() * sizeof(outlook) +
                        tables_.capacity() * sizeof(bucket_table) + flips_.capacity() * sizeof(flip_list) +
                        keys_.order().size() * sizeof(std::uint16_t);
    for (const auto& t : tables_) bytes += t.memory();
    for (const auto& f : flips_) bytes += f.memory();
    return bytes;
  }

 private:
  // Of searching `count` tables.
  probe_costs guess(const block_store<>& store, const table_wishes& wishes, std::size_t count) const {
    const double words = static_cast<double>(store.words()), rows = static_cast<double>(store.size());
    const double row = wishes.measure ? scans_.single / rows : word_guess / candidate_against_scan * words;
    const double bytes = rows * static_cast<double>(count) * (Inlined ? words * sizeof(word) : sizeof(row_id));
    const bool cached = bytes <= cache_bytes;
    double candidate = candidate_against_scan * row;
    if (!cached) candidate = (std::max)(candidate, word_guess * words);
    if (!Inlined) candidate += gathered_guess;
    return {cached ? cached_lookup : lookup_guess, candidate};
  }

  // Sets the keys and the plan to what is asked for, or to the cheapest; false where none is cheaper than scanning.
  bool choose(const block_store<>& store, const row_sample& sample, const distance_forecast& distances,
              const table_wishes& wishes) {
    rows_ = store.size();
    if (wishes.keys != 0) {
      adopt(store, sample, wishes, wishes.keys);
      return true;
    }
    const auto neighbors = distances.distances(wishes.neighbors);
    double best = worth_trying * scans_.single;
    if (!wishes.measure) best = (std::numeric_limits<double>::max)();
    std::size_t best_keys = 0;
    for (std::size_t length = longest_tried, before = 0; length >= shortest_tried; --length) {
      const std::size_t count = (store.bits() + length - 1) / length;
      if (count == std::exchange(before, count)) continue;
      if (!Inlined && too_large(store.bits(), count)) continue;
      const key_split keys(store.bits(), count);
      const probe_plan plan(keys, sample.shares(keys), store.size(), guess(store, wishes, count));
      const double cost = mean_cost(plan, neighbors);
      if (cost >= best) continue;
      best = cost;
      best_keys = count;
    }
    if (best_keys == 0) return false;
    adopt(store, sample, wishes, best_keys);
    return true;
  }

  // Tables of row ids are chosen to be small: 20 bytes a row where the width allows it.
  bool too_large(std::size_t bits, std::size_t count) const noexcept {
    constexpr std::size_t tables_of_20_bytes = 4;
    const std::size_t fewest = (bits + longest_tried - 1) / longest_tried;
    return count > (std::max)(tables_of_20_bytes, fewest);
  }

  void adopt(const block_store<>& store, const row_sample& sample, const table_wishes& wishes, std::size_t count) {
    const std::size_t bits = keys_.bits();
    std::vector<std::uint16_t> order;
    if (wishes.decorrelate) {
      const std::size_t words = words_for(bits), rows = std::min<std::size_t>(sample.codes().size(), 4096);
      order = decorrelated_order({sample.codes().data(), rows * words}, bits, count);
    }
    keys_ = key_split(bits, count, std::move(order));
    costs_ = guess(store, wishes, count);
    plan_ = probe_plan(keys_, sample.shares(keys_), rows_, costs_);
  }

  template <class Exec>
  void fill(const block_store<>& store, const Exec& executor) {
    tables_.resize(keys_.size());
    run_bulk(executor, keys_.size(),
             [&](std::size_t t, std::size_t) { tables_[t] = bucket_table(store, rows_, keys_, t, Inlined); });
    flips_.reserve(2);
    for (std::size_t t = 0; t < keys_.size(); ++t)
      if (t == 0 || keys_.length(t) != keys_.length(t - 1)) flips_.emplace_back(keys_.length(t));
  }

  // Lets the sample's queries run, once with cold caches and once with warm ones, and puts what they took in place of
  // the guess.
  void calibrate(const block_store<>& store, const row_sample& sample, const distance_forecast& distances,
                 std::size_t k) {
    const auto typical = distances.distances(k);
    if (typical.empty()) return;
    probe_scratch scratch;
    distinct_top_k found;
    const table_set tables = set(store);
    double took = 0, predicted = 0;
    for (std::size_t i = 0; i < 2 * sample.queries().size(); ++i) {
      const std::size_t q = i % sample.queries().size();
      probe_counts counts;
      const double start = thread_nanoseconds();
      found.reset((std::min)(k, rows() - 1) + 1);  // itself, too
      probe(tables, sample.queries()[q].data(), found, row_choice{}, nearest_goal{found, typical[typical.size() / 2]},
            4 * scans_.single, scratch, counts);
      took += thread_nanoseconds() - start;
      predicted += costs_.lookup * static_cast<double>(counts.lookups) +
                   costs_.candidate * static_cast<double>(counts.candidates);
    }
    if (predicted <= 0) return;
    const double factor = std::clamp(took / predicted, 0.25, 8.0);
    costs_.lookup *= factor;
    costs_.candidate *= factor;
    plan_.scale(factor);
  }

  // Tables that searches would not try are not worth their memory.
  void drop() noexcept {
    tables_ = {};
    flips_ = {};
    plan_ = {};
  }

 public:
  /// Probes for one query with the tables' own layout; false where it gave up.
  template <class Found, class Goal>
  bool probe(const table_set& tables, const word* query, Found& found, const row_choice& choice, const Goal& goal,
             double limit, probe_scratch& scratch, probe_counts& counts) const {
    return table_probe<Inlined, Found>(tables, query, found, choice, scratch, counts).run(goal, limit);
  }

 private:
  static double mean_cost(const probe_plan& plan, std::span<const std::uint32_t> distances) {
    double sum = 0;
    for (const std::uint32_t d : distances) sum += plan.cost_within(d);
    return distances.empty() ? 0 : sum / static_cast<double>(distances.size());
  }

  void forecast(const row_sample& sample, const distance_forecast& distances) {
    for (std::size_t k = 1; k <= distances.length(); ++k) {
      const auto all = distances.distances(k);
      outlooks_.push_back({all[all.size() / 2], mean_cost(plan_, all)});
    }
    if (distances.length() < distance_forecast::longest) return;
    const std::vector<double> within = sample.shares_within();
    std::size_t d = 0;
    for (std::size_t k = 2 * distance_forecast::longest; k / 2 < rows_; k *= 2) {
      const double share = static_cast<double>(k) / static_cast<double>(rows_);
      while (d + 1 < within.size() && within[d] < share) ++d;
      outlooks_.push_back({d, plan_.cost_within(d)});
    }
  }

  key_split keys_;
  bucket_scan scan_;
  line_scan by_line_;
  moved_value<> rows_;
  std::vector<bucket_table> tables_;
  std::vector<flip_list> flips_;
  probe_costs costs_;
  probe_plan plan_;
  scan_times scans_;
  std::vector<outlook> outlooks_;  // for each k that the forecast knows, then for doubles of the last
};

}  // namespace embit::inline EMBIT_ABI::detail
