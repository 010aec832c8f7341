// Codes as others pack their bits, both ways: in bytes of either order, a byte a bit, and as text.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/codes/pack.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// The packings, by where dimension j is and who writes them so:
//   msb_first         bit 7 - j % 8 of byte j / 8: numpy.packbits, the "ubinary" embeddings of sentence-transformers,
//                     and bit(n) columns of PostgreSQL, pgvector's included, as its binary protocol sends them
//   msb_first_signed  the same after 128 was subtracted from each byte: "binary" (int8) of sentence-transformers
//   lsb_first         bit j % 8 of byte j / 8: FAISS, and numpy.packbits(bitorder="little")
//   bools             byte j, which is 0 or 1: arrays of bool in NumPy and HDF5
//   hex               bytes of either order as two digits each: text columns, bytes.hex(), fingerprints
//   bit_string        character j, which is '0' or '1': what PostgreSQL shows of bit(n)
//
// Where bits fill bytes, the bits of the last byte after the last dimension are zero.

namespace embit::inline EMBIT_ABI {

/// Which bit of a byte is its first dimension.
enum class bit_order { msb_first, lsb_first };

/// Bytes that a code of `bits` bits takes where codes end at whole bytes.
constexpr std::size_t bytes_for(std::size_t bits) noexcept { return bits / 8 + (bits % 8 != 0); }

namespace detail {

/// Bit i of the result is bit 7 - i of the byte.
constexpr std::uint8_t reversed_bits(std::uint8_t byte) noexcept {
  unsigned x = byte;
  x = (x & 0x0fu) << 4 | x >> 4;
  x = (x & 0x33u) << 2 | (x & 0xccu) >> 2;
  x = (x & 0x55u) << 1 | (x & 0xaau) >> 1;
  return static_cast<std::uint8_t>(x);
}

/// A packing is a map between a byte of dimension 0 lowest and the byte that is stored, both ways.
struct msb_first {
  using byte = std::uint8_t;
  static constexpr std::string_view name = "msb_first";
  static constexpr std::uint8_t bits(byte stored) noexcept { return reversed_bits(stored); }
  static constexpr byte stored(std::uint8_t bits) noexcept { return reversed_bits(bits); }
};
struct msb_first_signed {
  using byte = std::int8_t;
  static constexpr std::string_view name = "msb_first_signed";
  static constexpr std::uint8_t bits(byte stored) noexcept {
    return reversed_bits(static_cast<std::uint8_t>(stored + 128));
  }
  static constexpr byte stored(std::uint8_t bits) noexcept { return static_cast<byte>(reversed_bits(bits) - 128); }
};
struct lsb_first {
  using byte = std::uint8_t;
  static constexpr std::string_view name = "lsb_first";
  static constexpr std::uint8_t bits(byte stored) noexcept { return stored; }
  static constexpr byte stored(std::uint8_t bits) noexcept { return bits; }
};

template <class Packing>
void pack_code(std::span<const word> code, std::size_t bits, std::span<typename Packing::byte> bytes) {
  if (code.size() != words_for(bits) || bytes.size() != bytes_for(bits))
    raise(errc::shape, "to_", Packing::name, ": ", code.size(), " words and ", bytes.size(), " bytes for ", bits,
          " bits");
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = Packing::stored(static_cast<std::uint8_t>(code[i / 8] >> i % 8 * 8));
}

template <class Packing>
matrix<typename Packing::byte> pack_codes(code_view<> codes) {
  matrix<typename Packing::byte> bytes(codes.size(), bytes_for(codes.bits()));
  for (std::size_t row = 0; row < codes.size(); ++row) pack_code<Packing>(codes[row], codes.bits(), bytes[row]);
  return bytes;
}

/// Whether a last byte, dimension 0 lowest, has bits set after the last of `bits`.
constexpr bool is_dirty(std::uint8_t last, std::size_t bits) noexcept { return bits % 8 != 0 && last >> bits % 8 != 0; }

/// Sets `code` to the bytes `byte(0)`, `byte(1)` and so on, dimension 0 lowest.
template <class Byte>
void assemble(std::size_t bits, std::span<word> code, Byte byte) noexcept {
  std::ranges::fill(code, word{0});
  for (std::size_t i = 0; i < bytes_for(bits); ++i) code[i / 8] |= word{byte(i)} << i % 8 * 8;
}

template <class Packing>
void unpack_code(std::span<const typename Packing::byte> bytes, std::size_t bits, std::span<word> code) {
  if (code.size() != words_for(bits) || bytes.size() != bytes_for(bits))
    raise(errc::shape, "from_", Packing::name, ": ", code.size(), " words and ", bytes.size(), " bytes for ", bits,
          " bits");
  if (bits != 0 && is_dirty(Packing::bits(bytes.back()), bits))
    raise(errc::argument, "from_", Packing::name, ": bits are set after the last of ", bits);
  assemble(bits, code, [&](std::size_t i) { return Packing::bits(bytes[i]); });
}

template <class Packing>
code_store<> unpack_codes(matrix_view<const typename Packing::byte> rows, std::size_t bits) {
  if (rows.cols() != bytes_for(bits))
    raise(errc::shape, "from_", Packing::name, ": rows of ", rows.cols(), " bytes where ", bits, " bits take ",
          bytes_for(bits));
  code_store<> codes(rows.rows(), bits);
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    if (is_dirty(Packing::bits(rows[i].back()), bits))
      raise(errc::argument, "from_", Packing::name, ": row ", i, ", column ", rows.cols() - 1,
            " has bits set after the last of ", bits);
    unpack_code<Packing>(rows[i], bits, codes.row(i));
  }
  return codes;
}

/// The value of a hexadecimal digit, or 16.
constexpr unsigned hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  const char lower = static_cast<char>(c | 32);
  return lower >= 'a' && lower <= 'f' ? static_cast<unsigned>(lower - 'a' + 10) : 16;
}

