// Where a scan delivers what it finds: k best lists, lists within a radius, pairs.
//
// A scan calls `offer` for a row that a kernel found below `threshold(query)` or within `limit(query)`, and `keep` for
// a row that has passed `accepts` already, though perhaps not for that query. `limit(query)` is the worst distance that
// may be kept, if there is one.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/search/query_bounds.hpp>
#include <embit/search/row_choice.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// The smallest whole distance beyond a radius.
template <std::integral Distance>
constexpr Distance beyond(Distance radius) noexcept {
  return radius == (std::numeric_limits<Distance>::max)() ? radius : radius + 1;
}

/// Keeps the k best of each query.
template <class Collector>
struct knn_sink {
  Collector* tops;  // one a query
  const row_choice& accepts;
  std::size_t offers = 0;

  std::uint32_t threshold(std::size_t query) const noexcept requires requires(const Collector& top) { top.threshold(); }
  { return tops[query].threshold(); }
  template <class Top = Collector>
  std::optional<decltype(std::declval<const Top&>().bound())> limit(std::size_t query) const noexcept {
    const Collector& top = tops[query];
    return top.bounded() ? std::optional(top.bound()) : std::nullopt;
  }

  template <class Distance>
  void offer(std::size_t query, row_id row, Distance distance) {
    if constexpr (requires { tops->threshold(); })
      if (!(distance < tops[query].threshold())) return;
    if (accepts(row)) keep(query, row, distance);
  }
  template <class Distance>
  void keep(std::size_t query, row_id row, Distance distance) {
    if (!accepts.accepts_for(query, row)) return;
    ++offers;
    tops[query].offer(row, distance);
  }
};

/// Keeps everything within a radius of each query, the radius included.
template <class Distance, class Compare>
struct range_sink {
  std::vector<neighbor<Distance>>* lists;  // one a query
  query_bounds<Distance> radius;
  const row_choice& accepts;
  std::size_t offers = 0;

  Distance threshold(std::size_t query) const noexcept requires std::integral<Distance> {
    return beyond(radius[query]);
  }
  std::optional<Distance> limit(std::size_t query) const noexcept { return radius[query]; }
  void offer(std::size_t query, row_id row, Distance distance) {
    if (is_within<Compare>(distance, radius[query]) && accepts(row)) keep(query, row, distance);
  }
  void keep(std::size_t query, row_id row, Distance distance) {
    if (!is_within<Compare>(distance, radius[query]) || !accepts.accepts_for(query, row)) return;
    ++offers;
    lists[query].push_back({row, distance});
  }
};

/// Takes the rows after each query row within a radius; the queries are rows themselves.
template <class Distance, class Compare>
struct pair_sink {
  std::span<const row_id> query_rows;
  Distance radius;
  const row_choice& accepts;
  pair_buffer<Distance>& pairs;
  std::size_t offers = 0;

  Distance threshold(std::size_t) const noexcept requires std::integral<Distance> { return beyond(radius); }
  std::optional<Distance> limit(std::size_t) const noexcept { return radius; }
  void offer(std::size_t query, row_id row, Distance distance) {
    if (row > query_rows[query] && is_within<Compare>(distance, radius) && accepts(row)) add(query, row, distance);
  }
  void keep(std::size_t query, row_id row, Distance distance) {
    if (row > query_rows[query] && is_within<Compare>(distance, radius)) add(query, row, distance);
  }

 private:
  void add(std::size_t query, row_id row, Distance distance) {
    ++offers;
    pairs.add(query_rows[query], row, distance);
  }
};

}  // namespace embit::inline EMBIT_ABI::detail
