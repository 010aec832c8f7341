// What searches have lost because rows are not yet in the tables: once that is what a build costs, it pays.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

/// Predicted nanoseconds that searches have lost. Many threads may add to it, in any order; a copy owes what it is a
/// copy of.
class search_debt {
 public:
  search_debt() = default;
  search_debt(const search_debt& other) noexcept : lost_(other.lost()) {}
  search_debt& operator=(const search_debt& other) noexcept {
    lost_.store(other.lost(), relaxed);
    return *this;
  }
  ~search_debt() = default;

  void add(double nanoseconds) noexcept {
    constexpr double most = 1e18;
    if (nanoseconds > 0) lost_.fetch_add(static_cast<std::uint64_t>((std::min)(nanoseconds, most)), relaxed);
  }
  std::uint64_t lost() const noexcept { return lost_.load(relaxed); }

 private:
  static constexpr auto relaxed = std::memory_order_relaxed;

  std::atomic<std::uint64_t> lost_{0};
};

}  // namespace embit::inline EMBIT_ABI::detail
