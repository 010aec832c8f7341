// What every index has but its way of searching: rows that come and go, checks of arguments, the ways to ask.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/results.hpp>
#include <embit/core/search_arguments.hpp>
#include <embit/core/types.hpp>
#include <embit/search/encoded_search.hpp>
#include <embit/search/index_parts.hpp>
#include <embit/search/live_rows.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/search/query_bounds.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/rows.hpp>
#include <embit/search/stored_queries.hpp>
#include <embit/store/block_layout.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// @throws error errc::argument for a number of neighbours that is 0.
inline void require_neighbors(std::size_t k, std::string_view name = "k") {
  if (k == 0) raise(errc::argument, name, ": 0, but at least 1 neighbour must be asked for");
}

/// @throws error errc::shape for another number of something than of queries that it is given for, each one.
inline void require_one_each(std::size_t queries, std::string_view name, std::size_t given) {
  if (given != queries) raise(errc::shape, name, ": ", given, " for a batch of ", queries, " queries");
}

/// A number of neighbours for each query: the first of what `search(most)` finds for the largest of them.
/// @throws error errc::shape for another number of numbers than of queries, errc::argument for 0.
template <class Search>
auto first_of_each(std::span<const std::size_t> k, std::size_t queries, const Search& search)
    -> decltype(search(std::size_t{})) {
  require_one_each(queries, "k", k.size());
  std::size_t most = 1;
  for (const std::size_t one : k) {
    require_neighbors(one);
    most = (std::max)(most, one);
  }
  auto result = search(most);
  for (std::size_t q = 0; q < k.size(); ++q) result.shorten(q, k[q]);
  return result;
}

/// @throws error errc::argument for a recall that is not above 0 and at most 1.
inline void require_recall(double recall) {
  if (!is_positive(recall) || recall > 1)
    raise(errc::argument, "target_recall: ", recall, ", not above 0 and at most 1");
}

/// @throws error errc::argument for a share that is not 0 to 1.
inline void require_share(double share) {
  if (!is_between(share, 0., 1.)) raise(errc::argument, "share: ", share, ", not 0 to 1");
}

/// @throws error errc::shape for queries of another width than the rows.
template <class Queries>
void require_width(const Queries& queries, std::size_t width) {
  if (queries.size() != 0 && width_of(queries) != width)
    raise(errc::shape, "queries: width ", width_of(queries), ", the index holds rows of width ", width);
}

/// Calls `f(query, worker)` for each of `queries` queries, a few at a time, on the workers of an executor.
template <Executor Exec, class F>
void for_each_query(const Exec& executor, std::size_t queries, F&& f) {
  constexpr std::size_t queries_at_a_time = 8;
  run_ranges(executor, queries, queries_at_a_time, queries,
             [&](std::size_t first, std::size_t last, std::size_t worker) {
               for (std::size_t q = first; q < last; ++q) f(q, worker);
             });
}

/// The frame of an index: `class my_index : public index_frame<my_index, …>` has `size`, `rows`, `contains`, `remove`,
/// `reserve_removal`, `search`, `search_into` and `range_search`, and brings what is its own. As private members, the
/// frame being a friend:
/// - `void require_queries(const query_view&) const`, which refuses queries that it cannot take (`require_width`);
/// - `void answer(const query_view&, const row_choice&, knn_result<Distance>&, Statistics*) const`: the `result.k()`
///   nearest of the chosen rows for each query (`result.assign(q, …)`, `for_each_query`); k is at most `rows()`;
/// - `range_result<Distance> answer_range(const query_view&, Distance radius, const row_choice&, Statistics*) const`;
///   or with a `query_bounds<Distance>` for the radius, where it can look as far for each query as that one asks for.
/// - and where how many neighbours may be asked for depends on the queries, `void require_search(const query_view&,
///   std::size_t k) const`.
/// Each query asks its own filter: `choice.for_query(q)`, or the sinks of a scan with `choice.from_query(first)`.
///
/// Both are called with at least one query and one row only, whatever the filter was; statistics may be null. As public
/// members a constructor, which tells the frame how many rows there are, `width`, `memory`, and where it can
/// - `add`, which calls `grow` with what appends to the store and can still fail;
/// - `compact`, which calls `renumber` with what makes store and tables of the survivors;
/// - `pairs_within`, which calls `report_pairs` with what finds them;
/// - `write_to` and `read_from` for the sections of its file, of which `rows_left` are one.
///
/// Copy assignment is written as copy and move, so that nothing has changed when it throws; the rest is the compiler's.
template <class Self, class QueryView, class Distance, class Compare, class Statistics>
class index_frame : public encoded_search<Self, QueryView, Distance> {
  using encoded = encoded_search<Self, QueryView, Distance>;

