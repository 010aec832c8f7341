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
/// and the k-th; as soon as k rows lie in the bins before, the last bin no longer counts. An offer is O(1), amortized.
class counting_top_k {
 public:
  using neighbor_type = neighbor<float>;

  /// Forgets everything; keeps the memory it has. @param k  at least 1
  void reset(std::size_t k) {
    k_ = k;
    bounded_ = false;
    limit_ = detail::infinity<float>();
    kept_.clear();
  }

  std::size_t k() const noexcept { return k_; }
  /// Whether there is a bound to what counts.
  bool bounded() const noexcept { return bounded_; }
  /// Distances beyond it do not count; infinity as long as there is none.
  float bound() const noexcept { return limit_; }
  /// Rows that are wanted until there is a bound.
  std::size_t wanted() const noexcept {
    return bounded_ || kept_.size() >= open_rows() ? 0 : open_rows() - kept_.size();
  }
  /// Whether k rows are kept.
  bool full() const noexcept { return kept_.size() >= k_; }

  /// A distance that is not a number counts as infinite.
  void offer(row_id row, float distance) {
    if (detail::is_nan(distance)) distance = detail::infinity<float>();
    if (!bounded_) {
      kept_.push_back({row, distance});
      if (kept_.size() >= open_rows()) set_bins();
      return;
    }
    const std::size_t bin = bin_of(distance);
    if (bin > top_) return;
    kept_.push_back({row, distance});
    ++counts_[bin];
    ++total_;
    if (total_ - counts_[top_] >= k_) lower();
    if (kept_.size() >= most_kept()) set_bins();
  }

  /// The k nearest, in order, or all of fewer; valid until the next offer or reset.
  std::span<const neighbor_type> sorted() {
    if (kept_.size() > k_) {
      if (bounded_) std::erase_if(kept_, [this](const neighbor_type& n) { return bin_of(n.distance) > top_; });
      cut();
    }
    if (bounded_ && kept_.size() > few) {
      sort_by_bins();
    } else {
      std::sort(kept_.begin(), kept_.end(), neighbor_order<std::less<>>{});
    }
    return kept_;
  }

  /// Bytes allocated.
  std::size_t memory() const noexcept { return (kept_.capacity() + ordered_.capacity()) * sizeof(neighbor_type); }

 private:
  static constexpr std::size_t bins = 256, few = 24;

  std::size_t open_rows() const noexcept { return k_ + 16; }
  std::size_t most_kept() const noexcept { return 4 * k_ + 256; }

  std::size_t bin_of(float distance) const noexcept {
    if (scale_ == 0) return distance <= limit_ ? 0 : bins;
    const float place = (distance - lowest_) * scale_;
    return place < static_cast<float>(bins) ? static_cast<std::size_t>((std::max)(place, 0.f)) : bins;
  }

  void cut() {
    if (kept_.size() <= k_) return;
    const auto last = kept_.begin() + static_cast<std::ptrdiff_t>(k_ - 1);
    std::nth_element(kept_.begin(), last, kept_.end(), neighbor_order<std::less<>>{});
    kept_.resize(k_);
  }

  /// Cuts to the k nearest, exactly, and counts from them on.
  void set_bins() {
    cut();
    float nearest = detail::infinity<float>(), farthest = -nearest;
    for (const neighbor_type& n : kept_) {
      nearest = (std::min)(nearest, n.distance);
      farthest = (std::max)(farthest, n.distance);
    }
    // What comes may be nearer than all so far: the first quarter of the bins is for it.
    const float range = (farthest - nearest) * 1.25f;
    lowest_ = farthest - range;
    scale_ = static_cast<float>(bins - 1) / range;
    bounded_ = detail::is_positive(range) && detail::is_finite(scale_) && detail::is_finite(lowest_);
    if (!bounded_) return keep_all_up_to(farthest);
    top_ = bins - 1;
    counts_.fill(0);
    total_ = kept_.size();
    for (const neighbor_type& n : kept_) ++counts_[(std::min)(bin_of(n.distance), bins - 1)];
    top_ = (std::min)(bin_of(farthest), bins - 1);
    set_limit();
  }

  /// Where bins tell nothing, as among equal distances: one bin up to the farthest.
  void keep_all_up_to(float farthest) {
    bounded_ = true;
    scale_ = 0;
    top_ = 0;
    counts_.fill(0);
    counts_[0] = static_cast<std::uint32_t>(total_ = kept_.size());
    limit_ = farthest;
  }

  void lower() {
    while (top_ > 0 && total_ - counts_[top_] >= k_) total_ -= counts_[top_--];
    set_limit();
  }

  /// No distance of a bin that counts is beyond the limit, however the two are rounded.
  void set_limit() {
    const float edge = lowest_ + static_cast<float>(top_ + 1) / scale_;
    limit_ = edge + 1e-6f * (std::abs(edge) + std::abs(lowest_));
  }

  /// Puts rows into the order of their bins, in which few have to move.
  void sort_by_bins() {
    std::array<std::uint32_t, bins + 1> place{};
    for (const neighbor_type& n : kept_) ++place[(std::min)(bin_of(n.distance), bins - 1) + 1];
    for (std::size_t b = 1; b <= bins; ++b) place[b] += place[b - 1];
    ordered_.resize(kept_.size());
    for (const neighbor_type& n : kept_) ordered_[place[(std::min)(bin_of(n.distance), bins - 1)]++] = n;
    kept_.swap(ordered_);
    const neighbor_order<std::less<>> before{};
    for (std::size_t first = 0, last = 0; first < kept_.size(); first = last) {
      const std::size_t bin = bin_of(kept_[first].distance);
      for (last = first + 1; last < kept_.size() && bin_of(kept_[last].distance) == bin;) ++last;
      if (last - first > 1)
        std::sort(kept_.begin() + static_cast<std::ptrdiff_t>(first), kept_.begin() + static_cast<std::ptrdiff_t>(last),
                  before);
    }
  }

  std::size_t k_ = 1;
  bool bounded_ = false;
  float lowest_ = 0, scale_ = 0, limit_ = 0;
  std::size_t top_ = 0;    // the last bin that counts
  std::size_t total_ = 0;  // rows kept in the bins that count
  std::array<std::uint32_t, bins> counts_{};
  std::vector<neighbor_type> kept_, ordered_;
};

}  // namespace embit::inline EMBIT_ABI
