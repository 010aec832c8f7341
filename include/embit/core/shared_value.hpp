// A value that copies share until one of them changes it.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <atomic>
#include <cstddef>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// A T, or none, that a copy shares with its original: what stores keep their chunks in, so that snapshots are cheap.
/// Whoever changes it takes a copy first, where it is shared. Different objects that share a value may be used by
/// different threads at once; the count of owners is read with acquire, so that what the last other owner read has
/// been read before it is changed.
template <class T>
class shared_value {
 public:
  /// None.
  shared_value() = default;
  explicit shared_value(T value) : node_(new node{std::move(value)}) {}

  shared_value(const shared_value& other) noexcept : node_(other.node_) {
    if (node_ != nullptr) node_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  shared_value(shared_value&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  shared_value& operator=(shared_value other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~shared_value() {
    if (node_ != nullptr && node_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) delete node_;
  }

  explicit operator bool() const noexcept { return node_ != nullptr; }
  const T& operator*() const noexcept {
    EMBIT_ASSERT(node_ != nullptr);
    return node_->value;
  }
  const T* operator->() const noexcept { return &**this; }

  /// Whether another object has it too.
  bool is_shared() const noexcept { return node_ != nullptr && node_->owners.load(std::memory_order_acquire) != 1; }

  /// The value, to be changed, once `own` has been called and no copy was taken since.
  T& owned() noexcept {
    EMBIT_ASSERT(node_ != nullptr && !is_shared());
    return node_->value;
  }
  /// Takes a copy where the value is shared; returns it to be changed. Nothing has changed when the copy throws.
  T& own() {
    if (is_shared()) *this = shared_value(T(**this));
    return owned();
  }

 private:
  struct node {
    T value;
    std::atomic<std::size_t> owners{1};
  };

  node* node_ = nullptr;
};

}  // namespace embit::inline EMBIT_ABI
