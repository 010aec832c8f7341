// What an append log looks like on disk, and which of its bytes are records.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/io/checksum.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// The first bytes of a log. All numbers are little-endian.
struct log_header {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t crc;         // CRC-32C of the header with this field 0
  std::uint64_t generation;  // of the file that the log continues
  std::uint64_t zero;
};
static_assert(sizeof(log_header) == 32);

/// Before the bytes of each record, which are followed by zeros up to a multiple of 8.
struct record_header {
  std::uint32_t size;         // of the record
  std::uint32_t payload_crc;  // CRC-32C of its bytes
  std::uint64_t offset;       // of this header in the file, and
  std::uint64_t generation;   // that of the log, so that old bytes are never taken for new ones
  std::uint32_t zero;
  std::uint32_t crc;  // CRC-32C of the fields above
};
static_assert(sizeof(record_header) == 32);

/// The same in logs of version 1.
struct record_header_1 {
  std::uint32_t size;
  std::uint32_t payload_crc;
  std::uint64_t offset;
  std::uint32_t zero;
  std::uint32_t crc;
};
static_assert(sizeof(record_header_1) == 24);

inline constexpr std::array<char, 8> log_magic{'e', 'm', 'b', 'i', 't', 'l', 'o', 'g'};
inline constexpr std::uint32_t log_version = 2;

constexpr std::uint64_t padded_record(std::uint64_t size) noexcept { return (size + 7) / 8 * 8; }

/// The checksum of a header, which is its last field.
template <class Header>
std::uint32_t crc_of(const Header& header) noexcept {
  return crc32c(std::as_bytes(std::span(&header, 1)).first(sizeof header - sizeof header.crc));
}

inline std::uint32_t crc_of(log_header header) noexcept {
  header.crc = 0;
  return crc32c(std::as_bytes(std::span(&header, 1)));
}

/// How the records of a log are told from other bytes.
struct record_format {
  std::uint32_t version = log_version;
  std::uint64_t generation = 0;

  std::size_t header_size() const noexcept { return version == 1 ? sizeof(record_header_1) : sizeof(record_header); }

  /// The header that `bytes`, at `offset` of the file, begin with, if they are that of a record of this log.
  std::optional<record_header> header(std::span<const std::byte> bytes, std::uint64_t offset) const noexcept {
    record_header found{};
    if (bytes.size() < header_size()) return std::nullopt;
    if (version == 1) {
      record_header_1 old{};
      std::memcpy(&old, bytes.data(), sizeof old);
      if (old.offset != offset || old.crc != crc_of(old)) return std::nullopt;
      return record_header{old.size, old.payload_crc, old.offset, generation, 0, 0};
    }
    std::memcpy(&found, bytes.data(), sizeof found);
    if (found.offset != offset || found.generation != generation || found.crc != crc_of(found)) return std::nullopt;
    return found;
  }
};

/// Whether the first bytes of a file are those of a log, as far as they go.
inline bool begins_as_log(std::span<const std::byte> bytes) noexcept {
  return std::memcmp(bytes.data(), log_magic.data(), (std::min)(bytes.size(), log_magic.size())) == 0;
}

inline bool all_zero(std::span<const std::byte> bytes) noexcept {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
