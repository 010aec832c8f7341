// A set of rows, one bit each: a filter that lets a scan skip where nothing may be found.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/grow.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// A set of rows below `size()`. As a filter it lets its members through, and lets an index skip blocks of rows
/// without any. Safe to read from many threads.
class row_bitset {
 public:
  row_bitset() = default;
  /// All of `size` rows, or none.
  explicit row_bitset(std::size_t size, bool all = false)
      : words_(words_for(size), all ? ~word{0} : word{0}), size_(size) {
    clear_tail();
  }

  std::size_t size() const noexcept { return size_; }
  /// Bytes allocated.
  std::size_t memory() const noexcept { return words_.capacity() * sizeof(word); }
  /// Members. O(size / 64).
  std::size_t count() const noexcept { return count(0, size_); }
  /// Members among the rows [first, last); `first` is a multiple of 64, `last` too or the end.
  std::size_t count(std::size_t first, std::size_t last) const noexcept {
    std::size_t members = 0;
    for (std::size_t w = first / word_bits; w < words_for(last); ++w)
      members += static_cast<std::size_t>(std::popcount(words_[w]));
    return members;
  }

  bool test(std::size_t row) const noexcept {
    EMBIT_ASSERT(row < size_);
    return (words_[row / word_bits] >> row % word_bits & 1) != 0;
  }
  bool operator()(row_id row) const noexcept { return test(row); }

  /// @throws error errc::out_of_range
  void set(std::size_t row, bool member = true) {
    if (row >= size_) raise(errc::out_of_range, "row_bitset: row ", row, " of ", size());
    const word bit = word{1} << row % word_bits;
    words_[row / word_bits] = member ? words_[row / word_bits] | bit : words_[row / word_bits] & ~bit;
  }

  /// Makes sure that `resize` to this size cannot fail. Amortized O(rows / 64) for the rows added.
  void reserve(std::size_t size) {
    if (size > size_) reserve_more(words_, words_for(size) - words_.size());
  }

  /// Keeps the rows there are; new ones are members or not, as `member` says.
  void resize(std::size_t size, bool member = false) {
    const std::size_t old = size_;
    reserve(size);
    words_.resize(words_for(size), 0);
    size_ = size;
    for (std::size_t row = old; row < size && row % word_bits != 0; ++row) set(row, member);
    const std::size_t whole = (std::min)(words_for(old), words_.size());
    std::fill(words_.begin() + static_cast<std::ptrdiff_t>(whole), words_.end(), member ? ~word{0} : word{0});
    clear_tail();
  }

  /// Whether any of the rows [first, last) is a member; both are multiples of 64 or the end.
  bool any(std::size_t first, std::size_t last) const noexcept {
    for (std::size_t w = first / word_bits; w < words_for(last); ++w)
      if (words_[w] != 0) return true;
    return false;
  }

  /// Calls `f(row)` for the members among the rows [first, last), in ascending order; bounds as for `any`.
  template <class F>
  void for_each(std::size_t first, std::size_t last, F&& f) const {
    for (std::size_t w = first / word_bits; w < words_for(last); ++w)
      for (word rest = words_[w]; rest != 0; rest &= rest - 1)
        f(w * word_bits + static_cast<std::size_t>(std::countr_zero(rest)));
  }

  /// Bit i % 64 of word i / 64 is row i; bits beyond `size()` are zero.
  std::span<const word> data() const& noexcept { return words_; }
  std::span<const word> data() const&& = delete;

 private:
  void clear_tail() noexcept {
    if (!words_.empty()) words_.back() &= tail_mask(size_);
  }

  std::vector<word> words_;
  detail::moved_value<> size_;
};

}  // namespace embit::inline EMBIT_ABI
