// The scan of a piece of the rows for the k nearest of a group of queries, where k is large with a first bound from a
// sample of the rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/config.hpp>
#include <embit/search/partition.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/rows.hpp>
#include <embit/search/scan.hpp>
#include <embit/search/sinks.hpp>
#include <embit/search/top_k.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>

namespace embit::inline EMBIT_ABI::detail {

/// Whether distances are small whole numbers of which the smaller is nearer, met in the order of the rows: histograms
/// then keep the k nearest.
template <class K, class Store>
inline constexpr bool counts_distances = TileKernel<K, Store>&& in_row_order<Store>&& requires {
  K::max_distance(std::size_t{});
};

template <class K, class Store>
using collector = std::conditional_t<counts_distances<K, Store>, histogram_top_k,
                                     best_top_k<typename K::distance_type, typename K::compare>>;

/// Some superblocks of a piece of the rows, evenly spaced, and the rank whose row among them is most probably farther
/// than the k-th nearest of the piece: as many of the k nearest are expected among them, and three deviations more.
///
/// Of n rows in any order k (1 + ln(n / k)) are nearer than the k-th of those before them. With a bound from a sample
/// in which e of the k nearest are expected, that is so for e (1 + ln(n / k)) rows of the sample, which are k / e times
/// fewer, and then for k (1 + 3 / sqrt(e)) rows at most.
struct bound_sample {
  std::size_t superblocks = 0, rank = 0;

  bound_sample(std::size_t rows, std::size_t k) noexcept {
    constexpr double offer = 100;  // costs as much as to scan so many rows
    const std::size_t most_superblocks = rows / superblock_rows / 8;
    if (rows / k < 4) return;
    const double n = static_cast<double>(rows), wanted = static_cast<double>(k), rounds = 1 + std::log(n / wanted);
    double least = .8 * offer * wanted * rounds;  // without a sample, and a gain that is worth it
    for (std::size_t count = 2; count <= most_superblocks; count *= 2) {
      const double sampled = static_cast<double>(count * superblock_rows), expected = sampled * wanted / n;
      const double most = expected + 3 * std::sqrt(expected) + 2;
      const double cost = sampled + offer * (most * rounds + wanted * most / expected);
      if (cost >= least) continue;
      least = cost;
      superblocks = count;
      rank = static_cast<std::size_t>(most);
    }
  }
  bool pays() const noexcept { return superblocks != 0; }
};

/// Most rows of a scan for many neighbours are offered before the first k are found. A first bound spares the most of
/// them, and where fewer than k rows lie within it, which a sample cannot rule out, the query is scanned again without.
template <class K, class Store>
class knn_scan {
 public:
  using collector_type = collector<K, Store>;

  /// @param choice    for these queries
  /// @param prepared  `queries`, which are looked at again where a bound was too near
  knn_scan(const K& kernel, typename K::query_view queries, const prepared_queries<K, Store>& prepared,
           const Store& store, const row_choice& choice, scan_scratch<K, Store>& scratch) noexcept
      : kernel_(kernel), queries_(queries), prepared_(prepared), store_(store), choice_(choice), scratch_(scratch) {}

  /// Fills the collectors, one a query, with the `k` nearest of `rows`.
  search_statistics collect(piece rows, std::size_t k, collector_type* tops) const {
    for (std::size_t q = 0; q < queries_.size(); ++q) open(tops[q], k);
    if constexpr (TileKernel<K, Store> && in_row_order<Store>) {
      const bound_sample sample(rows.size(), k);
      if (sample.pays() && !few_can_be_found(rows)) bound_by(sample, rows, k, tops);
    }
    search_statistics done = scan(prepared_, rows, choice_, tops);
    for (std::size_t q = 0; q < queries_.size(); ++q)
      if (is_bounded(tops[q]) && !tops[q].full()) {
        open(tops[q], k);
        prepared_queries<K, Store> alone;
        alone.assign(kernel_, queries_.middle_rows(q, 1), store_.size());
        done += scan(alone, rows, choice_.from_query(q), tops + q);
      }
    return done;
  }

 private:
  void open(collector_type& top, std::size_t k) const {
    if constexpr (counts_distances<K, Store>)
      top.reset(k, K::max_distance(width_of(store_)) + 1);
    else
      top.reset(k);
  }
  bool is_bounded(const collector_type& top) const noexcept {
    if constexpr (counts_distances<K, Store>)
      return top.bound() <= K::max_distance(width_of(store_));
    else
      return top.bounded();
  }

  /// Rows that cannot be found are not in a sample either, and few members are reached one by one.
  bool few_can_be_found(piece rows) const noexcept { return choice_.at_most(rows.first, rows.last) < rows.size() / 2; }

  void bound_by(const bound_sample& sample, piece rows, std::size_t k, collector_type* tops) const {
    for (std::size_t q = 0; q < queries_.size(); ++q) open(tops[q], sample.rank);
    const std::size_t all = rows.size() / superblock_rows;
    for (std::size_t i = 0; i < sample.superblocks; ++i) {
      const std::size_t first = rows.first + i * all / sample.superblocks * superblock_rows;
      scan(prepared_, {first, first + superblock_rows}, choice_, tops);
    }
    for (std::size_t q = 0; q < queries_.size(); ++q) {
      if (tops[q].full())
        tops[q].reset(k, tops[q].bound());
      else
        open(tops[q], k);
    }
  }

  search_statistics scan(const prepared_queries<K, Store>& prepared, piece rows, const row_choice& choice,
                         collector_type* tops) const {
    knn_sink<collector_type> sink{tops, choice};
    return prepared.scan(store_, rows.first, rows.last, choice.members(), scratch_, sink);
  }

  const K& kernel_;
  typename K::query_view queries_;
  const prepared_queries<K, Store>& prepared_;
  const Store& store_;
  const row_choice& choice_;
  scan_scratch<K, Store>& scratch_;
};

}  // namespace embit::inline EMBIT_ABI::detail
