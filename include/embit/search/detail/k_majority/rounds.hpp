// Rounds of k-means over binary codes, where a mean is a majority of bits.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/grouped_rows.hpp>
#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/search/code_partition.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Counts how often each bit of words of codes is set, 64 bits at a time: bit j of `planes_[p]` is bit p of the count
/// of bit j. Adding is a ripple of carries, of which two words a code are the average.
class bit_votes {
 public:
  void add(word bits) noexcept {
    ++votes_;
    for (std::size_t p = 0; bits != 0; ++p) {
      const word carry = planes_[p] & bits;
      planes_[p] ^= bits;
      bits = carry;
    }
  }
  /// Bits that are set in more than half of what was added, and those of `tied` that are in exactly half.
  word majority(word tied) const noexcept {
    word set = 0;
    for (std::size_t j = 0; j < word_bits; ++j) {
      std::uint64_t count = 0;
      for (std::size_t p = 0; (votes_ >> p) != 0; ++p) count |= (planes_[p] >> j & 1) << p;
      const bool wins = 2 * count == votes_ ? (tied >> j & 1) != 0 : 2 * count > votes_;
      set |= word{wins} << j;
    }
    return set;
  }

 private:
  std::uint64_t votes_ = 0;
  word planes_[33]{};  // no more codes than row ids can number
};

/// The rows of each cell.
inline grouped_rows rows_by_cell(std::span<const neighbor<std::uint32_t>> cells, std::size_t count) {
  return grouped_rows(cells.size(), count, [&](std::size_t row) { return std::size_t{cells[row].id}; });
}

/// Moves each centroid to the majority of its codes. One without any becomes a random code.
template <class Rng>
void move_to_majority(const code_store<>& codes, const grouped_rows& members, code_store<>& centroids, Rng& rng) {
  for (std::size_t c = 0; c < centroids.size(); ++c) {
    const auto rows = members.of(c);
    const auto centroid = centroids.row(c);
    if (rows.empty()) {
      codes.copy_row(static_cast<std::size_t>(uniform_index(rng, codes.size())), centroid);
      continue;
    }
    for (std::size_t w = 0; w < centroid.size(); ++w) {
      bit_votes votes;
      for (const row_id row : rows) votes.add(codes[row][w]);
      centroid[w] = votes.majority(centroid[w]);
    }
  }
}

/// Told the mean distance of codes to their centroids in each round; false ends the rounds.
using majority_watch = std::function<bool(double)>;

inline double mean_distance(std::span<const neighbor<std::uint32_t>> cells) {
  double total = 0;
  for (const auto& c : cells) total += c.distance;
  return total / static_cast<double>(cells.size());
}

/// Lloyd's rounds over all centroids, from those that are given.
template <class Rng>
void majority_rounds(const code_store<>& codes, code_store<>& centroids, std::size_t rounds, Rng& rng,
                     const executor_ref& executor, const majority_watch& watch) {
  for (std::size_t t = 0; t < rounds; ++t) {
    const auto cells = code_partition(centroids).assign(codes, executor);
    move_to_majority(codes, rows_by_cell(cells, centroids.size()), centroids, rng);
    if (watch && !watch(mean_distance(cells))) break;
  }
}

}  // namespace embit::inline EMBIT_ABI::detail
