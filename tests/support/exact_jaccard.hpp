// All pairs of similar sets, exactly: what signatures are held against.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace support {

using element_sets = std::vector<std::vector<std::uint64_t>>;

/// Of two sorted sets.
inline double exact_jaccard(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  std::size_t common = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    common += a[i] == b[j];
    const bool first = a[i] <= b[j], second = b[j] <= a[i];
    i += first;
    j += second;
  }
  const std::size_t either = a.size() + b.size() - common;
  return either == 0 ? 1 : static_cast<double>(common) / static_cast<double>(either);
}

/// All pairs a < b of sorted sets, none of them empty, with a Jaccard similarity of `least` > 0 and more. Two such sets
/// share one of their |a| - least |a| + 1 rarest elements (Chaudhuri, Ganti and Kaushik, "A primitive operator for
/// similarity joins in data cleaning", ICDE 2006).
inline std::vector<std::pair<std::uint32_t, std::uint32_t>> exact_pairs(const element_sets& sets, double least) {
  std::unordered_map<std::uint64_t, std::uint32_t> count;
  for (const auto& set : sets)
    for (const std::uint64_t element : set) ++count[element];
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> with;
  std::vector<std::uint32_t> met(sets.size(), ~std::uint32_t{0});
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
  for (std::uint32_t b = 0; b < sets.size(); ++b) {
    std::vector<std::pair<std::uint32_t, std::uint64_t>> rare;
    for (const std::uint64_t element : sets[b]) rare.emplace_back(count[element], element);
    std::sort(rare.begin(), rare.end());
    const double size = static_cast<double>(rare.size());
    rare.resize(std::min(rare.size(), rare.size() - static_cast<std::size_t>(std::ceil(least * size - 1e-9)) + 1));
    for (const auto& element : rare) {
      auto& others = with[element.second];
      for (const std::uint32_t a : others) {
        if (met[a] == b) continue;
        met[a] = b;
        const double other = static_cast<double>(sets[a].size());
        if (std::min(size, other) < least * std::max(size, other) - 1e-9) continue;
        if (exact_jaccard(sets[a], sets[b]) >= least) pairs.emplace_back(a, b);
      }
      others.push_back(b);
    }
  }
  return pairs;
}

}  // namespace support
