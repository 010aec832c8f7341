// CRC-32C: a table for every machine, the instruction of processors that have one, carry-less products beyond.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#if EMBIT_KERNELS_HERE
#include <embit/io/detail/crc32c.hpp>
#endif

#include <cstddef>
#include <cstdint>
#include <span>

namespace embit::inline EMBIT_ABI {

/// The CRC-32C (Castagnoli; RFC 3720, appendix B.4) of `bytes`. To continue over adjacent pieces pass the value so
/// far: `crc32c(b, crc32c(a))` is that of a and b joined. Every machine gives the same value.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t so_far = 0) noexcept;

#if EMBIT_KERNELS_HERE
EMBIT_KERNELS_INLINE std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t so_far) noexcept {
  static const auto update = detail::best_crc32c();
  return ~update(~so_far, bytes.data(), bytes.size());
}
#endif

}  // namespace embit::inline EMBIT_ABI
