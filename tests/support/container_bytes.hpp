// The checksums of files made right again after their bytes were changed, so that damage gets past them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/io/checksum.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace support {

template <class T>
T get(const std::string& bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <class T>
void put(std::string& bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

// What files begin with and how long headers are, as they are written down in the formats: not asked of the code.
inline constexpr std::string_view container_magic =
                                      "\x89"
                                      "embit\r\n",
                                  log_magic = "embitlog";
inline constexpr std::size_t log_header_size = 32;
constexpr std::size_t record_header_size(std::uint32_t version) { return version == 1 ? 24 : 32; }

inline bool looks_like_container(const std::string& bytes) {
  return bytes.size() >= 64 && bytes.starts_with(container_magic);
}

/// How many entries the section table has that are wholly there.
inline std::size_t sections_of(const std::string& bytes) {
  return std::min<std::size_t>(get<std::uint32_t>(bytes, 48), (bytes.size() - 64) / 64);
}

inline std::uint32_t checksum_of(const std::string& bytes, std::size_t at, std::size_t size) {
  return embit::crc32c(std::as_bytes(std::span(bytes).subspan(at, size)));
}

/// Makes every checksum of a container right, of sections that lie inside it; other bytes stay what they are.
inline void repair_checksums(std::string& bytes) {
  if (!looks_like_container(bytes)) return;
  for (std::size_t i = 0; i < sections_of(bytes); ++i) {
    const std::size_t entry = 64 + 64 * i;
    const auto at = get<std::uint64_t>(bytes, entry + 32), size = get<std::uint64_t>(bytes, entry + 40);
    if (at <= bytes.size() && size <= bytes.size() - at)
      put(bytes, entry + 48, checksum_of(bytes, static_cast<std::size_t>(at), static_cast<std::size_t>(size)));
  }
  put(bytes, 56, checksum_of(bytes, 64, 64 * sections_of(bytes)));
  put(bytes, 60, checksum_of(bytes, 0, 60));
}

/// The same, and the size of the file.
inline void repair_container(std::string& bytes) {
  if (!looks_like_container(bytes)) return;
  put(bytes, 40, std::uint64_t{bytes.size()});
  repair_checksums(bytes);
}

/// Makes every checksum of an append log of either version right: of the header, and of one record after another as far
/// as they go, which become records of this place and generation.
inline void repair_log(std::string& bytes) {
  if (bytes.size() < log_header_size) return;
  put(bytes, 12, 0u);
  put(bytes, 12, checksum_of(bytes, 0, log_header_size));
  const auto version = get<std::uint32_t>(bytes, 8);
  const auto generation = get<std::uint64_t>(bytes, 16);
  const std::size_t header = record_header_size(version);
  for (std::size_t at = log_header_size; bytes.size() - at >= header;) {
    const std::size_t left = bytes.size() - at - header;
    const std::size_t size = std::min<std::size_t>(get<std::uint32_t>(bytes, at), left);
    put(bytes, at, static_cast<std::uint32_t>(size));
    put(bytes, at + 4, checksum_of(bytes, at + header, size));
    put(bytes, at + 8, std::uint64_t{at});
    if (version != 1) put(bytes, at + 16, generation);
    put(bytes, at + header - 4, checksum_of(bytes, at, header - 4));
    at += header + std::min<std::size_t>((size + 7) / 8 * 8, left);
  }
}

/// Makes the checksums of a file right, if it is of this library.
inline void repair(std::string& bytes) {
  if (bytes.starts_with(log_magic))
    repair_log(bytes);
  else
    repair_container(bytes);
}

}  // namespace support
