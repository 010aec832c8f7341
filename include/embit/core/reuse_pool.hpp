// Working memory that const operations take, use and give back, so that repeating them allocates nothing.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Bytes of one list that an idle object may keep: what searches for up to 1024 neighbours need.
inline constexpr std::size_t most_idle_list = std::size_t{1} << 17;
/// Bytes of a list of which it has one only.
inline constexpr std::size_t most_idle_bytes = std::size_t{1} << 24;

/// Default-constructed objects of type T for whoever needs one for a while: an idle one if there is one, else a new
/// one. Safe to use from many threads. Part of its owner's machinery, not of its value: copies start empty. An object
/// that has a `trim()` is asked to give back what only an unusually large task needs before it waits for the next.
template <class T>
class reuse_pool {
 public:
  reuse_pool() = default;
  reuse_pool(const reuse_pool&) noexcept {}
  reuse_pool(reuse_pool&&) noexcept {}
  reuse_pool& operator=(const reuse_pool&) noexcept { return *this; }
  reuse_pool& operator=(reuse_pool&&) noexcept { return *this; }

  /// Gives the object back when it ends; must not outlive the pool.
  class lease {
   public:
    lease(reuse_pool& pool, std::unique_ptr<T> object) noexcept : pool_(pool), object_(std::move(object)) {}
    lease(const lease&) = delete;
    lease& operator=(const lease&) = delete;
    ~lease() { pool_.give_back(std::move(object_)); }
    T& operator*() const noexcept { return *object_; }
    T* operator->() const noexcept { return object_.get(); }

   private:
    reuse_pool& pool_;
    std::unique_ptr<T> object_;
  };

  lease take() {
    std::unique_ptr<T> object;
    {
      const std::lock_guard lock(guard_);
      if (!idle_.empty()) {
        object = std::move(idle_.back());
        idle_.pop_back();
      } else {
        idle_.reserve(++made_);  // so that giving back never allocates
      }
    }
    if (!object) object = std::make_unique<T>();
    return {*this, std::move(object)};
  }

  /// Bytes that idle objects have allocated.
  std::size_t memory() noexcept {
    const std::lock_guard lock(guard_);
    std::size_t bytes = 0;
    for (const auto& object : idle_) bytes += sizeof(T) + object->memory();
    return bytes;
  }

 private:
  void give_back(std::unique_ptr<T> object) noexcept {
    if constexpr (requires { object->trim(); }) object->trim();
    const std::lock_guard lock(guard_);
    if (idle_.size() < idle_.capacity()) idle_.push_back(std::move(object));
  }

  std::mutex guard_;
  std::vector<std::unique_ptr<T>> idle_;
  std::size_t made_ = 0;
};

}  // namespace embit::inline EMBIT_ABI
