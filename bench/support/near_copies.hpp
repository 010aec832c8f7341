// Codes of which a tenth are near copies of others, as collections of pictures and texts have them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/store/code_store.hpp>

#include <cstddef>
#include <string_view>
#include <tuple>

namespace bench {

enum class copies {
  uniform,  ///< the others are uniform
  skewed    ///< a tenth of the others have their first 16 bits zero
};

inline std::string_view name_of(copies data) { return data == copies::uniform ? "uniform" : "skewed"; }

inline embit::code_store<> make_near_copies(std::size_t rows, copies data, std::size_t bits) {
  embit::rng rng{3};
  embit::code_store<> codes(rows, bits);
  for (std::size_t i = 0; i < rows; ++i) {
    const auto row = codes.row(i);
    if (i > 10 && embit::uniform_index(rng, 10) == 0) {
      codes.copy_row(embit::uniform_index(rng, i), row);
      for (std::size_t flips = embit::uniform_index(rng, 6); flips > 0; --flips) {
        const std::size_t bit = embit::uniform_index(rng, bits);
        row[bit / embit::word_bits] ^= embit::word{1} << bit % embit::word_bits;
      }
      continue;
    }
    for (auto& w : row) w = rng();
    if (data == copies::skewed && embit::uniform_index(rng, 10) == 0) row[0] &= ~embit::word{0xffff};
    row.back() &= embit::tail_mask(bits);
  }
  return codes;
}

/// The same, made once; the last one is kept.
inline const embit::code_store<>& near_copies_of(std::size_t rows, copies data, std::size_t bits) {
  static std::tuple<std::size_t, copies, std::size_t> made{};
  static embit::code_store<> codes;
  if (made != std::tuple{rows, data, bits}) {
    codes = make_near_copies(rows, data, bits);
    made = {rows, data, bits};
  }
  return codes;
}

}  // namespace bench
