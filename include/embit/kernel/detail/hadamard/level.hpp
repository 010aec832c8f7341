// What one SIMD level gives to the Walsh–Hadamard transform, and the portable level of it.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/pack.hpp>
#include <embit/config.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/floats/batch.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// The part of randomized Hadamard transforms that is written once a level. Every output is a fixed tree of additions
/// and subtractions, or rounded once, so that all levels give the same floats.
struct hadamard_ops {
  static constexpr std::string_view operation = "hadamard";

  /// x ← H x for n floats, n a power of two: H[i][j] = (-1)^popcount(i & j), the stages in the order of their strides,
  /// the smallest first.
  void (*transform)(float* x, std::size_t n) noexcept;

  /// to[j] = -from[j] where bit j is set, from[j] elsewhere, for n floats; `to` may be `from`.
  void (*flip)(const float* from, float* to, const word* signs, std::size_t n) noexcept;

  /// (x, y) ← (factor · (x + y), factor · (x - y)), for n floats each.
  void (*turn)(float* x, float* y, float factor, std::size_t n) noexcept;

  /// x ← factor · x.
  void (*scale)(float* x, float factor, std::size_t n) noexcept;

  /// Bit j is set where values[j] > thresholds[j], for whole words of values.
  void (*signs)(const float* values, const float* thresholds, std::size_t words, word* out) noexcept;
};

/// Rows of this many floats are transformed while they stay in the first-level cache.
inline constexpr std::size_t hadamard_cached = 4096;

inline float flipped(float x, word bit) noexcept {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) ^ static_cast<std::uint32_t>(bit << 31));
}

/// The stages with strides below n, one float at a time.
inline void hadamard_scalar(float* x, std::size_t n) noexcept {
  for (std::size_t half = 1; half < n; half *= 2)
    for (std::size_t first = 0; first < n; first += 2 * half)
      for (std::size_t i = first; i < first + half; ++i) {
        const float a = x[i], b = x[i + half];
        x[i] = a + b;
        x[i + half] = a - b;
        EMBIT_ROUNDED("m", x[i]);
        EMBIT_ROUNDED("m", x[i + half]);
      }
}

inline void flip_scalar(const float* from, float* to, const word* signs, std::size_t first, std::size_t n) noexcept {
  for (std::size_t j = first; j < n; ++j) to[j] = flipped(from[j], signs[j / word_bits] >> j % word_bits & 1);
}

inline void turn_scalar(float* x, float* y, float factor, std::size_t first, std::size_t n) noexcept {
  for (std::size_t j = first; j < n; ++j) {
    float sum = x[j] + y[j], difference = x[j] - y[j];
    EMBIT_ROUNDED("m", sum);
    EMBIT_ROUNDED("m", difference);
    x[j] = factor * sum;
    y[j] = factor * difference;
  }
}

namespace hadamard_portable {

#define EMBIT_STAMP_TARGET

struct lanes {
  using vector = float_batch;
  static constexpr std::size_t width = vector::size;
  static constexpr std::size_t registers = 8;

  static EMBIT_ALWAYS_INLINE vector load(const float* x) { return vector::load_unaligned(x); }
  static EMBIT_ALWAYS_INLINE void store(float* x, const vector& v) { v.store_unaligned(x); }
  static EMBIT_ALWAYS_INLINE vector broadcast(float x) { return vector(x); }
  static EMBIT_ALWAYS_INLINE vector add(const vector& a, const vector& b) {
    vector sum = a + b;
    EMBIT_ROUNDED("m", sum);
    return sum;
  }
  static EMBIT_ALWAYS_INLINE vector sub(const vector& a, const vector& b) {
    vector difference = a - b;
    EMBIT_ROUNDED("m", difference);
    return difference;
  }
  static EMBIT_ALWAYS_INLINE vector mul(const vector& a, const vector& b) { return a * b; }
  static EMBIT_ALWAYS_INLINE vector inner(const vector& v) {
    float x[width];
    store(x, v);
    hadamard_scalar(x, width);
    return load(x);
  }
  static EMBIT_ALWAYS_INLINE vector flip(const vector& v, word bits) {
    float x[width];
    store(x, v);
    for (std::size_t i = 0; i < width; ++i) x[i] = flipped(x[i], bits >> i & 1);
    return load(x);
  }
};

inline void signs(const float* values, const float* thresholds, std::size_t words, word* out) noexcept {
  pack_signs(std::span(values, words * word_bits), std::span(thresholds, words * word_bits), std::span(out, words));
}

#include <embit/kernel/detail/hadamard/body.hpp>

#undef EMBIT_STAMP_TARGET

}  // namespace hadamard_portable

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
