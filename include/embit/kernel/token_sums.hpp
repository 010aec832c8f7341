// Sums of projected tokens by hash partition: the inner loops of fixed dimensional encodings, at every SIMD level.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/kernel/detail/dispatch.hpp>
#include <embit/kernel/detail/tokens/plan.hpp>
#if EMBIT_KERNELS_HERE
#include <embit/kernel/detail/tokens/avx2.hpp>
#include <embit/kernel/detail/tokens/avx512.hpp>
#include <embit/kernel/detail/tokens/portable.hpp>
#endif

namespace embit::inline EMBIT_ABI::detail {

#if EMBIT_KERNELS_HERE
template <>
EMBIT_KERNELS_INLINE const dispatch_table<token_ops>& table_of() noexcept {
  static constexpr auto table = [] {
    dispatch_table<token_ops> serving(tokens_portable::tokens);
#if EMBIT_X86
    serving.add(isa::avx2, tokens_avx2::tokens);
    serving.add(isa::avx512, tokens_avx512::tokens);
#endif
    return serving;
  }();
  return table;
}
#else
template <>
const dispatch_table<token_ops>& table_of() noexcept;
#endif

}  // namespace embit::inline EMBIT_ABI::detail
