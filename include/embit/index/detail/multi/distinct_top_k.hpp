// The k nearest of rows that may be offered more than once, in any order.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// A (distance, row) pair as one number, in the order of results.
constexpr std::uint64_t neighbor_key(row_id row, std::uint32_t distance) noexcept {
  return std::uint64_t{distance} << 32 | row;
}
constexpr neighbor<std::uint32_t> neighbor_of(std::uint64_t key) noexcept {
  return {static_cast<row_id>(key), static_cast<std::uint32_t>(key >> 32)};
}

/// Keeps the k smallest distinct (distance, row) pairs. A row offered twice comes with the same distance, so it is
/// found again where it stands. Short lists are kept sorted by insertion; long ones take offers in small batches,
/// which keeps an offer at O(32) moves.
class distinct_top_k {
 public:
  /// Forgets everything; keeps the memory it has.
  /// @param k  at least 1
  void reset(std::size_t k) {
    k_ = k;
    batch_ = k <= longest_by_insertion ? 1 : k / 32;
    kept_.clear();
    pending_.clear();
    limit_ = (std::numeric_limits<std::uint64_t>::max)();
  }

  bool full() const noexcept { return kept_.size() == k_; }
  /// Of the worst kept row; only when full.
  std::uint32_t worst_distance() const noexcept { return neighbor_of(kept_.back()).distance; }
  row_id worst_row() const noexcept { return neighbor_of(kept_.back()).id; }

  /// Rows at this distance or beyond no longer count; those one nearer count if their id is small enough.
  std::uint32_t threshold() const noexcept {
    return full() ? worst_distance() + 1 : (std::numeric_limits<std::uint32_t>::max)();
  }
  /// The same for rows of which none is below `first`.
  std::uint32_t threshold_from(row_id first) const noexcept { return threshold() - (full() && first >= worst_row()); }

  /// Whether an offer of that row could be kept.
  bool wants(row_id row, std::uint32_t distance) const noexcept { return neighbor_key(row, distance) < limit_; }

  void offer(row_id row, std::uint32_t distance) {
    const std::uint64_t key = neighbor_key(row, distance);
    if (key >= limit_) return;
    if (batch_ == 1) {
      insert(key);
    } else {
      pending_.push_back(key);
      if (pending_.size() == batch_) flush();
    }
  }

  /// Brings the kept list up to date with all offers.
  void flush() {
    if (pending_.empty()) return;
    std::sort(pending_.begin(), pending_.end());
    merged_.clear();
    auto a = kept_.begin(), b = pending_.begin();
    while (merged_.size() < k_ && (a != kept_.end() || b != pending_.end())) {
      const bool from_kept = b == pending_.end() || (a != kept_.end() && *a <= *b);
      const std::uint64_t key = from_kept ? *a++ : *b++;
      if (merged_.empty() || merged_.back() != key) merged_.push_back(key);
    }
    kept_.swap(merged_);
    pending_.clear();
    if (full()) limit_ = kept_.back();
  }

  /// The kept pairs, nearest first; after `flush`.
  std::span<const std::uint64_t> sorted() const noexcept { return kept_; }

  /// Bytes allocated.
  std::size_t memory() const noexcept {
    return (kept_.capacity() + pending_.capacity() + merged_.capacity()) * sizeof(std::uint64_t);
  }

 private:
  static constexpr std::size_t longest_by_insertion = 256;

  // Kept keys that are smaller. Halves without branches: which way a search goes cannot be predicted.
  std::size_t rank(std::uint64_t key) const noexcept {
    const std::uint64_t* first = kept_.data();
    std::size_t left = kept_.size();
    while (left > 1) {
      const std::size_t half = left / 2;
      first += half & (0 - std::size_t{first[half - 1] < key});
      left -= half;
    }
    return static_cast<std::size_t>(first - kept_.data()) + (left == 1 && *first < key);
  }

  void insert(std::uint64_t key) {
    const auto place = kept_.begin() + static_cast<std::ptrdiff_t>(rank(key));
    if (place != kept_.end() && *place == key) return;
    if (full()) {
      std::move_backward(place, kept_.end() - 1, kept_.end());
      *place = key;
    } else {
      kept_.insert(place, key);
    }
    if (full()) limit_ = kept_.back();
  }

  std::size_t k_ = 1;
  std::size_t batch_ = 1;
  std::uint64_t limit_ = (std::numeric_limits<std::uint64_t>::max)();  // keys from here on do not count
  std::vector<std::uint64_t> kept_, pending_, merged_;
};

/// Keeps every distinct row within a radius.
class distinct_in_radius {
 public:
  void reset(std::uint32_t radius) {
    radius_ = radius;
    kept_.clear();
    sorted_ = 0;
  }

  std::uint32_t threshold() const noexcept {
    return radius_ == (std::numeric_limits<std::uint32_t>::max)() ? radius_ : radius_ + 1;
  }
  std::uint32_t threshold_from(row_id) const noexcept { return threshold(); }
  bool wants(row_id, std::uint32_t distance) const noexcept { return distance <= radius_; }

  void offer(row_id row, std::uint32_t distance) {
    if (distance > radius_) return;
    kept_.push_back(neighbor_key(row, distance));
    if (kept_.size() >= 2 * sorted_ + 1024) flush();  // many tables may offer the same rows
  }

  void flush() {
    if (kept_.size() <= longest_by_comparison)
      std::sort(kept_.begin(), kept_.end());
    else
      sort_by_bytes();
    kept_.erase(std::unique(kept_.begin(), kept_.end()), kept_.end());
    sorted_ = kept_.size();
  }

  std::span<const std::uint64_t> sorted() const noexcept { return kept_; }

  /// Bytes allocated.
  std::size_t memory() const noexcept { return (kept_.capacity() + moved_.capacity()) * sizeof(std::uint64_t); }

 private:
  static constexpr std::size_t longest_by_comparison = 192;

  // A radix sort from the lowest byte up, over those bytes in which keys differ.
  void sort_by_bytes() {
    std::uint64_t differing = 0;
    for (const std::uint64_t key : kept_) differing |= key ^ kept_[0];
    moved_.resize(kept_.size());
    for (unsigned shift = 0; shift < 64; shift += 8) {
      if ((differing >> shift & 0xff) == 0) continue;
      std::array<std::uint32_t, 257> places{};
      for (const std::uint64_t key : kept_) ++places[(key >> shift & 0xff) + 1];
      for (std::size_t byte = 0; byte < 256; ++byte) places[byte + 1] += places[byte];
      for (const std::uint64_t key : kept_) moved_[places[key >> shift & 0xff]++] = key;
      kept_.swap(moved_);
    }
  }

  std::uint32_t radius_ = 0;
  std::size_t sorted_ = 0;
  std::vector<std::uint64_t> kept_, moved_;
};

}  // namespace embit::inline EMBIT_ABI::detail
