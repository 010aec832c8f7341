// Candidates of several queries, scored by a reranker in its own way and narrowed from stage to stage.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/search/top_k.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Rows for each of some queries, one list after the other.
class candidate_lists {
 public:
  void clear() noexcept {
    rows_.clear();
    ends_.clear();
  }
  /// One list more: `count` rows, the i-th of which is `row(i)`.
  template <class Row>
  void append(std::size_t count, Row&& row) {
    for (std::size_t i = 0; i < count; ++i) rows_.push_back(row(i));
    ends_.push_back(rows_.size());
  }

  std::size_t size() const noexcept { return ends_.size(); }
  std::span<const row_id> rows() const noexcept { return rows_; }
  std::size_t begin_of(std::size_t list) const noexcept { return list == 0 ? 0 : ends_[list - 1]; }
  std::span<const row_id> operator[](std::size_t list) const noexcept { return part(std::span(rows_), list); }
  /// What belongs to a list, of numbers that there is one of a row.
  template <class T>
  std::span<T> part(std::span<T> numbers, std::size_t list) const noexcept {
    return numbers.subspan(begin_of(list), ends_[list] - begin_of(list));
  }

 private:
  std::vector<row_id> rows_;
  std::vector<std::size_t> ends_;
};

/// Rerankers one after the other: rows that the first has scored best go on to the rest.
template <class R>
concept StagedReranker = requires(const R& reranker) {
  reranker.first();
  reranker.keep();
  reranker.rest();
};

/// Whether some stage wants all queries of a batch at once.
template <class R>
inline constexpr bool scores_batches = BatchReranker<R>;
template <StagedReranker R>
inline constexpr bool scores_batches<R> =
    scores_batches<typename R::first_type> || scores_batches<typename R::rest_type>;

/// Calls `f(reranker)` for each stage.
template <class R, class F>
void for_each_stage(const R& reranker, F&& f) {
  if constexpr (StagedReranker<R>) {
    for_each_stage(reranker.first(), f);
    for_each_stage(reranker.rest(), f);
  } else {
    f(reranker);
  }
}

/// Scores of rows for one query, by a reranker that is no stage.
template <class R, class Query>
void score_rows(const R& reranker, const Query& query, std::span<const row_id> rows,
                std::span<typename R::score_type> scores) {
  if constexpr (requires { reranker.rerank(query, rows, scores); })
    reranker.rerank(query, rows, scores);
  else
    for (std::size_t i = 0; i < rows.size(); ++i) scores[i] = reranker(query, rows[i]);
}

/// Scores of all lists, that of i for query first + i.
template <class R, class Executor>
void score_lists(const R& reranker, const typename R::query_view& queries, std::size_t first,
                 const candidate_lists& lists, std::span<typename R::score_type> scores, const Executor& executor) {
  if constexpr (BatchReranker<R>) {
    EMBIT_ASSERT(first == 0);
    std::vector<std::span<const row_id>> rows(lists.size());
    std::vector<std::span<typename R::score_type>> out(lists.size());
    for (std::size_t i = 0; i < lists.size(); ++i) {
      rows[i] = lists[i];
      out[i] = lists.part(scores, i);
    }
    const std::span<const std::span<const row_id>> in(rows);
    if constexpr (requires { reranker.rerank_batch(queries, in, std::span(out), executor); })
      reranker.rerank_batch(queries, in, std::span(out), executor);
    else
      reranker.rerank_batch(queries, in, std::span(out));
  } else {
    run_bulk(executor, lists.size(), [&](std::size_t i, std::size_t) {
      score_rows(reranker, queries[first + i], lists[i], lists.part(scores, i));
    });
  }
}

/// Goes through all stages but the last: `lists` become the rows that this one is to score, at least `k` of each where
/// there are so many. Calls `last(reranker)` with it.
template <class R, class Queries, class Executor, class Last>
void narrow(const R& reranker, const Queries& queries, std::size_t first, candidate_lists& lists, std::size_t k,
            const Executor& executor, Last&& last) {
  if constexpr (StagedReranker<R>) {
    using stage = typename R::first_type;
    narrow(reranker.first(), queries, first, lists, (std::max)(k, reranker.keep()), executor, [&](const auto& scoring) {
      using score = typename stage::score_type;
      std::vector<score> scores(lists.rows().size());
      score_lists(scoring, typename stage::query_view(queries), first, lists, std::span(scores), executor);
      candidate_lists kept;
      std::vector<neighbor<score>> scored;
      for (std::size_t i = 0; i < lists.size(); ++i) {
        scored.clear();
        for (std::size_t j = 0; j < lists[i].size(); ++j)
          scored.push_back({lists[i][j], lists.part(std::span(scores), i)[j]});
        const auto best = select_top_k<typename stage::compare>(scored, (std::max)(k, reranker.keep()));
        kept.append(best.size(), [&](std::size_t j) { return best[j].id; });
      }
      lists = std::move(kept);
    });
    narrow(reranker.rest(), queries, first, lists, k, executor, last);
  } else {
    last(reranker);
  }
}

}  // namespace embit::inline EMBIT_ABI::detail
