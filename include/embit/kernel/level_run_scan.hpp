// The scan of runs of B-bit codes by one query, each run with a base of its own: what inverted lists are read with.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
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

/// Asks for the beginning of a run ahead of its scan: of as much as a scan reads before the processor has seen where it
/// goes.
inline void prefetch_run(const level_run& run) noexcept {
#if defined(__GNUC__) || defined(__clang__)
  constexpr std::size_t line = 64, most_lines = 16;
  const std::size_t bytes = (std::min)(run.blocks() * level_block_rows * run.row_bytes, most_lines * line);
  for (std::size_t i = 0; i < bytes; i += line) __builtin_prefetch(run.codes + i);
  for (const void* column : run.factors)
    if (column != nullptr) __builtin_prefetch(column);
#else
  static_cast<void>(run);
#endif
}

}  // namespace embit::inline EMBIT_ABI
