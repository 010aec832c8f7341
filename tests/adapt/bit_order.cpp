#include <embit/adapt/bit_order.hpp>
#include <embit/codes/pack.hpp>

#include <algorithm>
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
      std::vector<std::int8_t> shifted(bytes.size());
      embit::to_msb_first_signed(code, bits, shifted);
      for (std::size_t i = 0; i < bytes.size(); ++i) REQUIRE(shifted[i] == int{expected[i]} - 128);
      back.assign(code.size(), ~embit::word{0});
      embit::from_msb_first_signed(shifted, bits, back);
      REQUIRE(back == code);
      REQUIRE(embit::from_hex(std::vector{embit::to_hex(code, bits)}, bits)[0][j / 64] == code[j / 64]);

      std::fill(expected.begin(), expected.end(), std::uint8_t{0});
      expected[j / 8] = static_cast<std::uint8_t>(1u << j % 8);
      embit::to_lsb_first(code, bits, bytes);
      REQUIRE(bytes == expected);
      back.assign(code.size(), ~embit::word{0});
      embit::from_lsb_first(bytes, bits, back);
      REQUIRE(back == code);
      const std::string digits = embit::to_hex(code, bits, embit::bit_order::lsb_first);
      REQUIRE(digits.size() == 2 * bytes.size());
      REQUIRE(std::stoul(digits.substr(j / 8 * 2, 2), nullptr, 16) == expected[j / 8]);
      back.assign(code.size(), ~embit::word{0});
      embit::from_hex(digits, bits, back, embit::bit_order::lsb_first);
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
  const auto same = [&](const embit::code_store<>& other) {
    REQUIRE((other.size() == n && other.bits() == bits));
    for (std::size_t i = 0; i < n; ++i) REQUIRE(std::ranges::equal(other[i], codes[i]));
  };
  same(back);
  same(embit::from_msb_first_signed(embit::to_msb_first_signed(codes), bits));
  same(embit::from_lsb_first(embit::to_lsb_first(codes), bits));
  same(embit::from_bools(embit::to_bools(codes)));
  std::vector<std::string> hex;
  for (std::size_t i = 0; i < n; ++i) hex.push_back(embit::to_hex(codes[i], bits));
  same(embit::from_hex(hex, bits));
}

TEST_CASE("the embeddings of sentence-transformers, signed and not, are the signs of the floats") {
  // numpy.packbits of 16 positive numbers, of 1 0 1 1 0 0 0 0 | 0 1 0 0 0 0 0 0, and of none; "binary" is 128 less.
  embit::matrix<std::uint8_t> ubinary(3, 2, 0);
  embit::matrix<std::int8_t> binary(3, 2, -128);
  for (int j = 0; j < 2; ++j) ubinary[0][std::size_t(j)] = 255, binary[0][std::size_t(j)] = 127;
  ubinary[1][0] = 176, ubinary[1][1] = 64, binary[1][0] = 48, binary[1][1] = -64;
  for (const auto& codes : {embit::from_msb_first(ubinary, 16), embit::from_msb_first_signed(binary, 16)}) {
    CHECK(codes[0][0] == 0xffff);
    CHECK(codes[1][0] == 0b1000001101u);
    CHECK(codes[2][0] == 0);
  }
  std::vector<embit::word> code{0xffff};
  CHECK(embit::to_hex(code, 16) == "ffff");
  embit::from_hex("B040", 16, code);
  CHECK(code[0] == 0b1000001101u);
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
  CHECK(
      contains(refusal([&] { embit::from_msb_first(rows, 15); }), "row 0, column 1 has bits set after the last of 15"));

  embit::matrix<std::int8_t> shifted(2, 1, -128);
  CHECK(embit::from_msb_first_signed(shifted, 5).size() == 2);
  shifted[1][0] = -127;
  CHECK(contains(refusal([&] { embit::from_msb_first_signed(shifted, 5); }),
                 "argument: from_msb_first_signed: row 1, column 0 has bits"));
  CHECK(embit::from_msb_first_signed(shifted, 8)[1][0] == 0x80);
  CHECK(contains(refusal([&] { embit::from_lsb_first(embit::matrix<std::uint8_t>(1, 2, 0x80), 15); }),
                 "argument: from_lsb_first: row 0, column 1 has bits"));
  CHECK(embit::from_lsb_first(rows, 10).size() == 3);
  for (const auto packing : {0, 1, 2})
    CHECK(contains(refusal([&] {
                     const embit::matrix<std::uint8_t> none(1, 0);
                     if (packing == 0) embit::from_msb_first(none, 0);
                     if (packing == 1) embit::from_lsb_first(none, 0);
                     if (packing == 2) embit::from_bools(none);
                   }),
                   "shape: code_store: codes of 0 bits"));
  embit::matrix<std::uint8_t> bools(2, 3, 1);
  bools[1][2] = 2;
  CHECK(refusal([&] { embit::from_bools(bools); }) == "argument: from_bools: row 1, column 2 is 2, neither 0 nor 1");

  const std::vector<std::string> hex{"ff80", "fg00", "ff8", "FF01"};
  const auto why = [&](std::size_t i, std::size_t bits) {
    return refusal([&] { embit::from_hex(std::span(hex).subspan(i, 1), bits); });
  };
  CHECK(why(0, 9) == "accepted");
  CHECK(why(3, 9) == "argument: from_hex: row 0: bits are set after the last of 9");
  CHECK(why(1, 16) == "argument: from_hex: row 0: character 1 is no hexadecimal digit");
  CHECK(why(2, 16) == "shape: from_hex: row 0: 3 digits and 1 words where 16 bits take 2 bytes of two digits");
  CHECK(contains(refusal([&] { embit::from_hex(hex, 16); }), "from_hex: row 1: character 1"));
  CHECK(contains(refusal([&] { embit::from_hex("ffff", 9, code); }), "argument: from_hex: bits are set"));
  CHECK(contains(refusal([&] { embit::from_hex("ff", 9, code); }), "shape: from_hex: 2 digits"));
  CHECK(code[0] == 5);
}
