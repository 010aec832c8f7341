// Random numbers that are the same bits on every platform, compiler and optimization level.
//
// The standard distributions differ between libraries, and floating point formulas differ with contraction to
// fused multiply-adds. Everything here draws, compares and shifts integers, and rounds once where it becomes float.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// The library's random engine: xoshiro256++ (Blackman and Vigna, "Scrambled linear pseudorandom number
/// generators", ACM TOMS 2021), seeded through SplitMix64. Any standard engine may be used in its place.
class rng {
 public:
  using result_type = std::uint64_t;

  explicit constexpr rng(std::uint64_t seed = 0) noexcept {
    for (auto& s : state_) {
      seed += 0x9e3779b97f4a7c15u;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      s = z ^ (z >> 31);
    }
  }

  static constexpr result_type(min)() noexcept { return 0; }
  static constexpr result_type(max)() noexcept { return (std::numeric_limits<result_type>::max)(); }

  constexpr result_type operator()() noexcept {
    const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// A generator for another part of the work: the same seed and stream give the same generator, different streams
  /// give unrelated ones. Does not advance this one.
  constexpr rng split(std::uint64_t stream) const noexcept {
    return rng(state_[0] ^ std::rotl(state_[2], 29) ^ (stream + 1) * 0xd1342543de82ef95u);
  }

  friend constexpr bool operator==(const rng&, const rng&) = default;

 private:
  std::uint64_t state_[4]{};
};

/// 64 random bits from any engine.
template <std::uniform_random_bit_generator Engine>
constexpr std::uint64_t random_bits(Engine& engine) {
  constexpr auto range = static_cast<std::uint64_t>((Engine::max)() - (Engine::min)());
  if constexpr (range == (std::numeric_limits<std::uint64_t>::max)()) {
    return engine() - (Engine::min)();
  } else if constexpr (std::has_single_bit(range + 1)) {
    constexpr int width = std::countr_zero(range + 1);
    std::uint64_t bits = 0;
    for (int have = 0; have < 64; have += width)
      bits = (bits << width) | static_cast<std::uint64_t>(engine() - (Engine::min)());
    return bits;
  } else {
    // An odd range: take the low bits below the largest power of two, refuse values above it.
    constexpr int width = std::bit_width(range + 1) - 1;
    std::uint64_t bits = 0;
    for (int have = 0; have < 64; have += width) {
      std::uint64_t draw = range;
      while (draw >> width != 0) draw = static_cast<std::uint64_t>(engine() - (Engine::min)());
      bits = (bits << width) | draw;
    }
    return bits;
  }
}

namespace detail {

struct product128 {
  std::uint64_t high, low;
};

/// a · b by halves of 32 bits: what a processor of 32 bits does, which has no wider type to do it in.
constexpr product128 multiply_halves(std::uint64_t a, std::uint64_t b) noexcept {
  constexpr std::uint64_t half = 0xffffffffu;
  const std::uint64_t a0 = a & half, a1 = a >> 32, b0 = b & half, b1 = b >> 32;
  const std::uint64_t low = a0 * b0;
  const std::uint64_t inner = a1 * b0 + (low >> 32);     // at most (2^32 - 1)^2 + 2^32 - 1
  const std::uint64_t outer = a0 * b1 + (inner & half);  // likewise
  return {a1 * b1 + (inner >> 32) + (outer >> 32), (outer << 32) | (low & half)};
}

/// a · b in 128 bits.
constexpr product128 multiply_128(std::uint64_t a, std::uint64_t b) noexcept {
#ifdef __SIZEOF_INT128__
  __extension__ using wide = unsigned __int128;
  const wide product = static_cast<wide>(a) * b;
  return {static_cast<std::uint64_t>(product >> 64), static_cast<std::uint64_t>(product)};
#else
  return multiply_halves(a, b);
#endif
}

}  // namespace detail

/// A whole number below `bound` (which is at least 1), every one equally likely.
/// Lemire, "Fast random integer generation in an interval", ACM TOMACS 2019.
template <std::uniform_random_bit_generator Engine>
constexpr std::uint64_t uniform_index(Engine& engine, std::uint64_t bound) {
  EMBIT_ASSERT(bound != 0);
  detail::product128 product = detail::multiply_128(random_bits(engine), bound);
  if (product.low < bound) {
    const std::uint64_t refused = (0 - bound) % bound;
    while (product.low < refused) product = detail::multiply_128(random_bits(engine), bound);
  }
  return product.high;
}

/// A float in [0, 1), a multiple of 2^-24.
template <std::uniform_random_bit_generator Engine>
constexpr float uniform(Engine& engine) {
  return static_cast<float>(random_bits(engine) >> 40) * 0x1p-24f;
}

namespace detail {

inline constexpr std::uint64_t half_range = std::uint64_t{1} << 63;

/// True with probability exp(-1/2): the parity of the length of a falling run of uniforms that starts below 1/2.
/// Karney, "Sampling exactly from the normal distribution", ACM TOMS 2016, algorithm H.
template <class Engine>
constexpr bool bernoulli_exp_half(Engine& engine) {
  std::uint64_t previous = random_bits(engine);
  if (previous >= half_range) return true;
  for (;;) {
    const std::uint64_t next = random_bits(engine);
    if (next >= previous) return false;
    previous = random_bits(engine);
    if (previous >= next) return true;
  }
}

/// True with probability exp(-x (2k + x) / (2k + 2)), x a fraction of 2^64 (Karney's algorithm B, with his
/// three-way choice C in whole numbers).
template <class Engine>
constexpr bool bernoulli_tail(Engine& engine, unsigned k, std::uint64_t x) {
  const std::uint64_t m = 2 * std::uint64_t{k} + 2;
  std::uint64_t y = x;
  for (bool even = true;; even = !even) {
    const std::uint64_t z = random_bits(engine);
    if (z >= y) return even;
    const std::uint64_t choice = uniform_index(engine, m);
    const bool go_on = choice + 2 < m || (choice + 2 == m && random_bits(engine) < x);
    if (!go_on) return even;
    y = z;
  }
}

}  // namespace detail

/// A standard normal float, rounded once from a fixed-point number with 32 bits after the point.
/// Karney, "Sampling exactly from the normal distribution", ACM TOMS 2016, algorithm N: comparisons of uniform
/// numbers only, so there is nothing in it that a compiler could round differently.
template <std::uniform_random_bit_generator Engine>
constexpr float normal(Engine& engine) {
  for (;;) {
    unsigned k = 0;
    while (detail::bernoulli_exp_half(engine)) ++k;
    bool keep = true;
    for (unsigned trials = k * (k - (k > 0)); keep && trials > 0; --trials) keep = detail::bernoulli_exp_half(engine);
    if (!keep) continue;
    const std::uint64_t bits = random_bits(engine);
    const std::uint64_t x = bits & ~std::uint64_t{0xffffffff};  // 32 bits after the point; the rest gives the sign
    for (unsigned trials = 0; keep && trials <= k; ++trials) keep = detail::bernoulli_tail(engine, k, x);
    if (!keep) continue;
    const auto fixed = static_cast<std::int64_t>((std::uint64_t{k} << 32) | (x >> 32));
    return static_cast<float>((bits & 1) != 0 ? -fixed : fixed) * 0x1p-32f;
  }
}

/// Puts `items` into a random order, all orders equally likely (Fisher and Yates).
template <class T, std::uniform_random_bit_generator Engine>
constexpr void shuffle(std::span<T> items, Engine& engine) {
  for (std::size_t n = items.size(); n > 1; --n) {
    using std::swap;
    swap(items[n - 1], items[static_cast<std::size_t>(uniform_index(engine, n))]);
  }
}

namespace detail {

/// `count` different numbers below `n`, in random order: the first of a shuffle that goes no further. O(n).
template <std::uniform_random_bit_generator Engine>
std::vector<row_id> draw_rows(std::size_t n, std::size_t count, Engine& engine) {
  std::vector<row_id> numbers(n);
  std::iota(numbers.begin(), numbers.end(), row_id{0});
  for (std::size_t i = 0; i < count; ++i)
    std::swap(numbers[i], numbers[i + static_cast<std::size_t>(uniform_index(engine, n - i))]);
  numbers.resize(count);
  return numbers;
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
