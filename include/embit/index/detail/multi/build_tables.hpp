// Building the tables of a multi-index: how many, over which bits, and what searches of them will cost.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/executor.hpp>
#include <embit/index/detail/multi/distance_forecast.hpp>
#include <embit/index/detail/multi/fill_buckets.hpp>
#include <embit/index/detail/multi/multi_tables.hpp>
#include <embit/index/detail/multi/probe_plan.hpp>
#include <embit/index/detail/multi/table_choice.hpp>
#include <embit/index/detail/multi/table_wishes.hpp>
#include <embit/store/block_store.hpp>

#include <cstddef>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

template <bool Inlined>
multi_tables<Inlined>::multi_tables(const block_store<>& store, const table_wishes& wishes,
                                    const executor_ref& executor)
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

template <bool Inlined>
void multi_tables<Inlined>::fill(const block_store<>& store, const executor_ref& executor) {
  tables_.resize(keys_.size());
  run_bulk(executor, keys_.size(),
           [&](std::size_t t, std::size_t) { tables_[t] = bucket_table(store, rows_, keys_, t, Inlined); });
  flips_.reserve(2);
  for (std::size_t t = 0; t < keys_.size(); ++t)
    if (t == 0 || keys_.length(t) != keys_.length(t - 1)) flips_.emplace_back(keys_.length(t));
}

template <bool Inlined>
void multi_tables<Inlined>::forecast(const row_sample& sample, const distance_forecast& distances) {
  for (std::size_t k = 1; k <= distances.length(); ++k) {
    const auto all = distances.distances(k);
    outlooks_.push_back({all[all.size() / 2], mean_cost(plan_, all)});
  }
  if (distances.length() < longest_forecast) return;
  const std::vector<double> within = sample.shares_within();
  std::size_t d = 0;
  for (std::size_t k = 2 * longest_forecast; k / 2 < rows_; k *= 2) {
    const double share = static_cast<double>(k) / static_cast<double>(rows_);
    while (d + 1 < within.size() && within[d] < share) ++d;
    outlooks_.push_back({d, plan_.cost_within(d)});
  }
}

}  // namespace embit::inline EMBIT_ABI::detail
