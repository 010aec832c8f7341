// A radius for all queries of a batch, or one for each.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <cstddef>
#include <span>

namespace embit::inline EMBIT_ABI::detail {

/// How far each query of a batch sees. It views what it was made of.
template <class Distance>
class query_bounds {
 public:
  query_bounds(Distance of_all) noexcept : of_all_(of_all) {}
  explicit query_bounds(std::span<const Distance> of_each) noexcept : of_each_(of_each.data()) {}

  Distance operator[](std::size_t query) const noexcept { return of_each_ != nullptr ? of_each_[query] : of_all_; }
  /// Those of the queries from `first` on.
  query_bounds from(std::size_t first) const noexcept {
    query_bounds rest = *this;
    if (of_each_ != nullptr) rest.of_each_ += first;
    return rest;
  }

 private:
  const Distance* of_each_ = nullptr;
  Distance of_all_{};
};

}  // namespace embit::inline EMBIT_ABI::detail
