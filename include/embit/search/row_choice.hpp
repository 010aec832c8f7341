// Which rows a search may return, in one type whatever the filter is.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/erased.hpp>
#include <embit/core/types.hpp>
#include <embit/search/row_bitset.hpp>

#include <bit>
#include <concepts>
#include <cstddef>

namespace embit::inline EMBIT_ABI {

/// A filter whose type is forgotten: all rows, the members of a `row_bitset`, or those that a predicate accepts, of
/// these the ones that were not removed. Searches are compiled for it once, not once a filter; they ask it about rows
/// that are near enough to be found, or about 64 rows at a time. A RowFilter itself; it views what it was made of.
class row_choice {
 public:
  /// Every row.
  row_choice() = default;

  /// @param live  the rows that were not removed; null where none was
  template <RowFilter Filter>
    requires(!std::same_as<Filter, row_choice>)
  explicit row_choice(const Filter& filter, const row_bitset* live = nullptr) noexcept : live_(live) {
    if constexpr (std::same_as<Filter, row_bitset>) {
      chosen_ = &filter;
    } else if constexpr (!std::same_as<Filter, accept_all>) {
      context_ = detail::erased(filter);
      accepts_ = [](void* context, row_id row) -> bool { return detail::restored<const Filter>(context)(row); };
      accepted_ = [](void* context, std::size_t first, word rows) {
        const Filter& accepts = detail::restored<const Filter>(context);
        for (word rest = rows; rest != 0; rest &= rest - 1)
          if (!accepts(static_cast<row_id>(first + static_cast<std::size_t>(std::countr_zero(rest)))))
            rows &= ~(rest & (~rest + 1));
        return rows;
      };
    }
  }
  /// The rows of another choice that were not removed; `other` has no removed rows of its own.
  explicit row_choice(const row_choice& other, const row_bitset* live) noexcept : row_choice(other) {
    if (live != nullptr) live_ = live;
  }

  bool operator()(row_id row) const {
    return (live_ == nullptr || live_->test(row)) && (chosen_ == nullptr || chosen_->test(row)) &&
           (accepts_ == nullptr || accepts_(context_, row));
  }

  /// Of the rows [first, last), at most 64 and `first` a multiple of that, bit i says whether row first + i may be
  /// found. A predicate is asked in ascending order.
  word accepted(std::size_t first, std::size_t last) const {
    word rows = last - first < word_bits ? (word{1} << (last - first)) - 1 : ~word{0};
    if (live_ != nullptr) rows &= live_->data()[first / word_bits];
    if (chosen_ != nullptr) rows &= chosen_->data()[first / word_bits];
    return accepted_ == nullptr || rows == 0 ? rows : accepted_(context_, first, rows);
  }

  /// Calls `f(row)` for the rows of [first, last) that may be found, in ascending order; `first` is a multiple of 64.
  template <class F>
  void for_each(std::size_t first, std::size_t last, F&& f) const {
    for (; first < last; first += word_bits)
      for (word rest = accepted(first, first + word_bits < last ? first + word_bits : last); rest != 0;
           rest &= rest - 1)
        f(first + static_cast<std::size_t>(std::countr_zero(rest)));
  }

  /// Whether it refuses none.
  bool all() const noexcept { return live_ == nullptr && chosen_ == nullptr && accepts_ == nullptr; }
  /// Rows outside cannot be found, so that blocks without any of these can be passed over; null where all may be.
  const row_bitset* members() const noexcept { return chosen_ != nullptr ? chosen_ : live_; }
  /// The bitset that the filter is, or null.
  const row_bitset* bitset() const noexcept { return chosen_; }

 private:
  const row_bitset* live_ = nullptr;
  const row_bitset* chosen_ = nullptr;
  void* context_ = nullptr;
  bool (*accepts_)(void*, row_id) = nullptr;
  word (*accepted_)(void*, std::size_t, word) = nullptr;
};

}  // namespace embit::inline EMBIT_ABI
