// A number beside every row, in chunks that copies share.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/grow.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/shared_value.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// A column of numbers. A copy takes O(rows / 1024) and shares the chunks; whoever then changes a number, or appends to
/// a chunk that is not full, copies that chunk first. Different copies may be used by different threads at once.
template <class T>
class shared_column {
 public:
  static constexpr std::size_t chunk_rows = 1024;

  shared_column() = default;
  explicit shared_column(std::span<const T> values) {
    reserve(values.size());
    for (const T value : values) push_back(value);
  }

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  T operator[](std::size_t row) const noexcept {
    EMBIT_ASSERT(row < size_);
    return (*chunks_[row / chunk_rows])[row % chunk_rows];
  }

  /// Makes sure that `count` more numbers can be appended without allocation. Amortized O(count).
  void reserve(std::size_t count) {
    if (count == 0) return;
    const std::size_t first = size_ / chunk_rows, chunks = (size_ + count - 1) / chunk_rows + 1;
    for (std::size_t i = first; i < (std::min)(chunks, chunks_.size()); ++i) chunks_[i].own();
    if (chunks <= chunks_.size()) {
      grow_first(size_ + count);
      return;
    }
    reserve_more(chunks_, chunks - chunks_.size());
    if (!chunks_.empty()) grow_first(chunk_rows);
    while (chunks_.size() < chunks)
      chunks_.emplace_back(std::vector<T>(chunks_.empty() ? first_rows(size_ + count) : chunk_rows));
  }
  void push_back(T value) {
    reserve(1);
    chunks_[size_ / chunk_rows].owned()[size_ % chunk_rows] = value;
    ++size_;
  }
  /// The same number for `count` rows.
  void append(std::size_t count, T value) {
    reserve(count);
    for (std::size_t i = 0; i < count; ++i) push_back(value);
  }
  /// Nothing has changed when it throws.
  void set(std::size_t row, T value) {
    EMBIT_ASSERT(row < size_);
    chunks_[row / chunk_rows].own()[row % chunk_rows] = value;
  }

  /// Calls `f(span)` for the numbers, piece by piece.
  template <class F>
  void for_each_piece(F&& f) const {
    for (std::size_t first = 0; first < size_; first += chunk_rows)
      f(std::span<const T>(*chunks_[first / chunk_rows]).first((std::min)(chunk_rows, size_ - first)));
  }

  std::size_t memory() const noexcept {
    std::size_t bytes = chunks_.capacity() * sizeof(chunks_[0]);
    for (const auto& chunk : chunks_) bytes += chunk->size() * sizeof(T);
    return bytes;
  }

  class iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::forward_iterator_tag;
    using pointer = const T*;
    using reference = T;

    iterator() = default;
    iterator(const shared_column* column, std::size_t row) noexcept : column_(column), row_(row) {}
    T operator*() const noexcept { return (*column_)[row_]; }
    iterator& operator++() noexcept {
      ++row_;
      return *this;
    }
    iterator operator++(int) noexcept {
      const iterator before = *this;
      ++row_;
      return before;
    }
    friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.row_ == b.row_; }

   private:
    const shared_column* column_ = nullptr;
    std::size_t row_ = 0;
  };
  iterator begin() const noexcept { return {this, 0}; }
  iterator end() const noexcept { return {this, size_}; }

 private:
  // The first chunk begins with few rows.
  static std::size_t first_rows(std::size_t rows) noexcept {
    std::size_t room = 16;
    while (room < (std::min)(rows, chunk_rows)) room *= 2;
    return room;
  }
  void grow_first(std::size_t rows) {
    if (chunks_[0]->size() < (std::min)(rows, chunk_rows)) chunks_[0].own().resize(first_rows(rows));
  }

  std::vector<shared_value<std::vector<T>>> chunks_;
  detail::moved_value<> size_;
};

}  // namespace embit::inline EMBIT_ABI
