// A short list that owns its elements: what a temporary gives in place of a view of itself.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Elements that are read, as those of a span are, and owned: `index.search(queries, 5)[0]` is one, since the result
/// that a span would view has ended by the end of the expression. A temporary list gives its elements by value, and no
/// iterators.
template <class T>
class owned_list {
 public:
  using value_type = T;
  using const_iterator = const T*;
  using iterator = const_iterator;

  owned_list() = default;
  /// A copy of what someone else owns.
  explicit owned_list(std::span<const T> elements) : elements_(elements.begin(), elements.end()) {}

  std::size_t size() const noexcept { return elements_.size(); }
  bool empty() const noexcept { return elements_.empty(); }

  const T& operator[](std::size_t i) const& noexcept {
    EMBIT_ASSERT(i < size());
    return elements_[i];
  }
  T operator[](std::size_t i) const&& noexcept { return (*this)[i]; }
  const T& front() const& noexcept { return (*this)[0]; }
  T front() const&& noexcept { return (*this)[0]; }
  const T& back() const& noexcept { return (*this)[size() - 1]; }
  T back() const&& noexcept { return (*this)[size() - 1]; }

  const T* data() const& noexcept { return elements_.data(); }
  const T* data() const&& = delete;
  const_iterator begin() const& noexcept { return elements_.data(); }
  const_iterator begin() const&& = delete;
  const_iterator end() const& noexcept { return elements_.data() + elements_.size(); }
  const_iterator end() const&& = delete;

  friend bool operator==(const owned_list&, const owned_list&) = default;

 private:
  std::vector<T> elements_;
};

}  // namespace embit::inline EMBIT_ABI
