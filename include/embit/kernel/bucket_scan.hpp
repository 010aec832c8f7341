// Hamming distances of one query to pieces of a row-major array of codes, filtered by a threshold.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/bucket_scan/ops.hpp>
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

/// The kernels of one level by number of words; the first serves every other number.
struct bucket_kernels {
  bucket_scan_function any, one, two, four;
};

#if EMBIT_KERNELS_HERE
EMBIT_KERNELS_INLINE const bucket_kernels& bucket_kernels_of(isa level) {
  static constexpr bucket_kernels portable{bucket_scan_portable<0>, bucket_scan_portable<1>, bucket_scan_portable<2>,
                                           bucket_scan_portable<4>};
  switch (level) {
#if EMBIT_X86
    case isa::avx2:
    case isa::avx512: {
      static constexpr bucket_kernels avx2{bucket_scan_avx2<0>, bucket_scan_avx2<1>, bucket_scan_avx2<2>,
                                           bucket_scan_avx2<4>};
      return avx2;
    }
    case isa::vpopcnt: {
      static constexpr bucket_kernels vpopcnt{bucket_scan_vpopcnt<0>, bucket_scan_vpopcnt<1>, bucket_scan_vpopcnt<2>,
                                              bucket_scan_vpopcnt<4>};
      return vpopcnt;
    }
#endif
#if EMBIT_NEON
    case isa::neon: {
      static constexpr bucket_kernels neon{bucket_scan_neon<0>, bucket_scan_neon<1>, bucket_scan_neon<2>,
                                           bucket_scan_neon<4>};
      return neon;
    }
#endif
    default: return portable;
  }
}
#else
const bucket_kernels& bucket_kernels_of(isa level);
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
    if (!supports(level)) raise(errc::unsupported, "bucket_scan: this machine or build cannot run ", name_of(level));
    const bucket_kernels& kernels = bucket_kernels_of(level);
    scan_ = words == 1 ? kernels.one : words == 2 ? kernels.two : words == 4 ? kernels.four : kernels.any;
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
