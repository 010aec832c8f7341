// What a search returns: for each query, neighbours in order.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/grow.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/owned_list.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <iterator>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// One found row, or the label of one. `distance` is what the kernel computes: a distance, or a similarity where the
/// kernel says so.
template <class Distance, class Id>
struct neighbor {
  Id id;
  Distance distance;

  friend bool operator==(const neighbor&, const neighbor&) = default;
};

/// The neighbours of one query where they outlive the result: what a temporary result gives.
template <class Distance, class Id = row_id>
using neighbor_list = owned_list<neighbor<Distance, Id>>;

namespace detail {

/// Whether one distance is better than another. One that is not a number, as the sum of products that overflow to both
/// infinities, comes after all others, whatever `Compare` would make of it.
template <class Compare, class Distance>
constexpr bool comes_before(const Distance& a, const Distance& b) noexcept {
  if constexpr (FloatNumber<Distance>) {
    if (is_nan(a)) return false;
    if (is_nan(b)) return true;
  }
  return Compare{}(a, b);
}

/// Whether a distance is no worse than a radius, which is a number.
template <class Compare, class Distance>
constexpr bool is_within(const Distance& distance, const Distance& radius) noexcept {
  if constexpr (FloatNumber<Distance>)
    if (is_nan(distance)) return false;
  return !Compare{}(radius, distance);
}

}  // namespace detail

/// The order of every result list: the kernel's `Compare` on the distance, ties by the smaller row. It is total: what
/// is not a number, which finite rows give where sums overflow to both infinities, comes last.
template <class Compare>
struct neighbor_order {
  template <class Distance>
  constexpr bool operator()(const neighbor<Distance>& a, const neighbor<Distance>& b) const noexcept {
    if (detail::comes_before<Compare>(a.distance, b.distance)) return true;
    if (detail::comes_before<Compare>(b.distance, a.distance)) return false;
    return a.id < b.id;
  }
};

/// Goes through the lists of a result, one a query. It views the result.
template <class Result>
class query_iterator {
 public:
  using iterator_concept = std::random_access_iterator_tag;
  using iterator_category = std::input_iterator_tag;  // lists are made as they are asked for
  using value_type = std::span<const typename Result::neighbor_type>;
  using reference = value_type;
  using difference_type = std::ptrdiff_t;

  query_iterator() = default;
  query_iterator(const Result& result, std::size_t query) noexcept
      : result_(&result), query_(static_cast<std::ptrdiff_t>(query)) {}

  value_type operator*() const noexcept { return (*result_)[static_cast<std::size_t>(query_)]; }
  value_type operator[](std::ptrdiff_t i) const noexcept { return *(*this + i); }
  query_iterator& operator+=(std::ptrdiff_t n) noexcept {
    query_ += n;
    return *this;
  }
  query_iterator& operator-=(std::ptrdiff_t n) noexcept { return *this += -n; }
  query_iterator& operator++() noexcept { return *this += 1; }
  query_iterator& operator--() noexcept { return *this -= 1; }
  query_iterator operator++(int) noexcept {
    const query_iterator before = *this;
    ++*this;
    return before;
  }
  query_iterator operator--(int) noexcept {
    const query_iterator before = *this;
    --*this;
    return before;
  }

  friend query_iterator operator+(query_iterator at, std::ptrdiff_t n) noexcept { return at += n; }
  friend query_iterator operator+(std::ptrdiff_t n, query_iterator at) noexcept { return at += n; }
  friend query_iterator operator-(query_iterator at, std::ptrdiff_t n) noexcept { return at -= n; }
  friend std::ptrdiff_t operator-(const query_iterator& a, const query_iterator& b) noexcept {
    return a.query_ - b.query_;
  }
  friend bool operator==(const query_iterator& a, const query_iterator& b) noexcept { return a.query_ == b.query_; }
  friend std::strong_ordering operator<=>(const query_iterator& a, const query_iterator& b) noexcept {
    return a.query_ <=> b.query_;
  }

 private:
  const Result* result_ = nullptr;
  std::ptrdiff_t query_ = 0;
};

/// The k nearest neighbours of a batch of queries. Query i has `size()` ≤ k of them: fewer than k rows in the index
/// give a shorter list, never padding. Reuse one object across searches to save the allocation. Up to `most_in_place`
/// neighbours a query have their places from the beginning; of more, memory follows those that were found.
template <class Distance, class Id>
class knn_result {
 public:
  using neighbor_type = neighbor<Distance, Id>;

  /// The largest k for which places are made for all k.
  static constexpr std::size_t most_in_place = 1024;

  knn_result() = default;

  knn_result(const knn_result&) = default;
  knn_result(knn_result&&) = default;
  /// Nothing has changed when it throws.
  knn_result& operator=(const knn_result& other) { return *this = knn_result(other); }
  knn_result& operator=(knn_result&&) = default;
  ~knn_result() = default;

  std::size_t queries() const noexcept { return found_.size(); }
  std::size_t k() const noexcept { return k_; }

  /// The neighbours of one query, nearest first; of a temporary result a list of their own.
  std::span<const neighbor_type> operator[](std::size_t query) const& noexcept {
    EMBIT_ASSERT(query < found_.size());
    return {in_place() ? places_.data() + query * k_ : lists_[query].data(), found_[query]};
  }
  neighbor_list<Distance, Id> operator[](std::size_t query) const&& {
    return neighbor_list<Distance, Id>((*this)[query]);
  }

