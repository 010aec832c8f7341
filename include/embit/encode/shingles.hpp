// Texts as sets of hashed pieces.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/hash_ids.hpp>
#include <embit/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Up to 8 bytes as a number, the first lowest.
constexpr std::uint64_t bytes_to_number(std::string_view bytes) noexcept {
  std::uint64_t x = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) x |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << 8 * i;
  return x;
}

}  // namespace detail

/// 64 bits that stand for some bytes: the same on every platform. Not for adversaries. O(bytes).
constexpr std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed = 0) noexcept {
  std::uint64_t hash = detail::mix_bits(seed + 0x9e3779b97f4a7c15u * (bytes.size() + 1));
  for (; bytes.size() > 8; bytes.remove_prefix(8))
    hash = detail::mix_bits(hash ^ detail::bytes_to_number(bytes.substr(0, 8))) + 0x9e3779b97f4a7c15u;
  return detail::mix_bits(hash ^ detail::bytes_to_number(bytes));
}

/// The distinct runs of `size` bytes in a text, hashed and sorted: a set for `min_hash`. A shorter text is one run, an
/// empty one has none. Letters of more than a byte (UTF-8) count as their bytes; fold case and white space before.
/// O(bytes · log bytes).
/// @throws error errc::argument when size is 0.
inline std::vector<std::uint64_t> char_shingles(std::string_view text, std::size_t size) {
  if (size == 0) raise(errc::argument, "char_shingles: of 0 characters");
  std::vector<std::uint64_t> hashes;
  if (text.empty()) return hashes;
  hashes.reserve(text.size());
  for (std::size_t first = 0; first == 0 || first + size <= text.size(); ++first)
    hashes.push_back(hash_bytes(text.substr(first, size)));
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  return hashes;
}

}  // namespace embit::inline EMBIT_ABI
