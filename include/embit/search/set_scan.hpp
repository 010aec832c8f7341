// The scan for similarities of sets: codes grouped by popcount, groups that cannot score well enough passed over.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/bits/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/block_run.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/search/partition.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/search/scan.hpp>
#include <embit/store/popcount_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Whether rows may be skipped for their popcount; a kernel may ask not to.
template <class K>
inline constexpr bool skips_by_popcount = [] {
  if constexpr (requires { K::skips_by_popcount; })
    return K::skips_by_popcount;
  else
    return true;
}();

/// What one worker scans of a store whose rows are numbered otherwise than they lie: the same share of every group,
/// so that all workers meet the best groups first.
struct group_share {
  std::size_t first, last, rows;  ///< the part [first, last) of `rows`

  /// The blocks of a group that belong to the share. Group by group the cut is shifted, so that groups of one block
  /// do not all fall to one worker. The shares of parts that make up all rows make up all blocks.
  piece blocks_of(const popcount_group& group) const noexcept {
    const std::uint64_t shift = group.first_block * std::uint64_t{0x9E3779B9} % rows;
    return {(group.blocks() * std::uint64_t{first} + shift) / rows,
            (group.blocks() * std::uint64_t{last} + shift) / rows};
  }
};

/// Stands between a sink of similarities and a scan of Hamming distances. With a members in the query and b in each
/// row of the group, |a ∧ b| = (a + b − d) / 2: a least number of common members is a threshold on the distance d.
template <class K, class Sink>
class similarity_sink {
 public:
  using score_type = typename K::distance_type;

  similarity_sink(const K& kernel, Sink& sink, std::size_t query, std::uint32_t query_size, const popcount_group& group)
      : kernel_(kernel), sink_(sink), query_(query), a_(query_size), b_(group.popcount), threshold_(a_ + b_ + 1) {
    tighten();
  }

  /// Whether any row of the group may still be found.
  bool open() const noexcept { return threshold_ != 0; }
  /// The ids of the rows that are scanned next.
  void set_rows(const row_id* rows) noexcept { rows_ = rows; }

  std::uint32_t threshold(std::size_t) const noexcept { return threshold_; }
  void offer(std::size_t, row_id at, std::uint32_t distance) {
    if (distance >= threshold_ || !sink_.accepts(rows_[at])) return;
    sink_.keep(query_, rows_[at], kernel_.score(a_, b_, (a_ + b_ - distance) / 2));
    tighten();
  }

 private:
  void tighten() noexcept {
    const std::optional<score_type> limit = sink_.limit(query_);
    if (!limit || (limited_ && *limit == limit_)) return;
    limited_ = true;
    limit_ = *limit;
    const std::uint32_t least = kernel_.least_common(a_, b_, *limit);
    threshold_ = least <= std::min(a_, b_) ? a_ + b_ - 2 * least + 1 : 0;
  }

  const K& kernel_;
  Sink& sink_;
  std::size_t query_;
  std::uint32_t a_, b_;
  std::uint32_t threshold_;
  bool limited_ = false;
  score_type limit_ = {};
  const row_id* rows_ = nullptr;
};

template <SetKernel K, std::size_t Bits>
struct scan_scratch_of<K, popcount_store<Bits>> {
  using scratch = hamming_batch::scratch;
};

/// Queries by similarity of sets, against codes grouped by popcount. Queries of about the same popcount go together,
/// so that the codes they all meet stay in the cache; each meets the groups about in the order of falling bounds and
/// drops out where its bound is worse than what it has.
template <SetKernel K, std::size_t Bits>
class prepared_queries<K, popcount_store<Bits>> {
 public:
  using store_type = popcount_store<Bits>;
  using scratch = scan_scratch<K, store_type>;

  void assign(const K& kernel, code_view<> queries, std::size_t rows, isa level = active_isa()) {
    kernel_ = &kernel;
    queries_.resize(queries.size());
    for (std::size_t i = 0; i < queries.size(); ++i) {
      queries_[i].index = i;
      queries_[i].set = kernel.prepare(queries[i]);
    }
    std::sort(queries_.begin(), queries_.end(), [](const query& x, const query& y) {
      return x.set.size != y.set.size ? x.set.size < y.set.size : x.index < y.index;
    });
    for (query& q : queries_) q.batch = hamming_batch(queries.middle_rows(q.index, 1), rows, level);
  }

  std::size_t size() const noexcept { return queries_.size(); }

  /// Scans the part [first, last) of the rows, in whatever order they lie. With `members` only those can be found.
  template <class Sink>
  search_statistics scan(const store_type& store, std::size_t first, std::size_t last, const row_bitset* members,
                         scratch& memory, Sink& sink) const {
    if (first == last) return {};
    // Where few rows may be found, reaching for each beats scanning the blocks they lie in. Every worker decides alike.
    if (members != nullptr && members->count() < store.size() / sparse) {
      const std::size_t rows = scan_members(store, first, last, *members, sink);
      return {size() * rows, size() * (last - first - rows), sink.offers};
    }
    const group_share share{first, last, store.size()};
    std::size_t rows = 0, scanned = 0;
    for (std::size_t s = 0; s < store.segments(); ++s)
      for (const popcount_group& group : store.segment(s).groups()) rows += rows_in(group, share.blocks_of(group));
    for (std::size_t q = 0; q < size();) {
      const std::size_t end = tile_end(q);
      const std::span<const query> tile(queries_.data() + q, end - q);
      for (std::size_t s = 0; s < store.segments(); ++s)
        scanned += scan_segment(store.segment(s), tile, share, memory, sink);
      q = end;
    }
    return {scanned, size() * rows - scanned, sink.offers};
  }

