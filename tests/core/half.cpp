// SPDX-License-Identifier: MIT
#include <embit/core/half.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "support/catch.hpp"

namespace {

/// The value by definition, in double arithmetic.
double by_definition(std::uint16_t bits) {
  const double sign = (bits & 0x8000u) != 0 ? -1 : 1;
  const int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  if (exponent == 31) return mantissa != 0 ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

}  // namespace

TEST_CASE("every half widens to the value of its definition and narrows back to the same bits") {
  std::size_t wrong = 0;
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = embit::half::from_bits(bits);
    const double expected = by_definition(bits);
    wrong += std::isnan(expected) ? !std::isnan(value) : static_cast<double>(value) != expected;
    wrong += std::signbit(value) != ((bits & 0x8000u) != 0);
    wrong += embit::half(value).bits != bits;
  }
  CHECK(wrong == 0);
}

TEST_CASE("between neighbouring halves rounding goes to the nearer, and to the even one from the middle") {
  std::size_t wrong = 0;
  for (std::uint32_t i = 0; i < 0x7c00u; ++i) {
    const auto low = static_cast<std::uint16_t>(i), high = static_cast<std::uint16_t>(i + 1);
    const double above = i == 0x7bff ? 65536.0 : by_definition(high);  // infinity begins where 65536 would
    const auto middle = static_cast<float>((by_definition(low) + above) / 2);
    const auto even = (low & 1u) == 0 ? low : high;
    wrong += embit::half_bits(middle) != even;
    wrong += embit::half_bits(-middle) != (even | 0x8000u);
    wrong += embit::half_bits(std::nextafter(middle, 0.0f)) != low;
    wrong += embit::half_bits(std::nextafter(middle, 1e9f)) != high;
  }
  CHECK(wrong == 0);
}

TEST_CASE("the ends of the range") {
  const float inf = std::numeric_limits<float>::infinity();
  CHECK(embit::half_bits(inf) == 0x7c00);
  CHECK(embit::half_bits(-inf) == 0xfc00);
  CHECK(embit::half_bits(std::numeric_limits<float>::max()) == 0x7c00);
  CHECK(embit::half_bits(65504.0f) == 0x7bff);
  CHECK(embit::half_bits(std::numeric_limits<float>::denorm_min()) == 0);
  CHECK(embit::half_bits(-0.0f) == 0x8000);
  CHECK(std::isnan(embit::half_value(embit::half_bits(std::bit_cast<float>(0x7f800001u)))));
  static_assert(embit::half_bits(1.0f) == 0x3c00 && embit::half_value(0x4000) == 2.0f);
}
