// Results of the shards of one set of rows, made one.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Appends the list of a shard whose rows begin at `offset`.
template <class Distance>
void append_shifted(std::span<const neighbor<Distance>> list, std::size_t offset, std::vector<neighbor<Distance>>& to) {
  constexpr std::size_t most = (std::numeric_limits<row_id>::max)();
  for (const auto& n : list) {
    if (offset >= most || n.id >= most - offset)
      raise(errc::argument, "offset: row ", n.id, " + ", offset, " is beyond the ", most, " rows that have numbers");
    to.push_back({static_cast<row_id>(n.id + offset), n.distance});
  }
}

template <class Compare, class Distance>
void put_in_order(std::vector<neighbor<Distance>>& list) {
  std::sort(list.begin(), list.end(), neighbor_order<Compare>{});
}

/// The better of two with one label stays. Equal distances stay in the order of the shards.
template <class Compare, class Distance>
void put_in_order(std::vector<neighbor<Distance, row_label>>& list) {
  using found = neighbor<Distance, row_label>;
  std::stable_sort(list.begin(), list.end(),
                   [](const found& a, const found& b) { return comes_before<Compare>(a.distance, b.distance); });
  std::vector<std::pair<row_label, std::size_t>> places;
  for (std::size_t i = 0; i < list.size(); ++i) places.emplace_back(list[i].id, i);
  std::sort(places.begin(), places.end());
  std::vector<bool> again(list.size(), false);
  for (std::size_t i = 1; i < places.size(); ++i) again[places[i].second] = places[i].first == places[i - 1].first;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < list.size(); ++i)
    if (!again[i]) list[kept++] = list[i];
  list.resize(kept);
}

/// Calls `take(query, list)` with the merged list of each query.
template <class Compare, class Result, class Take>
void merge_each(const std::vector<const Result*>& results, const std::vector<std::size_t>& offsets, Take&& take) {
  for (std::size_t s = 1; s < results.size(); ++s)
    if (results[s]->queries() != results[0]->queries())
      raise(errc::shape, "results: shard ", s, " has ", results[s]->queries(), " queries, shard 0 has ",
            results[0]->queries());
  std::vector<typename Result::neighbor_type> list;
  for (std::size_t q = 0; !results.empty() && q < results[0]->queries(); ++q) {
    list.clear();
    for (std::size_t s = 0; s < results.size(); ++s) {
      const auto part = (*results[s])[q];
      if constexpr (requires { append_shifted(part, std::size_t{}, list); })
        append_shifted(part, offsets[s], list);
      else
        list.insert(list.end(), part.begin(), part.end());
    }
    put_in_order<Compare>(list);
    take(q, std::span<const typename Result::neighbor_type>(list));
  }
}

template <class Compare, class Distance, class Id>
knn_result<Distance, Id> merge_shards(const std::vector<const knn_result<Distance, Id>*>& results,
                                      const std::vector<std::size_t>& offsets) {
  knn_result<Distance, Id> merged;
  std::size_t k = 0;
  for (const auto* result : results) k = (std::max)(k, result->k());
  if (!results.empty()) merged.reset(results[0]->queries(), k);
  merge_each<Compare>(results, offsets,
                      [&](std::size_t q, auto list) { merged.assign(q, list.first((std::min)(k, list.size()))); });
  return merged;
}
template <class Compare, class Distance, class Id>
range_result<Distance, Id> merge_shards(const std::vector<const range_result<Distance, Id>*>& results,
                                        const std::vector<std::size_t>& offsets) {
  range_result<Distance, Id> merged;
  merge_each<Compare>(results, offsets, [&](std::size_t, auto list) { merged.append(list); });
  return merged;
}

/// A list of neighbours for each of a batch of queries: `knn_result` or `range_result`.
template <class Result>
concept SearchResult = requires(const Result& result, const std::vector<const Result*>& results) {
  typename Result::neighbor_type;
  merge_shards<std::less<>>(results, std::vector<std::size_t>{});
};
template <class Result, class Id>
concept ResultOf = SearchResult<Result> && requires(typename Result::neighbor_type n) {
  requires std::same_as<decltype(n.id), Id>;
};

template <class Result>
std::vector<const Result*> pointers_to(const std::vector<Result>& results) {
  std::vector<const Result*> pointers;
  for (const Result& result : results) pointers.push_back(&result);
  return pointers;
}

}  // namespace detail

/// The results of two shards for the same queries as those of one index, whose rows are those of `a` and from `offset`
/// on those of `b`: in the order of `Compare`, the index's own, ties by the row. Of nearest neighbours as many are kept
/// as the larger k. O(neighbours · log k).
/// @throws error errc::shape for different numbers of queries, errc::argument where a row + `offset` has no number.
template <class Compare = std::less<>, detail::ResultOf<row_id> Result>
Result merge_results(const Result& a, const Result& b, std::size_t offset) {
  return detail::merge_shards<Compare>(std::vector{&a, &b}, {0, offset});
}

/// The same of any number of shards, each with the row at which it begins.
/// @throws error errc::shape, also for another number of offsets than of results; errc::argument.
template <class Compare = std::less<>, detail::ResultOf<row_id> Result>
Result merge_results(const std::vector<Result>& results, const std::vector<std::size_t>& offsets) {
  if (results.size() != offsets.size())
    raise(errc::shape, "offsets: ", offsets.size(), " for the results of ", results.size(), " shards");
  return detail::merge_shards<Compare>(detail::pointers_to(results), offsets);
}

/// The same of shards whose rows have labels, which need no offset. A label that several shards found is there once,
/// with the best of its distances; ties are in the order of the shards, and within one in its own.
/// @throws error errc::shape for different numbers of queries.
template <class Compare = std::less<>, detail::ResultOf<row_label> Result>
Result merge_results(const Result& a, const Result& b) {
  return detail::merge_shards<Compare>(std::vector{&a, &b}, {0, 0});
}
template <class Compare = std::less<>, detail::ResultOf<row_label> Result>
Result merge_results(const std::vector<Result>& results) {
  return detail::merge_shards<Compare>(detail::pointers_to(results), {});
}

}  // namespace embit::inline EMBIT_ABI
