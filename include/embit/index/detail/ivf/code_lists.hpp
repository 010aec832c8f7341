// The rows of an index by list: codes in the order of the lists, and which rows they are.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/grow.hpp>
#include <embit/core/shared_array.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/ivf/chunked_column.hpp>
#include <embit/store/block_store.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Rows in the order of their lists, each of which is padded to whole blocks, all of them to a whole superblock.
struct laid_lists {
  std::vector<std::uint32_t> sizes, first;  // of each list: its rows, and its first place
  aligned_vector<row_id> from, ids;         // of each place: where its code comes from, and which row it is; pads any
  aligned_vector<std::uint32_t> places;     // of each row

  /// Of so many rows each; of places and rows there is nothing yet but how many places there are.
  /// @throws error errc::argument where row ids cannot number the places.
  static std::size_t lay(std::span<const std::uint32_t> sizes, std::vector<std::uint32_t>& first) {
    std::size_t places = 0;
    first.reserve(sizes.size());
    for (const std::uint32_t size : sizes) {
      first.push_back(static_cast<std::uint32_t>(places));
      places += round_up(size, block_rows);
      require_row_count(places);
    }
    return round_up(places, superblock_rows);
  }

  /// @param sizes  rows of each list
  /// @param order  where their codes are, list by list
  /// @param rows   which row each of these is, all rows from 0 on once; ascending in each list
  laid_lists(std::span<const std::uint32_t> list_sizes, std::span<const row_id> order, std::span<const row_id> rows)
      : sizes(list_sizes.begin(), list_sizes.end()), places(rows.size()) {
    const std::size_t all = lay(sizes, first);
    from.assign(all, order.empty() ? 0 : order[0]);
    ids.assign(all, 0);
    std::size_t i = 0;
    for (std::size_t list = 0; list < sizes.size(); ++list)
      for (std::uint32_t at = first[list]; at < first[list] + sizes[list]; ++at, ++i) {
        from[at] = order[i];
        ids[at] = rows[i];
        places[rows[i]] = at;
      }
  }

  static constexpr std::size_t round_up(std::size_t n, std::size_t unit) noexcept {
    return (n + unit - 1) / unit * unit;
  }
};

/// Codes in the order of their lists: each list is one segment of whole blocks, or several where codes were added, so
/// that the kernels of a scan take it as it lies. A segment is never moved, and what a list was built of is not written
/// to again: copies share the codes, and a copy that adds to one of them copies no more than a chunk of the store.
class code_lists {
 public:
  code_lists() = default;

  /// @param source  where the codes are
  template <CodeStore Source>
  code_lists(const Source& source, laid_lists lists)
      : code_lists(block_store<>(source, lists.from), lists.sizes, shared_array<row_id>(std::move(lists.ids)),
                   shared_array<std::uint32_t>(std::move(lists.places))) {}

  /// Codes that are laid already. @param ids, places  as of `laid_lists`
  code_lists(block_store<> codes, std::span<const std::uint32_t> sizes, shared_array<row_id> ids,
             shared_array<std::uint32_t> places)
      : store_(std::move(codes)), ids_(std::move(ids)), places_(std::move(places)), last_(sizes.size()) {
    std::vector<std::uint32_t> first;
    free_ = laid_lists::lay(sizes, first);
    segments_.reserve(sizes.size());
    for (std::size_t list = 0; list < sizes.size(); ++list) {
      segments_.push_back({.first = first[list], .rows = sizes[list], .room = sizes[list]});
      last_[list] = static_cast<std::uint32_t>(list);
    }
  }

  std::size_t lists() const noexcept { return last_.size(); }
  /// In all lists, removed ones included. O(lists).
  std::size_t rows() const noexcept {
    std::size_t all = 0;
    for (const segment& s : segments_) all += s.rows;
    return all;
  }
  std::size_t width() const noexcept { return store_.bits(); }
  std::size_t rows_in(std::size_t list) const noexcept {
    std::size_t rows = 0;
    for_each_segment(list, [&](const segment& s) { rows += s.rows; });
    return rows;
  }

  /// Calls `f(run, ids)` for the pieces of a list: rows of the run are counted from 0, and row i of it is `ids[i]`.
  template <class F>
  void for_each_run(std::size_t list, F&& f) const {
    for_each_segment(list, [&](const segment& s) {
      if (s.rows != 0)
        f(
            block_run{
                .data = store_.block(s.first / block_rows), .words = store_.words(), .first_row = 0, .rows = s.rows},
            ids_.at(s.first));
    });
  }

  /// Calls `f(list, place)` for each row, list by list; places are rows of `store()`.
  template <class F>
  void for_each_place(F&& f) const {
    for (std::size_t list = 0; list < lists(); ++list)
      for_each_segment(list, [&](const segment& s) {
        for (std::uint32_t at = s.first; at < s.first + s.rows; ++at) f(list, std::size_t{at});
      });
  }
  /// The row that a place holds.
  row_id row_at(std::size_t place) const noexcept { return ids_[place]; }

