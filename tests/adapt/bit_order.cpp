#include <embit/adapt/bit_order.hpp>
#include <embit/bits/pack.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

using namespace support;

TEST_CASE("dimension 0 is the highest bit of the first byte") {
  // numpy.packbits([1, 0, 1, 1, 0, 0, 0, 0, 0, 1]) is [176, 64], and PostgreSQL shows the same as 1011000001.
  const std::vector<float> row{1, 0, 1, 1, 0, 0, 0, 0, 0, 1};
  std::vector<embit::word> code(1);
  embit::pack_signs(row, code);
  CHECK(code[0] == 0b1000001101u);
  std::vector<std::uint8_t> bytes(2);
  embit::to_msb_first(code, 10, bytes);
  CHECK(bytes == std::vector<std::uint8_t>{176, 64});
  CHECK(embit::to_bit_string(code, 10) == "1011000001");
}

TEST_CASE("every single bit is where the order says, in both directions") {
  for (const std::size_t bits : {1u, 7u, 8u, 63u, 64u, 65u, 127u, 1000u})
    for (std::size_t j = 0; j < bits; ++j) {
      std::vector<embit::word> code(embit::words_for(bits), 0), back(code.size(), ~embit::word{0});
      code[j / 64] = embit::word{1} << j % 64;
      std::vector<std::uint8_t> bytes(embit::bytes_for(bits)), expected(bytes.size(), 0);
      expected[j / 8] = static_cast<std::uint8_t>(0x80u >> j % 8);
      embit::to_msb_first(code, bits, bytes);
      REQUIRE(bytes == expected);
      embit::from_msb_first(bytes, bits, back);
      REQUIRE(back == code);
      std::string text(bits, '0');
      text[j] = '1';
      REQUIRE(embit::to_bit_string(code, bits) == text);
      back.assign(code.size(), ~embit::word{0});
      embit::from_bit_string(text, back);
      REQUIRE(back == code);
    }
}

TEST_CASE("whole stores come back") {
  embit::rng rng{1};
  const std::size_t bits = GENERATE(as<std::size_t>{}, 1, 63, 64, 65, 127, 1000);
  const std::size_t n = GENERATE(as<std::size_t>{}, 0, 1, 7, 513);
  const auto codes = make_codes(n, bits, code_kind::uniform, rng);
  const auto bytes = embit::to_msb_first(codes);
  REQUIRE(bytes.cols() == (bits + 7) / 8);
  const auto back = embit::from_msb_first(bytes, bits);
  REQUIRE(back.size() == n);
  for (std::size_t i = 0; i < n; ++i) REQUIRE(std::ranges::equal(back[i], codes[i]));
}

TEST_CASE("wrong sizes, dirty padding and other characters are refused") {
  std::vector<embit::word> code(1, 5);
  std::vector<std::uint8_t> bytes{0xff, 0x01};
  CHECK(contains(refusal([&] { embit::from_msb_first(bytes, 15, code); }), "argument: from_msb_first: bits are set"));
  CHECK(contains(refusal([&] { embit::from_msb_first(bytes, 17, code); }), "shape: "));
  CHECK(contains(refusal([&] { embit::to_msb_first(code, 8, bytes); }), "shape: "));
  CHECK(contains(refusal([&] { embit::to_bit_string(code, 65); }), "shape: "));
  CHECK(contains(refusal([&] { embit::from_bit_string("01x", code); }), "argument: from_bit_string: character 2"));
  CHECK(contains(refusal([&] { embit::from_bit_string("", code); }), "shape: "));
  CHECK(code[0] == 5);
  const embit::matrix<std::uint8_t> rows(3, 2, 0x03);
  CHECK(contains(refusal([&] { embit::from_msb_first(rows, 15); }), "argument: from_msb_first: row 0"));
  CHECK(contains(refusal([&] { embit::from_msb_first(rows, 24); }), "shape: "));
  CHECK(embit::from_msb_first(rows, 16).size() == 3);
}
