// The scan of runs of B-bit codes by one query, each run with a base of its own: what inverted lists are read with.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/half.hpp>
#include <embit/core/isa.hpp>
#include <embit/kernel/level_scan.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace embit::inline EMBIT_ABI {

/// A row within the limit of a scan, counted from the first row of the run, and its distance.
using level_hit = detail::level_hit;

/// Scans runs by prepared queries. Holds what a scan writes: one for each thread.
class level_run_scan {
 public:
  /// @throws error errc::unsupported for a level that this machine cannot run.
  explicit level_run_scan(isa level = active_isa()) : scan_(detail::ops_at<detail::level_scan_ops>(level).scan) {
    detail::require_isa(level, "level_run_scan");
  }

  /// Gives `sink.take(hits)` the rows of `run` whose distance, that of the query plus `base`, is no more than
  /// `sink.limit()`, in ascending order, some at a time; the limit may fall meanwhile and is read between. As long as
  /// there is none (infinity), so few rows are read at once that `sink.wanted()` is hardly exceeded.
  template <class Sink>
  void operator()(const level_query& query, const level_run& run, float base, Sink& sink) {
    detail::level_scan_job job = query.job_for(run);
    job.score.base += base;
    job.coarse.base += base;
    job.hits = hits_.data();
    const std::size_t blocks = run.blocks();
    while (job.first_block < blocks) {
      job.limit = sink.limit();
      const std::size_t wanted = sink.wanted();
      job.last_block = wanted == 0 ? blocks : (std::min)(job.first_block + wanted / level_block_rows + 1, blocks);
      const auto stop = scan_(job);
      sink.take(std::span<const level_hit>(hits_.data(), stop.hits));
      job.first_block = stop.at;
    }
  }

 private:
  detail::level_scan_function scan_;
  std::array<detail::level_hit, detail::level_hit_room> hits_;
};

/// Asks for memory that is about to be read, up to its first `most` bytes.
inline void prefetch_bytes(const void* from, std::size_t bytes, std::size_t most) noexcept {
#if defined(__GNUC__) || defined(__clang__)
  constexpr std::size_t line = 64;
  for (std::size_t i = 0; i < (std::min)(bytes, most); i += line)
    __builtin_prefetch(static_cast<const char*>(from) + i);
#else
  static_cast<void>(from), static_cast<void>(bytes), static_cast<void>(most);
#endif
}

/// Asks for the beginning of a run ahead of its scan: for a list of usual length all of it, as none of its pages is
/// long enough for a processor to see where it goes.
inline void prefetch_run(const level_run& run) noexcept {
  constexpr std::size_t most_bytes = std::size_t{16} << 10;
  prefetch_bytes(run.codes, run.blocks() * level_block_rows * run.row_bytes, most_bytes);
  for (const void* column : run.factors)
    if (column != nullptr)
      prefetch_bytes(column, run.rows * (run.format->half_factors ? sizeof(half) : sizeof(float)), most_bytes);
}

}  // namespace embit::inline EMBIT_ABI
