// Rows of short numbers as floats.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/half.hpp>
#include <embit/core/isa.hpp>
#include <embit/kernel/detail/dispatch.hpp>
#if EMBIT_KERNELS_HERE
#include <embit/kernel/detail/widen/loops.hpp>
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace embit::inline EMBIT_ABI::detail {

/// The functions of one level: out[i] = from[i] without loss, and out[i] = from[i] · scale, for n numbers.
struct widen_ops {
  static constexpr std::string_view operation = "widen";

  void (*halves)(const half* from, std::size_t n, float* out) noexcept;
  void (*bytes)(const std::int8_t* from, std::size_t n, float scale, float* out) noexcept;
};

#if EMBIT_KERNELS_HERE
template <>
EMBIT_KERNELS_INLINE const dispatch_table<widen_ops>& table_of() noexcept {
  static constexpr auto table = [] {
    dispatch_table<widen_ops> serving({widen_portable, widen_portable});
#if EMBIT_X86
    serving.add(isa::avx2, {widen_avx2, widen_avx2});
#endif
#if EMBIT_NEON
    serving.add(isa::neon, {widen_neon, widen_portable});
#endif
    return serving;
  }();
  return table;
}
#else
template <>
const dispatch_table<widen_ops>& table_of() noexcept;
#endif

/// out[i] = from[i] for n numbers, without loss.
inline void widen(const half* from, std::size_t n, float* out, isa level) noexcept {
  ops_at<widen_ops>(level).halves(from, n, out);
}
inline void widen(const float* from, std::size_t n, float* out, isa) noexcept {
  std::memcpy(out, from, n * sizeof(float));
}

/// out[i] = from[i] · scale for n numbers.
inline void widen(const std::int8_t* from, std::size_t n, float scale, float* out, isa level) noexcept {
  ops_at<widen_ops>(level).bytes(from, n, scale, out);
}
inline void widen(const std::int8_t* from, std::size_t n, float* out, isa level) noexcept {
  widen(from, n, 1.f, out, level);
}

}  // namespace embit::inline EMBIT_ABI::detail
