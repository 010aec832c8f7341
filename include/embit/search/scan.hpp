// The scan of queries × rows behind every exhaustive search, whatever the kernel and the store.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/search/rows.hpp>
#include <embit/search/top_k.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What a search did, for those who ask.
struct search_statistics {
  std::size_t rows_scanned = 0;  ///< (query, row) pairs whose distance was computed or bounded by a kernel
  std::size_t rows_skipped = 0;  ///< pairs passed over without a look, thanks to a filter or a bound
  std::size_t offers = 0;        ///< pairs that reached a result list, if only for a while

  search_statistics& operator+=(const search_statistics& other) noexcept {
    rows_scanned += other.rows_scanned;
    rows_skipped += other.rows_skipped;
    offers += other.offers;
    return *this;
  }
};

namespace detail {

/// A kernel that scores whole tiles of interleaved blocks, against a store that has such blocks. Its `batch` offers
/// the rows nearer than `sink.threshold(query)`, or within `sink.limit(query)`, in ascending order for each query.
template <class K, class Store>
concept TileKernel = RunStore<Store> &&
    requires(const K& kernel, typename K::query_view queries, std::size_t rows, typename K::batch& batch) {
  typename K::batch::scratch;
  requires std::same_as<typename K::batch::run_type, decltype(std::declval<const Store&>().run(rows))>;
  kernel.prepare_batch(queries, rows, batch);
};

/// The prepared queries of a kernel that scans tiles, and a worker's memory for it; nothing for other kernels.
template <class K, bool Tiles>
struct tile_parts {
  struct batch {};
  struct scratch {};
};
template <class K>
struct tile_parts<K, true> {
  using batch = typename K::batch;
  using scratch = typename K::batch::scratch;
};

/// What a worker needs to scan; reusable for any queries.
template <class K, class Store>
struct scan_scratch_of : tile_parts<K, TileKernel<K, Store>> {};
template <class K, class Store>
using scan_scratch = typename scan_scratch_of<K, Store>::scratch;

template <class K>
using prepared_t =
    decltype(std::declval<const K&>().prepare(std::declval<const typename K::query_view&>()[std::size_t{}]));

/// A batch of queries, made ready for one kernel on one kind of store. Read-only once assigned, and then shared by
/// the workers of a search; it views the kernel and the queries.
template <class K, class Store>
class prepared_queries {
 public:
  using scratch = scan_scratch<K, Store>;

  /// @param rows  how many will be scanned, in all
  void assign(const K& kernel, typename K::query_view queries, std::size_t rows) {
    kernel_ = &kernel;
    queries_ = queries;
    if constexpr (tiles)
      kernel.prepare_batch(queries, rows, batch_);
    else
      prepare_each(prepared_);
  }

  std::size_t size() const noexcept { return queries_.size(); }

  /// Scans rows [first, last), `first` a multiple of a superblock. With `members` only those can be found.
  template <class Sink>
  search_statistics scan(const Store& store, std::size_t first, std::size_t last, const row_bitset* members,
                         scratch& memory, Sink& sink) const {
    std::size_t rows = 0;
    if constexpr (tiles) {
      // Where few rows may be found, reaching for each beats scanning the blocks they lie in.
      if (sink.accepts.at_most(first, last) < (last - first) / sparse) {
        std::vector<prepared_t<K>> prepared;
        prepare_each(prepared);
        rows = scan_rows(prepared, store, first, last, sink);
      } else {
        rows = for_each_run(store, first, last, members, [&](const auto& run) { batch_.scan(run, memory, sink); });
      }
    } else {
      rows = scan_rows(prepared_, store, first, last, sink);
    }
    return {queries_.size() * rows, queries_.size() * (last - first - rows), sink.offers};
  }

 private:
  static constexpr bool tiles = TileKernel<K, Store>;
  static constexpr std::size_t tile_rows = 64;
  static constexpr std::size_t sparse = 32;

  void prepare_each(std::vector<prepared_t<K>>& prepared) const {
    prepared.clear();
    prepared.reserve(queries_.size());
    for (std::size_t q = 0; q < queries_.size(); ++q) prepared.push_back(kernel_->prepare(queries_[q]));
  }

  // A tile of accepted rows at a time meets every query while it is in the cache.
  template <class Sink>
  std::size_t scan_rows(const std::vector<prepared_t<K>>& prepared, const Store& store, std::size_t first,
                        std::size_t last, Sink& sink) const {
    row_tile<Store, tile_rows> tile(store);
    std::size_t scanned = 0;
    const auto flush = [&] {
      for (std::size_t q = 0; q < prepared.size(); ++q)
        for (std::size_t i = 0; i < tile.size(); ++i) sink.keep(q, tile.id(i), (*kernel_)(prepared[q], tile[i]));
      scanned += tile.size();
      tile.clear();
    };
    sink.accepts.for_each(first, last, [&](std::size_t row) {
      tile.add(row);
      if (tile.size() == tile_rows) flush();
    });
    flush();
    return scanned;
  }

  const K* kernel_ = nullptr;
  typename K::query_view queries_;
  std::vector<prepared_t<K>> prepared_;  // empty where tiles are scanned
  [[no_unique_address]] typename tile_parts<K, tiles>::batch batch_;
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
