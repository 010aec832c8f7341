// Line kernels for AArch64: two words a register, counted by bytes.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/bucket_scan/neon.hpp>
#include <embit/kernel/detail/line_scan/scalar.hpp>

#if EMBIT_NEON

#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

template <std::size_t Words>
std::size_t line_scan_neon(const line_scan_job& job, std::size_t& at, std::uint32_t threshold, bucket_hit* hits) {
  return line_scan_by<neon_distance<Words>, Words>(job, at, threshold, hits);
}

}  // namespace embit::inline EMBIT_ABI::detail

#endif