  /// Asks for the first lines of a list, which is about to be scanned.
  void prefetch(std::size_t list) const noexcept {
    constexpr std::size_t most_lines = 24, most_ids = 256, ids_in_line = 64 / sizeof(row_id);
    const segment& s = segments_[list];
    if (s.rows == 0) return;
    const word* codes = store_.block(s.first / block_rows);
    const std::size_t lines = (std::min)(most_lines, (s.rows + block_rows - 1) / block_rows * store_.words());
    for (std::size_t i = 0; i < lines; ++i) __builtin_prefetch(codes + i * block_rows);
    const row_id* ids = ids_.at(s.first);
    for (std::size_t i = 0; i < (std::min)(std::size_t{s.rows}, most_ids); i += ids_in_line)
      __builtin_prefetch(ids + i);
  }

  /// Copies the code of a row.
  void copy_row(row_id row, std::span<word> out) const noexcept { store_.copy_row(places_[row], out); }

  /// These lists laid anew, from the places of `store()`, with the rows that `number` gives another number, or none but
  /// `none`.
  template <class Number>
  laid_lists in_order(Number&& number, row_id none) const {
    std::vector<std::uint32_t> sizes(lists());
    std::vector<row_id> places, rows;
    for_each_place([&](std::size_t list, std::size_t at) {
      const row_id row = number(ids_[at]);
      if (row == none) return;
      places.push_back(static_cast<row_id>(at));
      rows.push_back(row);
      ++sizes[list];
    });
    return laid_lists(sizes, places, rows);
  }
  const block_store<>& store() const noexcept { return store_; }

  /// Adds codes, the first of which is row `first`, to the lists of each. Nothing that can be seen has changed when it
  /// throws. Amortized O(codes · words).
  template <class ListOf>
  void append(code_view<> codes, std::size_t first, ListOf&& list_of) {
    claims claimed(*this, codes.size());
    places_.grow(first + codes.size());
    for (std::size_t i = 0; i < codes.size(); ++i) {
      const std::uint32_t at = claimed.place_in(list_of(i));
      store_.overwrite(at, codes[i]);
      ids_.set(at, static_cast<row_id>(first + i));
      places_.set(first + i, at);
    }
    claimed.keep();
  }

  std::size_t code_memory() const noexcept { return store_.memory(); }
  std::size_t table_memory() const noexcept {
    return ids_.memory() + places_.memory() + segments_.capacity() * sizeof(segment) +
           last_.capacity() * sizeof(std::uint32_t);
  }

 private:
  static constexpr std::uint32_t no_segment = (std::numeric_limits<std::uint32_t>::max)();
  static constexpr std::size_t page_rows = superblock_rows;  // by which the store grows; a segment is within one
  static constexpr std::size_t most_room = 128;              // of a segment of added codes

  struct segment {
    std::uint32_t first = 0;  // place of the store, the first of a block
    std::uint32_t rows = 0;
    std::uint32_t room = 0;
    std::uint32_t next = no_segment;  // of the same list
  };

  /// Places that are written to before anybody may see them.
  class claims {
   public:
    claims(code_lists& lists, std::size_t most) : lists_(lists) { touched_.reserve(most); }
    claims(const claims&) = delete;
    claims& operator=(const claims&) = delete;
    /// Takes back what was not kept.
    ~claims() {
      for (; !touched_.empty(); touched_.pop_back())
        lists_.segments_[touched_.back().first].rows = touched_.back().second;
    }
    std::uint32_t place_in(std::size_t list) {
      const std::uint32_t s = lists_.with_room(list);
      segment& to = lists_.segments_[s];
      touched_.emplace_back(s, to.rows);
      return to.first + to.rows++;
    }
    void keep() noexcept { touched_.clear(); }

   private:
    code_lists& lists_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> touched_;  // what they had, latest last
  };

  template <class F>
  void for_each_segment(std::size_t list, F&& f) const {
    for (std::uint32_t s = static_cast<std::uint32_t>(list); s != no_segment; s = segments_[s].next) f(segments_[s]);
  }

  /// The last segment of a list, or a new one where that is full: a quarter of the list in size, or twice the last.
  std::uint32_t with_room(std::size_t list) {
    const segment& last = segments_[last_[list]];
    if (last.rows < last.room) return last_[list];
    const std::size_t wanted = last_[list] == list ? last.rows / 4 : 2 * std::size_t{last.room};
    const std::size_t room = std::bit_floor(std::clamp(wanted, block_rows, most_room));
    std::size_t first = free_;
    if (first % page_rows + room > page_rows) first = laid_lists::round_up(first, page_rows);
    reserve_more(segments_, 1);
    if (first + room > store_.size()) {
      require_row_count(first + page_rows);
      ids_.grow(store_.size() + page_rows);
      store_.append_zeros(page_rows);
    }
    const auto added = static_cast<std::uint32_t>(segments_.size());
    segments_.push_back(
        {.first = static_cast<std::uint32_t>(first), .rows = 0, .room = static_cast<std::uint32_t>(room)});
    segments_[last_[list]].next = added;
    last_[list] = added;
    free_ = first + room;
    return added;
  }

  block_store<> store_;                   // by place
  chunked_column<row_id> ids_;            // by place
  chunked_column<std::uint32_t> places_;  // by row
  std::vector<segment> segments_;         // that of list i at i, those of added codes behind
  std::vector<std::uint32_t> last_;       // segment of each list
  std::size_t free_ = 0;                  // first place that no segment has
};

}  // namespace embit::inline EMBIT_ABI::detail
