// Hamming distances of one query to some codes of interleaved blocks, wherever they are.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/dispatch.hpp>
#include <embit/kernel/detail/gather/scalar.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace embit::inline EMBIT_ABI::detail {

#if EMBIT_KERNELS_HERE
template <>
EMBIT_KERNELS_INLINE const dispatch_table<gather_ops>& table_of() noexcept {
  static constexpr auto table = [] {
    dispatch_table<gather_ops> serving({gather_portable});
#if EMBIT_X86
    serving.add(isa::avx2, {gather_avx2});
#endif
    return serving;
  }();
  return table;
}
#else
template <>
const dispatch_table<gather_ops>& table_of() noexcept;
#endif

/// Adds to `sums[i]` in how many bits code i differs from the query. Codes should be in a cache, or on their way.
/// @param lanes  where word 0 of each code is in its block @param query  as many words as a code has
/// @param level  one that this machine can run
inline void add_gathered(std::span<const word* const> lanes, std::span<const word> query, std::uint32_t* sums,
                         isa level = active_isa()) noexcept {
  ops_at<gather_ops>(level).add({lanes.data(), lanes.size(), query.size(), query.data()}, sums);
}

}  // namespace embit::inline EMBIT_ABI::detail
