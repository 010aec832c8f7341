// Hamming distances of one query to pieces of a row-major array of codes, filtered by a threshold.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/bucket_scan/ops.hpp>
#include <embit/kernel/detail/dispatch.hpp>
#if EMBIT_KERNELS_HERE
#include <embit/kernel/detail/bucket_scan/neon.hpp>
#include <embit/kernel/detail/bucket_scan/scalar.hpp>
#include <embit/kernel/detail/bucket_scan/vpopcnt.hpp>
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace embit::inline EMBIT_ABI::detail {

#if EMBIT_KERNELS_HERE
template <>
EMBIT_KERNELS_INLINE const dispatch_table<bucket_ops>& table_of() noexcept {
  static constexpr auto table = [] {
    dispatch_table<bucket_ops> serving(
        {bucket_scan_portable<0>, bucket_scan_portable<1>, bucket_scan_portable<2>, bucket_scan_portable<4>});
#if EMBIT_X86
    serving.add(isa::avx2, {bucket_scan_avx2<0>, bucket_scan_avx2<1>, bucket_scan_avx2<2>, bucket_scan_avx2<4>});
    serving.add(isa::vpopcnt,
                {bucket_scan_vpopcnt<0>, bucket_scan_vpopcnt<1>, bucket_scan_vpopcnt<2>, bucket_scan_vpopcnt<4>});
#endif
#if EMBIT_NEON
    serving.add(isa::neon, {bucket_scan_neon<0>, bucket_scan_neon<1>, bucket_scan_neon<2>, bucket_scan_neon<4>});
#endif
    return serving;
  }();
  return table;
}
#else
template <>
const dispatch_table<bucket_ops>& table_of() noexcept;
#endif

/// Scans buckets of codes of one width at one SIMD level. Stateless between calls; a plain value.
class bucket_scan {
 public:
  static constexpr std::size_t max_words = 8;

  /// Where a kernel writes its hits. One per worker.
  using scratch = std::array<bucket_hit, bucket_hit_room>;

  /// @throws error errc::shape unless 1 <= words <= 8, errc::unsupported for a level that this machine cannot run.
  explicit bucket_scan(std::size_t words, isa level = active_isa()) : words_(words) {
    if (words == 0 || words > max_words)
      raise(errc::shape, "bucket_scan: codes of ", words, " words, not 1 to ", max_words);
    require_isa(level, "bucket_scan");
    const bucket_ops& ops = ops_at<bucket_ops>(level);
    scan_ = words == 1 ? ops.one : words == 2 ? ops.two : words == 4 ? ops.four : ops.any;
  }

  /// Offers to `sink` every code of the ranges whose distance is below `sink.threshold()`, which may fall as offers
  /// are made and is read from time to time only: `sink.offer(position, distance)` may be called for others, too.
  /// Within a range, offers come in ascending groups of eight codes.
  template <class Sink>
  void operator()(const word* codes, std::span<const code_range> ranges, const word* query, scratch& hits,
                  Sink& sink) const {
    for (bucket_cursor at; at.range < ranges.size();) {
      const std::size_t found =
          scan_(codes, words_, ranges.data(), ranges.size(), at, query, sink.threshold(), hits.data());
      for (std::size_t i = 0; i < found; ++i) sink.offer(hits[i].position, hits[i].distance);
    }
  }

 private:
  bucket_scan_function scan_;
  std::size_t words_;
};

}  // namespace embit::inline EMBIT_ABI::detail
