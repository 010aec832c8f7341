// Rows that agree in a band of their codes, brought together by sorting.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/plan_bands.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/types.hpp>
#include <embit/search/detail/join/bucket_sort.hpp>
#include <embit/search/detail/join/rows.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// The bands of codes: band i is `width` bits from bit i · width on. The rows of a second set, where there is one, are
/// numbered after those of the first.
struct band_view {
  join_rows first, second;
  std::size_t width, bands;

  std::size_t rows() const noexcept { return first.size + second.size; }
  /// Whether two rows agree in a band.
  bool agree(row_id a, row_id b, std::size_t band) const noexcept {
    const word* const x = code(a);
    const word* const y = code(b);
    word differing = 0;
    for_each_word(band, [&](std::size_t w, word mask) { differing |= (x[w] ^ y[w]) & mask; });
    return differing == 0;
  }
  /// Whether they do in one before it.
  bool agree_before(row_id a, row_id b, std::size_t band) const noexcept {
    while (band-- != 0)
      if (agree(a, b, band)) return true;
    return false;
  }
  word hash(row_id row, std::size_t band) const noexcept {
    const word* const x = code(row);
    word hash = 0;
    for_each_word(band, [&](std::size_t w, word mask) {
      hash = (hash ^ (x[w] & mask)) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 32;
    });
    return hash * 0xd6e8feb86659fd93u;
  }

 private:
  const word* code(row_id row) const noexcept {
    return row < first.size ? first.code(row) : second.code(row - first.size);
  }

  template <class F>
  void for_each_word(std::size_t band, F&& f) const noexcept {
    const std::size_t begin = band * width, last = begin + width - 1;
    const word head = ~word{0} << begin % word_bits, tail = ~word{0} >> (word_bits - 1 - last % word_bits);
    for (std::size_t w = begin / word_bits; w <= last / word_bits; ++w)
      f(w, (w == begin / word_bits ? head : ~word{0}) & (w == last / word_bits ? tail : ~word{0}));
  }
};

/// A row under the hash of its band.
struct band_entry {
  std::uint32_t hash;
  row_id row;
};

/// A run of more rows is shared among the workers, since it is all that there may be.
inline constexpr std::size_t longest_own_run = 2048;

/// Calls `visit(run, band, worker)` for every two or more rows whose bands have one hash, in ascending order; rows that
/// agree in a band are of one run, those of one run mostly agree. Workers share the runs of a band, and all are done
/// before the next band. Runs of more than `longest_own_run` rows come after the others of their band, one at a time to
/// `visit_long(run, band)`, which may share each among the workers. 8 bytes a row; O(bands · rows · log(rows of a
/// bucket)).
template <class Visit, class VisitLong>
void for_each_band_run(const band_view& view, const executor_ref& executor, Visit&& visit, VisitLong&& visit_long) {
  const std::size_t rows = view.rows();
  // About 2048 rows a bucket, so that it is sorted in a cache.
  const auto bucket_bits = static_cast<std::size_t>(std::clamp(static_cast<int>(std::bit_width(rows)) - 11, 1, 16));
  aligned_vector<band_entry> entries(rows);
  aligned_vector<std::uint32_t> start;
  std::vector<std::vector<std::span<const band_entry>>> long_runs(executor.concurrency());
  for (std::size_t band = 0; band < view.bands; ++band) {
    sort_into_buckets(
        executor, rows, std::size_t{1} << bucket_bits, start,
        [&](std::size_t row) { return view.hash(static_cast<row_id>(row), band) >> (word_bits - bucket_bits); },
        [&](std::size_t row, std::size_t place) {
          const word hash = view.hash(static_cast<row_id>(row), band);
          entries[place] = {static_cast<std::uint32_t>(hash >> 8), static_cast<row_id>(row)};
        });
    run_bulk(executor, start.size() - 1, [&](std::size_t bucket, std::size_t worker) {
      const std::span<band_entry> all(entries.data() + start[bucket], start[bucket + 1] - start[bucket]);
      std::sort(all.begin(), all.end(), [](const band_entry& a, const band_entry& b) {
        return a.hash != b.hash ? a.hash < b.hash : a.row < b.row;
      });
      for (std::size_t first = 0, last; first < all.size(); first = last) {
        for (last = first + 1; last < all.size() && all[last].hash == all[first].hash;) ++last;
        const std::span<const band_entry> run = all.subspan(first, last - first);
        if (run.size() > longest_own_run)
          long_runs[worker].push_back(run);
        else if (run.size() > 1)
          visit(run, band, worker);
      }
    });
    for (auto& runs : long_runs) {
      for (const auto& run : runs) visit_long(run, band);
      runs.clear();
    }
  }
}

}  // namespace embit::inline EMBIT_ABI::detail
