// The scan for similarities of sets: codes grouped by popcount, groups that cannot score well enough passed over.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/search/partition.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/search/scan.hpp>
#include <embit/store/popcount_store.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
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
    if (last - first == rows) return {0, group.blocks()};
    const std::uint64_t shift = group.first_block * std::uint64_t{0x9E3779B9} % rows;
    const auto cut = [&](std::size_t row) {
      return static_cast<std::size_t>((group.blocks() * std::uint64_t{row} + shift) / rows);
    };
    return {cut(first), cut(last)};
  }
  std::size_t rows_of(const popcount_group& group) const noexcept {
    const piece blocks = blocks_of(group);
    return (std::min)(blocks.last * block_rows, std::size_t{group.rows}) -
           (std::min)(blocks.first * block_rows, std::size_t{group.rows});
  }
};

/// One of the queries that a scan of sets takes together.
struct set_query {
  std::size_t index = 0;  ///< in the caller's batch
  prepared_set set = {};
};

/// Stands between a sink of similarities and a scan of Hamming distances of a tile of queries. With a members in a
/// query and b in every row of a group, |a ∧ b| = (a + b − d) / 2: a least number of common members is a threshold
/// on the distance d.
template <class K, class Sink>
class similarity_sink {
 public:
  using score_type = typename K::distance_type;

  similarity_sink(const K& kernel, Sink& sink, std::span<const set_query> tile, std::span<std::uint32_t> thresholds)
      : kernel_(kernel), sink_(sink), tile_(tile), thresholds_(thresholds) {}

  /// The rows that are scanned next, with `members` members each.
  void set_group(std::uint32_t members, const row_id* rows) noexcept {
    members_ = members;
    rows_ = rows;
  }

  /// Leaves a query out of the group.
  void close(std::size_t query) noexcept { thresholds_[query] = 0; }
  /// Asks for the rows of the group that may still be found; false where there can be none.
  bool open(std::size_t query) noexcept {
    update(query);
    return thresholds_[query] != 0;
  }
  /// Has the group scanned even where nothing can be found.
  void force(std::size_t query) noexcept { thresholds_[query] = std::max<std::uint32_t>(thresholds_[query], 1); }

  std::uint32_t threshold(std::size_t query) const noexcept { return thresholds_[query]; }

  void offer(std::size_t query, row_id at, std::uint32_t distance) {
    if (distance >= thresholds_[query] || !sink_.accepts(rows_[at])) return;
    const std::uint32_t size = tile_[query].set.size;
    sink_.keep(tile_[query].index, rows_[at], kernel_.score(size, members_, (size + members_ - distance) / 2));
    raise_least(query);
  }

 private:
  void update(std::size_t query) noexcept {
    const std::uint32_t size = tile_[query].set.size;
    thresholds_[query] = size + members_ + 1;
    if (const auto limit = sink_.limit(tile_[query].index))
      set_least(query, kernel_.least_common(size, members_, *limit));
  }

  // As update, after an offer: the least number can only have risen, and mostly it has not, so one score will do.
  void raise_least(std::size_t query) noexcept {
    const std::uint32_t size = tile_[query].set.size, most = (std::min)(size, members_);
    std::uint32_t least = (size + members_ + 1 - thresholds_[query]) / 2;
    if (least == 0) return update(query);
    const auto limit = *sink_.limit(tile_[query].index);
    while (least <= most && kernel_.score(size, members_, least) < limit) ++least;
    set_least(query, least);
  }

  void set_least(std::size_t query, std::uint32_t least) noexcept {
    const std::uint32_t size = tile_[query].set.size;
    thresholds_[query] = least <= (std::min)(size, members_) ? size + members_ - 2 * least + 1 : 0;
  }

  const K& kernel_;
  Sink& sink_;
  std::span<const set_query> tile_;
  std::span<std::uint32_t> thresholds_;  // one a query of the tile: distances must be below it
  std::uint32_t members_ = 0;
  const row_id* rows_ = nullptr;
};

template <SetKernel K, std::size_t Bits>
struct scan_scratch_of<K, popcount_store<Bits>> {
  using scratch = hamming_batch::scratch;
};

/// Queries by similarity of sets, against codes grouped by popcount. Queries of about the same popcount make a tile,
/// which meets the groups in the order of falling bounds; each drops out where its bound is worse than what it has.
template <SetKernel K, std::size_t Bits>
class prepared_queries<K, popcount_store<Bits>> {
 public:
  using store_type = popcount_store<Bits>;
  using scratch = scan_scratch<K, store_type>;

  void assign(const K& kernel, code_view<> queries, std::size_t rows, isa level = active_isa()) {
    kernel_ = &kernel;
    queries_.resize(queries.size());
    for (std::size_t i = 0; i < queries.size(); ++i) queries_[i] = {i, kernel.prepare(queries[i])};
    std::sort(queries_.begin(), queries_.end(), [](const set_query& x, const set_query& y) {
      return x.set.size != y.set.size ? x.set.size < y.set.size : x.index < y.index;
    });
    const std::size_t mean_group = rows / (queries.bits() + 1);  // about what is scanned at a time
    std::size_t tiles = 0;
    for (std::size_t first = 0; first < size(); first = tiles_[tiles++].last) {
      if (tiles == tiles_.size()) tiles_.emplace_back();
      tile& t = tiles_[tiles];
      t.first = first;
      t.last = tile_end(first);
      codes_.clear();
      for (std::size_t q = t.first; q < t.last; ++q)
        codes_.insert(codes_.end(), queries_[q].set.code.begin(), queries_[q].set.code.end());
      t.batch.assign(code_view<>(codes_.data(), t.last - t.first, queries.bits()), mean_group, level);
    }
    tiles_.resize(tiles);
  }

