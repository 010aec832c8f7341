// Rows of numbers somewhere in memory, without owning them; made from Eigen matrices without knowing Eigen.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// A row-major matrix owned by someone else: `rows` items of `cols` numbers, `stride` elements from one row to the
/// next. Cheap to copy. It must not outlive what it views.
template <class T>
class matrix_view {
 public:
  using value_type = std::remove_const_t<T>;

  constexpr matrix_view() = default;

  /// @throws error errc::shape when `stride` < `cols` with more than one row, or `data` is null with elements.
  constexpr matrix_view(T* data, std::size_t rows, std::size_t cols, std::size_t stride)
      : data_(data), rows_(rows), cols_(cols), stride_(stride) {
    if (rows > 1 && stride < cols) raise(errc::shape, "matrix_view: stride ", stride, " is less than cols ", cols);
    if (data == nullptr && rows * cols != 0) raise(errc::shape, "matrix_view: null data for ", rows, " x ", cols);
  }
  constexpr matrix_view(T* data, std::size_t rows, std::size_t cols) : matrix_view(data, rows, cols, cols) {}

  /// A view to change is a view to read.
  template <class U>
    requires(std::is_same_v<const U, T> && !std::is_const_v<U>)
  constexpr matrix_view(matrix_view<U> other) noexcept
      : data_(other.data()), rows_(other.rows()), cols_(other.cols()), stride_(other.stride()) {}

  constexpr T* data() const noexcept { return data_; }
  constexpr std::size_t rows() const noexcept { return rows_; }
  constexpr std::size_t cols() const noexcept { return cols_; }
  constexpr std::size_t stride() const noexcept { return stride_; }
  constexpr std::size_t size() const noexcept { return rows_; }
  constexpr bool empty() const noexcept { return rows_ == 0; }

  constexpr std::span<T> operator[](std::size_t row) const noexcept {
    EMBIT_ASSERT(row < rows_);
    return {data_ + row * stride_, cols_};
  }

  /// Rows [first, first + count).
  /// @throws error errc::out_of_range
  constexpr matrix_view middle_rows(std::size_t first, std::size_t count) const {
    if (first > rows_ || count > rows_ - first)
      raise(errc::out_of_range, "matrix_view: rows ", first, " + ", count, " of ", rows_);
    matrix_view part = *this;
    part.data_ = rows_ == 0 ? data_ : data_ + first * stride_;
    part.rows_ = count;
    return part;
  }

 private:
  T* data_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  std::size_t stride_ = 0;
};

namespace detail {

/// What a view may be kept of: an lvalue, or something that owns no memory, as other views are.
template <class Rows>
concept Lasting = std::is_lvalue_reference_v<Rows> || std::is_trivially_copyable_v<std::remove_cvref_t<Rows>>;

/// The numbers of one row, where they cannot be read as a batch of rows.
template <class Row>
concept SingleRow = std::convertible_to<const Row&, std::span<const float>> &&
    !std::convertible_to<const Row&, matrix_view<const float>>;

/// What Eigen's matrices, maps and blocks have in common, and what a user's own matrix type may offer too.
template <class M>
concept DenseMatrix = requires(M& m) {
  {m.data()};
  { m.rows() } -> std::convertible_to<std::ptrdiff_t>;
  { m.cols() } -> std::convertible_to<std::ptrdiff_t>;
  { m.outerStride() } -> std::convertible_to<std::ptrdiff_t>;
  M::IsRowMajor;
};

/// An Eigen::Matrix or Array, as opposed to a Map or Block of one.
template <class M>
concept OwningMatrix = DenseMatrix<M> && requires(std::remove_const_t<M>& m) {
  m.conservativeResize(1, 1);
};

template <class M>
using view_of = matrix_view<std::remove_pointer_t<decltype(std::declval<M&>().data())>>;

}  // namespace detail

/// Views a row-major Eigen matrix, map or block (or anything with data, rows, cols, outerStride and IsRowMajor).
/// Only lvalues and views: the view of a temporary matrix would dangle.
/// @throws error errc::shape when neighbours in a row are not adjacent in memory.
template <class M>
  requires(detail::DenseMatrix<std::remove_reference_t<M>> &&
           (std::is_lvalue_reference_v<M> || !detail::OwningMatrix<std::remove_reference_t<M>>))
detail::view_of<M> view(M&& m) {
  using matrix = std::remove_reference_t<M>;
  static_assert(matrix::IsRowMajor, "embit: matrices are row-major, a row is an item; use Eigen::RowMajor");
  if constexpr (requires { m.innerStride(); })
    if (m.innerStride() != 1) raise(errc::shape, "view: inner stride ", m.innerStride(), " where 1 is needed");
  return detail::view_of<M>(m.data(), static_cast<std::size_t>(m.rows()), static_cast<std::size_t>(m.cols()),
                            static_cast<std::size_t>(m.outerStride()));
}

template <class M>
  requires(detail::OwningMatrix<M> && !std::is_lvalue_reference_v<M>)
void view(M&& m) = delete;  // the matrix ends before its view could be used

namespace detail {

/// Refuses NaN and infinity, which would compare false with everything further on.
/// @throws error errc::not_finite naming `what`, the row and the column.
template <class T>
  requires FloatNumber<std::remove_const_t<T>>
void require_finite(matrix_view<T> rows, std::string_view what) {
  if (rows.stride() == rows.cols() && all_finite(rows.data(), rows.rows() * rows.cols())) return;
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    const auto row = rows[i];
    if (const std::size_t j = first_not_finite(row.data(), row.size()); j != row.size())
      raise(errc::not_finite, what, ": row ", i, ", column ", j, " is ", static_cast<double>(row[j]));
  }
}

/// The same for one row.
template <FloatNumber T>
void require_finite(std::span<const T> row, std::string_view what) {
  require_finite(matrix_view<const T>(row.data(), 1, row.size()), what);
}

}  // namespace detail

/// Says that rows hold neither NaN nor infinity, or that they must not be read to find out, as those of a mapped file:
/// the last argument of what checks its rows otherwise. Where it is not true, scores that are no numbers come last.
struct unchecked_t {
  explicit unchecked_t() = default;
};
inline constexpr unchecked_t unchecked{};

}  // namespace embit::inline EMBIT_ABI
