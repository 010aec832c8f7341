// Hamming distances of one query to codes strewn over memory, line by line, filtered by a threshold.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/dispatch.hpp>
#include <embit/kernel/detail/line_scan/ops.hpp>
#if EMBIT_KERNELS_HERE
#include <embit/kernel/detail/line_scan/neon.hpp>
#include <embit/kernel/detail/line_scan/scalar.hpp>
#include <embit/kernel/detail/line_scan/vpopcnt.hpp>
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace embit::inline EMBIT_ABI::detail {

#if EMBIT_KERNELS_HERE
template <>
EMBIT_KERNELS_INLINE const dispatch_table<line_ops>& table_of() noexcept {
  static constexpr auto table = [] {
    dispatch_table<line_ops> serving({line_scan_portable<1>, line_scan_portable<2>, line_scan_portable<4>});
#if EMBIT_X86
    serving.add(isa::avx2, {line_scan_avx2<1>, line_scan_avx2<2>, line_scan_avx2<4>});
    serving.add(isa::vpopcnt, {line_scan_vpopcnt<1>, line_scan_vpopcnt<2>, line_scan_vpopcnt<4>});
#endif
#if EMBIT_NEON
    serving.add(isa::neon, {line_scan_neon<1>, line_scan_neon<2>, line_scan_neon<4>});
#endif
    return serving;
  }();
  return table;
}
#else
template <>
const dispatch_table<line_ops>& table_of() noexcept;
#endif

/// Lines that are listed at a time: more than most buckets have, so that no branch depends on how many.
inline constexpr std::size_t listed_step = 24;

/// Lists the lines that hold the codes of a range, `words` (1, 2 or 4) each, of an array that starts with a line.
/// @param lines  room for `listed_step` more than there are; returns how many there are
inline std::size_t lines_of(const word* codes, std::size_t words, code_range range, code_line* lines) noexcept {
  if (range.count == 0) return 0;
  const std::size_t in_line = line_words / words, end = std::size_t{range.first} + range.count - 1;
  const std::size_t first = range.first / in_line, last = end / in_line, count = last - first + 1;
  const code_line whole(codes + first * line_words, 0, in_line - 1);
  for (std::size_t i = 0; i < count; i += listed_step)
    for (std::size_t j = i; j < i + listed_step; ++j) lines[j] = whole.after(j);
  lines[0] = lines[0].from(range.first % in_line);
  lines[count - 1] = lines[count - 1].to(end % in_line);
  return count;
}

/// Scans lines of codes of one width at one SIMD level. One loop runs over all lines, however few each bucket has, and
/// fetches those of other buckets as it goes. Stateless between calls; a plain value.
class line_scan {
 public:
  /// Widths of which lines hold whole codes.
  static constexpr bool takes(std::size_t words) noexcept { return words == 1 || words == 2 || words == 4; }

  /// @param words  1, 2 or 4 @param level  one that this machine can run
  explicit line_scan(std::size_t words, isa level = active_isa()) noexcept {
    const line_ops& ops = ops_at<line_ops>(level);
    scan_ = words == 1 ? ops.one : words == 2 ? ops.two : ops.four;
  }

  /// Offers to `sink` every code of the lines whose distance is below `sink.threshold()`, as bucket_scan does. All of
  /// a line is read.
  /// @param ahead  lines to fetch meanwhile, no more than there are lines
  template <class Sink>
  void operator()(const word* codes, std::span<const code_line> lines, std::span<const code_line> ahead,
                  const word* query, std::array<bucket_hit, bucket_hit_room>& hits, Sink& sink) const {
    const line_scan_job job{codes, lines.data(), lines.size(), ahead.data(), ahead.size(), query};
    for (std::size_t at = 0; at < lines.size();) {
      const std::size_t found = scan_(job, at, sink.threshold(), hits.data());
      for (std::size_t i = 0; i < found; ++i) sink.offer(hits[i].position, hits[i].distance);
    }
  }

 private:
  line_scan_function scan_;
};

}  // namespace embit::inline EMBIT_ABI::detail
