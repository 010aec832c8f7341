// What every index has but its way of searching: rows that come and go, checks of arguments, the ways to ask.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/search/live_rows.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/rows.hpp>
#include <embit/store/block_layout.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// @throws error errc::argument for a number of neighbours that is 0.
inline void require_neighbors(std::size_t k, std::string_view name = "k") {
  if (k == 0) raise(errc::argument, name, ": 0, but at least 1 neighbour must be asked for");
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
/// - `range_result<Distance> answer_range(const query_view&, Distance radius, const row_choice&, Statistics*) const`.
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
class index_frame {
 public:
  using query_view = QueryView;
  using distance_type = Distance;
  using compare = Compare;
  using neighbor_type = neighbor<Distance>;

  /// Rows that can be found: those added and not removed.
  std::size_t size() const noexcept { return live_.size(); }
  /// One more than the largest row id ever given out since the last `compact`.
  std::size_t rows() const noexcept { return live_.rows(); }
  bool contains(row_id row) const noexcept { return live_.contains(row); }

  /// The `k` nearest rows of each query that the index finds. Fewer of them than `k` give shorter lists.
  /// @param filter      rows it refuses are not found: a predicate on `row_id`, or a `row_bitset` of `rows()` bits,
  ///                    which also spares the blocks that have no member.
  /// @param statistics  added to, where given
  /// @throws error errc::argument for k = 0, errc::shape for a bitset of another size; for the queries as the index
  /// says.
  template <RowFilter Filter = accept_all>
  knn_result<Distance> search(const QueryView& queries, std::size_t k, const Filter& filter = {},
                              Statistics* statistics = nullptr) const {
    knn_result<Distance> result;
    search_into(queries, k, result, filter, statistics);
    return result;
  }

  /// `search` into a result that is reused. `result` is unchanged when this throws for its arguments.
  template <RowFilter Filter = accept_all>
  void search_into(const QueryView& queries, std::size_t k, knn_result<Distance>& result, const Filter& filter = {},
                   Statistics* statistics = nullptr) const {
    self().require_queries(queries);
    require_neighbors(k);
    const row_choice choice = live_.choose(filter);
    result.reset(queries.size(), (std::min)(k, rows()));
    if (queries.size() != 0 && rows() != 0) self().answer(queries, choice, result, statistics);
  }

  /// Every row within `radius` of each query that the index finds, the radius included, nearest first.
  /// @throws error as `search` does, and errc::not_finite for a radius that is NaN.
  template <RowFilter Filter = accept_all>
  range_result<Distance> range_search(const QueryView& queries, Distance radius, const Filter& filter = {},
                                      Statistics* statistics = nullptr) const {
    require_radius(radius);
    self().require_queries(queries);
    const row_choice choice = live_.choose(filter);
    if (queries.size() != 0 && rows() != 0) return self().answer_range(queries, radius, choice, statistics);
    range_result<Distance> nothing;
    nothing.reset(queries.size());
    return nothing;
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
    live_ = live_rows(numbering.survivors.size());
    return std::move(numbering.renumbered);
  }

  /// `find(choice, report)` reports the pairs of chosen rows within the radius to `found`.
  template <class Found, class Filter, class Find>
  void report_pairs(Distance radius, Found& found, const Filter& filter, Find&& find) const {
    require_radius(radius);
    const row_choice choice = live_.choose(filter);
    if (rows() == 0) return;
    pair_report<Distance> report(found);
    find(choice, report);
  }

  /// @throws error errc::out_of_range for a row that is not there.
  void require_row(row_id row) const { live_.require(row); }

 private:
  const Self& self() const noexcept { return static_cast<const Self&>(*this); }

  live_rows live_;
};

}  // namespace embit::inline EMBIT_ABI::detail
