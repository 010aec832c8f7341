// Collectors that keep the k nearest of what they are offered, ties by the smaller row.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// The k smallest of whole distances up to a known bound, offered in ascending row order: a histogram of what was
/// kept gives the distance below which a new row still counts, with no heap to maintain. O(1) an offer, amortized.
class histogram_top_k {
 public:
  using neighbor_type = neighbor<std::uint32_t>;

  /// Forgets everything; keeps the memory it has.
  /// @param k      at least 1
  /// @param below  distances from here on do not count: one more than the largest there is, or less
  void reset(std::size_t k, std::uint32_t below) {
    k_ = k;
    limit_ = below;
    threshold_ = below;
    total_ = 0;
    counts_.assign(below, 0);
    kept_.clear();
  }

  /// Rows at this distance or beyond no longer count.
  std::uint32_t threshold() const noexcept { return threshold_; }
  /// Whether k rows are kept.
  bool full() const noexcept { return total_ >= k_; }
  /// Of the distances of the k nearest, once it is full, one more than the largest.
  std::uint32_t bound() const noexcept { return limit_; }

  /// Takes a row if it is nearer than the threshold. Rows come in ascending order.
  void offer(row_id row, std::uint32_t distance) {
    if (distance >= threshold_) return;
    kept_.push_back({row, distance});
    ++counts_[distance];
    if (++total_ < k_) return;
    // As long as k rows remain without the farthest kept distance, that distance is out.
    while (total_ - counts_[limit_ - 1] >= k_) total_ -= counts_[--limit_];
    threshold_ = limit_ - 1;
    if (kept_.size() >= 64 && (kept_.size() - 64) / 4 >= k_) drop_beyond_limit();
  }

  /// What is kept, in the order of the rows: all of the k nearest, and fewer than k more.
  std::span<const neighbor_type> kept() {
    drop_beyond_limit();
    return kept_;
  }

  /// Bytes allocated.
  std::size_t memory() const noexcept {
    return counts_.capacity() * sizeof(std::uint32_t) + kept_.capacity() * sizeof(neighbor_type);
  }

 private:
  void drop_beyond_limit() {
    if (kept_.size() > total_) std::erase_if(kept_, [this](const neighbor_type& n) { return n.distance >= limit_; });
  }

  std::size_t k_ = 1;
  std::uint32_t limit_ = 0;      // kept distances are below it
  std::uint32_t threshold_ = 0;  // offers must be below it
  std::size_t total_ = 0;        // kept rows below limit_
  std::vector<std::uint32_t> counts_;
  std::vector<neighbor_type> kept_;
};

/// The k nearest of whole distances up to a known bound, offered in any order, ties by the smaller row: as
/// `histogram_top_k`, but what is as far as the k-th nearest still counts. O(1) an offer, amortized.
class unordered_histogram_top_k {
 public:
  using neighbor_type = neighbor<std::uint32_t>;

  /// Forgets everything; keeps the memory it has.
  /// @param k        at least 1
  /// @param farthest  distance that there is
  void reset(std::size_t k, std::uint32_t farthest) {
    k_ = k;
    bound_ = farthest;
    total_ = 0;
    counts_.assign(std::size_t{farthest} + 1, 0);
    kept_.clear();
  }

  /// Whether k rows are kept.
  bool full() const noexcept { return total_ >= k_; }
  /// Rows beyond this distance no longer count.
  std::uint32_t bound() const noexcept { return bound_; }

  /// Takes a row unless it is beyond the bound.
  void offer(row_id row, std::uint32_t distance) {
    if (distance > bound_) return;
    kept_.push_back({row, distance});
    ++counts_[distance];
    if (++total_ < k_) return;
    while (total_ - counts_[bound_] >= k_) total_ -= counts_[bound_--];
    if (kept_.size() >= most_extra && (kept_.size() - most_extra) / 4 >= k_) cut();
  }

  /// What is kept, unordered: all of the k nearest, with ties perhaps some more.
  std::span<const neighbor_type> kept() {
    if (kept_.size() > total_) std::erase_if(kept_, [this](const neighbor_type& n) { return n.distance > bound_; });
    return kept_;
  }

  /// Bytes allocated.
  std::size_t memory() const noexcept {
    return counts_.capacity() * sizeof(std::uint32_t) + kept_.capacity() * sizeof(neighbor_type);
  }

 private:
  static constexpr std::size_t most_extra = 64;

  // Leaves k, however many are as far as the last of them.
  void cut() {
    const auto last = kept_.begin() + static_cast<std::ptrdiff_t>(k_ - 1);
    std::nth_element(kept_.begin(), last, kept_.end(), neighbor_order<std::less<>>{});
    kept_.resize(k_);
    counts_[bound_] -= static_cast<std::uint32_t>(total_ - k_);
    total_ = k_;
  }

  std::size_t k_ = 1;
  std::uint32_t bound_ = 0;
  std::size_t total_ = 0;  // kept rows within the bound
  std::vector<std::uint32_t> counts_;
  std::vector<neighbor_type> kept_;
};

