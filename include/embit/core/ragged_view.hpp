// Sets of rows of different sizes: one matrix of all rows, and where each set begins.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix_view.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

namespace embit::inline EMBIT_ABI {

/// The rows of one set, and which of them count.
template <class T>
class row_set : public matrix_view<T> {
 public:
  constexpr row_set() = default;
  /// @param mask  one a row, 0 for a row that does not count; or none, and all rows count.
  constexpr row_set(matrix_view<T> rows, std::span<const std::uint8_t> mask = {}) noexcept
      : matrix_view<T>(rows), mask_(mask) {
    EMBIT_ASSERT(mask.empty() || mask.size() == rows.rows());
  }
  /// What converts to a view of rows is a set in which all count.
  template <class Rows>
    requires(std::convertible_to<const Rows&, matrix_view<T>> &&
             !std::derived_from<Rows, row_set<const std::remove_const_t<T>>> &&
             !std::derived_from<Rows, row_set<std::remove_const_t<T>>>)
  constexpr row_set(const Rows& rows) : matrix_view<T>(rows) {}
  template <class U>
    requires(std::is_same_v<const U, T> && !std::is_const_v<U>)
  constexpr row_set(row_set<U> other) noexcept : matrix_view<T>(other), mask_(other.mask()) {}

  constexpr std::span<const std::uint8_t> mask() const noexcept { return mask_; }
  constexpr bool counts(std::size_t row) const noexcept { return mask_.empty() || mask_[row] != 0; }

  /// Calls f(first, count) for the longest runs of adjacent rows that count.
  template <class F>
  constexpr void for_each_run(F&& f) const {
    for (std::size_t first = 0, last; first < this->rows(); first = last + 1) {
      for (last = first; last < this->rows() && counts(last); ++last)
        if (mask_.empty()) last = this->rows() - 1;
      if (last > first) f(first, last - first);
    }
  }

 private:
  std::span<const std::uint8_t> mask_;
};

/// A batch of sets of vectors (the tokens of documents): set i is rows [offsets[i], offsets[i + 1]) of `values`, less
/// the rows that a mask leaves out, where there is a mask. Views all of them; they must outlive it.
template <class T>
class ragged_view {
 public:
  constexpr ragged_view() = default;

  /// @param values   all rows, one set after another.
  /// @param offsets  one more than there are sets; from 0 to `values.rows()`, never falling.
  /// @param mask     one a row, 0 for a row that does not count (padding); or none, and all rows count.
  /// @throws error errc::shape naming the offset that breaks the rule, or for a mask of another size.
  ragged_view(matrix_view<T> values, std::span<const std::size_t> offsets, std::span<const std::uint8_t> mask = {})
      : values_(values), offsets_(offsets), mask_(mask) {
    if (offsets.empty()) raise(errc::shape, "ragged_view: no offsets; n sets have n + 1");
    if (offsets.front() != 0) raise(errc::shape, "ragged_view: offset 0 is ", offsets.front(), ", not 0");
    for (std::size_t i = 1; i < offsets.size(); ++i)
      if (offsets[i] < offsets[i - 1])
        raise(errc::shape, "ragged_view: offset ", i, " is ", offsets[i], ", less than the one before, ",
              offsets[i - 1]);
    if (offsets.back() != values.rows())
      raise(errc::shape, "ragged_view: the last offset is ", offsets.back(), ", the values have ", values.rows(),
            " rows");
    if (!mask.empty() && mask.size() != values.rows())
      raise(errc::shape, "ragged_view: a mask of ", mask.size(), " for ", values.rows(), " rows");
  }

  template <class U>
    requires(std::is_same_v<const U, T> && !std::is_const_v<U>)
  ragged_view(ragged_view<U> other)
  noexcept : values_(other.values_), offsets_(other.offsets_), mask_(other.mask_) {}

  /// Number of sets.
  std::size_t size() const noexcept { return offsets_.empty() ? 0 : offsets_.size() - 1; }
  std::size_t cols() const noexcept { return values_.cols(); }
  /// The matrix that the offsets count in. Of a part of a batch, it is that of the whole batch.
  matrix_view<T> values() const noexcept { return values_; }
  std::span<const std::size_t> offsets() const noexcept { return offsets_; }
  /// One a row of `values`; empty where all rows count.
  std::span<const std::uint8_t> mask() const noexcept { return mask_; }

  /// The rows of a set, with their part of the mask.
  row_set<T> operator[](std::size_t set) const {
    EMBIT_ASSERT(set < size());
    const std::size_t first = offsets_[set], count = offsets_[set + 1] - first;
    return {values_.middle_rows(first, count), mask_.empty() ? mask_ : mask_.subspan(first, count)};
  }

  /// Sets [first, first + count): the same rows under the same numbers.
  /// @throws error errc::out_of_range
  ragged_view middle_rows(std::size_t first, std::size_t count) const {
    if (first > size() || count > size() - first)
      raise(errc::out_of_range, "ragged_view: sets ", first, " + ", count, " of ", size());
    ragged_view part = *this;
    if (!offsets_.empty()) part.offsets_ = offsets_.subspan(first, count + 1);
    return part;
  }

 private:
  template <class U>
  friend class ragged_view;

  matrix_view<T> values_;
  std::span<const std::size_t> offsets_;
  std::span<const std::uint8_t> mask_;
};

namespace detail {

/// Refuses NaN and infinity in the rows of a set that count. @throws error errc::not_finite naming `what`, row, column.
template <class T>
  requires FloatNumber<std::remove_const_t<T>>
void require_finite(row_set<T> rows, std::string_view what) {
  rows.for_each_run([&](std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i)
      if (const std::size_t j = first_not_finite(rows[i].data(), rows.cols()); j != rows.cols())
        raise(errc::not_finite, what, ": row ", i, ", column ", j, " is ", static_cast<double>(rows[i][j]));
  });
}

/// The same for each set. @throws error errc::not_finite naming the set, too.
template <class T>
  requires FloatNumber<std::remove_const_t<T>>
void require_finite(ragged_view<T> sets, std::string_view what) {
  for (std::size_t s = 0; s < sets.size(); ++s) {
    const auto rows = sets[s];
    rows.for_each_run([&](std::size_t first, std::size_t count) {
      for (std::size_t i = first; i < first + count; ++i)
        if (const std::size_t j = first_not_finite(rows[i].data(), rows.cols()); j != rows.cols())
          raise(errc::not_finite, what, ": set ", s, ", row ", i, ", column ", j, " is ",
                static_cast<double>(rows[i][j]));
    });
  }
}

}  // namespace detail

template <class T>
ragged_view(matrix_view<T>, std::span<const std::size_t>) -> ragged_view<T>;
template <class T>
ragged_view(matrix_view<T>, std::span<const std::size_t>, std::span<const std::uint8_t>) -> ragged_view<T>;

}  // namespace embit::inline EMBIT_ABI
