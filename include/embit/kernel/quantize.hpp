// Float rows on a uniform grid: their bit planes, where they lie in a block of codes, and what factors are made of.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/kernel/detail/dispatch.hpp>
#include <embit/kernel/detail/quantize/level.hpp>
#if EMBIT_KERNELS_HERE
#include <embit/kernel/detail/quantize/avx2.hpp>
#include <embit/kernel/detail/quantize/avx512.hpp>
#include <embit/kernel/detail/quantize/neon.hpp>
#endif

namespace embit::inline EMBIT_ABI::detail {

#if EMBIT_KERNELS_HERE
template <>
EMBIT_KERNELS_INLINE const dispatch_table<quantize_ops>& table_of() noexcept {
  static constexpr auto table = [] {
    dispatch_table<quantize_ops> serving(quantize_portable::ops);
#if EMBIT_X86
    serving.add(isa::avx2, quantize_avx2::ops);
    serving.add(isa::avx512, quantize_avx512::ops);
#endif
#if EMBIT_NEON
    serving.add(isa::neon, quantize_neon::ops);
#endif
    return serving;
  }();
  return table;
}
#else
template <>
const dispatch_table<quantize_ops>& table_of() noexcept;
#endif

}  // namespace embit::inline EMBIT_ABI::detail
