// The k nearest of float distances offered in any order, at a constant cost an offer: counted in bins, sorted once.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Keeps the k nearest of what it is offered, ties by the smaller row: what comes out does not depend on the order of
/// the offers. The first rows are kept as they come. From them on distances are counted in 256 bins between the nearest
/// and the farthest; as soon as k rows lie in the bins before, the last bin no longer counts. An offer is O(1),
/// amortized, and of many at once none waits for a guess where the one before went.
class counting_top_k {
 public:
  using neighbor_type = neighbor<float>;

  /// Forgets everything; keeps the memory it has.
  /// @param k      at least 1
  /// @param names  null, or what the rows that are offered are called: results have these names, which are looked up
  ///               for results and between equal distances alone
  void reset(std::size_t k, const row_id* names = nullptr) {
    k_ = k;
    names_ = names;
    bounded_ = false;
    limit_ = detail::infinity<float>();
    size_ = 0;
  }

  std::size_t k() const noexcept { return k_; }
  /// Whether there is a bound to what counts.
  bool bounded() const noexcept { return bounded_; }
  /// Distances beyond it do not count; infinity as long as there is none.
  float bound() const noexcept { return limit_; }
  /// Rows that are wanted until there is a bound.
  std::size_t wanted() const noexcept { return bounded_ || size_ >= open_rows() ? 0 : open_rows() - size_; }
  /// Whether k rows are kept.
  bool full() const noexcept { return size_ >= k_; }

  /// A distance that is not a number counts as infinite.
  void offer(row_id row, float distance) {
    offer_all(1, [&](std::size_t) { return neighbor_type{row, distance}; });
  }

  /// Offers `at(0)`, …, `at(count - 1)`, neighbors.
  template <class At>
  void offer_all(std::size_t count, const At& at) {
    if (kept_.size() < size_ + count) kept_.resize((std::max)(size_ + count, 2 * kept_.size()));
    if (bounded_) {
      for (std::size_t i = 0; i < count; ++i) {
        const neighbor_type& n = kept_[size_] = tamed(at(i));
        const std::size_t bin = bin_of(n.distance), counts = bin <= top_;
        counts_[bin] += static_cast<std::uint32_t>(counts);
        size_ += counts;
        total_ += counts;
      }
      if (total_ - counts_[top_] >= k_) lower();
      if (size_ >= most_kept()) renew_bins();
    } else {
      for (std::size_t i = 0; i < count; ++i) kept_[size_++] = tamed(at(i));
      if (size_ >= open_rows()) set_bins();
    }
  }

  /// The k nearest, in order, or all of fewer; valid until the next reset, before which nothing is offered any more.
  std::span<const neighbor_type> sorted() {
    if (bounded_ && total_ > few && scale_ != 0) {
      sort_by_bins();
    } else {
      if (bounded_) drop_beyond();
      cut();
      std::sort(kept_.begin(), end(), order());
    }
    size_ = (std::min)(size_, k_);
    if (names_ != nullptr)
      for (std::size_t i = 0; i < size_; ++i) kept_[i].id = names_[kept_[i].id];
    return std::span<const neighbor_type>(kept_).first(size_);
  }

  /// Bytes allocated.
  std::size_t memory() const noexcept { return (kept_.capacity() + ordered_.capacity()) * sizeof(neighbor_type); }

 private:
  static constexpr std::size_t bins = 256, few = 24, most_insertions = 8;

  /// As neighbor_order, by the names of rows.
  struct name_order {
    const row_id* names;
    bool operator()(const neighbor_type& a, const neighbor_type& b) const noexcept {
      if (a.distance < b.distance) return true;
      if (b.distance < a.distance) return false;
      return names == nullptr ? a.id < b.id : names[a.id] < names[b.id];
    }
  };
  name_order order() const noexcept { return {names_}; }

  std::size_t open_rows() const noexcept { return k_ + 16; }
  std::size_t most_kept() const noexcept { return 4 * k_ + 256; }
  std::vector<neighbor_type>::iterator end() noexcept { return kept_.begin() + static_cast<std::ptrdiff_t>(size_); }

  static neighbor_type tamed(neighbor_type n) noexcept {
    if (detail::is_nan(n.distance)) n.distance = detail::infinity<float>();
    return n;
  }

  /// `bins` for what is beyond all.
  std::size_t bin_of(float distance) const noexcept {
    if (scale_ == 0) return distance <= limit_ ? 0 : bins;
    const float place = (std::min)((distance - lowest_) * scale_, static_cast<float>(bins));
    return static_cast<std::size_t>(static_cast<std::int32_t>((std::max)(place, 0.f)));
  }

