// Floats by their bits. Tests are also built with -ffast-math, where compilers fold comparisons with NaN and infinity.
#pragma once

#include <cstdint>
#include <cstring>

namespace support {

inline std::uint32_t bits_of(const float& x) {
  volatile std::uint32_t bits;  // not told that they were a number
  std::uint32_t copied;
  std::memcpy(&copied, &x, sizeof x);
  bits = copied;
  return bits;
}
inline float number_of(std::uint32_t bits) {
  volatile std::uint32_t hidden = bits;
  const std::uint32_t copied = hidden;
  float x;
  std::memcpy(&x, &copied, sizeof x);
  return x;
}

inline bool is_finite(const float& x) { return (bits_of(x) & 0x7f800000u) != 0x7f800000u; }
inline bool is_nan(const float& x) { return (bits_of(x) & 0x7fffffffu) > 0x7f800000u; }
inline float quiet_nan() { return number_of(0x7fc00000u); }
inline float infinity() { return number_of(0x7f800000u); }

}  // namespace support
