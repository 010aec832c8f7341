// Numbers that copies share until one of them changes its own, allocated or kept by somebody else.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/shared_value.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace embit::inline EMBIT_ABI::detail {

/// As many numbers as it was made of, in aligned memory of its own or where a keeper, such as a mapped file, has them.
/// Copies share them; whoever changes them takes a copy first, where they are shared or kept. Different copies may be
/// used by different threads at once.
template <class T>
class shared_array {
 public:
  /// None.
  shared_array() = default;
  explicit shared_array(aligned_vector<T> values)
      : held_(held{std::move(values), nullptr}), data_(held_->values.data()), size_(held_->values.size()) {}
  /// @param keeper  keeps `values` where they are as long as it is held
  shared_array(std::span<const T> values, std::shared_ptr<const void> keeper)
      : held_(held{{}, std::move(keeper)}), data_(values.data()), size_(values.size()) {}

  const T* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  const T* begin() const noexcept { return data_; }
  const T* end() const noexcept { return data_ + size_; }
  const T& operator[](std::size_t i) const noexcept {
    EMBIT_ASSERT(i < size_);
    return data_[i];
  }

  /// Only the first ones from now on.
  void shorten(std::size_t size) noexcept {
    EMBIT_ASSERT(size <= size_);
    size_ = size;
  }

  /// The numbers, to be changed, once `own` has been called and no copy was taken since.
  std::span<T> owned() noexcept { return std::span<T>(held_.owned().values).first(size_); }
  /// Takes a copy where the numbers are shared or kept; returns it to be changed. Nothing has changed when this throws.
  std::span<T> own() {
    if (held_ && (held_.is_shared() || held_->keeper != nullptr))
      *this = shared_array(aligned_vector<T>(begin(), end()));
    return held_ ? owned() : std::span<T>();
  }

  /// Bytes allocated; 0 of what is kept.
  std::size_t memory() const noexcept { return held_ ? held_->values.capacity() * sizeof(T) : 0; }

 private:
  struct held {
    aligned_vector<T> values;
    std::shared_ptr<const void> keeper;
  };

  shared_value<held> held_;
  moved_value<const T*> data_;
  moved_value<> size_;
};

}  // namespace embit::inline EMBIT_ABI::detail