 public:
  using encoded::range_search;
  using encoded::search;
  using encoded::search_into;
  using query_view = QueryView;
  using distance_type = Distance;
  using compare = Compare;
  using neighbor_type = neighbor<Distance>;
  using bound_type = search_bound<Distance, Compare>;

  /// Rows that can be found: those added and not removed.
  std::size_t size() const noexcept { return live_.size(); }
  /// One more than the largest row id ever given out since the last `compact`.
  std::size_t rows() const noexcept { return live_.rows(); }
  bool contains(row_id row) const noexcept { return live_.contains(row); }
  /// Of the encoder that made the rows; 0: not known. Queries that another one made are refused.
  encoder_fingerprint fingerprint() const noexcept {
    if constexpr (requires { self().store(); }) return of_several_encoders_ ? 0 : known_fingerprint(self().store());
    return 0;
  }
  /// How often rows were numbered anew, by `compact` or `clear`: what is kept beside the index by the numbers of its
  /// rows, as a reranker's are, is of one generation.
  std::uint64_t generation() const noexcept { return live_.generation(); }
  /// For rows of several encoders that are compared all the same: queries may be of any from now on.
  void forget_encoder() noexcept { of_several_encoders_ = true; }

  /// The `k` nearest rows of each query that the index finds. Fewer of them than `k` give shorter lists.
  /// @param filter      rows it refuses are not found: a predicate on `row_id`; one on (number of the query in the
  ///                    batch, `row_id`), so that each has a filter of its own; a `row_bitset` of `rows()` bits, which
  ///                    also spares the blocks that have no member; or a `row_list`, of which few are scored alone.
  /// @param statistics  added to, where given
  /// @throws error errc::argument for k = 0, errc::shape for a bitset of another size, errc::out_of_range for a list
  /// with a row that is not there; for the queries as the index says.
  template <SearchFilter Filter = accept_all>
  knn_result<Distance> search(const QueryView& queries, neighbor_count k, const Filter& filter = {},
                              Statistics* statistics = nullptr) const {
    knn_result<Distance> result;
    search_into(queries, k, result, filter, statistics);
    return result;
  }

  /// A number of neighbours for each query: the first of what a search for the largest of them finds, in its time. Of
  /// an exact index that is what single searches find.
  /// @throws error as above, and errc::shape for another number of numbers than of queries.
  template <SearchFilter Filter = accept_all>
  knn_result<Distance> search(const QueryView& queries, std::span<const std::size_t> k, const Filter& filter = {},
                              Statistics* statistics = nullptr) const {
    return first_of_each(k, queries.size(),
                         [&](std::size_t most) { return search(queries, most, filter, statistics); });
  }

  template <std::floating_point Count, class... Rest>
  void search(const QueryView&, Count, const Rest&...) const = delete;  // neighbours are whole

  /// `search` into a result that is reused. `result` is unchanged when this throws for its arguments.
  template <SearchFilter Filter = accept_all>
  void search_into(const QueryView& queries, neighbor_count k, knn_result<Distance>& result, const Filter& filter = {},
                   Statistics* statistics = nullptr) const {
    require_own_queries(queries);
    require_neighbors(k);
    if constexpr (requires { self().require_search(queries, std::size_t{k}); })
      self().require_search(queries, std::size_t{k});
    const row_choice choice = live_.choose(filter);
    result.reset(queries.size(), (std::min)(std::size_t{k}, rows()));
    if (queries.size() != 0 && rows() != 0) self().answer(queries, choice, result, statistics);
  }

  /// Every row within `radius` of each query that the index finds, the radius included, nearest first; of a kernel that
  /// gives similarities every row that is at least as similar as this threshold.
  /// @throws error as `search` does, errc::not_finite for NaN and infinity, and errc::argument for a radius that no
  /// distance can be.
  template <SearchFilter Filter = accept_all>
  range_result<Distance> range_search(const QueryView& queries, bound_type radius, const Filter& filter = {},
                                      Statistics* statistics = nullptr) const {
    return ranges(queries, filter, [&](const row_choice& choice) {
      return self().answer_range(queries, Distance{radius}, choice, statistics);
    });
  }

  template <std::floating_point Radius, class... Rest>
    requires std::integral<Distance>
  void range_search(const QueryView&, Radius, const Rest&...) const = delete;  // so are these distances

