// Inverted lists of B-bit codes: extents of whole blocks of one store, and the row that each place holds.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/grow.hpp>
#include <embit/core/types.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Adjacent blocks of one list, of which the first `rows` places are taken.
struct list_extent {
  std::uint32_t first_block = 0, blocks = 0, rows = 0;
  std::uint32_t next = none;  // the extent that follows in the list

  static constexpr std::uint32_t none = (std::numeric_limits<std::uint32_t>::max)();
};

/// Lists that grow: each begins as one extent, next to the one before, and gets others at the end of the store. They
/// may lie in a mapped file, and are copied from there before they change.
class level_lists {
 public:
  level_lists() = default;

  /// Empty lists with room for `sizes` rows each.
  level_lists(level_format format, std::span<const std::size_t> sizes) {
    const std::size_t places = lay(sizes);
    rows_.assign(sizes.size(), 0);
    store_ = level_store(std::move(format), places);
    ids_.assign(places, no_id);
  }

  /// Lists of `sizes` rows each that are laid as above already.
  /// @param codes, ids  of `places_of(sizes)` places
  level_lists(level_store codes, std::span<const std::size_t> sizes, aligned_vector<row_id> ids)
      : store_(std::move(codes)), ids_(std::move(ids)) {
    fill(sizes);
  }
  /// The same in a mapped file. @param keeper  keeps codes, their format, and ids
  level_lists(const level_run& codes, std::span<const std::size_t> sizes, std::span<const row_id> ids,
              std::shared_ptr<const void> keeper)
      : store_(*codes.format), kept_(codes), kept_ids_(ids), keeper_(std::move(keeper)) {
    fill(sizes);
  }

  /// Places that lists of so many rows take, each in whole blocks.
  static std::size_t places_of(std::span<const std::size_t> sizes) noexcept {
    std::size_t blocks = 0;
    for (const std::size_t size : sizes) blocks += blocks_of(size);
    return blocks * level_block_rows;
  }

  std::size_t size() const noexcept { return rows_.size(); }
  /// Of one list.
  std::size_t rows(std::size_t list) const noexcept { return rows_[list]; }
  std::size_t first_place(std::size_t list) const noexcept {
    return std::size_t{extents_[list].first_block} * level_block_rows;
  }
  const level_format& format() const noexcept { return store_.format(); }
  std::size_t bytes_per_row() const noexcept { return store_.bytes_per_row(); }
  /// All places: rows of a list are adjacent within its extents.
  level_run run() const noexcept { return keeper_ != nullptr ? kept_ : store_.run(0); }
  /// To write what `take_place` gave.
  level_store& store() noexcept { return store_; }
  /// The row at a place; beyond the rows of a list no row.
  std::span<const row_id> ids() const noexcept {
    return keeper_ != nullptr ? kept_ids_ : std::span<const row_id>(ids_);
  }
  /// Bytes allocated for codes and factors.
  std::size_t code_memory() const noexcept { return store_.memory(); }
  std::size_t memory() const noexcept {
    return ids_.capacity() * sizeof(row_id) + extents_.capacity() * sizeof(list_extent) +
           (rows_.capacity() + last_.capacity()) * sizeof(std::uint32_t);
  }

  /// Takes the next place of a list, which must have room, for a row; returns it, to be written in `store()`.
  std::size_t take_place(std::size_t list, row_id id) noexcept {
    std::uint32_t& last = last_[list];
    if (extents_[last].rows == extents_[last].blocks * level_block_rows) last = extents_[last].next;
    list_extent& extent = extents_[last];
    const std::size_t place = std::size_t{extent.first_block} * level_block_rows + extent.rows;
    ids_[place] = id;
    ++extent.rows;
    ++rows_[list];
    return place;
  }

  /// Makes room for `added[list]` more rows in each list, which can then be taken. Nothing has changed when it throws,
  /// but where lists lie.
  void make_room(std::span<const std::size_t> added) {
    own();
    std::vector<std::pair<std::size_t, std::size_t>> wanted;  // lists, and blocks for each
    std::size_t blocks = 0;
    for (std::size_t list = 0; list < added.size(); ++list) {
      const list_extent& extent = extents_[last_[list]];
      const std::size_t left = extent.blocks * level_block_rows - extent.rows;
      if (added[list] <= left) continue;
      // A quarter of what the list has, so that one that goes on growing is not cut into single blocks.
      const std::size_t spare = std::min<std::size_t>(rows_[list] / level_block_rows / 4, 8);
      wanted.emplace_back(list, (std::max)((added[list] - left + level_block_rows - 1) / level_block_rows, spare));
      blocks += wanted.back().second;
    }
    if (blocks == 0) return;
    reserve_more(extents_, wanted.size());
    reserve_more(ids_, blocks * level_block_rows);
    std::size_t block = store_.size() / level_block_rows;
    const level_store blank(store_.format(), blocks * level_block_rows);
    store_.append(blank.view());
    ids_.resize(ids_.size() + blocks * level_block_rows, no_id);
    for (const auto& [list, count] : wanted) {
      extents_[last_[list]].next = static_cast<std::uint32_t>(extents_.size());
      extents_.push_back({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(count), 0});
      block += count;
    }
  }