  std::size_t size() const noexcept { return queries_.size(); }

  /// Scans the part [first, last) of the rows, in whatever order they lie. With `members` only those can be found.
  template <class Sink>
  search_statistics scan(const store_type& store, std::size_t first, std::size_t last, const row_bitset*,
                         scratch& memory, Sink& sink) const {
    if (first == last) return {};
    // Where few rows may be found, reaching for each beats scanning the blocks they lie in. Every worker decides alike.
    if (sink.accepts.at_most(0, store.size()) < store.size() / sparse) {
      const std::size_t rows = scan_members(store, first, last, sink);
      return {size() * rows, size() * (last - first - rows), sink.offers};
    }
    const group_share share{first, last, store.size()};
    std::size_t rows = 0, scanned = 0;
    for (std::size_t s = 0; s < store.segments(); ++s)
      for (const popcount_group& group : store.segment(s).groups()) rows += share.rows_of(group);
    for (const tile& t : tiles_)
      for (std::size_t s = 0; s < store.segments(); ++s)
        scanned += scan_segment(store.segment(s), t, share, memory, sink);
    return {scanned, size() * rows - scanned, sink.offers};
  }

 private:
  static constexpr std::size_t sparse = 32;
  static constexpr std::size_t tile_queries = 32;
  // Blocks taken at a time: few at first, since every row is kept until there are k.
  static constexpr std::size_t first_blocks = 2, most_blocks = std::size_t{1} << 20;

  struct tile {
    std::size_t first = 0, last = 0;  // of queries_
    hamming_batch batch = {};
  };

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
  std::size_t scan_segment(const popcount_segment& segment, const tile& t, const group_share& share, scratch& memory,
                           Sink& sink) const {
    const std::span<const set_query> queries(queries_.data() + t.first, t.last - t.first);
    std::array<std::uint32_t, tile_queries> thresholds;
    similarity_sink<K, Sink> similar(*kernel_, sink, queries, thresholds);
    const std::uint32_t middle = queries[queries.size() / 2].set.size;
    const auto groups = segment.groups();
    auto up = std::partition_point(groups.begin(), groups.end(), [&](const auto& g) { return g.popcount < middle; });
    auto down = up;
    // A bit for every query that may find something in the next group of a side or beyond it.
    std::uint32_t open_up = ~std::uint32_t{0} >> (tile_queries - queries.size()), open_down = open_up;
    std::size_t scanned = 0, step = first_blocks;
    for (;;) {
      const bool more_up = up != groups.end() && open_up != 0, more_down = down != groups.begin() && open_down != 0;
      if (!more_up && !more_down) return scanned;
      const bool take_up =
          more_up &&
          (!more_down || !(kernel_->bound(middle, up->popcount) < kernel_->bound(middle, std::prev(down)->popcount)));
      const popcount_group& group = take_up ? *up++ : *--down;
      const piece blocks = share.blocks_of(group);
      if (blocks.size() == 0) continue;
      const row_id* rows = segment.rows_of(group).data();
      for (std::size_t first = blocks.first, last; first != blocks.last; first = last) {
        last = (std::min)(first + step, blocks.last);
        step = (std::min)(step * 2, most_blocks);
        const block_run run = segment.run(group, first, last);
        similar.set_group(group.popcount, rows + first * block_rows);
        const std::size_t open = open_queries(queries, group.popcount, take_up, take_up ? open_up : open_down, similar);
        scanned += run.rows * open;
        if (open != 0) t.batch.scan(run, memory, similar);
      }
    }
  }

  // Opens a group for the queries that may find something in it; returns how many they are. Those that can find
  // nothing there or beyond lose their bit in `open`.
  template <class Similar>
  static std::size_t open_queries(std::span<const set_query> queries, std::uint32_t popcount, bool upwards,
                                  std::uint32_t& open, Similar& similar) noexcept {
    std::size_t count = 0;
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const std::uint32_t bit = std::uint32_t{1} << q, size = queries[q].set.size;
      if ((open & bit) == 0) {
        similar.close(q);
      } else if (similar.open(q)) {
        ++count;
      } else if (!skips_by_popcount<K>) {
        similar.force(q);
        ++count;
      } else if (upwards ? size <= popcount : size >= popcount) {
        open &= ~bit;  // the bound falls from the query's own popcount outwards
      }
    }
    return count;
  }

  template <class Sink>
  std::size_t scan_members(const store_type& store, std::size_t first, std::size_t last, Sink& sink) const {
    std::vector<word> code(store.words());
    std::size_t scanned = 0;
    sink.accepts.for_each(first, last, [&](std::size_t row) {
      ++scanned;
      store.copy_row(row, code);
      for (const set_query& q : queries_) sink.keep(q.index, static_cast<row_id>(row), (*kernel_)(q.set, code));
    });
    return scanned;
  }

  const K* kernel_ = nullptr;
  std::vector<set_query> queries_;  // by popcount; they view the caller's codes
  std::vector<tile> tiles_;
  std::vector<word> codes_;  // of a tile, while it is assigned
};

}  // namespace embit::inline EMBIT_ABI::detail
