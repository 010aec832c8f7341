// How the candidates of an lsh_table are scored: by a kernel over the rows, or by a reranker that knows them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// The names that a kernel and a reranker give to the same things.
template <class Scorer>
struct scorer_types {
  using distance_type = typename Scorer::distance_type;
};
template <Reranker Scorer>
struct scorer_types<Scorer> {
  using distance_type = typename Scorer::score_type;
};

/// Appends the scores of the accepted rows among `rows` to `scored`.
template <class Store, class Scorer, class Accept>
void score_rows(const Store& store, const Scorer& scorer, const typename Scorer::query_view& queries, std::size_t query,
                std::span<const row_id> rows, const Accept& accepts,
                std::vector<neighbor<typename scorer_types<Scorer>::distance_type>>& scored) {
  if constexpr (Reranker<Scorer>) {
    for (const row_id row : rows)
      if (accepts(row)) scored.push_back({row, scorer(queries[query], row)});
  } else {
    const auto prepared = scorer.prepare(queries[query]);
    for (const row_id row : rows)
      if (accepts(row)) scored.push_back({row, scorer(prepared, store[row])});
  }
}

}  // namespace embit::inline EMBIT_ABI::detail
