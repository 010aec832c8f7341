// What an upgrade of the model does to recall, before and after rows are encoded again.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/results.hpp>
#include <embit/eval/metrics.hpp>

#include <cstddef>

namespace embit::inline EMBIT_ABI {

/// Recall at k by which model made the code of the query, and which those of the rows.
struct compatibility_report {
  double old_to_old = 0;  ///< before the upgrade
  double new_to_old = 0;  ///< new queries in the old index, which an upgrade should not make worse than old_to_old
  double old_to_new = 0;  ///< clients that have not changed yet in an index that has
  double new_to_new = 0;  ///< after the upgrade, all rows encoded again
};

/// Searches an old index and a new one with the codes of the same queries by both models. Costs four searches.
/// @param truth        the true neighbours of the queries, k or more each.
/// @param new_index    of the rows of `old_index`, in the same order.
/// @param old_queries  codes of the queries by the old model, @param new_queries by the new one.
/// @throws error errc::shape for codes of another format or another number of queries than `truth` has,
///         errc::argument when there are none or k is 0.
template <class Exact, Index Searched>
compatibility_report compatibility(const knn_result<Exact>& truth, const Searched& old_index, const Searched& new_index,
                                   typename Searched::query_view old_queries, typename Searched::query_view new_queries,
                                   std::size_t k) {
  const auto recall = [&](const Searched& index, const typename Searched::query_view& queries) {
    return mean_recall(truth, index.search(queries, k), k, k);
  };
  return {.old_to_old = recall(old_index, old_queries),
          .new_to_old = recall(old_index, new_queries),
          .old_to_new = recall(new_index, old_queries),
          .new_to_new = recall(new_index, new_queries)};
}

}  // namespace embit::inline EMBIT_ABI
