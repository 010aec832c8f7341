// What a search returns: for each query, neighbours in order.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/owned_list.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// One found row, or the label of one. `distance` is what the kernel computes: a distance, or a similarity where the
/// kernel says so.
template <class Distance, class Id = row_id>
struct neighbor {
  Id id;
  Distance distance;

  friend bool operator==(const neighbor&, const neighbor&) = default;
};

/// The neighbours of one query where they outlive the result: what a temporary result gives.
template <class Distance, class Id = row_id>
using neighbor_list = owned_list<neighbor<Distance, Id>>;

/// The order of every result list: the kernel's `Compare` on the distance, ties by the smaller row.
template <class Compare>
struct neighbor_order {
  template <class Distance>
  constexpr bool operator()(const neighbor<Distance>& a, const neighbor<Distance>& b) const noexcept {
    const Compare before{};
    if (before(a.distance, b.distance)) return true;
    if (before(b.distance, a.distance)) return false;
    return a.id < b.id;
  }
};

/// The k nearest neighbours of a batch of queries. Query i has `size()` ≤ k of them: fewer than k rows in the index
/// give a shorter list, never padding. Reuse one object across searches to save the allocation.
template <class Distance, class Id = row_id>
class knn_result {
 public:
  using neighbor_type = neighbor<Distance, Id>;

  knn_result() = default;

  std::size_t queries() const noexcept { return found_.size(); }
  std::size_t k() const noexcept { return k_; }

  /// The neighbours of one query, nearest first; of a temporary result a list of their own.
  std::span<const neighbor_type> operator[](std::size_t query) const& noexcept {
    EMBIT_ASSERT(query < found_.size());
    return {slots_.data() + query * k_, found_[query]};
  }
  neighbor_list<Distance, Id> operator[](std::size_t query) const&& {
    return neighbor_list<Distance, Id>((*this)[query]);
  }

  /// Makes room for `queries` lists of up to `k`, all empty; keeps the memory it has.
  /// @throws error errc::argument when queries · k overflows.
  void reset(std::size_t queries, std::size_t k) {
    if (k != 0 && queries > static_cast<std::size_t>(-1) / sizeof(neighbor_type) / k)
      raise(errc::argument, "k: ", queries, " queries x k = ", k, " results do not fit in memory");
    slots_.resize(queries * k);
    found_.assign(queries, 0);
    k_ = k;
  }

  /// The k slots of one query, to be filled in order, and how many of them are filled.
  std::span<neighbor_type> slots(std::size_t query) & noexcept { return {slots_.data() + query * k_, k_}; }
  void set_found(std::size_t query, std::size_t count) noexcept {
    EMBIT_ASSERT(count <= k_);
    found_[query] = count;
  }

 private:
  std::vector<neighbor_type> slots_;
  std::vector<std::size_t> found_;
  detail::moved_value<> k_;
};

/// All neighbours within a radius, for a batch of queries.
template <class Distance, class Id = row_id>
class range_result {
 public:
  using neighbor_type = neighbor<Distance, Id>;

  range_result() = default;

  std::size_t queries() const noexcept { return ends_.size(); }
  std::size_t total() const noexcept { return neighbors_.size(); }

  /// The neighbours of one query, nearest first; of a temporary result a list of their own.
  std::span<const neighbor_type> operator[](std::size_t query) const& noexcept {
    EMBIT_ASSERT(query < queries());
    const std::size_t first = query == 0 ? 0 : ends_[query - 1];
    return {neighbors_.data() + first, ends_[query] - first};
  }
  neighbor_list<Distance, Id> operator[](std::size_t query) const&& {
    return neighbor_list<Distance, Id>((*this)[query]);
  }

  /// Makes `queries` lists, all empty.
  void reset(std::size_t queries) {
    neighbors_.clear();
    ends_.assign(queries, 0);
  }
  void clear() noexcept {
    neighbors_.clear();
    ends_.clear();
  }
  /// Appends the list of the next query.
  void append(std::span<const neighbor_type> list) {
    neighbors_.insert(neighbors_.end(), list.begin(), list.end());
    ends_.push_back(neighbors_.size());
  }

 private:
  std::vector<neighbor_type> neighbors_;
  std::vector<std::size_t> ends_;
};

}  // namespace embit::inline EMBIT_ABI
