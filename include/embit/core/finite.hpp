// Which numbers are finite, told by their bits as memory holds them: no compiler flag can take that for granted.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/half.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace embit::inline EMBIT_ABI::detail {

/// The unsigned integer of the size of a number, and the bits in it that are all ones in NaN and infinity alone.
template <class T>
struct number_bits;
template <>
struct number_bits<float> {
  using type = std::uint32_t;
  static constexpr type exponent = 0x7f800000u;
};
template <>
struct number_bits<double> {
  using type = std::uint64_t;
  static constexpr type exponent = 0x7ff0000000000000u;
};
template <>
struct number_bits<half> {
  using type = std::uint16_t;
  static constexpr type exponent = 0x7c00u;
};

/// Numbers that can fail to be finite.
template <class T>
concept FloatNumber = requires {
  number_bits<T>::exponent;
};

/// The bits of a number. With -ffast-math a compiler holds that no number is NaN or infinite, and folds what follows
/// from that. It is not told that these bits were a number; hence the reference, as arguments are numbers too.
template <FloatNumber T>
constexpr typename number_bits<T>::type bits_of(const T& x) noexcept {
  using bits_type = typename number_bits<T>::type;
  if (std::is_constant_evaluated()) return std::bit_cast<bits_type>(x);
  bits_type bits{};
  std::memcpy(&bits, &x, sizeof bits);
#if defined(__GNUC__) || defined(__clang__)
  __asm__("" : "+r"(bits));
#endif
  return bits;
}

template <FloatNumber T>
constexpr bool is_finite(const T& x) noexcept {
  constexpr auto exponent = number_bits<T>::exponent;
  return (bits_of(x) & exponent) != exponent;
}

template <FloatNumber T>
constexpr bool is_nan(const T& x) noexcept {
  using bits_type = typename number_bits<T>::type;
  return static_cast<bits_type>(bits_of(x) << 1) > static_cast<bits_type>(number_bits<T>::exponent << 1);
}

/// The number that has these bits, without the compiler knowing which.
template <std::floating_point T>
constexpr T number_of(typename number_bits<T>::type bits) noexcept {
  if (std::is_constant_evaluated()) return std::bit_cast<T>(bits);
#if defined(__GNUC__) || defined(__clang__)
  __asm__("" : "+r"(bits));
#endif
  T x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// Something to start from, or no limit.
template <std::floating_point T>
constexpr T infinity() noexcept {
  return number_of<T>(number_bits<T>::exponent);
}

template <std::floating_point T>
constexpr bool is_positive(const T& x) noexcept {
  return is_finite(x) && x > 0;
}

/// From `least` to `most`, both included, which NaN is not.
template <std::floating_point T>
constexpr bool is_between(const T& x, T least, T most) noexcept {
  return is_finite(x) && x >= least && x <= most;
}

/// Whether all of `count` numbers are finite, at the speed of memory.
template <FloatNumber T>
bool all_finite(const T* x, std::size_t count) noexcept {
  using bits_type = typename number_bits<T>::type;
  constexpr bits_type exponent = number_bits<T>::exponent;
  constexpr bits_type magnitude = static_cast<bits_type>(-1) >> 1, top = magnitude + 1;
  constexpr bits_type carry = static_cast<bits_type>(top - exponent);  // takes a full exponent into the top bit
  constexpr std::size_t block = 64;
  const auto piece = [](const T* from, std::size_t n) {
    bits_type seen = 0;
    for (std::size_t i = 0; i < n; ++i) {
      bits_type bits;
      std::memcpy(&bits, from + i, sizeof bits);
      seen = static_cast<bits_type>(seen | static_cast<bits_type>((bits & magnitude) + carry));
    }
    return (seen & top) == 0;
  };
  std::size_t i = 0;
  for (; i + block <= count; i += block)
    if (!piece(x + i, block)) return false;
  return piece(x + i, count - i);
}

/// The place of the first that is not finite, or `count`.
template <FloatNumber T>
std::size_t first_not_finite(const T* x, std::size_t count) noexcept {
  if (all_finite(x, count)) return count;
  std::size_t i = 0;
  while (is_finite(x[i])) ++i;
  return i;
}

}  // namespace embit::inline EMBIT_ABI::detail