/// The k best by any comparison, offered in any order. Few are kept sorted, since moving some rows up by one costs less
/// than anything clever. Of many, twice as many and more are gathered and then cut to the k best, O(1) an offer,
/// amortized.
template <class Distance, class Compare>
class best_top_k {
 public:
  using neighbor_type = neighbor<Distance>;

  /// Forgets everything; keeps the memory it has.
  void reset(std::size_t k) {
    k_ = k;
    bounded_ = false;
    kept_.clear();
  }
  /// The same; distances worse than `bound` do not count.
  void reset(std::size_t k, Distance bound) {
    reset(k);
    bounded_ = true;
    worst_ = {(std::numeric_limits<row_id>::max)(), bound};
  }

  /// Whether k rows are kept.
  bool full() const noexcept { return kept_.size() >= k_; }
  /// Whether there is a bound to what counts, and what it is: that of the k-th row kept so far, or a worse one.
  bool bounded() const noexcept { return bounded_; }
  Distance bound() const noexcept { return worst_.distance; }

  void offer(row_id row, Distance distance) {
    const neighbor_type candidate{row, distance};
    const neighbor_order<Compare> before{};
    if (bounded_ && !before(candidate, worst_)) return;
    if (k_ <= most_sorted) {
      insert(candidate);
    } else {
      kept_.push_back(candidate);
      if (kept_.size() == k_ || kept_.size() >= 2 * k_ + most_sorted) cut();
    }
  }

  /// What is kept, unordered: no more than the k best.
  std::span<const neighbor_type> kept() & {
    if (kept_.size() > k_) cut();
    return kept_;
  }
  std::span<const neighbor_type> kept() && = delete;

  /// Bytes allocated.
  std::size_t memory() const noexcept { return kept_.capacity() * sizeof(neighbor_type); }

 private:
  static constexpr std::size_t most_sorted = 32;

  void insert(const neighbor_type& candidate) {
    const neighbor_order<Compare> before{};
    if (kept_.size() == k_) kept_.pop_back();
    std::size_t i = kept_.size();
    kept_.push_back(candidate);
    for (; i > 0 && before(candidate, kept_[i - 1]); --i) kept_[i] = kept_[i - 1];
    kept_[i] = candidate;
    if (kept_.size() == k_) bound_by(kept_.back());
  }
  void cut() {
    const auto last = kept_.begin() + static_cast<std::ptrdiff_t>(k_ - 1);
    std::nth_element(kept_.begin(), last, kept_.end(), neighbor_order<Compare>{});
    kept_.resize(k_);
    bound_by(kept_.back());
  }
  void bound_by(const neighbor_type& worst) noexcept {
    bounded_ = true;
    worst_ = worst;
  }

  std::size_t k_ = 1;
  bool bounded_ = false;
  neighbor_type worst_{};  // what counts comes before it, where there is a bound
  std::vector<neighbor_type> kept_;
};

/// The first `k` of what several collectors kept, in order, or all of fewer.
template <class Compare, class Distance>
std::span<const neighbor<Distance>> select_top_k(std::vector<neighbor<Distance>>& candidates, std::size_t k) {
  const neighbor_order<Compare> before{};
  const std::size_t count = (std::min)(candidates.size(), k);
  const auto middle = candidates.begin() + static_cast<std::ptrdiff_t>(count);
  if (count < candidates.size()) std::nth_element(candidates.begin(), middle, candidates.end(), before);
  std::sort(candidates.begin(), middle, before);
  return std::span<const neighbor<Distance>>(candidates).first(count);
}

/// The same of whole distances where rows of equal distance are already in their order, as those are that one collector
/// kept or several of rising rows did: a counting sort. O(candidates + range of their distances).
class counting_sort {
 public:
  using neighbor_type = neighbor<std::uint32_t>;

  /// The first `k`, or all of fewer; valid until the next call.
  std::span<const neighbor_type> select(std::span<const neighbor_type> candidates, std::size_t k) {
    sorted_.resize(candidates.size());
    const std::span<const neighbor_type> first(sorted_.data(), (std::min)(candidates.size(), k));
    if (candidates.size() <= few) {
      std::copy(candidates.begin(), candidates.end(), sorted_.begin());
      std::sort(sorted_.begin(), sorted_.end(), neighbor_order<std::less<>>{});
      return first;
    }
    std::uint32_t nearest = candidates[0].distance, farthest = nearest;
    for (const neighbor_type& n : candidates) {
      nearest = (std::min)(nearest, n.distance);
      farthest = (std::max)(farthest, n.distance);
    }
    places_.assign(std::size_t{farthest} - nearest + 2, 0);
    for (const neighbor_type& n : candidates) ++places_[n.distance - nearest + 1];
    for (std::size_t d = 1; d < places_.size(); ++d) places_[d] += places_[d - 1];
    for (const neighbor_type& n : candidates) sorted_[places_[n.distance - nearest]++] = n;
    return first;
  }

  /// Bytes allocated.
  std::size_t memory() const noexcept {
    return places_.capacity() * sizeof(std::uint32_t) + sorted_.capacity() * sizeof(neighbor_type);
  }

 private:
  static constexpr std::size_t few = 24;

  std::vector<std::uint32_t> places_;
  std::vector<neighbor_type> sorted_;
};

}  // namespace embit::inline EMBIT_ABI