 private:
  static constexpr std::size_t sparse = 32;
  static constexpr std::size_t tile_queries = 32;
  static constexpr std::size_t tile_bytes = 128 << 10;  // of codes, which stay in the second-level cache
  static constexpr std::uint32_t all_open = ~std::uint32_t{0};

  struct query {
    std::size_t index = 0;  // in the caller's batch
    prepared_set set = {};
    hamming_batch batch;
  };

  static std::size_t rows_in(const popcount_group& group, piece blocks) noexcept {
    return std::min(blocks.last * block_rows, std::size_t{group.rows}) -
           std::min(blocks.first * block_rows, std::size_t{group.rows});
  }

  // Queries of a tile share one order of the groups, so their popcounts differ by little.
  std::size_t tile_end(std::size_t first) const noexcept {
    const std::uint32_t smallest = queries_[first].set.size, largest = smallest + smallest / 8;
    std::size_t end = first + 1;
    while (end < size() && end - first < tile_queries && queries_[end].set.size <= largest) ++end;
    return end;
  }

  // From the group of the tile's middle query outwards, the side with the better bound first. Returns the number of
  // (query, row) pairs scanned.
  template <class Sink>
  std::size_t scan_segment(const popcount_segment& segment, std::span<const query> tile, const group_share& share,
                           scratch& memory, Sink& sink) const {
    const auto groups = segment.groups();
    const std::uint32_t middle = tile[tile.size() / 2].set.size;
    auto up = std::partition_point(groups.begin(), groups.end(), [&](const auto& g) { return g.popcount < middle; });
    auto down = up;
    std::uint32_t open_up = all_open >> (tile_queries - tile.size()), open_down = open_up;  // a bit a query
    std::size_t scanned = 0;
    for (;;) {
      const bool more_up = up != groups.end() && open_up != 0, more_down = down != groups.begin() && open_down != 0;
      if (!more_up && !more_down) return scanned;
      if (more_up &&
          (!more_down || !(kernel_->bound(middle, up->popcount) < kernel_->bound(middle, std::prev(down)->popcount))))
        scanned += scan_group(segment, *up++, tile, open_up, share, memory, sink);
      else
        scanned += scan_group(segment, *--down, tile, open_down, share, memory, sink);
    }
  }

  // `open` has a bit for every query that may find something in this group or beyond it; those that cannot lose it.
  template <class Sink>
  std::size_t scan_group(const popcount_segment& segment, const popcount_group& group, std::span<const query> tile,
                         std::uint32_t& open, const group_share& share, scratch& memory, Sink& sink) const {
    const piece blocks = share.blocks_of(group);
    const std::size_t words = tile.front().set.code.size();
    const std::size_t step = std::max<std::size_t>(tile_bytes / (words * sizeof(word) * block_rows), 1);
    const row_id* ids = segment.rows_of(group).data();
    std::size_t scanned = 0;
    for (std::size_t block = blocks.first; block < blocks.last; block += step) {
      const block_run run = segment.run(group, block, std::min(block + step, blocks.last));
      for (std::size_t i = 0; i < tile.size(); ++i) {
        if ((open >> i & 1) == 0) continue;
        const query& q = tile[i];
        similarity_sink<K, Sink> similar(*kernel_, sink, q.index, q.set.size, group);
        if (skips_by_popcount<K> && !similar.open()) {
          // The bound falls from the query's own popcount outwards, so nothing beyond can be found either.
          const bool beyond = tile[tile.size() / 2].set.size <= group.popcount ? q.set.size <= group.popcount
                                                                               : q.set.size >= group.popcount;
          if (beyond) open &= ~(std::uint32_t{1} << i);
          continue;
        }
        similar.set_rows(ids + block * block_rows);
        q.batch.scan(run, memory, similar);
        scanned += run.rows;
      }
    }
    return scanned;
  }

  template <class Sink>
  std::size_t scan_members(const store_type& store, std::size_t first, std::size_t last, const row_bitset& members,
                           Sink& sink) const {
    std::vector<word> code(store.words());
    std::size_t scanned = 0;
    members.for_each(first, last, [&](std::size_t row) {
      if (!sink.accepts(static_cast<row_id>(row))) return;
      ++scanned;
      store.copy_row(row, code);
      for (const query& q : queries_) sink.keep(q.index, static_cast<row_id>(row), (*kernel_)(q.set, code));
    });
    return scanned;
  }

  const K* kernel_ = nullptr;
  std::vector<query> queries_;  // by popcount
};

}  // namespace embit::inline EMBIT_ABI::detail
