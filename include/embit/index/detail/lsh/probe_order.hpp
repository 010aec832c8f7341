// Which buckets beside a query's own are looked up, and in which order.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// The masks of flipped bits over `bits` (at most 32) of them, fewer flips first, then the smaller mask; none first.
class flips_by_weight {
 public:
  explicit flips_by_weight(std::size_t bits) noexcept : limit_(std::uint64_t{1} << bits) {}

  std::uint32_t mask() const noexcept { return static_cast<std::uint32_t>(mask_); }

  /// False after the last mask.
  bool next() noexcept {
    if (mask_ == limit_ - 1) return false;
    if (mask_ == 0) {
      mask_ = 1;
      return true;
    }
    // The next number with as many bits set: the lowest run moves its top bit up and the rest down.
    const std::uint64_t lowest = mask_ & (~mask_ + 1), carried = mask_ + lowest;
    const std::uint64_t following = carried | (((carried ^ mask_) / lowest) >> 2);
    mask_ = following < limit_ ? following : (std::uint64_t{2} << std::popcount(mask_)) - 1;
    return true;
  }

 private:
  std::uint64_t limit_;
  std::uint64_t mask_ = 0;
};

/// The buckets of all tables in the order of their distance from the query: the sum of the squared margins of the bits
/// that are flipped, ties by table and then by mask. A heap holds sets of flips; a set makes two later ones, by moving
/// its costliest flip on to the next costlier bit, or by adding that bit.
/// Lv, Josephson, Wang, Charikar and Li, "Multi-probe LSH", VLDB 2007, section 4.4.
class flips_by_margin {
 public:
  struct probe {
    std::size_t table;
    std::uint32_t mask;
  };

  /// @param margins  tables · bits of them, table by table, finite; their signs do not matter
  void reset(std::span<const float> margins, std::size_t tables, std::size_t bits) {
    tables_ = tables;
    bits_ = bits;
    handed_out_ = 0;
    order_.resize(margins.size());
    cost_.resize(margins.size());
    for (std::size_t t = 0; t < tables; ++t) {
      const float* const of_table = margins.data() + t * bits;
      std::array<std::uint64_t, 32> ranked;  // margins are in the order of their bits but for the sign
      for (std::size_t bit = 0; bit < bits; ++bit)
        ranked[bit] = std::uint64_t{std::bit_cast<std::uint32_t>(of_table[bit]) & 0x7fffffffu} << 8 | bit;
      std::sort(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(bits));
      for (std::size_t rank = 0; rank < bits; ++rank) {
        const double margin{std::bit_cast<float>(static_cast<std::uint32_t>(ranked[rank] >> 8))};
        order_[t * bits + rank] = static_cast<std::uint8_t>(ranked[rank]);
        cost_[t * bits + rank] = margin * margin;
      }
    }
    heap_.clear();
    for (std::size_t t = 0; t < tables; ++t) push({cost_[t * bits], t, 1});
  }

  /// The next bucket: the query's own of every table first. False after the last one.
  bool next(probe& out) {
    if (handed_out_ < tables_) {
      out = {handed_out_++, 0};
      return true;
    }
    if (heap_.empty()) return false;
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const flips found = heap_.back();
    heap_.pop_back();
    const auto top = static_cast<std::size_t>(std::bit_width(found.ranks)) - 1;
    if (top + 1 < bits_) {
      const double* const cost = cost_.data() + found.table * bits_;
      const std::uint32_t here = std::uint32_t{1} << top;
      push({found.cost + cost[top + 1], found.table, found.ranks | here << 1});
      push({found.cost + (cost[top + 1] - cost[top]), found.table, (found.ranks ^ here) | here << 1});
    }
    out = {found.table, mask_of(found)};
    return true;
  }

 private:
  struct flips {
    double cost;
    std::size_t table;
    std::uint32_t ranks;  // the set, by the rank of a bit's margin in its table
  };

  // Without branches, which a heap's comparisons make unpredictable. Costs are not negative, so that their bits are in
  // their order.
  static bool later(const flips& a, const flips& b) noexcept {
    const auto cost_a = std::bit_cast<std::uint64_t>(a.cost), cost_b = std::bit_cast<std::uint64_t>(b.cost);
    const std::uint64_t set_a = std::uint64_t{a.table} << 32 | a.ranks, set_b = std::uint64_t{b.table} << 32 | b.ranks;
    return (cost_a > cost_b) | ((cost_a == cost_b) & (set_a > set_b));
  }
  void push(const flips& f) {
    heap_.push_back(f);
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  std::uint32_t mask_of(const flips& f) const noexcept {
    std::uint32_t mask = 0;
    for (std::uint32_t rest = f.ranks; rest != 0; rest &= rest - 1)
      mask |= std::uint32_t{1} << order_[f.table * bits_ + static_cast<std::size_t>(std::countr_zero(rest))];
    return mask;
  }

  std::size_t tables_ = 0, bits_ = 0, handed_out_ = 0;
  std::vector<std::uint8_t> order_;  // the bits of every table, smallest margin first
  std::vector<double> cost_;         // their squared margins
  std::vector<flips> heap_;
};

}  // namespace embit::inline EMBIT_ABI::detail
