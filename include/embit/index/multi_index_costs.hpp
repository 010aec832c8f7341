// What searches of a multi_index cost, by which it chooses its tables, and between them and a scan.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/search/scan_cost.hpp>

#include <cstddef>

namespace embit::inline EMBIT_ABI {

/// What searches of a multi_index cost one processor, in nanoseconds. Constants of the SIMD level rather than times of
/// this run: the same codes have the same tables in every run, and are searched in the same way.
struct multi_index_costs {
  scan_costs scan = {};
  double lookup = 0;              ///< finding a bucket
  double candidate = 0;           ///< comparing a code of a bucket, whatever its width
  double candidate_word = 0;      ///< each word of it, in tables that a large cache holds
  double far_candidate_word = 0;  ///< the same in tables that come from memory
  double gathered_word = 0;       ///< each word more where tables hold row ids only, of codes that a core's cache holds
  double far_gathered_word = 0;   ///< the same of codes that come from memory

  /// Measured on server processors of 2019 to 2024.
  static constexpr multi_index_costs of(isa level) noexcept {
    const scan_costs scan = scan_costs::of(level);
    switch (level) {
      case isa::portable: return {scan, 18, 1, 4, 4, 1.5, 5};
      case isa::vpopcnt: return {scan, 25, 0.1, 0.65, 0.85, 1.5, 5};
      case isa::avx2:
      case isa::avx512:
      case isa::neon: break;
    }
    return {scan, 32, 0.4, 0.75, 1.3, 1.5, 5};
  }
};

}  // namespace embit::inline EMBIT_ABI
