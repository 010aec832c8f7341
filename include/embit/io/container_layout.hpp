// The file format of this library, byte by byte.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/half.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

// All numbers are little-endian. Names are printable ASCII without spaces, padded with zero bytes.
//
//   header, 64 bytes
//    0   8  magic            89 65 6d 62 69 74 0d 0a ("\x89embit\r\n")
//    8   4  format version   1
//   12   4  kind version     of the sections that this kind of thing writes; 1 or more
//   16  24  kind             what the file holds, a name
//   40   8  file size        of the whole file in bytes
//   48   4  section count    n
//   52   4  zero
//   56   4  table checksum   CRC-32C of the section table
//   60   4  header checksum  CRC-32C of bytes 0 to 59
//   section table from byte 64, n entries of 64 bytes
//    0  32  section name     no two alike; "part/name" for sections of a part of what the file holds
//   32   8  offset           of its bytes from the beginning of the file, a multiple of 64
//   40   8  size             in bytes
//   48   4  checksum         CRC-32C of its bytes
//   52  12  zero
//   sections, in the order of the table, apart from one another; zero bytes fill the gaps up to multiples of 64
//
// Small sections (shapes, options) are values one after another without padding: whole numbers and IEEE 754 floats; a
// text is its length as 32 bits and its bytes. A matrix section is u64 rows, u64 columns, then the numbers row after
// row. Other sections are numbers one after another, as many as the section has room for.
//
// A part (the store of an index, the encoder of a retriever) has its sections under "part/", as it would have them in a
// file of its own, and before them "part/kind": the kind of the part as text, and its kind version as 32 bits.
//
// The sections of every kind stand with the type that writes them (`write_to`), and in the appendix of README.md.
//
// A reader takes the sections that it knows and leaves others alone, so a later version may add some, and may append
// fields to a section that is read in order. Where old readers would misunderstand, the kind version rises and they
// refuse. The format version rises only when the bytes above mean something else.

namespace embit::inline EMBIT_ABI {

/// What a file holds and in which version its sections are written.
struct file_kind {
  std::string_view name;      ///< 1 to 24 printable characters
  std::uint32_t version = 1;  ///< the highest one that is understood, when reading
};

namespace detail {

struct container_header {
  std::array<char, 8> magic;
  std::uint32_t format;
  std::uint32_t kind_version;
  std::array<char, 24> kind;
  std::uint64_t file_size;
  std::uint32_t sections;
  std::uint32_t zero;
  std::uint32_t table_crc;
  std::uint32_t header_crc;
};
static_assert(sizeof(container_header) == 64 && std::is_trivially_copyable_v<container_header>);

struct container_entry {
  std::array<char, 32> name;
  std::uint64_t offset;
  std::uint64_t size;
  std::uint32_t crc;
  std::array<std::uint32_t, 3> zero;
};
static_assert(sizeof(container_entry) == 64 && std::is_trivially_copyable_v<container_entry>);

inline constexpr std::array<char, 8> container_magic{'\x89', 'e', 'm', 'b', 'i', 't', '\r', '\n'};
inline constexpr std::uint32_t container_format = 1;
inline constexpr std::uint64_t section_alignment = 64;
inline constexpr std::size_t header_crc_bytes = offsetof(container_header, header_crc);

constexpr bool is_name(std::string_view name) noexcept {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return c > ' ' && c < '\x7f'; });
}

/// The name in a field, or an empty one when the field is not a padded name.
template <std::size_t N>
std::string_view name_in(const std::array<char, N>& field) noexcept {
  const auto end = std::ranges::find(field, '\0');
  const std::string_view name(field.data(), static_cast<std::size_t>(end - field.begin()));
  return std::all_of(end, field.end(), [](char c) { return c == '\0'; }) && is_name(name) ? name : std::string_view();
}

/// @throws error errc::argument when `name` does not fit.
template <std::size_t N>
std::array<char, N> name_field(std::string_view name, std::string_view what) {
  if (!is_name(name) || name.size() > N)
    raise(errc::argument, what, " '", name, "': a name of 1 to ", N, " printable characters is needed");
  std::array<char, N> field{};
  std::ranges::copy(name, field.begin());
  return field;
}

/// Numbers that files hold as memory holds them.
template <class T>
concept StoredValue =
    (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) || std::is_same_v<T, half> || std::is_same_v<T, std::byte>;

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
