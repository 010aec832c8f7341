// Between rows of numbers and packed bits: dimension j is bit j % 64 of word j / 64, set when the number is positive.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Bit j of `code` is `set(j)` for the `bits` first dimensions; the rest of the last word is zero.
template <class Predicate>
void pack_bits(std::size_t bits, std::span<word> code, Predicate set) noexcept {
  EMBIT_ASSERT(code.size() == words_for(bits));
  std::size_t w = 0;
  for (; w < bits / word_bits; ++w) {
    // Eight independent bytes: a single running word would be one chain of 64 dependent operations.
    word packed = 0;
    for (std::size_t byte = 0; byte < word_bits; byte += 8) {
      const std::size_t j = w * word_bits + byte;
      const unsigned value = unsigned{set(j)} | unsigned{set(j + 1)} << 1 | unsigned{set(j + 2)} << 2 |
                             unsigned{set(j + 3)} << 3 | unsigned{set(j + 4)} << 4 | unsigned{set(j + 5)} << 5 |
                             unsigned{set(j + 6)} << 6 | unsigned{set(j + 7)} << 7;
      packed |= word{value} << byte;
    }
    code[w] = packed;
  }
  if (w == code.size()) return;
  word tail = 0;
  for (std::size_t j = w * word_bits; j < bits; ++j) tail |= word{set(j)} << (j % word_bits);
  code[w] = tail;
}

}  // namespace detail

/// Bit j of `code` is `row[j] > 0`; zero and NaN give 0, tail bits are zero. `code` has words_for(row.size()) words.
inline void pack_signs(std::span<const float> row, std::span<word> code) noexcept {
  // Told by the bits, so that NaN gives 0 with -ffast-math, too: positive numbers are those from 1 on as integers.
  detail::pack_bits(row.size(), code, [x = row.data()](std::size_t j) {
    std::uint32_t bits;
    std::memcpy(&bits, x + j, sizeof bits);
    return bits - 1 < detail::number_bits<float>::exponent;
  });
}

/// Bit j of `code` is `row[j] > thresholds[j]`; `thresholds` is as long as `row`.
inline void pack_signs(std::span<const float> row, std::span<const float> thresholds, std::span<word> code) noexcept {
  EMBIT_ASSERT(thresholds.size() == row.size());
  detail::pack_bits(row.size(), code, [x = row.data(), t = thresholds.data()](std::size_t j) { return x[j] > t[j]; });
}

/// Packs n rows of d numbers into n · words_for(d) words, row after row.
/// @throws error errc::shape when `codes` has another size, or `thresholds` is neither empty nor one a column,
///         errc::not_finite for NaN or infinity; `codes` is unchanged then.
inline void pack_signs(matrix_view<const float> rows, std::span<word> codes, std::span<const float> thresholds = {}) {
  const std::size_t words = words_for(rows.cols());
  if (codes.size() != rows.rows() * words)
    raise(errc::shape, "pack_signs: ", codes.size(), " words for ", rows.rows(), " codes of ", rows.cols(), " bits");
  if (!thresholds.empty() && thresholds.size() != rows.cols())
    raise(errc::shape, "pack_signs: ", thresholds.size(), " thresholds for ", rows.cols(), " columns");
  detail::require_finite(rows, "rows");
  detail::require_finite(thresholds, "thresholds");
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    const auto code = codes.subspan(i * words, words);
    thresholds.empty() ? pack_signs(rows[i], code) : pack_signs(rows[i], thresholds, code);
  }
}

/// The bits of `code` as 0 and 1, one a byte; `bits.size()` dimensions.
inline void unpack_bits(std::span<const word> code, std::span<std::uint8_t> bits) noexcept {
  EMBIT_ASSERT(code.size() == words_for(bits.size()));
  for (std::size_t j = 0; j < bits.size(); ++j)
    bits[j] = static_cast<std::uint8_t>((code[j / word_bits] >> (j % word_bits)) & 1u);
}

/// The bits of `code` as -1 and +1; `signs.size()` dimensions. The inverse of pack_signs for rows of -1 and +1.
inline void unpack_signs(std::span<const word> code, std::span<float> signs) noexcept {
  EMBIT_ASSERT(code.size() == words_for(signs.size()));
  for (std::size_t j = 0; j < signs.size(); ++j)
    signs[j] = ((code[j / word_bits] >> (j % word_bits)) & 1u) != 0 ? 1.0f : -1.0f;
}

}  // namespace embit::inline EMBIT_ABI
