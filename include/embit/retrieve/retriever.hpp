// Encoder, index and reranker joined: from raw queries to results in one call.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/results.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/search_arguments.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/io/save.hpp>
#include <embit/retrieve/detail/candidate_lists.hpp>
#include <embit/search/compacted.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/search/top_k.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Leaves the order of the index as it is.
struct no_rerank {};

struct retrieve_options {
  /// Rows taken from the index and scored again, never fewer than k; 0: as many as the index has planned for k, or 10 ·
  /// k
  std::size_t candidates = 0;
};

namespace detail {

/// The index whose rows a wrapper names.
template <class Search>
struct inner_index {
  using type = Search;
  static const type& of(const Search& index) noexcept { return index; }
};
template <class Search>
  requires requires(const Search& index) {
    typename Search::index_type;
    { index.index() } -> std::same_as<const typename Search::index_type&>;
  }
struct inner_index<Search> {
  using type = typename inner_index<typename Search::index_type>::type;
  static const type& of(const Search& index) noexcept {
    return inner_index<typename Search::index_type>::of(index.index());
  }
};

/// A reranker whose rows come and go with those of the index.
template <class Rerank>
concept OwningReranker = requires(Rerank& reranker, typename Rerank::query_view rows, std::span<const row_id> kept) {
  reranker.append(rows);
  reranker.shorten(std::size_t{});
  { reranker.chosen(kept) } -> std::same_as<Rerank>;
};

/// What an encoder makes of rows for an index to add: codes, or the rows where the index encodes them itself.
template <class Encode, class Rows>
struct added_rows {
  using type = const Rows&;
  static type of(const Encode&, const Rows& rows) noexcept { return rows; }
};
template <class Encode, class Rows>
  requires requires(const Encode& encoder, const Rows& rows) { encoder.encode(rows); }
struct added_rows<Encode, Rows> {
  using type = decltype(std::declval<const Encode&>().encode(std::declval<const Rows&>()));
  static type of(const Encode& encoder, const Rows& rows) { return encoder.encode(rows); }
};

template <class Filter, class Search>
concept FilterOf = requires(const Search& index, typename Search::query_view queries, std::size_t k,
                            const Filter& filter) {
  index.search(queries, k, filter);
};

}  // namespace detail

/// Answers queries given as the encoder's input: encodes them (as queries, where the encoder tells queries and rows
/// apart), searches the index, and scores the candidates again with the reranker. Of an index with labels the results
/// have labels and filters see them; a reranker is asked about rows, of all queries of a batch at once where it would
/// rather (BatchReranker), and may be several in a row (`rerank_stages`). The parts are held by value; a reranker views
/// data of the caller. Safe to call from many threads at once.
template <class Encode, class Search, class Rerank>
class retriever {
  static_assert(Searchable<Search>, "retriever: its second argument is not searched as an index is");

  static constexpr bool reranks = !std::same_as<Rerank, no_rerank>;
  static constexpr bool owns_rows = detail::OwningReranker<Rerank>;

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
  using id_type = index_id_t<Search>;
  using result_type = knn_result<score_type, id_type>;