  /// What `range_search` finds, each list in the order of the rows: where all are taken anyway, they need not be
  /// sorted. Of indexes that scan their rows. @throws error as above.
  template <SearchFilter Filter = accept_all, class Index = Self>
  range_result<Distance> rows_within(const QueryView& queries, bound_type radius, const Filter& filter = {},
                                     Statistics* statistics = nullptr) const requires
      requires(const Index& index, const row_choice& choice) {
    index.answer_by_row(queries, Distance{radius}, choice, statistics);
  }
  {
    return ranges(queries, filter, [&](const row_choice& choice) {
      return self().answer_by_row(queries, Distance{radius}, choice, statistics);
    });
  }

  /// The `k` nearest of one query, a code or a row of floats; as a batch of one. @throws error as above.
  template <OneQuery<QueryView> Query, SearchFilter Filter = accept_all>
  neighbor_list<Distance> search(const Query& query, neighbor_count k, const Filter& filter = {}) const {
    return search(batch_of_one<QueryView>(query, self().width()), k, filter)[0];
  }
  /// Every row within `radius` of one query. @throws error as above.
  template <OneQuery<QueryView> Query, SearchFilter Filter = accept_all>
  neighbor_list<Distance> range_search(const Query& query, bound_type radius, const Filter& filter = {}) const {
    return range_search(batch_of_one<QueryView>(query, self().width()), radius, filter)[0];
  }

  /// A radius, or a threshold, for each query. An index with tables looks as far as the largest asks for.
  /// @throws error as above, and errc::shape for another number of radii than of queries.
  template <SearchFilter Filter = accept_all>
  range_result<Distance> range_search(const QueryView& queries, std::span<const Distance> radii,
                                      const Filter& filter = {}, Statistics* statistics = nullptr) const {
    require_one_each(queries.size(), "radii", radii.size());
    for (const Distance& radius : radii) static_cast<void>(bound_type(radius));
    return ranges(queries, filter,
                  [&](const row_choice& choice) { return within_each(queries, radii, choice, statistics); });
  }

  /// The `k` nearest of each of some rows of the index, among the other rows: `search` by the row itself, which is not
  /// found.
  /// @throws error errc::out_of_range for a row that is not there or was removed; else as `search`.
  template <SearchFilter Filter = accept_all, class Index = Self>
    requires OwnQueries<typename Index::store_type, QueryView> knn_result<Distance> search_rows(
        std::span<const row_id> of, neighbor_count k, const Filter& filter = {}, Statistics* statistics = nullptr)
  const {
    for (const row_id row : of) {
      require_row(row);
      if (!contains(row)) raise(errc::out_of_range, "row: ", row, " was removed");
    }
    const auto queries = stored_rows<typename Self::store_type>::copy(self().store(), of);
    const row_choice others = live_.choose(filter);
    const auto not_itself = [&](std::size_t query, row_id row) {
      return row != of[query] && others(row) && others.accepts_for(query, row);
    };
    return search(QueryView(queries), k, not_itself, statistics);
  }

  /// Copies of some rows, removed ones included: of what was found, `codes_of(result[q])`.
  /// @throws error errc::out_of_range for a row that is not there.
  template <class Index = Self>
  typename stored_rows<typename Index::store_type>::type codes_of(std::span<const row_id> of) const {
    for (const row_id row : of) require_row(row);
    return stored_rows<typename Index::store_type>::copy(self().store(), of);
  }
  template <class Index = Self>
  typename stored_rows<typename Index::store_type>::type codes_of(std::span<const neighbor_type> found) const {
    std::vector<row_id> of(found.size());
    std::transform(found.begin(), found.end(), of.begin(), [](const auto& n) { return n.id; });
    return codes_of(std::span<const row_id>(of));
  }

  /// Adds the rows of another index that can be found, in their order; returns the id of the first.
  /// @throws error as `add` does; nothing has changed then.
  template <class Other, class Index = Self>
    requires OwnQueries<typename Other::store_type, typename Index::codes_view> row_id append(const Other& other) {
      std::vector<row_id> left;
      left.reserve(other.size());
      for (std::size_t row = 0; row < other.rows(); ++row)
        if (other.contains(static_cast<row_id>(row))) left.push_back(static_cast<row_id>(row));
      const auto added = other.codes_of(std::span<const row_id>(left));
      return static_cast<Self&>(*this).add(typename Self::codes_view(added));
    }

  /// Takes out all rows and forgets those removed: the next to be added is row 0. Nothing has changed when it throws.
  void clear() {
    struct keep {
      live_rows& live;
      live_rows kept;
      bool done = false;
      ~keep() {
        if (!done) live = std::move(kept);
      }
    } unless_done{live_, live_};
    live_.remove_all();
    static_cast<Self&>(*this).compact();
    unless_done.done = true;
  }

