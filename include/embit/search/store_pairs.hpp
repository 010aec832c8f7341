// All pairs of a store's rows within a radius, in the cheapest way that its kernel allows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/join.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/store/code_store.hpp>

#include <concepts>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Reports every pair of chosen rows a < b within `radius` once, in no particular order, until that is stopped. By
/// Hamming distance they are joined, on a copy of the codes; by another kernel every two are compared.
template <class K, class Store>
void store_pairs(const K& kernel, const Store& store, const executor_ref& executor, typename K::distance_type radius,
                 const row_choice& choice, pair_report<typename K::distance_type>& report) {
  if (store.size() == 0) return;
  if constexpr (std::same_as<K, hamming>) {
    std::vector<row_id> rows;
    rows.reserve(store.size());
    choice.for_each(0, store.size(), [&](std::size_t row) { rows.push_back(static_cast<row_id>(row)); });
    const code_store<> codes(store, rows);
    join_within(codes, rows.size() == store.size() ? nullptr : rows.data(), radius, executor, report);
  } else {
    exhaustive_pairs(kernel, store, executor, radius, choice, report);
  }
}

}  // namespace embit::inline EMBIT_ABI::detail
