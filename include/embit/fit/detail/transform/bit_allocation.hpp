// How many bits each principal direction gets.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/encode/transform_coder.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <queue>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Dimensions that share a byte of a plane get the same bits: whole bytes are stored.
inline constexpr std::size_t allocated_together = 8;

/// Directions that have the same number of bits.
struct bit_group {
  const gaussian_quantizer* quantizer = nullptr;
  std::vector<std::size_t> directions;
};

/// Spends at most `bytes` bytes on directions of the given weights, always where a bit lowers Σ weight · distortion
/// most: eight directions of like weight at a time, of equal weights the first. Directions of weight 0 get nothing.
/// Groups come by falling bits. O(n log n).
inline std::vector<bit_group> allocate_bits(std::span<const double> weights, std::size_t bytes) {
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
  while (!order.empty() && !(weights[order.back()] > 0)) order.pop_back();

  const auto octets = (order.size() + allocated_together - 1) / allocated_together;
  const auto octet = [&](std::size_t i) {
    const std::size_t first = i * allocated_together;
    return std::span(order).subspan(first, (std::min)(allocated_together, order.size() - first));
  };
  std::vector<std::size_t> width(octets, 0);  // places in gaussian_quantizers
  using offer = std::pair<double, std::size_t>;
  const auto earlier_is_better = [](const offer& a, const offer& b) {
    return a.first != b.first ? a.first < b.first : a.second > b.second;
  };
  std::priority_queue<offer, std::vector<offer>, decltype(earlier_is_better)> offers(earlier_is_better);
  const auto cost = [&](std::size_t i) { return gaussian_quantizers[i + 1].bits - gaussian_quantizers[i].bits; };
  const auto make_offer = [&](std::size_t i) {
    const std::size_t w = width[i];
    if (w + 1 == gaussian_quantizers.size()) return;
    double weight = 0;
    for (const std::size_t direction : octet(i)) weight += weights[direction];
    const double gain = gaussian_quantizers[w].distortion - gaussian_quantizers[w + 1].distortion;
    offers.push({weight * gain / static_cast<double>(cost(w)), i});
  };
  for (std::size_t i = 0; i < octets; ++i) make_offer(i);
  while (!offers.empty()) {
    const std::size_t i = offers.top().second;
    offers.pop();
    if (cost(width[i]) > bytes) continue;
    bytes -= cost(width[i]++);
    make_offer(i);
  }

  std::vector<bit_group> groups;
  for (std::size_t w = gaussian_quantizers.size() - 1; w > 0; --w) {
    bit_group group{&gaussian_quantizers[w], {}};
    for (std::size_t i = 0; i < octets; ++i)
      if (width[i] == w) group.directions.insert(group.directions.end(), octet(i).begin(), octet(i).end());
    if (!group.directions.empty()) groups.push_back(std::move(group));
  }
  return groups;
}

/// Groups in parts of so many directions of like weight, the last one smaller.
inline std::vector<bit_group> cut_groups(std::vector<bit_group> groups, std::size_t directions) {
  std::vector<bit_group> cut;
  for (const bit_group& g : groups)
    for (std::size_t first = 0; first < g.directions.size(); first += directions) {
      const auto part = std::span(g.directions).subspan(first, (std::min)(directions, g.directions.size() - first));
      cut.push_back({g.quantizer, {part.begin(), part.end()}});
    }
  return cut;
}

/// The same where each group takes a byte more, for the scale of it that a row has.
/// @param scaled  directions that share a scale at most, or 0 where there are none
inline std::vector<bit_group> allocate_groups(std::span<const double> weights, std::size_t scaled, std::size_t bytes) {
  if (scaled == 0) return allocate_bits(weights, bytes);
  for (std::size_t scales = 1; scales < bytes; ++scales) {
    std::vector<bit_group> groups = cut_groups(allocate_bits(weights, bytes - scales), scaled);
    if (groups.size() <= scales) return groups;
  }
  return {};
}

}  // namespace embit::inline EMBIT_ABI::detail
