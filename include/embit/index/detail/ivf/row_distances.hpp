// How far the rows of lists are from the centroids of these, which tells when lists no longer fit their rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/types.hpp>
#include <embit/io/metadata.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace embit::inline EMBIT_ABI::detail {

/// Of some rows, how many they are and the sum of their distances.
struct row_distances {
  std::size_t rows = 0;
  double sum = 0;

  void count(double distance) noexcept {
    ++rows;
    sum += distance;
  }
  row_distances& operator+=(const row_distances& other) noexcept {
    rows += other.rows;
    sum += other.sum;
    return *this;
  }
  double mean() const noexcept { return rows == 0 ? 0 : sum / static_cast<double>(rows); }
};

/// Of the rows that lists were made of, and of those added since.
struct list_drift {
  row_distances built, added;

  /// The mean distance of the latter as a multiple of that of the former; 1 where there are none of either.
  /// @param least  what counts as a distance
  double ratio(double least) const noexcept {
    if (built.rows == 0 || added.rows == 0) return 1;
    const double before = (std::max)(built.mean(), least), since = (std::max)(added.mean(), least);
    return since == before ? 1 : since / before;
  }

  /// u64 rows, f64 sum of their distances, of either.
  void write_to(metadata_writer& out) const {
    for (const row_distances* d : {&built, &added}) out.u64(d->rows).f64(d->sum);
  }
  /// Rows that were removed and dropped since are counted, so that there may be more than the index has.
  /// @throws error errc::format for more rows than can be numbered, and for sums that are no sums of distances.
  static list_drift read_from(metadata_reader& in) {
    constexpr std::uint64_t most = (std::numeric_limits<row_id>::max)();
    list_drift read;
    for (row_distances* d : {&read.built, &read.added}) {
      const std::uint64_t rows = in.u64();
      d->sum = in.f64();
      if (rows > most || !is_between(d->sum, 0., double{0x1p160})) in.refuse("distances of ", rows, ": ", d->sum);
      d->rows = static_cast<std::size_t>(rows);
    }
    return read;
  }
};

}  // namespace embit::inline EMBIT_ABI::detail
