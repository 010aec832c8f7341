// Codes as others order their bits: the first dimension in the highest bit of the first byte, or as text of 0 and 1.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/bits/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>
#include <embit/store/code_store.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// MSB first is the order of numpy.packbits, and so of the "ubinary" embeddings of sentence-transformers, and of the
// bit(n) columns of PostgreSQL, pgvector's included: what its binary protocol sends after the length, and what it shows
// as text. Dimension j is bit 7 - j % 8 of byte j / 8; the bits of the last byte after the last dimension are zero.

namespace embit::inline EMBIT_ABI {

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

}  // namespace detail

/// Writes a code of `bits` bits as bytes_for(bits) bytes, MSB first.
/// @throws error errc::shape for another number of words or bytes.
inline void to_msb_first(std::span<const word> code, std::size_t bits, std::span<std::uint8_t> bytes) {
  if (code.size() != words_for(bits) || bytes.size() != bytes_for(bits))
    raise(errc::shape, "to_msb_first: ", code.size(), " words and ", bytes.size(), " bytes for ", bits, " bits");
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = detail::reversed_bits(static_cast<std::uint8_t>(code[i / 8] >> i % 8 * 8));
}

/// All codes, n × bytes_for(bits), MSB first.
inline matrix<std::uint8_t> to_msb_first(code_view<> codes) {
  auto bytes = matrix<std::uint8_t>::uninitialized(codes.size(), bytes_for(codes.bits()));
  for (std::size_t row = 0; row < codes.size(); ++row) to_msb_first(codes[row], codes.bits(), bytes[row]);
  return bytes;
}

/// Reads a code of `bits` bits from bytes_for(bits) bytes, MSB first.
/// @throws error errc::shape for another number of words or bytes, errc::argument when bits after the last dimension
/// are set; `code` is unchanged then.
inline void from_msb_first(std::span<const std::uint8_t> bytes, std::size_t bits, std::span<word> code) {
  if (code.size() != words_for(bits) || bytes.size() != bytes_for(bits))
    raise(errc::shape, "from_msb_first: ", code.size(), " words and ", bytes.size(), " bytes for ", bits, " bits");
  if (bits % 8 != 0 && (bytes.back() & 0xffu >> bits % 8) != 0)
    raise(errc::argument, "from_msb_first: bits are set after the last of ", bits);
  for (std::size_t w = 0; w < code.size(); ++w) {
    code[w] = 0;
    for (std::size_t i = w * 8; i < bytes.size() && i < w * 8 + 8; ++i)
      code[w] |= word{detail::reversed_bits(bytes[i])} << i % 8 * 8;
  }
}

/// Codes of `bits` bits from rows of bytes_for(bits) bytes, MSB first.
/// @throws error errc::shape for another number of columns, errc::argument naming the first row with bits set after
/// the last dimension.
inline code_store<> from_msb_first(matrix_view<const std::uint8_t> rows, std::size_t bits) {
  if (rows.cols() != bytes_for(bits))
    raise(errc::shape, "from_msb_first: rows of ", rows.cols(), " bytes where ", bits, " bits take ", bytes_for(bits));
  code_store<> codes(rows.rows(), bits);
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    if (bits % 8 != 0 && (rows[i].back() & 0xffu >> bits % 8) != 0)
      raise(errc::argument, "from_msb_first: row ", i, " has bits set after the last of ", bits);
    from_msb_first(rows[i], bits, codes.row(i));
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
