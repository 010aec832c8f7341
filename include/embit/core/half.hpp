// Half-precision floats as files hold them: IEEE 754 binary16, converted without help from the processor.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <bit>
#include <cstdint>

namespace embit::inline EMBIT_ABI {

/// The bits of a binary16 number whose magnitude is that of `value` rounded to nearest, ties to even. Above 65519.99
/// comes infinity; NaN stays NaN and keeps the top bits of its payload.
constexpr std::uint16_t half_bits(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t x = bits & 0x7fffffffu;
  std::uint32_t out = 0x7c00u;
  if (x > 0x7f800000u) {
    const std::uint32_t payload = (x >> 13) & 0x3ffu;
    out |= payload != 0 ? payload : 0x200u;  // a payload of low bits only must not turn into infinity
  } else if (x >= 0x38800000u) {             // 2^-14, the least normal half
    if (x < 0x47800000u) {                   // 2^16; a carry out of the mantissa below it gives infinity by itself
      const std::uint32_t rebased = x - 0x38000000u;
      out = (rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13;
    }
  } else {
    const std::uint32_t shift = 126u - (x >> 23);  // from units of the float's last place to units of 2^-24
    out = 0;
    if (shift <= 24u) {
      const std::uint32_t mantissa = (x & 0x7fffffu) | 0x800000u;
      const std::uint32_t rest = mantissa & ((1u << shift) - 1u), tie = 1u << (shift - 1u);
      out = mantissa >> shift;
      out += static_cast<std::uint32_t>(rest > tie || (rest == tie && (out & 1u) != 0));
    }
  }
  return static_cast<std::uint16_t>(sign | out);
}

/// The float equal to the binary16 number with these bits. Exact for all of them, NaN payloads included.
constexpr float half_value(std::uint16_t bits) noexcept {
  const std::uint32_t sign = (bits & 0x8000u) << 16;
  const std::uint32_t x = bits & 0x7fffu;
  if (x >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | ((x & 0x3ffu) << 13));
  if (x >= 0x0400u) return std::bit_cast<float>(sign | ((x << 13) + 0x38000000u));
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(static_cast<float>(x) * 0x1p-24f));
}

/// A binary16 number: 2 bytes of storage that widen to float without loss and are made from one by rounding.
/// Arithmetic happens in float.
struct half {
  std::uint16_t bits;

  half() = default;
  explicit constexpr half(float value) noexcept : bits(half_bits(value)) {}
  static constexpr half from_bits(std::uint16_t bits) noexcept {
    half h{};
    h.bits = bits;
    return h;
  }

  constexpr operator float() const noexcept { return half_value(bits); }
};

static_assert(sizeof(half) == 2);

}  // namespace embit::inline EMBIT_ABI
