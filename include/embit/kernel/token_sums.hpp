// Sums of projected tokens by hash partition: the inner loops of fixed dimensional encodings, at every SIMD level.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/kernel/detail/tokens/lanes16_avx2.hpp>
#include <embit/kernel/detail/tokens/lanes16_avx512.hpp>
#include <embit/kernel/detail/tokens/lanes16_portable.hpp>
#include <embit/kernel/detail/tokens/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

namespace lanes_portable {
#define EMBIT_STAMP_TARGET
#include <embit/kernel/detail/tokens/sums_body.hpp>
#undef EMBIT_STAMP_TARGET
}  // namespace lanes_portable

#if EMBIT_X86
namespace lanes_avx2 {
#define EMBIT_STAMP_TARGET EMBIT_TARGET_AVX2
#include <embit/kernel/detail/tokens/sums_body.hpp>
#undef EMBIT_STAMP_TARGET
}  // namespace lanes_avx2

namespace lanes_avx512 {
#define EMBIT_STAMP_TARGET EMBIT_TARGET_AVX512
#include <embit/kernel/detail/tokens/sums_body.hpp>
#undef EMBIT_STAMP_TARGET
}  // namespace lanes_avx512
#endif

/// The functions of one level.
struct token_functions {
  add_tokens_function add;
  finish_document_function finish_document;
};

#if EMBIT_KERNELS_HERE
EMBIT_KERNELS_INLINE token_functions token_functions_for(isa level) noexcept {
#if EMBIT_X86
  if (level == isa::avx512 || level == isa::vpopcnt) return {lanes_avx512::add_tokens, lanes_avx512::finish_document};
  if (level == isa::avx2) return {lanes_avx2::add_tokens, lanes_avx2::finish_document};
#endif
  static_cast<void>(level);
  return {lanes_portable::add_tokens, lanes_portable::finish_document};
}
#else
token_functions token_functions_for(isa level) noexcept;
#endif

}  // namespace embit::inline EMBIT_ABI::detail
