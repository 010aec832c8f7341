// The scalar vocabulary: words of a code, row ids, the size that is only known at run time.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI {

/// 64 bits of a code. Dimension j of a code is bit j % 64 of word j / 64, least significant bit first.
using word = std::uint64_t;

/// The position of a row in its store.
using row_id = std::uint32_t;

/// What a user calls a row, whatever its position: see `labelled_index`.
using row_label = std::uint64_t;

/// The width of a code that is only known at run time.
inline constexpr std::size_t dynamic = static_cast<std::size_t>(-1);

inline constexpr std::size_t word_bits = 64;

/// Words that hold `bits` bits.
constexpr std::size_t words_for(std::size_t bits) noexcept { return bits / word_bits + (bits % word_bits != 0); }

/// The bits of the last word that belong to a code of `bits` bits; the others are zero in every valid code.
constexpr word tail_mask(std::size_t bits) noexcept {
  const std::size_t used = bits % word_bits;
  return used == 0 ? ~word{0} : (word{1} << used) - 1;
}

}  // namespace embit::inline EMBIT_ABI
