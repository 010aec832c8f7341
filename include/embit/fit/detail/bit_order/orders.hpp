// Orders of bits of which short prefixes tell the most.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/types.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Codes bit by bit: how often a bit is set, and how often two of them are together.
class bit_planes {
 public:
  explicit bit_planes(code_view<> codes) : rows_(codes.size()), words_(words_for(codes.size())) {
    planes_.assign(codes.bits() * words_, 0);
    for (std::size_t i = 0; i < rows_; ++i)
      for (std::size_t bit = 0; bit < codes.bits(); ++bit)
        planes_[bit * words_ + i / word_bits] |= (codes[i][bit / word_bits] >> bit % word_bits & 1) << i % word_bits;
  }

  double mean(std::size_t bit) const noexcept { return covered(bit, bit); }
  double covariance(std::size_t a, std::size_t b) const noexcept { return covered(a, b) - mean(a) * mean(b); }

 private:
  double covered(std::size_t a, std::size_t b) const noexcept {
    std::size_t both = 0;
    for (std::size_t w = 0; w < words_; ++w)
      both += static_cast<std::size_t>(std::popcount(planes_[a * words_ + w] & planes_[b * words_ + w]));
    return rows_ == 0 ? 0 : static_cast<double>(both) / static_cast<double>(rows_);
  }

  std::size_t rows_, words_;
  std::vector<word> planes_;  // bit by bit
};

/// The distance by the bits that are taken, over pairs of codes: its mean and its variance, and its covariance with
/// each bit.
class distance_moments {
 public:
  /// @param differences  codes with a bit set where a pair differs
  explicit distance_moments(code_view<> differences) : planes_(differences), shared_(differences.bits(), 0.) {
    for (std::size_t bit = 0; bit < shared_.size(); ++bit) {
      means_.push_back(planes_.mean(bit));
      variances_.push_back(means_[bit] * (1 - means_[bit]));
    }
  }
  double mean_with(std::size_t bit) const noexcept { return mean_ + means_[bit]; }
  double variance_with(std::size_t bit) const noexcept { return variance_ + variances_[bit] + 2 * shared_[bit]; }
  void take(std::size_t bit) {
    mean_ = mean_with(bit);
    variance_ = variance_with(bit);
    for (std::size_t other = 0; other < shared_.size(); ++other) shared_[other] += planes_.covariance(bit, other);
  }

 private:
  bit_planes planes_;
  std::vector<double> means_, variances_, shared_;
  double mean_ = 0, variance_ = 0;
};

/// Takes bit after bit so that distances by the bits taken tell neighbours from others best: the difference of the mean
/// distances of the two kinds of pairs, in standard deviations of either, is as large as a bit can make it.
/// O(bits² · pairs / 64).
inline std::vector<std::uint32_t> telling_order(code_view<> of_neighbors, code_view<> of_others) {
  const std::size_t bits = of_neighbors.bits();
  distance_moments near_by(of_neighbors), apart(of_others);
  std::vector<std::uint32_t> order;
  std::vector<bool> taken(bits, false);
  while (order.size() < bits) {
    std::size_t best = bits;
    double most = 0;
    for (std::size_t bit = 0; bit < bits; ++bit) {
      if (taken[bit]) continue;
      const double gap = apart.mean_with(bit) - near_by.mean_with(bit);
      const double spread = (std::max)(apart.variance_with(bit) + near_by.variance_with(bit), 1e-9);
      const double score = gap / std::sqrt(spread);
      if (best != bits && score <= most) continue;
      best = bit;
      most = score;
    }
    taken[best] = true;
    order.push_back(static_cast<std::uint32_t>(best));
    near_by.take(best);
    apart.take(best);
  }
  return order;
}

/// Takes bit after bit the one that varies most beside what those taken predict of it: principal components among the
/// bits themselves (a pivoted Cholesky decomposition of their covariances). O(bits³ + bits² · rows / 64).
inline std::vector<std::uint32_t> variance_order(code_view<> codes) {
  const std::size_t bits = codes.bits();
  const bit_planes planes(codes);
  std::vector<double> left(bits);  // variance of each bit, without what is predicted
  for (std::size_t bit = 0; bit < bits; ++bit) left[bit] = planes.covariance(bit, bit);
  std::vector<std::vector<double>> columns;
  std::vector<std::uint32_t> order;
  std::vector<bool> taken(bits, false);
  while (order.size() < bits) {
    std::size_t best = bits;
    for (std::size_t bit = 0; bit < bits; ++bit)
      if (!taken[bit] && (best == bits || left[bit] > left[best])) best = bit;
    taken[best] = true;
    order.push_back(static_cast<std::uint32_t>(best));
    const double pivot = std::sqrt((std::max)(left[best], 1e-9));
    std::vector<double>& column = columns.emplace_back(bits, 0.);
    for (std::size_t bit = 0; bit < bits; ++bit) {
      if (taken[bit]) continue;
      double shared = planes.covariance(best, bit);
      for (std::size_t c = 0; c + 1 < columns.size(); ++c) shared -= columns[c][best] * columns[c][bit];
      column[bit] = shared / pivot;
      left[bit] -= column[bit] * column[bit];
    }
  }
  return order;
}

}  // namespace embit::inline EMBIT_ABI::detail