  /// Of all rows, those removed: they take memory, and time of searches, until `compact`. 0 of no rows.
  double removed_share() const noexcept {
    return rows() == 0 ? 0 : static_cast<double>(rows() - size()) / static_cast<double>(rows());
  }
  /// `compact` where more than this share of the rows was removed: called after every change with .5, an index never
  /// holds more than twice its rows, and a row is copied O(1) times amortized. What `compact` returns, or an empty list
  /// where rows keep their numbers.
  /// @throws error errc::argument for a share that is not 0 to 1.
  std::vector<row_id> compact_if(double share) {
    require_share(share);
    return removed_share() > share ? static_cast<Self&>(*this).compact() : std::vector<row_id>();
  }

  /// Makes sure that `remove` of any row, also of `added` ones that are yet to come, cannot fail for lack of memory.
  void reserve_removal(std::size_t added = 0) { live_.reserve_removal(rows() + added); }

  /// Takes a row out of every later search; its id is not given out again before `compact`. False if it was already
  /// removed. O(1), but O(rows) the first time.
  /// @throws error errc::out_of_range for a row that is not there.
  bool remove(row_id row) { return live_.remove(row); }

 protected:
  explicit index_frame(std::size_t rows) : live_(rows) { require_row_count(rows); }

  /// Which rows are left: what a file holds of the frame.
  const live_rows& rows_left() const noexcept { return live_; }
  bool of_several_encoders() const noexcept { return of_several_encoders_; }
  void read_rows_left(const section_reader& in) { live_ = live_rows::read_from(in, rows()); }

  /// `append()` adds `count` rows; returns the id of the first. Nothing has changed when it throws and that changed
  /// nothing.
  template <class Append>
  row_id grow(std::size_t count, Append&& append) {
    const std::size_t first = rows();
    require_row_count(first + count);
    live_.reserve(first + count);
    append();
    live_.grow(first + count);
    return static_cast<row_id>(first);
  }

  /// `rebuild(numbering)` keeps the survivors alone; returns the new id of every old row, `no_row` for those removed.
  template <class Rebuild>
  std::vector<row_id> renumber(Rebuild&& rebuild) {
    auto numbering = live_.number();
    rebuild(std::as_const(numbering));
    live_ = live_.renumbered(numbering.survivors.size());
    return std::move(numbering.renumbered);
  }

  /// `find(choice, report)` reports the pairs of chosen rows within a radius to `found`.
  template <class Found, class Filter, class Find>
  void report_pairs(Found& found, const Filter& filter, Find&& find) const {
    const row_choice choice = live_.choose(filter);
    if (rows() == 0) return;
    pair_report<Distance> report(found);
    find(choice, report);
  }

  /// Of so many bytes of rows, those of removed ones.
  std::size_t removed_of(std::size_t bytes) const noexcept {
    return static_cast<std::size_t>(removed_share() * static_cast<double>(bytes));
  }

  /// @throws error errc::out_of_range for a row that is not there.
  void require_row(row_id row) const { live_.require(row); }

 private:
  const Self& self() const noexcept { return static_cast<const Self&>(*this); }

  void require_own_queries(const QueryView& queries) const {
    self().require_queries(queries);
    require_same_encoder(known_fingerprint(queries), self().fingerprint(), "queries");
  }

  /// What `answer(choice)` finds; nothing, where nothing is asked for or there is nothing to be found.
  template <class Filter, class Answer>
  range_result<Distance> ranges(const QueryView& queries, const Filter& filter, const Answer& answer) const {
    require_own_queries(queries);
    const row_choice choice = live_.choose(filter);
    if (queries.size() != 0 && rows() != 0) return answer(choice);
    range_result<Distance> nothing;
    nothing.reset(queries.size());
    return nothing;
  }

  // Lists begin with the nearest, so that what a smaller radius finds is the beginning of them.
  range_result<Distance> within_each(const QueryView& queries, std::span<const Distance> radii,
                                     const row_choice& choice, Statistics* statistics) const {
    if constexpr (requires(const query_bounds<Distance>& each) {
                    self().answer_range(queries, each, choice, statistics);
                  }) {
      return self().answer_range(queries, query_bounds<Distance>(radii), choice, statistics);
    } else {
      const Distance widest = *std::max_element(radii.begin(), radii.end(), Compare{});
      const range_result<Distance> all = self().answer_range(queries, widest, choice, statistics);
      range_result<Distance> result;
      for (std::size_t q = 0; q < radii.size(); ++q) {
        const auto list = all[q];
        const auto end = std::find_if(list.begin(), list.end(),
                                      [&](const auto& n) { return !is_within<Compare>(n.distance, radii[q]); });
        result.append(list.first(static_cast<std::size_t>(end - list.begin())));
      }
      return result;
    }
  }

  live_rows live_;
  bool of_several_encoders_ = false;
};

}  // namespace embit::inline EMBIT_ABI::detail
