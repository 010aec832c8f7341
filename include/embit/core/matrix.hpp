// A matrix that owns its numbers: what readers and fits return, and what keeps learned weights.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/owned_list.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// A row-major matrix of trivially copyable elements in 64-byte aligned memory, rows next to one another. A value:
/// copies copy, a moved-from matrix is 0 x 0.
template <class T>
class matrix {
 public:
  static_assert(std::is_trivially_copyable_v<T> && !std::is_const_v<T>);
  using value_type = T;

  matrix() = default;

  /// rows x cols elements that are zero.
  /// @throws error errc::shape when the size is beyond what memory can address.
  matrix(std::size_t rows, std::size_t cols) : matrix(rows, cols, T{}) {}

  /// rows x cols copies of `fill`.
  /// @throws error errc::shape when the size is beyond what memory can address.
  matrix(std::size_t rows, std::size_t cols, T fill) : values_(count(rows, cols), fill), rows_(rows), cols_(cols) {}

  /// rows x cols elements that are not initialized, for who writes them all: reading one before is undefined.
  /// @throws error errc::shape when the size is beyond what memory can address.
  static matrix uninitialized(std::size_t rows, std::size_t cols) { return matrix(rows, cols, no_values{}); }

  /// A copy of what someone else owns.
  explicit matrix(matrix_view<const T> other) : matrix(other.rows(), other.cols(), no_values{}) {
    for (std::size_t i = 0; i < rows_; ++i) std::ranges::copy(other[i], values_.begin() + offset(i));
  }

  /// Copies of some rows, in this order.
  matrix(matrix_view<const T> other, std::span<const row_id> rows) : matrix(rows.size(), other.cols(), no_values{}) {
    for (std::size_t i = 0; i < rows_; ++i) std::ranges::copy(other[rows[i]], values_.begin() + offset(i));
  }

  /// Adds rows, which may be its own. A matrix without any takes the width of the first. Amortized O(elements added).
  /// @throws error errc::shape for another width; the matrix is unchanged then.
  void append(matrix_view<const T> added) {
    if (added.rows() == 0) return;
    if (rows_ == 0 && cols_ == 0) {
      *this = matrix(added);
      return;
    }
    if (added.cols() != cols_)
      raise(errc::shape, "append: rows of ", added.cols(), " numbers to a matrix of ", cols(), " columns");
    const std::size_t grown = count(rows_ + added.rows(), cols_);
    if (grown > values_.capacity()) {  // copied before the old memory goes: the rows may be those there
      aligned_vector<T> values;
      values.reserve((std::max)(grown, 2 * values_.size()));
      values.assign(values_.begin(), values_.end());
      append_to(values, added);
      values_ = std::move(values);
    } else {
      append_to(values_, added);
    }
    rows_ += added.rows();
  }

  /// The first rows alone, of which there are no more than now.
  void shorten(std::size_t rows) noexcept {
    EMBIT_ASSERT(rows <= rows_);
    values_.resize(rows * cols_);
    rows_ = rows;
  }

  std::size_t rows() const noexcept { return rows_; }
  std::size_t cols() const noexcept { return cols_; }
  std::size_t size() const noexcept { return rows_; }
  bool empty() const noexcept { return rows_ == 0; }
  T* data() & noexcept { return values_.data(); }
  const T* data() const& noexcept { return values_.data(); }
  const T* data() const&& = delete;

  /// All elements, row after row.
  std::span<T> values() & noexcept { return values_; }
  std::span<const T> values() const& noexcept { return values_; }
  /// Of a temporary they are taken over.
  aligned_vector<T> values() && noexcept {
    matrix ending = std::move(*this);
    return std::move(ending.values_);
  }
  std::span<const T> values() const&& = delete;

  std::span<T> operator[](std::size_t row) & noexcept {
    EMBIT_ASSERT(row < rows_);
    return {values_.data() + row * cols_, cols_};
  }
  std::span<const T> operator[](std::size_t row) const& noexcept {
    EMBIT_ASSERT(row < rows_);
    return {values_.data() + row * cols_, cols_};
  }
  owned_list<T> operator[](std::size_t row) const&& { return owned_list<T>((*this)[row]); }

  /// The view of a temporary would dangle.
  matrix_view<T> view() & { return {values_.data(), rows_, cols_}; }
  matrix_view<const T> view() const& { return {values_.data(), rows_, cols_}; }
  matrix_view<T> view() && = delete;
  matrix_view<const T> view() const&& = delete;

  /// A matrix may stand where a view is taken; a temporary lives until the end of that expression.
  operator matrix_view<T>() { return {values_.data(), rows_, cols_}; }
  operator matrix_view<const T>() const { return {values_.data(), rows_, cols_}; }

  friend bool operator==(const matrix& a, const matrix& b) {
    return a.rows_ == b.rows_ && a.cols_ == b.cols_ && a.values_ == b.values_;
  }

 private:
  struct no_values {};
  matrix(std::size_t rows, std::size_t cols, no_values) : values_(count(rows, cols)), rows_(rows), cols_(cols) {}

  static std::size_t count(std::size_t rows, std::size_t cols) {
    constexpr auto most = static_cast<std::size_t>((std::numeric_limits<std::ptrdiff_t>::max)()) / sizeof(T);
    if (cols != 0 && rows > most / cols)
      raise(errc::shape, "matrix: ", rows, " x ", cols, " elements do not fit in memory");
    return rows * cols;
  }
  static void append_to(aligned_vector<T>& values, matrix_view<const T> added) {
    for (std::size_t i = 0; i < added.rows(); ++i) {
      const std::size_t end = values.size();
      values.resize(end + added.cols());
      std::ranges::copy(added[i], values.begin() + static_cast<std::ptrdiff_t>(end));
    }
  }
  std::ptrdiff_t offset(std::size_t row) const noexcept { return static_cast<std::ptrdiff_t>(row * cols_); }

  aligned_vector<T> values_;
  detail::moved_value<> rows_;
  detail::moved_value<> cols_;
};

}  // namespace embit::inline EMBIT_ABI