  /// @throws error errc::shape when the reranker has fewer rows than the index, errc::argument when the index holds
  /// what another encoder made, as far as its rows can tell, or has numbered its rows anew since they were in the order
  /// of the reranker's.
  explicit retriever(Encode encoder, Search index, Rerank reranker = {})
      : encoder_(std::move(encoder)), index_(std::move(index)), reranker_(std::move(reranker)) {
    require_rows();
    if constexpr (owns_rows)
      if (reranker_.size() != rows_index().rows())
        raise(errc::shape, "reranker: ", reranker_.size(), " rows of its own, the index has ", rows_index().rows());
    detail::require_same_encoder(detail::known_fingerprint(encoder_), detail::known_fingerprint(rows_index()),
                                 "encoder");
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
  template <class Queries, detail::FilterOf<Search> Filter = accept_all>
  result_type search(const Queries& queries, neighbor_count k, retrieve_options options = {},
                     const Filter& filter = {}) const {
    result_type result;
    search_into(queries, k, result, options, filter);
    return result;
  }

  /// `search` into a result that is reused. `result` is unchanged when this throws for its arguments. Beside the codes
  /// of the queries, and what the reranker may need for each of them, nothing is allocated that the next search does
  /// not use again.
  template <class Queries, detail::FilterOf<Search> Filter = accept_all>
  void search_into(const Queries& queries, neighbor_count k, result_type& result, retrieve_options options = {},
                   const Filter& filter = {}) const {
    if constexpr (!reranks) {
      search_index(queries, k, result, filter);
    } else {
      const std::size_t wanted = options.candidates != 0 ? options.candidates : candidates_for(k);
      require_query_width(queries);
      require_rows();
      detail::require_neighbors(k);
      const auto work = workspaces_.take();
      search_index(queries, (std::max)(wanted, std::size_t{k}), work->candidates, filter);
      rerank(queries, *work, k, result);
    }
  }

  static constexpr file_kind file{"retriever", 1};

  /// Encodes rows and adds them to the index, with what that takes beside them: labels, a version. A reranker that owns
  /// its rows (`owned_float_rerank`) takes them too; one that views them cannot follow. Returns what the index returns.
  /// @throws error as encoder and index do; nothing has changed then.
  template <class Rows, class... Names>
    requires(!reranks || owns_rows)
  auto add(const Rows& rows, const Names&... names)
      -> decltype(std::declval<Search&>().add(std::declval<typename detail::added_rows<Encode, Rows>::type>(),
                                              names...)) {
    const auto& codes = detail::added_rows<Encode, Rows>::of(encoder_, rows);
    if constexpr (owns_rows) {
      struct as_many_as_indexed {  // also where the index throws
        retriever& self;
        ~as_many_as_indexed() { self.reranker_.shorten(self.rows_index().rows()); }
      } in_the_end{*this};
      reranker_.append(typename Rerank::query_view(rows));
      return index_.add(codes, names...);
    } else {
      return index_.add(codes, names...);
    }
  }

  /// As `remove` of the index: by what it calls its rows.
  bool remove(id_type id) requires requires(Search& index) { index.remove(id); }
  { return index_.remove(id); }

  /// As `compact` of the index; a reranker that owns its rows keeps those that are left. Nothing has changed when it
  /// throws.
  detail::compacted_t<Search> compact() requires((!reranks || owns_rows) &&
                                                 requires(Search & index) { index.compact(); }) {
    if constexpr (owns_rows) {
      std::vector<row_id> survivors;
      survivors.reserve(rows_index().size());
      for (std::size_t row = 0; row < rows_index().rows(); ++row)
        if (rows_index().contains(static_cast<row_id>(row))) survivors.push_back(static_cast<row_id>(row));
      struct as_indexed {  // nothing to do where the index throws
        retriever& self;
        Rerank kept;
        ~as_indexed() {
          if (self.reranker_.size() != self.rows_index().rows()) self.reranker_ = std::move(kept);
        }
      } in_the_end{*this, reranker_.chosen(survivors)};
      return index_.compact();
    } else {
      return index_.compact();
    }
  }

  /// The sections of the file that `save` writes: those of the encoder under "encoder/", of the index under "index/",
  /// and of a reranker that owns its rows under "rerank/".
  void write_to(const section_writer& out) const requires(Savable<Encode>&& Savable<Search>) {
    detail::write_part<Encode>(out, "encoder", encoder_);
    detail::write_part<Search>(out, "index", index_);
    if constexpr (owns_rows && Savable<Rerank>) detail::write_part<Rerank>(out, "rerank", reranker_);
  }
  /// @param reranker  given again, as it views the caller's data
  /// @param parts     what `load` of the index takes again, if anything
  /// @throws error errc::format, errc::kind for another encoder or index, errc::checksum or errc::io; errc::shape when
  /// the reranker has fewer rows than the index.
  template <class... Parts>
    requires(Loadable<Encode>&& Loadable<Search, Parts...>)
  static retriever read_from(const section_reader& in, Rerank reranker, Parts&&... parts) {
    auto encoder = detail::read_part<Encode>(in, "encoder");
    auto index = detail::read_part<Search>(in, "index", std::forward<Parts>(parts)...);
    require_one_encoder(in, encoder, index);
    return retriever(std::move(encoder), std::move(index), std::move(reranker));
  }
  static retriever read_from(const section_reader& in) requires(Loadable<Encode>&& Loadable<Search> && !reranks) {
    return read_from(in, Rerank{});
  }
  /// The same with the rows of a reranker that owns them.
  template <class... Parts>
    requires(owns_rows&& Loadable<Rerank>&& Loadable<Encode>&& Loadable<Search, Parts...>)
  static retriever read_from(const section_reader& in, Parts&&... parts) {
    return read_from(in, detail::read_part<Rerank>(in, "rerank"), std::forward<Parts>(parts)...);
  }

 private:
  /// @throws error errc::format for a file whose parts are not of one encoder.
  static void require_one_encoder(const section_reader& in, const Encode& encoder, const Search& index) {
    const auto made = detail::known_fingerprint(encoder);
    const auto held = detail::known_fingerprint(detail::inner_index<Search>::of(index));
    if (made != held && made != 0 && held != 0)
      raise(errc::format, in.path(), ": byte ", in.scope("index").info("kind").offset,
            ": rows of an encoder of fingerprint ", held, " beside the one of ", made);
  }

  static constexpr bool has_labels = std::same_as<id_type, row_label>;

  const typename detail::inner_index<Search>::type& rows_index() const noexcept {
    return detail::inner_index<Search>::of(index_);
  }
  row_id row_of(id_type id) const noexcept {
    if constexpr (has_labels)
      return *index_.row_of(id);
    else
      return id;
  }

  std::size_t candidates_for(std::size_t k) const noexcept {
    if constexpr (requires { rows_index().candidates(k); }) return rows_index().candidates(k);
    return k > static_cast<std::size_t>(-1) / 10 ? k : 10 * k;
  }

  // What a search works with; kept between searches.
  struct worker_state {
    detail::candidate_lists lists;
    std::vector<score_type> scores;
    std::vector<neighbor<score_type>> scored;
    std::vector<neighbor<score_type, id_type>> named;
  };
  struct workspace {
    knn_result<typename Search::distance_type, id_type> candidates;
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
    detail::for_each_stage(reranker_, [&](const auto& stage) {
      if constexpr (requires {
                      stage.dim();
                      queries.cols();
                    })
        if (queries.size() != 0 && queries.cols() != stage.dim())
          raise(errc::shape, "queries: dimension ", queries.cols(), ", the reranker's rows have ", stage.dim());
    });
  }

  // The index may have grown since the reranker was given.
  void require_rows() const {
    detail::for_each_stage(reranker_, [&](const auto& stage) { require_rows(stage); });
  }
  template <class Stage>
  void require_rows(const Stage& stage) const {
    if constexpr (requires {
                    stage.size();
                    rows_index().rows();
                  }) {
      const std::size_t given = stage.size(), indexed = rows_index().rows();
      bool fits = given >= indexed;
      if constexpr (requires { Stage::has_every_row; }) fits = given == indexed;
      if (!fits) raise(errc::shape, "reranker: ", name_of_rows(stage), given, " rows, the index has ", indexed);
    }
    if constexpr (requires {
                    stage.generation();
                    rows_index().generation();
                  })
      if (stage.generation() != rows_index().generation())
        raise(errc::argument, "reranker: its rows are of generation ", stage.generation(),
              ", those of the index were numbered anew, for generation ", rows_index().generation(),
              "; give it the rows in their new order, and say so by at_generation");
  }
  template <class Stage>
  static std::string name_of_rows(const Stage& stage) {
    if constexpr (requires { stage.file().path(); }) return stage.file().path() + " has ";
    return {};
  }

  template <class Queries>
  void rerank(const Queries& given, workspace& work, std::size_t k, result_type& result) const {
    const typename Rerank::query_view queries(given);
    const std::size_t count = work.candidates.queries(), wanted = (std::min)(k, work.candidates.k());
    const auto run = [&](const auto& executor) {
      work.workers.resize(executor.concurrency());
      if constexpr (detail::scores_batches<Rerank>) {
        rerank_some(queries, work, 0, count, work.workers[0], executor, wanted, result);
      } else {
        result.reset(count, wanted);
        run_bulk(executor, count, [&](std::size_t q, std::size_t worker) {
          rerank_some(queries, work, q, q + 1, work.workers[worker], inline_executor{}, wanted, result);
        });
      }
    };
    if constexpr (requires { rows_index().executor(); })
      run(rows_index().executor());
    else
      run(inline_executor{});
  }

  // The queries [first, last), at once.
  template <class Queries, class Exec>
  void rerank_some(const Queries& queries, const workspace& work, std::size_t first, std::size_t last,
                   worker_state& mine, const Exec& executor, std::size_t k, result_type& result) const {
    mine.lists.clear();
    for (std::size_t q = first; q < last; ++q)
      mine.lists.append(work.candidates[q].size(), [&](std::size_t i) { return row_of(work.candidates[q][i].id); });
    detail::narrow(reranker_, queries, first, mine.lists, k, executor, [&](const auto& reranker) {
      mine.scores.resize(mine.lists.rows().size());
      detail::score_lists(reranker, queries, first, mine.lists, std::span(mine.scores), executor);
    });
    if constexpr (detail::scores_batches<Rerank>) result.reset(last - first, k);
    for (std::size_t q = first; q < last; ++q) assign_best(q, mine, q - first, result);
  }

  void assign_best(std::size_t q, worker_state& mine, std::size_t list, result_type& result) const {
    const auto rows = mine.lists[list];
    const auto scores = mine.lists.part(std::span(mine.scores), list);
    mine.scored.clear();
    for (std::size_t i = 0; i < rows.size(); ++i) mine.scored.push_back({rows[i], scores[i]});
    const auto best = select_top_k<compare>(mine.scored, result.k());
    if constexpr (has_labels) {
      mine.named.clear();
      for (const auto& n : best) mine.named.push_back({index_.labels().label_of(n.id), n.distance});
      result.assign(q, mine.named);
    } else {
      result.assign(q, best);
    }
  }

  Encode encoder_;
  Search index_;
  [[no_unique_address]] Rerank reranker_;
  mutable reuse_pool<workspace> workspaces_;
};

}  // namespace embit::inline EMBIT_ABI