/// Reads a code of hexadecimal digits; `place` is what messages begin with.
inline void read_hex(std::string_view text, std::size_t bits, std::span<word> code, bit_order order,
                     std::string_view place) {
  if (code.size() != words_for(bits) || text.size() % 2 != 0 || text.size() / 2 != bytes_for(bits))
    raise(errc::shape, place, ": ", text.size(), " digits and ", code.size(), " words where ", bits, " bits take ",
          bytes_for(bits), " bytes of two digits");
  for (std::size_t i = 0; i < text.size(); ++i)
    if (hex_value(text[i]) > 15) raise(errc::argument, place, ": character ", i, " is no hexadecimal digit");
  const auto byte = [&](std::size_t i) {
    const auto stored = static_cast<std::uint8_t>(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
    return order == bit_order::msb_first ? reversed_bits(stored) : stored;
  };
  if (bits != 0 && is_dirty(byte(bytes_for(bits) - 1), bits))
    raise(errc::argument, place, ": bits are set after the last of ", bits);
  assemble(bits, code, byte);
}

}  // namespace detail

/// Writes a code of `bits` bits as bytes_for(bits) bytes, MSB first.
/// @throws error errc::shape for another number of words or bytes.
inline void to_msb_first(std::span<const word> code, std::size_t bits, std::span<std::uint8_t> bytes) {
  detail::pack_code<detail::msb_first>(code, bits, bytes);
}
/// All codes, n × bytes_for(bits), MSB first.
inline matrix<std::uint8_t> to_msb_first(code_view<> codes) { return detail::pack_codes<detail::msb_first>(codes); }

/// Reads a code of `bits` bits from bytes_for(bits) bytes, MSB first.
/// @throws error errc::shape for another number of words or bytes, errc::argument when bits after the last dimension
/// are set; `code` is unchanged then.
inline void from_msb_first(std::span<const std::uint8_t> bytes, std::size_t bits, std::span<word> code) {
  detail::unpack_code<detail::msb_first>(bytes, bits, code);
}
/// Codes of `bits` bits from rows of bytes_for(bits) bytes, MSB first.
/// @throws error errc::shape for another number of columns or 0 bits, errc::argument naming row and column of the first
/// byte with bits set after the last dimension.
inline code_store<> from_msb_first(matrix_view<const std::uint8_t> rows, std::size_t bits) {
  return detail::unpack_codes<detail::msb_first>(rows, bits);
}

/// The same as the four above for bytes from which 128 is subtracted: the "binary" embeddings of sentence-transformers,
/// as in `from_msb_first_signed(read_npy<std::int8_t>(path), 1024)`.
inline void to_msb_first_signed(std::span<const word> code, std::size_t bits, std::span<std::int8_t> bytes) {
  detail::pack_code<detail::msb_first_signed>(code, bits, bytes);
}
inline matrix<std::int8_t> to_msb_first_signed(code_view<> codes) {
  return detail::pack_codes<detail::msb_first_signed>(codes);
}
inline void from_msb_first_signed(std::span<const std::int8_t> bytes, std::size_t bits, std::span<word> code) {
  detail::unpack_code<detail::msb_first_signed>(bytes, bits, code);
}
inline code_store<> from_msb_first_signed(matrix_view<const std::int8_t> rows, std::size_t bits) {
  return detail::unpack_codes<detail::msb_first_signed>(rows, bits);
}

