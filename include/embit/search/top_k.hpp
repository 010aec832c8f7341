// Collectors that keep the k nearest of what they are offered, ties by the smaller row.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
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
  /// @param k             at least 1
  /// @param max_distance  no offered distance is larger
  void reset(std::size_t k, std::uint32_t max_distance) {
    k_ = k;
    limit_ = max_distance + 1;
    threshold_ = max_distance + 1;
    total_ = 0;
    counts_.assign(std::size_t{max_distance} + 1, 0);
    kept_.clear();
  }

  /// Rows at this distance or beyond no longer count.
  std::uint32_t threshold() const noexcept { return threshold_; }

  /// Takes a row if it is nearer than the threshold. Rows come in ascending order.
  void offer(row_id row, std::uint32_t distance) {
    if (distance >= threshold_) return;
    kept_.push_back({row, distance});
    ++counts_[distance];
    ++total_;
    // As long as k rows remain without the farthest kept distance, that distance is out.
    while (total_ - counts_[limit_ - 1] >= k_) total_ -= counts_[--limit_];
    threshold_ = total_ >= k_ ? limit_ - 1 : limit_;
    if (kept_.size() >= 64 && (kept_.size() - 64) / 4 >= k_) drop_beyond_limit();
  }

  /// What is kept, unordered: all of the k nearest, and fewer than k more.
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

/// The k best by any comparison, offered in any order: a binary heap with the worst kept row on top. A small one is
/// sorted throughout, since moving a few rows up by one costs less than sifting.
template <class Distance, class Compare>
class heap_top_k {
 public:
  using neighbor_type = neighbor<Distance>;

  void reset(std::size_t k) {
    k_ = k;
    kept_.clear();
  }

  bool full() const noexcept { return kept_.size() == k_; }
  /// The worst kept neighbour; only when full.
  const neighbor_type& worst() const& noexcept { return kept_.front(); }
  const neighbor_type& worst() const&& = delete;

  void offer(row_id row, Distance distance) {
    const neighbor_type candidate{row, distance};
    const neighbor_order<Compare> before{};
    if (full() && !before(candidate, kept_.front())) return;
    if (k_ <= most_sorted) {
      insert(candidate);
      return;
    }
    if (full()) {
      std::pop_heap(kept_.begin(), kept_.end(), before);
      kept_.back() = candidate;
    } else {
      kept_.push_back(candidate);
    }
    std::push_heap(kept_.begin(), kept_.end(), before);
  }

  std::span<const neighbor_type> kept() const& noexcept { return kept_; }
  std::span<const neighbor_type> kept() const&& = delete;

  /// Bytes allocated.
  std::size_t memory() const noexcept { return kept_.capacity() * sizeof(neighbor_type); }

 private:
  static constexpr std::size_t most_sorted = 32;

  void insert(const neighbor_type& candidate) {
    const neighbor_order<Compare> before{};
    if (!full()) {
      std::size_t i = kept_.size();
      kept_.push_back(candidate);
      for (; i > 0 && before(kept_[i - 1], candidate); --i) kept_[i] = kept_[i - 1];
      kept_[i] = candidate;
      return;
    }
    std::size_t i = 0;  // the worst is overwritten
    for (; i + 1 < kept_.size() && before(candidate, kept_[i + 1]); ++i) kept_[i] = kept_[i + 1];
    kept_[i] = candidate;
  }

  std::size_t k_ = 1;
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

}  // namespace embit::inline EMBIT_ABI
