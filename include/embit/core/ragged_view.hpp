// Sets of rows of different sizes: one matrix of all rows, and where each set begins.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix_view.hpp>

#include <cstddef>
#include <span>

namespace embit::inline EMBIT_ABI {

/// A batch of sets of vectors (the tokens of documents): set i is rows [offsets[i], offsets[i + 1]) of `values`.
/// Views both; they must outlive it.
template <class T>
class ragged_view {
 public:
  constexpr ragged_view() = default;

  /// @param values   all rows, one set after another.
  /// @param offsets  one more than there are sets; from 0 to `values.rows()`, never falling.
  /// @throws error errc::shape naming the offset that breaks the rule.
  ragged_view(matrix_view<T> values, std::span<const std::size_t> offsets) : values_(values), offsets_(offsets) {
    if (offsets.empty()) raise(errc::shape, "ragged_view: no offsets; n sets have n + 1");
    if (offsets.front() != 0) raise(errc::shape, "ragged_view: offset 0 is ", offsets.front(), ", not 0");
    for (std::size_t i = 1; i < offsets.size(); ++i)
      if (offsets[i] < offsets[i - 1])
        raise(errc::shape, "ragged_view: offset ", i, " is ", offsets[i], ", less than the one before, ",
              offsets[i - 1]);
    if (offsets.back() != values.rows())
      raise(errc::shape, "ragged_view: the last offset is ", offsets.back(), ", the values have ", values.rows(),
            " rows");
  }

  template <class U>
    requires(std::is_same_v<const U, T> && !std::is_const_v<U>)
  ragged_view(ragged_view<U> other)
  noexcept : values_(other.values()), offsets_(other.offsets()) {}

  /// Number of sets.
  std::size_t size() const noexcept { return offsets_.empty() ? 0 : offsets_.size() - 1; }
  std::size_t cols() const noexcept { return values_.cols(); }
  matrix_view<T> values() const noexcept { return values_; }
  std::span<const std::size_t> offsets() const noexcept { return offsets_; }

  matrix_view<T> operator[](std::size_t set) const {
    EMBIT_ASSERT(set < size());
    return values_.middle_rows(offsets_[set], offsets_[set + 1] - offsets_[set]);
  }

 private:
  matrix_view<T> values_;
  std::span<const std::size_t> offsets_;
};

template <class T>
ragged_view(matrix_view<T>, std::span<const std::size_t>) -> ragged_view<T>;

}  // namespace embit::inline EMBIT_ABI
