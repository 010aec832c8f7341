// A number for each of many things, in chunks that copies share.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/grow.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/shared_array.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Values in chunks that do not move: the first holds what the column was made of, later ones 4096 each. A copy shares
/// them, and copies the chunk that it writes to.
template <class T>
class chunked_column {
 public:
  chunked_column() = default;
  explicit chunked_column(shared_array<T> values) : first_(values.size()), size_(values.size()) {
    if (first_ != 0) chunks_.push_back(std::move(values));
  }
  explicit chunked_column(aligned_vector<T> values) : chunked_column(shared_array<T>(std::move(values))) {}

  std::size_t size() const noexcept { return size_; }
  /// Where value `i` is; those after it follow up to the next multiple of 4096 behind the first chunk.
  const T* at(std::size_t i) const noexcept {
    const place p = locate(i);
    return chunks_[p.chunk].data() + p.index;
  }
  T operator[](std::size_t i) const noexcept { return *at(i); }

  /// Makes it `size` values, the new ones `T{}`. Amortized O(values added); nothing has changed when it throws.
  void grow(std::size_t size) {
    while (first_ + (chunks_.size() - later_from()) * chunk_values < size) {
      reserve_more(chunks_, 1);
      chunks_.emplace_back(aligned_vector<T>(chunk_values, T{}));
    }
    if (size > size_) size_ = size;
  }
  /// @throws std::bad_alloc where the chunk is shared and cannot be copied.
  void set(std::size_t i, T value) {
    const place p = locate(i);
    chunks_[p.chunk].own()[p.index] = value;
  }

  /// Bytes allocated.
  std::size_t memory() const noexcept {
    std::size_t bytes = 0;
    for (const shared_array<T>& c : chunks_) bytes += c.memory();
    return bytes;
  }

 private:
  static constexpr std::size_t chunk_values = 4096;

  struct place {
    std::size_t chunk, index;
  };
  std::size_t later_from() const noexcept { return first_ != 0 ? 1 : 0; }
  place locate(std::size_t i) const noexcept {
    if (i < first_) return {0, i};
    return {later_from() + (i - first_) / chunk_values, (i - first_) % chunk_values};
  }

  std::vector<shared_array<T>> chunks_;
  moved_value<> first_;
  moved_value<> size_;
};

}  // namespace embit::inline EMBIT_ABI::detail