  /// Forgets rows in bins that no longer count.
  void drop_beyond() noexcept {
    std::size_t left = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      kept_[left] = kept_[i];
      left += bin_of(kept_[i].distance) <= top_;
    }
    size_ = left;
  }

  /// To the k nearest, exactly.
  void cut() {
    if (size_ <= k_) return;
    std::nth_element(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(k_ - 1), end(), order());
    size_ = k_;
  }

  /// Finer bins, once many rows were kept and dropped.
  void renew_bins() {
    drop_beyond();
    if (size_ > most_kept() / 2) cut();
    set_bins();
  }

  /// Counts what is kept, and what comes from now on.
  void set_bins() {
    float nearest = detail::infinity<float>(), farthest = -nearest;
    for (std::size_t i = 0; i < size_; ++i) {
      nearest = (std::min)(nearest, kept_[i].distance);
      farthest = (std::max)(farthest, kept_[i].distance);
    }
    // What comes may be nearer than all so far: the first quarter of the bins is for it.
    const float range = (farthest - nearest) * 1.25f;
    lowest_ = farthest - range;
    scale_ = static_cast<float>(bins - 1) / range;
    bounded_ = detail::is_positive(range) && detail::is_finite(scale_) && detail::is_finite(lowest_);
    counts_.fill(0);
    total_ = size_;
    if (!bounded_) return keep_all_up_to_last();
    for (std::size_t i = 0; i < size_; ++i) ++counts_[bin_of(kept_[i].distance)];
    top_ = bin_of(farthest);
    lower();
  }

  /// Where bins tell nothing, as among equal distances: one bin up to the k-th.
  void keep_all_up_to_last() {
    cut();
    float farthest = -detail::infinity<float>();
    for (std::size_t i = 0; i < size_; ++i) farthest = (std::max)(farthest, kept_[i].distance);
    bounded_ = true;
    scale_ = 0;
    top_ = 0;
    counts_[0] = static_cast<std::uint32_t>(total_ = size_);
    limit_ = farthest;
  }

  void lower() {
    while (top_ > 0 && total_ - counts_[top_] >= k_) total_ -= counts_[top_--];
    if (scale_ != 0) set_limit();
  }

  /// No distance of a bin that counts is beyond the limit, however the two are rounded.
  void set_limit() {
    const float edge = lowest_ + static_cast<float>(top_ + 1) / scale_;
    limit_ = edge + 1e-6f * (std::abs(edge) + std::abs(lowest_));
  }

  /// Puts rows of bins that count into the order of their bins, in which few have to move.
  void sort_by_bins() {
    std::array<std::uint32_t, bins + 2> place;
    std::uint32_t most = 0;
    place[0] = 0;
    for (std::size_t b = 0; b <= top_; ++b) {
      place[b + 1] = place[b] + counts_[b];
      most = (std::max)(most, counts_[b]);
    }
    place[bins + 1] = 0;
    ordered_.resize(size_ + 1);
    for (std::size_t i = 0; i < size_; ++i) {
      const std::size_t bin = bin_of(kept_[i].distance);
      // What no longer counts is written behind the rest, again and again.
      ordered_[bin <= top_ ? place[bin]++ : size_] = kept_[i];
    }
    size_ = total_;
    kept_.swap(ordered_);
    if (most <= most_insertions) return insert_in_order();
    for (std::size_t bin = 0, first = 0; bin <= top_; first = place[bin++])
      if (place[bin] - first > 1)
        std::sort(kept_.begin() + static_cast<std::ptrdiff_t>(first),
                  kept_.begin() + static_cast<std::ptrdiff_t>(place[bin]), order());
  }

  void insert_in_order() {
    const name_order before = order();
    for (std::size_t i = 1; i < size_; ++i) {
      const neighbor_type moved = kept_[i];
      std::size_t at = i;
      for (; at > 0 && before(moved, kept_[at - 1]); --at) kept_[at] = kept_[at - 1];
      kept_[at] = moved;
    }
  }

  std::size_t k_ = 1;
  const row_id* names_ = nullptr;
  bool bounded_ = false;
  float lowest_ = 0, scale_ = 0, limit_ = 0;
  std::size_t top_ = 0;    // the last bin that counts
  std::size_t total_ = 0;  // rows kept in the bins that count
  std::array<std::uint32_t, bins + 1> counts_{};
  std::vector<neighbor_type> kept_, ordered_;  // of the former the first `size_`
  std::size_t size_ = 0;
};

}  // namespace embit::inline EMBIT_ABI