  /// The lists of all queries, in order: `for (const auto list : result)`.
  query_iterator<knn_result> begin() const& noexcept { return {*this, 0}; }
  query_iterator<knn_result> end() const& noexcept { return {*this, queries()}; }
  query_iterator<knn_result> begin() const&& = delete;
  query_iterator<knn_result> end() const&& = delete;

  /// Makes room for `queries` lists of up to `k`, all empty; keeps the memory it has for such lists.
  /// @throws error errc::argument when queries · k overflows; nothing has changed then, or when memory runs out.
  void reset(std::size_t queries, std::size_t k) {
    if (k != 0 && queries > static_cast<std::size_t>(-1) / sizeof(neighbor_type) / k)
      raise(errc::argument, "k: ", queries, " queries x k = ", k, " results do not fit in memory");
    const bool places = k <= most_in_place;
    places_.reserve(places ? queries * k : 0);
    lists_.reserve(places ? 0 : queries);
    found_.reserve(queries);
    places_.resize(places ? queries * k : 0);
    lists_.resize(places ? 0 : queries);
    found_.assign(queries, 0);
    k_ = k;
  }

  /// Gives one query its list: at most k neighbours, nearest first. Different queries may be given theirs at a time.
  void assign(std::size_t query, std::span<const neighbor_type> list) {
    EMBIT_ASSERT(query < found_.size() && list.size() <= k_);
    if (in_place())
      std::copy(list.begin(), list.end(), places_.begin() + static_cast<std::ptrdiff_t>(query * k_));
    else
      lists_[query].assign(list.begin(), list.end());
    found_[query] = list.size();
  }

  /// Leaves one query the first `k` of its list.
  void shorten(std::size_t query, std::size_t k) noexcept {
    EMBIT_ASSERT(query < found_.size());
    found_[query] = (std::min)(found_[query], k);
  }

  /// Bytes allocated.
  std::size_t memory() const noexcept {
    std::size_t bytes = places_.capacity() * sizeof(neighbor_type) + found_.capacity() * sizeof(std::size_t);
    for (const auto& list : lists_) bytes += sizeof list + list.capacity() * sizeof(neighbor_type);
    return bytes;
  }

 private:
  bool in_place() const noexcept { return lists_.empty(); }

  std::vector<neighbor_type> places_;              // k a query, or none
  std::vector<std::vector<neighbor_type>> lists_;  // one a query, or none
  std::vector<std::size_t> found_;
  detail::moved_value<> k_;
};

/// All neighbours within a radius, for a batch of queries: nearest first, or where `rows_within` found them, in the
/// order of their rows.
template <class Distance, class Id>
class range_result {
 public:
  using neighbor_type = neighbor<Distance, Id>;

  range_result() = default;
  /// Of the lists of all queries, in their order.
  explicit range_result(std::span<const std::vector<neighbor_type>> lists) {
    std::size_t total = 0;
    for (const auto& list : lists) total += list.size();
    reserve(lists.size(), total);
    for (const auto& list : lists) append(list);
  }

  range_result(const range_result&) = default;
  range_result(range_result&&) = default;
  /// Nothing has changed when it throws.
  range_result& operator=(const range_result& other) { return *this = range_result(other); }
  range_result& operator=(range_result&&) = default;
  ~range_result() = default;

  std::size_t queries() const noexcept { return ends_.size(); }
  std::size_t total() const noexcept { return neighbors_.size(); }

  /// The neighbours of one query; of a temporary result a list of their own.
  std::span<const neighbor_type> operator[](std::size_t query) const& noexcept {
    EMBIT_ASSERT(query < queries());
    const std::size_t first = query == 0 ? 0 : ends_[query - 1];
    return {neighbors_.data() + first, ends_[query] - first};
  }
  neighbor_list<Distance, Id> operator[](std::size_t query) const&& {
    return neighbor_list<Distance, Id>((*this)[query]);
  }

  /// The lists of all queries, in order: `for (const auto list : result)`.
  query_iterator<range_result> begin() const& noexcept { return {*this, 0}; }
  query_iterator<range_result> end() const& noexcept { return {*this, queries()}; }
  query_iterator<range_result> begin() const&& = delete;
  query_iterator<range_result> end() const&& = delete;

  /// Makes `queries` lists, all empty.
  void reset(std::size_t queries) {
    neighbors_.clear();
    ends_.assign(queries, 0);
  }
  void clear() noexcept {
    neighbors_.clear();
    ends_.clear();
  }
  /// Makes room for so many lists and neighbours in all.
  void reserve(std::size_t queries, std::size_t neighbors) {
    ends_.reserve(queries);
    neighbors_.reserve(neighbors);
  }
  /// Appends the list of the next query.
  void append(std::span<const neighbor_type> list) {
    reserve_more(ends_, 1);
    neighbors_.insert(neighbors_.end(), list.begin(), list.end());
    ends_.push_back(neighbors_.size());
  }

 private:
  std::vector<neighbor_type> neighbors_;
  std::vector<std::size_t> ends_;
};

}  // namespace embit::inline EMBIT_ABI
