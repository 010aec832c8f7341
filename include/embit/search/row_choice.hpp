// Which rows a search may return, in one type whatever the filter is.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/erased.hpp>
#include <embit/core/types.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/search/row_list.hpp>

#include <bit>
#include <concepts>
#include <cstddef>

namespace embit::inline EMBIT_ABI {

/// A filter whose type is forgotten: all rows, the members of a `row_bitset` or of a `row_list`, or those that a
/// predicate accepts, of these the ones that were not removed. Searches are compiled for it once, not once a filter;
/// they ask it about rows that are near enough to be found, or about 64 rows at a time. A RowFilter itself; it views
/// what it was made of.
///
/// A filter of rows for each query has two halves: what is asked about a row alone says whether any query may find it,
/// and `accepts_for` whether one does. `for_query` makes one filter of rows of both.
class row_choice {
 public:
  /// Every row.
  row_choice() = default;

  /// @param live  the rows that were not removed; null where none was
  template <SearchFilter Filter>
    requires(!std::same_as<Filter, row_choice>)
  explicit row_choice(const Filter& filter, const row_bitset* live = nullptr) noexcept : live_(live) {
    if constexpr (std::same_as<Filter, row_bitset>) {
      chosen_ = &filter;
    } else if constexpr (std::same_as<Filter, row_list>) {
      list_ = &filter;
    } else if constexpr (!std::same_as<Filter, accept_all>) {
      each_ = !RowFilter<Filter>;
      context_ = detail::erased(filter);
      accepts_ = [](void* context, std::size_t query, row_id row) -> bool {
        return asked(detail::restored<const Filter>(context), query, row);
      };
      accepted_ = [](void* context, std::size_t query, std::size_t first, word rows) {
        const Filter& accepts = detail::restored<const Filter>(context);
        for (word rest = rows; rest != 0; rest &= rest - 1)
          if (!asked(accepts, query, static_cast<row_id>(first + static_cast<std::size_t>(std::countr_zero(rest)))))
            rows &= ~(rest & (~rest + 1));
        return rows;
      };
    }
  }
  /// The rows of another choice that were not removed; `other` has no removed rows of its own.
  explicit row_choice(const row_choice& other, const row_bitset* live) noexcept : row_choice(other) {
    if (live != nullptr) live_ = live;
  }

  /// Whether a row may be found; where each query has its own filter, by any.
  bool operator()(row_id row) const {
    return (live_ == nullptr || live_->test(row)) && (chosen_ == nullptr || chosen_->test(row)) &&
           (list_ == nullptr || (*list_)(row)) && (!asks_rows() || accepts_(context_, query_, row));
  }
  /// Whether a row that may be found may be so by this query.
  bool accepts_for(std::size_t query, row_id row) const { return !each_ || accepts_(context_, query_ + query, row); }

  /// Whether each query has its own filter.
  bool each_query() const noexcept { return each_; }
  /// What one query of the batch may find.
  row_choice for_query(std::size_t query) const noexcept {
    row_choice one = from_query(query);
    one.each_ = false;
    return one;
  }
  /// The same for a batch that begins with this query.
  row_choice from_query(std::size_t first) const noexcept {
    row_choice rest = *this;
    rest.query_ += first;
    return rest;
  }

  /// Of the rows [first, last), at most 64 and `first` a multiple of that, bit i says whether row first + i may be
  /// found. A predicate is asked in ascending order.
  word accepted(std::size_t first, std::size_t last) const {
    word rows = last - first < word_bits ? (word{1} << (last - first)) - 1 : ~word{0};
    if (live_ != nullptr) rows &= live_->data()[first / word_bits];
    if (chosen_ != nullptr) rows &= chosen_->data()[first / word_bits];
    if (list_ != nullptr) {
      word listed = 0;
      for (const row_id row : list_->between(first, last)) listed |= word{1} << (row - first);
      rows &= listed;
    }
    return !asks_rows() || rows == 0 ? rows : accepted_(context_, query_, first, rows);
  }

  /// Calls `f(row)` for the rows of [first, last) that may be found, in ascending order; `first` is a multiple of 64.
  template <class F>
  void for_each(std::size_t first, std::size_t last, F&& f) const {
    if (list_ != nullptr) {
      for (const row_id row : list_->between(first, last))
        if (live_ == nullptr || live_->test(row)) f(std::size_t{row});
      return;
    }
    for (; first < last; first += word_bits)
      for (word rest = accepted(first, first + word_bits < last ? first + word_bits : last); rest != 0;
           rest &= rest - 1)
        f(first + static_cast<std::size_t>(std::countr_zero(rest)));
  }

  /// Whether it refuses none.
  bool all() const noexcept {
    return live_ == nullptr && chosen_ == nullptr && list_ == nullptr && accepts_ == nullptr;
  }
  /// Rows outside cannot be found, so that blocks without any of these can be passed over; null where all may be.
  const row_bitset* members() const noexcept { return chosen_ != nullptr ? chosen_ : live_; }
  /// So many of the rows [first, last) may be found at most; bounds as for `row_bitset::count`.
  std::size_t at_most(std::size_t first, std::size_t last) const noexcept {
    if (list_ != nullptr) return list_->between(first, last).size();
    return members() != nullptr ? members()->count(first, last) : last - first;
  }
  /// The bitset that the filter is, or null.
  const row_bitset* bitset() const noexcept { return chosen_; }
  /// The list that the filter is, or null.
  const row_list* list() const noexcept { return list_; }

 private:
  template <class Filter>
  static bool asked(const Filter& filter, [[maybe_unused]] std::size_t query, row_id row) {
    if constexpr (RowFilter<Filter>)
      return filter(row);
    else
      return filter(query, row);
  }
  bool asks_rows() const noexcept { return accepts_ != nullptr && !each_; }

  const row_bitset* live_ = nullptr;
  const row_bitset* chosen_ = nullptr;
  const row_list* list_ = nullptr;
  void* context_ = nullptr;
  bool (*accepts_)(void*, std::size_t, row_id) = nullptr;
  word (*accepted_)(void*, std::size_t, std::size_t, word) = nullptr;
  std::size_t query_ = 0;
  bool each_ = false;  // and not yet for one query
};

}  // namespace embit::inline EMBIT_ABI
