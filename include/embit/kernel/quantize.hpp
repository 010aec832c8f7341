// Float rows on a uniform grid: their bit planes, where they lie in a block of codes, and what factors are made of.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/kernel/detail/quantize/level.hpp>
#if EMBIT_KERNELS_HERE
#include <embit/kernel/detail/quantize/avx2.hpp>
#include <embit/kernel/detail/quantize/avx512.hpp>
#endif

namespace embit::inline EMBIT_ABI::detail {

#if EMBIT_KERNELS_HERE
EMBIT_KERNELS_INLINE const quantize_level& quantize_level_for(isa level) noexcept {
#if EMBIT_X86
  if (level == isa::avx512 || level == isa::vpopcnt) return quantize_avx512::level;
  if (level == isa::avx2) return quantize_avx2::level;
#endif
  static_cast<void>(level);
  return quantize_portable::level;
}
#else
const quantize_level& quantize_level_for(isa level) noexcept;
#endif

}  // namespace embit::inline EMBIT_ABI::detail
