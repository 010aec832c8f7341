// Sums over two rows of floats, x · y or |x - y|², at every SIMD level.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/kernel/detail/dispatch.hpp>
#if EMBIT_KERNELS_HERE
#include <embit/core/isa.hpp>
#include <embit/kernel/detail/floats/pair_sums.hpp>
#endif

#include <cstddef>
#include <span>
#include <string_view>

namespace embit::inline EMBIT_ABI {

namespace detail {

using pair_function = float (*)(const float*, const float*, std::size_t) noexcept;

/// The functions of one level.
struct pair_ops {
  static constexpr std::string_view operation = "pair";

  pair_function product, squared_difference;
};

#if EMBIT_KERNELS_HERE
template <>
EMBIT_KERNELS_INLINE const dispatch_table<pair_ops>& table_of() noexcept {
  static constexpr auto table = [] {
    dispatch_table<pair_ops> serving({pair_portable<pair_sum::product>, pair_portable<pair_sum::squared_difference>});
#if EMBIT_X86
    serving.add(isa::avx2, {pair_avx2<pair_sum::product>, pair_avx2<pair_sum::squared_difference>});
    serving.add(isa::avx512, {pair_avx512<pair_sum::product>, pair_avx512<pair_sum::squared_difference>});
#endif
    return serving;
  }();
  return table;
}
#else
template <>
const dispatch_table<pair_ops>& table_of() noexcept;
#endif

/// A row with the function that scores it against another: what a float kernel's `prepare` returns.
struct prepared_row {
  std::span<const float> row;
  pair_function score;
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
