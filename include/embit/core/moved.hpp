// What stays behind when a value is moved: nothing of what it owned, all of what it shared.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace embit::inline EMBIT_ABI::detail {

/// A number that says something of what its owner holds, such as how many rows: a move takes it along, and leaves 0
/// behind. A class that counts in it needs no move operations of its own.
template <class T = std::size_t>
class moved_value {
 public:
  constexpr moved_value(T value = T{}) noexcept : value_(value) {}
  constexpr moved_value(const moved_value&) noexcept = default;
  constexpr moved_value(moved_value&& other) noexcept : value_(std::exchange(other.value_, T{})) {}
  constexpr moved_value& operator=(const moved_value&) noexcept = default;
  constexpr moved_value& operator=(moved_value&& other) noexcept {
    value_ = std::exchange(other.value_, T{});
    return *this;
  }
  ~moved_value() = default;

  constexpr operator T() const noexcept { return value_; }
  constexpr moved_value& operator+=(T more) noexcept {
    value_ += more;
    return *this;
  }
  constexpr moved_value& operator++() noexcept { return *this += 1; }
  constexpr T operator++(int) noexcept { return value_++; }
  constexpr moved_value& operator--() noexcept {
    --value_;
    return *this;
  }

 private:
  T value_;
};

/// State that all copies of a handle share. To move it is to copy it, so that a handle that was moved from is what it
/// was: there is none without state.
template <class T>
class shared_state {
 public:
  shared_state() noexcept = default;  // for the moment until a constructor has made the state
  shared_state(std::shared_ptr<T> state) noexcept : state_(std::move(state)) {}
  shared_state(const shared_state&) noexcept = default;  // and no move operations
  shared_state& operator=(const shared_state&) noexcept = default;
  ~shared_state() = default;

  T& operator*() const noexcept { return *state_; }
  T* operator->() const noexcept { return state_.get(); }
  T* get() const noexcept { return state_.get(); }
  operator const std::shared_ptr<T>&() const noexcept { return state_; }

 private:
  std::shared_ptr<T> state_;
};

}  // namespace embit::inline EMBIT_ABI::detail