/// The same for bytes whose lowest bit comes first, as the arrays of codes that FAISS takes and gives.
inline void to_lsb_first(std::span<const word> code, std::size_t bits, std::span<std::uint8_t> bytes) {
  detail::pack_code<detail::lsb_first>(code, bits, bytes);
}
inline matrix<std::uint8_t> to_lsb_first(code_view<> codes) { return detail::pack_codes<detail::lsb_first>(codes); }
inline void from_lsb_first(std::span<const std::uint8_t> bytes, std::size_t bits, std::span<word> code) {
  detail::unpack_code<detail::lsb_first>(bytes, bits, code);
}
inline code_store<> from_lsb_first(matrix_view<const std::uint8_t> rows, std::size_t bits) {
  return detail::unpack_codes<detail::lsb_first>(rows, bits);
}

/// Codes of rows.cols() bits from rows of 0 and 1: what `read_npy<std::uint8_t>` and `read_hdf5<std::uint8_t>` give of
/// arrays of bool, such as the sets of ann-benchmarks for the Hamming distance.
/// @throws error errc::shape for rows without columns, errc::argument naming row and column of the first other number.
inline code_store<> from_bools(matrix_view<const std::uint8_t> rows) {
  code_store<> codes(rows.rows(), rows.cols());
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    const auto row = rows[i];
    const auto bad = std::ranges::find_if(row, [](std::uint8_t x) { return x > 1; });
    if (bad != row.end())
      raise(errc::argument, "from_bools: row ", i, ", column ", bad - row.begin(), " is ", unsigned{*bad},
            ", neither 0 nor 1");
    detail::pack_bits(row.size(), codes.row(i), [&](std::size_t j) { return row[j] != 0; });
  }
  return codes;
}

/// All bits as 0 and 1, n × bits.
inline matrix<std::uint8_t> to_bools(code_view<> codes) {
  matrix<std::uint8_t> rows(codes.size(), codes.bits());
  for (std::size_t i = 0; i < codes.size(); ++i) unpack_bits(codes[i], rows[i]);
  return rows;
}

/// A code of `bits` bits as 2 · bytes_for(bits) hexadecimal digits, the first byte first and its higher half first.
/// @throws error errc::shape for another number of words.
inline std::string to_hex(std::span<const word> code, std::size_t bits, bit_order order = bit_order::msb_first) {
  if (code.size() != words_for(bits)) raise(errc::shape, "to_hex: ", code.size(), " words for ", bits, " bits");
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes_for(bits));
  for (std::size_t i = 0; i < bytes_for(bits); ++i) {
    const auto byte = static_cast<std::uint8_t>(code[i / 8] >> i % 8 * 8);
    const unsigned stored = order == bit_order::msb_first ? detail::reversed_bits(byte) : byte;
    text += digits[stored >> 4];
    text += digits[stored & 15u];
  }
  return text;
}

/// Reads the code of `bits` bits that `to_hex` wrote; digits may be capitals.
/// @throws error errc::shape for another number of digits or words, errc::argument naming the first character that is
/// no digit, or when bits after the last dimension are set; `code` is unchanged then.
inline void from_hex(std::string_view text, std::size_t bits, std::span<word> code,
                     bit_order order = bit_order::msb_first) {
  detail::read_hex(text, bits, code, order, "from_hex");
}

/// Codes of `bits` bits, one a text.
/// @throws error as for one, naming the row; errc::shape for 0 bits.
inline code_store<> from_hex(std::span<const std::string> rows, std::size_t bits,
                             bit_order order = bit_order::msb_first) {
  code_store<> codes(rows.size(), bits);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::string place = "from_hex: row ";
    detail::append(place, i);
    detail::read_hex(rows[i], bits, codes.row(i), order, place);
  }
  return codes;
}

/// A code of `bits` bits as text of '0' and '1', dimension 0 first: what PostgreSQL shows of a bit(n) column and takes.
/// @throws error errc::shape for another number of words.
inline std::string to_bit_string(std::span<const word> code, std::size_t bits) {
  if (code.size() != words_for(bits)) raise(errc::shape, "to_bit_string: ", code.size(), " words for ", bits, " bits");
  std::string text(bits, '0');
  for (std::size_t j = 0; j < bits; ++j)
    if ((code[j / word_bits] >> j % word_bits & 1u) != 0) text[j] = '1';
  return text;
}

/// Reads the code of text.size() bits that `to_bit_string` wrote.
/// @throws error errc::shape for another number of words, errc::argument naming the first character that is neither
/// '0' nor '1'; `code` is unchanged then.
inline void from_bit_string(std::string_view text, std::span<word> code) {
  if (code.size() != words_for(text.size()))
    raise(errc::shape, "from_bit_string: ", code.size(), " words for ", text.size(), " bits");
  if (const auto bad = text.find_first_not_of("01"); bad != text.npos)
    raise(errc::argument, "from_bit_string: character ", bad, " is neither 0 nor 1");
  for (std::size_t w = 0; w < code.size(); ++w) code[w] = 0;
  for (std::size_t j = 0; j < text.size(); ++j) code[j / word_bits] |= word{text[j] == '1'} << j % word_bits;
}

}  // namespace embit::inline EMBIT_ABI
