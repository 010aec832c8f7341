// Numbers mixed so that nothing of their order is left: ids, and what is hashed further.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

/// A bijection of 64 bits in which every bit of the input changes half of those of the output (the finalizer of
/// SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
constexpr std::uint64_t mix_bits(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace embit::inline EMBIT_ABI::detail
