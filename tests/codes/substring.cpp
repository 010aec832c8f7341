// SPDX-License-Identifier: MIT
#include <embit/codes/substring.hpp>
#include <embit/core/random.hpp>

#include <algorithm>
#include <array>

#include "support/catch.hpp"

using embit::word;

TEST_CASE("a substring is its bits, across words too") {
  embit::rng rng{3};
  const std::array<word, 4> code{rng(), rng(), rng(), rng()};
  std::size_t wrong = 0;
  for (std::size_t first = 0; first < 256; ++first)
    for (std::size_t length = 0; length <= 64 && first + length <= 256; ++length) {
      word expected = 0;
      for (std::size_t j = 0; j < length; ++j) expected |= ((code[(first + j) / 64] >> ((first + j) % 64)) & 1) << j;
      wrong += embit::substring(code, {first, length}) != expected;
    }
  CHECK(wrong == 0);
}

TEST_CASE("a split covers every bit once, in order, as evenly as possible") {
  std::size_t wrong = 0;
  for (const std::size_t bits : {1u, 2u, 63u, 64u, 65u, 127u, 1000u})
    for (std::size_t parts = 1; parts <= bits; ++parts) {
      const embit::bit_split split(bits, parts);
      std::size_t next = 0, shortest = bits, longest = 0;
      for (std::size_t i = 0; i < split.size(); ++i) {
        wrong += split[i].first != next;
        next += split[i].length;
        shortest = std::min(shortest, split[i].length);
        longest = std::max(longest, split[i].length);
      }
      wrong += next != bits || longest - shortest > 1 || shortest == 0 || longest != split.longest();
    }
  CHECK(wrong == 0);
}

TEST_CASE("no substrings, or more than there are bits, are refused") {
  CHECK_THROWS_AS(embit::bit_split(64, 0), embit::error);
  CHECK_THROWS_AS(embit::bit_split(3, 4), embit::error);
}
