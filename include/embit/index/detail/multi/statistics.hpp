// What searches of a multi-index report.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/search/scan.hpp>

#include <cstddef>

namespace embit::inline EMBIT_ABI {

/// What searches of a multi_index did.
struct multi_index_statistics {
  std::size_t lookups = 0;      ///< buckets looked up
  std::size_t candidates = 0;   ///< codes compared in them
  std::size_t survivors = 0;    ///< of those, near enough for the result list at that time
  std::size_t probed = 0;       ///< queries answered from the tables
  std::size_t scanned = 0;      ///< queries answered by a scan that was chosen at once
  std::size_t bailed_out = 0;   ///< queries that began with the tables and ended with a scan
  search_statistics scan = {};  ///< of the scans, that of rows not yet in the tables included

  multi_index_statistics& operator+=(const multi_index_statistics& other) noexcept {
    lookups += other.lookups;
    candidates += other.candidates;
    survivors += other.survivors;
    probed += other.probed;
    scanned += other.scanned;
    bailed_out += other.bailed_out;
    scan += other.scan;
    return *this;
  }
};

}  // namespace embit::inline EMBIT_ABI
