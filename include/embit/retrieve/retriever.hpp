// Encoder, index and reranker joined: from raw queries to results in one call.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/results.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/io/save.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/search/top_k.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Leaves the order of the index as it is.
struct no_rerank {};

struct retrieve_options {
  std::size_t candidates = 0;  ///< rows taken from the index and scored again; 0 means 10 · k, never fewer than k
};

/// Answers queries given as the encoder's input: encodes them (as queries, where the encoder tells queries and rows
/// apart), searches the index, and scores the candidates again with the reranker. The parts are held by value; a
/// reranker views data of the caller. Safe to call from many threads at once.
template <class Encode, Index Search, class Rerank = no_rerank>
class retriever {
  static constexpr bool reranks = !std::same_as<Rerank, no_rerank>;

  template <bool>
  struct scores_of {
    using score_type = typename Search::distance_type;
    using compare = typename Search::compare;
  };
  template <bool R>
  requires R struct scores_of<R> {
    using score_type = typename Rerank::score_type;
    using compare = typename Rerank::compare;
  };

 public:
  using score_type = typename scores_of<reranks>::score_type;
  using compare = typename scores_of<reranks>::compare;

  /// @throws error errc::shape when the reranker has fewer rows than the index, errc::argument when the index holds
  /// what another encoder made, as far as its rows can tell.
  explicit retriever(Encode encoder, Search index, Rerank reranker = {})
      : encoder_(std::move(encoder)), index_(std::move(index)), reranker_(std::move(reranker)) {
    require_rows();
    if constexpr (requires { encoder_.require_encodings(index_.store()); }) encoder_.require_encodings(index_.store());
  }

  retriever(const retriever&) = default;
  retriever(retriever&&) = default;
  /// Nothing has changed when it throws.
  retriever& operator=(const retriever& other) { return *this = retriever(other); }
  retriever& operator=(retriever&&) = default;
  ~retriever() = default;

  const Encode& encoder() const& noexcept { return encoder_; }
  const Encode& encoder() const&& = delete;
  const Search& index() const& noexcept { return index_; }
  const Search& index() const&& = delete;
  const Rerank& reranker() const& noexcept { return reranker_; }
  const Rerank& reranker() const&& = delete;
  std::size_t size() const noexcept { return index_.size(); }

  /// The `k` best rows of each query, best first, ties by the smaller row.
  /// @param queries  rows of the encoder's dimension (or what the index takes, which is then passed straight on)
  /// @param filter   rows it refuses are not found
  /// @throws error errc::shape, errc::not_finite or errc::argument as encoder and index do.
  template <class Queries, RowFilter Filter = accept_all>
  knn_result<score_type> search(const Queries& queries, std::size_t k, retrieve_options options = {},
                                const Filter& filter = {}) const {
    knn_result<score_type> result;
    search_into(queries, k, result, options, filter);
    return result;
  }

  /// `search` into a result that is reused. `result` is unchanged when this throws for its arguments. Beside the codes
  /// of the queries, and what the reranker may need for each of them, nothing is allocated that the next search does
  /// not use again.
  template <class Queries, RowFilter Filter = accept_all>
  void search_into(const Queries& queries, std::size_t k, knn_result<score_type>& result, retrieve_options options = {},
                   const Filter& filter = {}) const {
    if constexpr (!reranks) {
      search_index(queries, k, result, filter);
    } else {
      const std::size_t wanted = options.candidates != 0 ? options.candidates : saturated_times_ten(k);
      require_query_width(queries);
      require_rows();
      detail::require_neighbors(k);
      const auto work = workspaces_.take();
      search_index(queries, (std::max)(wanted, k), work->candidates, filter);
      rerank(queries, *work, k, result);
    }
  }

  static constexpr file_kind file{"retriever", 1};

