// The nearest groups of rows: documents of passages, products of pictures, owners of several vectors.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/results.hpp>
#include <embit/core/search_arguments.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <unordered_set>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Says of which group a row is, or of what an index calls its rows: a whole number, the same for all of a group.
template <class F, class Id>
concept GroupOf = std::invocable<const F&, const Id&> && std::integral<std::invoke_result_t<const F&, const Id&>>;

namespace detail {

/// The groups that one query has found, by the nearest row of each.
template <class Index, GroupOf<index_id_t<Index>> Of>
class group_search {
 public:
  using neighbor_type = neighbor<typename Index::distance_type, index_id_t<Index>>;

  group_search(const Index& index, const Of& group_of, std::size_t k) : index_(index), group_of_(group_of), k_(k) {}

  /// Takes the best row of each new group of a list of the `asked` nearest rows outside of the groups found before.
  template <class List>
  void take(const List& nearest, std::size_t asked) {
    for (const neighbor_type& row : nearest)
      if (found_.size() < k_ && groups_.insert(group_of_(row.id)).second) found_.push_back(row);
    asked_ = asked;
    ended_ = found_.size() == k_ || nearest.size() < asked;
  }

  /// Asks for more rows, without those of groups that are found, until there are k groups or no other rows.
  template <class Accepts>
  void finish(const typename Index::query_view& query, const Accepts& accepts) {
    while (!ended_) {
      const std::size_t most = (std::min)(2 * asked_, index_.size());
      const auto others = [&](const index_id_t<Index>& id) { return !groups_.contains(group_of_(id)) && accepts(id); };
      take(index_.search(query, most, others)[0], most);
    }
  }

  const std::vector<neighbor_type>& found() const noexcept { return found_; }

 private:
  const Index& index_;
  const Of& group_of_;
  std::size_t k_, asked_ = 0;
  bool ended_ = false;
  std::vector<neighbor_type> found_;
  std::unordered_set<std::invoke_result_t<const Of&, const index_id_t<Index>&>> groups_;
};

template <class Filter, class Id>
bool accepts_group_row(const Filter& filter, [[maybe_unused]] std::size_t query, const Id& id) {
  if constexpr (std::same_as<Filter, accept_all>)
    return true;
  else if constexpr (std::predicate<const Filter&, const Id&>)
    return filter(id);
  else
    return std::invoke(filter, query, id);
}

}  // namespace detail

/// The `k` nearest groups of each query: of each group the nearest row, groups in the order of these, as a search with
/// one row a group would find them. Fewer groups than `k` give shorter lists. Of an exact index exact; of another, of
/// the rows that it finds.
///
///     const auto documents = search_groups(passages, queries, 10, [&](row_id row) { return document_of[row]; });
///
/// A search for 2k rows in the time of such a batch; then, for queries whose nearest rows are of fewer groups, searches
/// of their own which double the rows asked for and leave out the groups that are found: at most log(rows / k) of them.
/// @param group_of  the group of a row, or of a label where the index has labels; called often
/// @param filter    as of the search of the index: by row, or by query and row; of labels likewise, but not `by_row`
/// @throws error as the search of the index does.
template <Searchable Index, GroupOf<index_id_t<Index>> Of, class Filter = accept_all>
knn_result<typename Index::distance_type, index_id_t<Index>> search_groups(const Index& index,
                                                                           const typename Index::query_view& queries,
                                                                           neighbor_count k, const Of& group_of,
                                                                           const Filter& filter = {}) {
  const std::size_t groups = (std::min)(std::size_t{k}, index.size());
  const std::size_t rows = k == 0 ? 0 : std::clamp<std::size_t>(index.size(), 1, 2 * std::size_t{k});
  const auto nearest = index.search(queries, rows, filter);
  knn_result<typename Index::distance_type, index_id_t<Index>> result;
  result.reset(queries.size(), groups);
  for (std::size_t q = 0; q < queries.size(); ++q) {
    detail::group_search<Index, Of> search(index, group_of, groups);
    search.take(nearest[q], rows);
    search.finish(queries.middle_rows(q, 1), [&](const auto& id) { return detail::accepts_group_row(filter, q, id); });
    result.assign(q, search.found());
  }
  return result;
}

}  // namespace embit::inline EMBIT_ABI