  /// Calls `visit(run, first place)` for each extent of a list.
  template <class Visit>
  void for_each_run(std::size_t list, Visit&& visit) const {
    const level_run whole = run();
    for (std::uint32_t e = static_cast<std::uint32_t>(list); e != list_extent::none; e = extents_[e].next) {
      const list_extent& extent = extents_[e];
      if (extent.rows == 0) continue;
      const std::size_t first = std::size_t{extent.first_block} * level_block_rows;
      visit(whole.part(first, first + extent.rows), first);
    }
  }

  /// Calls `visit(list, place)` for each row, list by list.
  template <class Visit>
  void for_each_place(Visit&& visit) const {
    for (std::size_t list = 0; list < size(); ++list)
      for_each_run(list, [&](const level_run& run, std::size_t first) {
        for (std::size_t i = 0; i < run.rows; ++i) visit(list, first + i);
      });
  }

  /// A block that has rows which may be found, as `for_each_run` would visit it.
  struct chosen_block {
    std::size_t list, first, rows;
  };
  /// Of all rows those blocks that have one that `accepts(row)`, list by list. O(rows).
  template <class Accepts>
  std::vector<chosen_block> blocks_with(const Accepts& accepts) const {
    std::vector<chosen_block> blocks;
    const auto rows_at = ids();
    for (std::size_t list = 0; list < size(); ++list)
      for_each_run(list, [&](const level_run& run, std::size_t first) {
        for (std::size_t at = 0; at < run.rows; at += level_block_rows) {
          const std::size_t rows = (std::min)(level_block_rows, run.rows - at);
          const auto these = rows_at.subspan(first + at, rows);
          if (std::ranges::any_of(these, accepts)) blocks.push_back({list, first + at, rows});
        }
      });
    return blocks;
  }

  /// Writes a row of a store of the same format to a place.
  void put(std::size_t place, const level_row& row) {
    std::uint8_t* to = store_.row_data(place);
    const std::uint8_t* from = row.run.row(row.index);
    for (std::size_t b = 0; b < row.run.row_bytes; ++b) to[b * level_block_rows] = from[b * level_block_rows];
    for (std::size_t f = 0; f < row_factors; ++f)
      if (const auto which = static_cast<row_factor>(f); store_.format().has(which))
        store_.set_factor(place, which, row.factor(which));
  }

  /// Asks for the first extent of a list, which is about to be scanned.
  level_run first_run(std::size_t list) const noexcept {
    const list_extent& extent = extents_[list];
    const std::size_t first = std::size_t{extent.first_block} * level_block_rows;
    return run().part(first, first + extent.rows);
  }

  /// The lists without the rows that have no new number. @param numbers  of every row, `no_id` for those removed
  level_lists renumbered(std::span<const row_id> numbers) const {
    std::vector<std::size_t> sizes(size());
    for_each_place([&](std::size_t list, std::size_t place) { sizes[list] += numbers[ids()[place]] != no_id; });
    level_lists kept(format(), sizes);
    for_each_place([&](std::size_t list, std::size_t place) {
      const row_id number = numbers[ids()[place]];
      if (number != no_id) kept.put(kept.take_place(list, number), {run(), place});
    });
    return kept;
  }

  static constexpr row_id no_id = (std::numeric_limits<row_id>::max)();

 private:
  static constexpr std::size_t blocks_of(std::size_t rows) noexcept {
    return (rows + level_block_rows - 1) / level_block_rows;
  }

  /// Makes an extent for each list; returns how many places they take.
  std::size_t lay(std::span<const std::size_t> sizes) {
    std::size_t block = 0;
    for (const std::size_t size : sizes) {
      extents_.push_back({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(blocks_of(size)), 0});
      last_.push_back(static_cast<std::uint32_t>(last_.size()));
      block += blocks_of(size);
    }
    return block * level_block_rows;
  }

  void fill(std::span<const std::size_t> sizes) {
    lay(sizes);
    for (std::size_t list = 0; list < sizes.size(); ++list) {
      extents_[list].rows = static_cast<std::uint32_t>(sizes[list]);
      rows_.push_back(extents_[list].rows);
    }
  }

  /// Copies what lies in a file.
  void own() {
    if (keeper_ == nullptr) return;
    level_store codes{level_view(kept_)};
    ids_.assign(kept_ids_.begin(), kept_ids_.end());
    store_ = std::move(codes);
    keeper_ = nullptr;
  }

  level_store store_;  // of no rows where they are kept
  aligned_vector<row_id> ids_;
  level_run kept_;
  std::span<const row_id> kept_ids_;
  std::shared_ptr<const void> keeper_;
  std::vector<list_extent> extents_;  // one a list, then those added
  std::vector<std::uint32_t> last_;   // extent of each list
  std::vector<std::uint32_t> rows_;   // of each list
};

}  // namespace embit::inline EMBIT_ABI::detail
