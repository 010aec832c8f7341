// SPDX-License-Identifier: MIT
#include <embit/codes/pack.hpp>
#include <embit/core/random.hpp>

#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"

using embit::word;

TEST_CASE("bit j is the sign of dimension j and the tail is zero") {
  embit::rng rng{1};
  for (const std::size_t bits : {0u, 1u, 2u, 7u, 8u, 63u, 64u, 65u, 127u, 128u, 191u, 1000u}) {
    std::vector<float> row(bits), threshold(bits);
    for (auto& x : row) x = embit::normal(rng);
    for (auto& t : threshold) t = embit::normal(rng);
    std::vector<word> code(embit::words_for(bits), ~word{0}), against(code);
    embit::pack_signs(row, code);
    embit::pack_signs(row, threshold, against);
    std::size_t wrong = 0;
    for (std::size_t j = 0; j < code.size() * 64; ++j) {
      wrong += ((code[j / 64] >> (j % 64)) & 1) != (j < bits && row[j] > 0);
      wrong += ((against[j / 64] >> (j % 64)) & 1) != (j < bits && row[j] > threshold[j]);
    }
    INFO(bits);
    CHECK(wrong == 0);

    std::vector<float> signs(bits);
    std::vector<std::uint8_t> flags(bits);
    embit::unpack_signs(code, signs);
    embit::unpack_bits(code, flags);
    for (std::size_t j = 0; j < bits; ++j) {
      wrong += signs[j] != (row[j] > 0 ? 1.0f : -1.0f);
      wrong += flags[j] != (row[j] > 0);
    }
    CHECK(wrong == 0);
    embit::pack_signs(signs, against);
    CHECK(against == code);
  }
}

TEST_CASE("zero, minus zero and NaN are not positive") {
  const std::vector<float> row{0.0f, -0.0f, std::numeric_limits<float>::quiet_NaN(),
                               std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::infinity()};
  word code = ~word{0};
  embit::pack_signs(row, std::span<word>(&code, 1));
  CHECK(code == 0b11000);
}

TEST_CASE("a matrix packs row by row, whatever its stride") {
  embit::rng rng{2};
  std::vector<float> values(7 * 80);
  for (auto& x : values) x = embit::normal(rng);
  const embit::matrix_view<const float> rows(values.data(), 7, 65, 80);
  std::vector<word> codes(14), one(2);
  embit::pack_signs(rows, codes);
  for (std::size_t i = 0; i < 7; ++i) {
    embit::pack_signs(rows[i], one);
    CHECK(std::vector<word>(codes.begin() + 2 * long(i), codes.begin() + 2 * long(i) + 2) == one);
  }
  const std::vector<float> thresholds(65, -1e9f);
  embit::pack_signs(rows, codes, thresholds);
  CHECK(codes[12] == ~word{0});
  CHECK(codes[13] == 1);
}

TEST_CASE("sizes that do not fit are refused") {
  const std::vector<float> values(130);
  const embit::matrix_view<const float> rows(values.data(), 2, 65);
  std::vector<word> codes(3);
  CHECK_THROWS_AS(embit::pack_signs(rows, codes), embit::error);
  codes.resize(4);
  CHECK_THROWS_AS(embit::pack_signs(rows, codes, std::vector<float>(64)), embit::error);
}
