// The tables of a multi-index: over the first rows of a store, with what is known about searching them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/multi/bucket_table.hpp>
#include <embit/index/detail/multi/distance_forecast.hpp>
#include <embit/index/detail/multi/flip_list.hpp>
#include <embit/index/detail/multi/key_split.hpp>
#include <embit/index/detail/multi/probe_plan.hpp>
#include <embit/index/detail/multi/table_choice.hpp>
#include <embit/index/detail/multi/table_probe.hpp>
#include <embit/kernel/bucket_scan.hpp>
#include <embit/kernel/line_scan.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/store/block_store.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Fewer rows than this are scanned in less time than a choice takes.
inline constexpr std::size_t fewest_rows = 4096;

/// The tables over the first rows of a store, with what is known about searching them. Without any where they would
/// not pay.
template <bool Inlined>
class multi_tables {
 public:
  /// @throws error errc::argument for a number of keys that does not fit the width.
  template <Executor Exec>
  multi_tables(const block_store<>& store, const table_wishes& wishes, const Exec& executor)
      : keys_(store.bits(), 1), scan_(store.words()), by_line_(store.words()) {
    const std::size_t rows = store.size();
    if (rows == 0 || (wishes.keys == 0 && rows < fewest_rows)) return;
    rows_ = rows;
    const row_sample sample(store);
    const distance_forecast distances(store, sample);
    const table_choice choice(store, sample, distances, wishes, Inlined);
    if (choice.keys() == 0) return;
    keys_ = choice.split(wishes.decorrelate);
    costs_ = choice.costs();
    plan_ = probe_plan(keys_, sample.shares(keys_), rows, costs_);
    fill(store, executor);
    forecast(sample, distances);
  }

  bool empty() const noexcept { return tables_.empty(); }
  /// Rows that the tables hold, or would hold if they paid.
  std::size_t rows() const noexcept { return rows_; }
  const key_split& keys() const noexcept { return keys_; }
  const probe_plan& plan() const noexcept { return plan_; }

  /// About what it takes to build as many tables over so many codes, in nanoseconds.
  double build_cost(const block_store<>& store) const noexcept {
    constexpr double choice = 10e6, row = 10, each_word = 4;
    const double keys = static_cast<double>(tables_.size()), words = static_cast<double>(store.words());
    return choice + static_cast<double>(store.size()) * keys * (row + each_word * words);
  }

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

  /// Probes for one query with the tables' own layout; false where it gave up.
  template <class Found, class Goal>
  bool probe(const table_set& tables, const word* query, Found& found, const row_choice& choice, const Goal& goal,
             double limit, probe_scratch& scratch, probe_counts& counts) const {
    return table_probe<Inlined, Found>(tables, query, found, choice, scratch, counts).run(goal, limit);
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
  template <class Exec>
  void fill(const block_store<>& store, const Exec& executor) {
    tables_.resize(keys_.size());
    run_bulk(executor, keys_.size(),
             [&](std::size_t t, std::size_t) { tables_[t] = bucket_table(store, rows_, keys_, t, Inlined); });
    flips_.reserve(2);
    for (std::size_t t = 0; t < keys_.size(); ++t)
      if (t == 0 || keys_.length(t) != keys_.length(t - 1)) flips_.emplace_back(keys_.length(t));
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
  std::vector<outlook> outlooks_;  // for each k that the forecast knows, then for doubles of the last
};

}  // namespace embit::inline EMBIT_ABI::detail
