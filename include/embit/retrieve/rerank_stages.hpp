// Rerankers one after the other: cheap scores for many candidates, dear ones for those that are left.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/types.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// In a retriever, scores the candidates of the index with `first`, and the `keep` best of each query, never fewer than
/// are asked for, with `rest`, whose scores and order are those of the results. Either may be stages itself:
///
///     retriever r{coder, index, rerank_stages{code_rerank{codes, coder.estimator()}, 200, file_rerank{"rows.npy"}}};
///     r.search(queries, 10, {.candidates = 2000});
///
/// On its own it is a Reranker that scores as `rest` does.
template <Reranker First, Reranker Rest>
class rerank_stages {
 public:
  using first_type = First;
  using rest_type = Rest;
  using query_view = typename Rest::query_view;
  using score_type = typename Rest::score_type;
  using compare = typename Rest::compare;

  /// @throws error errc::argument for a stage that keeps nothing.
  explicit rerank_stages(First first, std::size_t keep, Rest rest)
      : first_(std::move(first)), keep_(keep), rest_(std::move(rest)) {
    if (keep == 0) raise(errc::argument, "rerank_stages: keep 0, but at least 1 row must go on to the next stage");
  }

  const First& first() const& noexcept { return first_; }
  const First& first() const&& = delete;
  /// Rows of a query that go on.
  std::size_t keep() const noexcept { return keep_; }
  const Rest& rest() const& noexcept { return rest_; }
  const Rest& rest() const&& = delete;

  template <class Query>
  auto operator()(const Query& query, row_id row) const -> decltype(std::declval<const Rest&>()(query, row)) {
    return rest_(query, row);
  }

 private:
  First first_;
  std::size_t keep_;
  Rest rest_;
};

}  // namespace embit::inline EMBIT_ABI
