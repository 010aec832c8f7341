// The floats that portable kernels work on at once: a batch of xsimd, or a plain one where xsimd knows no registers.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <cmath>
#include <cstddef>
#include <xsimd/xsimd.hpp>

namespace embit::inline EMBIT_ABI::detail {

/// Four floats in plain C++, for the compiler to make vectors of where it has any.
struct plain_batch {
  static constexpr std::size_t size = 4;
  float lane[size];

  plain_batch() = default;
  explicit plain_batch(float x) noexcept : lane{x, x, x, x} {}

  template <class F>
  static EMBIT_ALWAYS_INLINE plain_batch made_of(F&& lane_of) noexcept {
    plain_batch made(0.f);
    for (std::size_t i = 0; i < size; ++i) made.lane[i] = lane_of(i);
    return made;
  }

  static EMBIT_ALWAYS_INLINE plain_batch load_unaligned(const float* from) noexcept {
    return made_of([from](std::size_t i) { return from[i]; });
  }
  EMBIT_ALWAYS_INLINE void store_unaligned(float* to) const noexcept {
    for (std::size_t i = 0; i < size; ++i) to[i] = lane[i];
  }

  friend EMBIT_ALWAYS_INLINE plain_batch operator+(const plain_batch& a, const plain_batch& b) noexcept {
    return made_of([&](std::size_t i) { return a.lane[i] + b.lane[i]; });
  }
  friend EMBIT_ALWAYS_INLINE plain_batch operator-(const plain_batch& a, const plain_batch& b) noexcept {
    return made_of([&](std::size_t i) { return a.lane[i] - b.lane[i]; });
  }
  friend EMBIT_ALWAYS_INLINE plain_batch operator*(const plain_batch& a, const plain_batch& b) noexcept {
    return made_of([&](std::size_t i) { return a.lane[i] * b.lane[i]; });
  }
  friend EMBIT_ALWAYS_INLINE plain_batch operator/(const plain_batch& a, const plain_batch& b) noexcept {
    return made_of([&](std::size_t i) { return a.lane[i] / b.lane[i]; });
  }
};

/// a · b + c, rounded once where the processor does that in one instruction, as xsimd's.
EMBIT_ALWAYS_INLINE plain_batch multiply_add(const plain_batch& a, const plain_batch& b,
                                             const plain_batch& c) noexcept {
#ifdef __FP_FAST_FMAF
  return plain_batch::made_of([&](std::size_t i) { return std::fma(a.lane[i], b.lane[i], c.lane[i]); });
#else
  return a * b + c;
#endif
}

/// a where it is larger than b, else b.
EMBIT_ALWAYS_INLINE plain_batch larger(const plain_batch& a, const plain_batch& b) noexcept {
  return plain_batch::made_of([&](std::size_t i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}

#ifdef XSIMD_NO_SUPPORTED_ARCHITECTURE
using float_batch = plain_batch;
#else
using float_batch = xsimd::batch<float>;

EMBIT_ALWAYS_INLINE float_batch multiply_add(const float_batch& a, const float_batch& b,
                                             const float_batch& c) noexcept {
  return xsimd::fma(a, b, c);
}
EMBIT_ALWAYS_INLINE float_batch larger(const float_batch& a, const float_batch& b) noexcept {
  return xsimd::select(a > b, a, b);
}
#endif

}  // namespace embit::inline EMBIT_ABI::detail
