// What a scan of binary codes costs, as far as choices between ways of searching need to know.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI {

/// What a scan of interleaved binary codes by Hamming distance costs one processor, in nanoseconds a query. Constants
/// of the SIMD level rather than times of this run: whatever chooses by them chooses the same in every run.
struct scan_costs {
  double row = 0;           ///< each row, whatever its width
  double word = 0;          ///< each word of a row, for one query at a time, of codes that a core's cache holds
  double far_word = 0;      ///< the same of codes that come from memory
  double batched_row = 0;   ///< each row, for each query of a large batch
  double batched_word = 0;  ///< each word of a row, for each query of a large batch

  /// Measured on server processors of 2019 to 2024.
  static constexpr scan_costs of(isa level) noexcept {
    switch (level) {
      case isa::portable: return {0.9, 3.4, 3.4, 0.08, 0.22};
      case isa::avx512: return {0.06, 0.21, 0.26, 0.01, 0.06};
      case isa::vpopcnt: return {0.04, 0.095, 0.26, 0.03, 0.055};
      case isa::avx2:
      case isa::neon: break;
    }
    return {0.07, 0.23, 0.26, 0.05, 0.135};
  }

  /// For each query of a batch of `queries` that `workers` share.
  constexpr double for_each_of(std::size_t queries, std::size_t workers, std::size_t rows,
                               std::size_t words) const noexcept {
    const double n = static_cast<double>(rows), w = static_cast<double>(words);
    const bool cached = rows * words * sizeof(std::uint64_t) <= cache_bytes;
    const double single = n * (row + w * (cached ? word : far_word));
    const double batched = (std::min)(single, n * (batched_row + w * batched_word));
    const double batch = static_cast<double>(std::clamp<std::size_t>(queries, 1, full_batch) - 1) / (full_batch - 1);
    const double split = static_cast<double>(std::max<std::size_t>(workers / std::max<std::size_t>(queries, 1), 1));
    return (single + (batched - single) * batch) / split;
  }

  /// Codes that the cache of one core holds.
  static constexpr std::size_t cache_bytes = std::size_t{1} << 21;
  /// Queries from which on a scan is at its cheapest for each.
  static constexpr std::size_t full_batch = 64;
};

}  // namespace embit::inline EMBIT_ABI