  /// The sections of the file that `save` writes: those of the encoder under "encoder/", of the index under "index/".
  void write_to(const section_writer& out) const requires(Savable<Encode>&& Savable<Search>) {
    detail::write_part<Encode>(out, "encoder", encoder_);
    detail::write_part<Search>(out, "index", index_);
  }
  /// @param reranker  given again, as it views the caller's data
  /// @param parts     what `load` of the index takes again, if anything
  /// @throws error errc::format, errc::kind for another encoder or index, errc::checksum or errc::io; errc::shape when
  /// the reranker has fewer rows than the index.
  template <class... Parts>
    requires(Loadable<Encode>&& Loadable<Search, Parts...>)
  static retriever read_from(const section_reader& in, Rerank reranker, Parts&&... parts) {
    return retriever(detail::read_part<Encode>(in, "encoder"),
                     detail::read_part<Search>(in, "index", std::forward<Parts>(parts)...), std::move(reranker));
  }
  static retriever read_from(const section_reader& in) requires(Loadable<Encode>&& Loadable<Search> && !reranks) {
    return read_from(in, Rerank{});
  }

 private:
  static std::size_t saturated_times_ten(std::size_t k) noexcept {
    return k > static_cast<std::size_t>(-1) / 10 ? k : 10 * k;
  }

  // What a search works with; kept between searches.
  struct worker_state {
    std::vector<row_id> rows;
    std::vector<score_type> scores;
    std::vector<neighbor<score_type>> scored;
  };
  struct workspace {
    knn_result<typename Search::distance_type> candidates;
    std::vector<worker_state> workers;

    void trim() noexcept {
      if (candidates.k() > candidates.most_in_place) *this = {};
    }
  };

  template <class Queries, class Result, class Filter>
  void search_index(const Queries& queries, std::size_t k, Result& result, const Filter& filter) const {
    const auto search = [&](const auto& asked) {
      if constexpr (requires { index_.search_into(asked, k, result, filter); })
        index_.search_into(asked, k, result, filter);
      else
        result = index_.search(asked, k, filter);
    };
    if constexpr (std::convertible_to<const Queries&, typename Search::query_view>)
      search(queries);
    else if constexpr (requires { encoder_.encode_queries(queries); })
      search(encoder_.encode_queries(queries));
    else
      search(encoder_.encode(queries));
  }

  template <class Queries>
  void require_query_width(const Queries& queries) const {
    if constexpr (requires {
                    reranker_.dim();
                    queries.cols();
                  })
      if (queries.size() != 0 && queries.cols() != reranker_.dim())
        raise(errc::shape, "queries: dimension ", queries.cols(), ", the reranker's rows have ", reranker_.dim());
  }

  // The index may have grown since the reranker was given.
  void require_rows() const {
    if constexpr (requires {
                    reranker_.size();
                    index_.rows();
                  })
      if (reranker_.size() < index_.rows())
        raise(errc::shape, "reranker: ", reranker_.size(), " rows, the index has ", index_.rows());
  }

  template <class Queries>
  void rerank(const Queries& given, workspace& work, std::size_t k, knn_result<score_type>& result) const {
    const typename Rerank::query_view queries(given);
    const auto& candidates = work.candidates;
    result.reset(candidates.queries(), (std::min)(k, candidates.k()));
    const auto each = [&](std::size_t q, std::size_t worker) {
      worker_state& mine = work.workers[worker];
      auto& rows = mine.rows;
      auto& scores = mine.scores;
      auto& scored = mine.scored;
      const auto list = candidates[q];
      rows.resize(list.size());
      scores.resize(list.size());
      scored.clear();
      std::transform(list.begin(), list.end(), rows.begin(), [](const auto& n) { return n.id; });
      if constexpr (requires { reranker_.rerank(queries[q], rows, scores); })
        reranker_.rerank(queries[q], rows, scores);
      else
        for (std::size_t i = 0; i < rows.size(); ++i) scores[i] = reranker_(queries[q], rows[i]);
      for (std::size_t i = 0; i < rows.size(); ++i) scored.push_back({rows[i], scores[i]});
      result.assign(q, select_top_k<compare>(scored, result.k()));
    };
    const auto run = [&](const auto& executor) {
      work.workers.resize(executor.concurrency());
      run_bulk(executor, candidates.queries(), each);
    };
    if constexpr (requires { index_.executor(); })
      run(index_.executor());
    else
      run(inline_executor{});
  }

  Encode encoder_;
  Search index_;
  [[no_unique_address]] Rerank reranker_;
  mutable reuse_pool<workspace> workspaces_;
};

}  // namespace embit::inline EMBIT_ABI
