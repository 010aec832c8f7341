// SPDX-License-Identifier: MIT
#include <embit/io/metadata.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/refusal.hpp"

using embit::metadata_reader;
using embit::metadata_writer;
using support::contains;
using support::refusal;

namespace {

std::vector<std::byte> bytes_of(const metadata_writer& writer) {
  return {writer.bytes().begin(), writer.bytes().end()};
}

}  // namespace

TEST_CASE("values come back in order, little-endian and without padding") {
  metadata_writer writer;
  writer.u8(0xff).u16(0x0201).u32(0x06050403u).u64(~std::uint64_t{0}).i64(-2).f32(1.0f).f64(-0.5).text("").text("ab");
  const auto bytes = bytes_of(writer);
  REQUIRE(bytes.size() == 1 + 2 + 4 + 8 + 8 + 4 + 8 + 4 + 6);
  for (std::size_t i = 1; i < 7; ++i) CHECK(bytes[i] == static_cast<std::byte>(i));
  CHECK(bytes[26] == std::byte{0x3f});  // the top byte of 1.0f comes last

  metadata_reader reader(bytes);
  CHECK(reader.u8() == 0xff);
  CHECK(reader.u16() == 0x0201);
  CHECK(reader.u32() == 0x06050403u);
  CHECK(reader.u64() == ~std::uint64_t{0});
  CHECK(reader.i64() == -2);
  CHECK(reader.f32() == 1.0f);
  CHECK(reader.f64() == -0.5);
  CHECK(reader.text().empty());
  CHECK(reader.remaining() == 6);
  CHECK(reader.text() == "ab");
  CHECK(reader.remaining() == 0);
}

TEST_CASE("reading past the end is refused with the place in the file, and takes nothing") {
  metadata_reader reader(bytes_of(metadata_writer().u32(7).u16(1)), "path: section 'x'", 1000);
  CHECK(reader.u32() == 7);
  CHECK(contains(refusal([&] { reader.u64(); }), "format: path: section 'x' at byte 1004: 8 bytes expected, 2 left"));
  CHECK(reader.u16() == 1);
  CHECK(contains(refusal([&] { reader.u8(); }), "1 bytes expected, 0 left"));
  CHECK(contains(refusal([&] { reader.refuse("7 of what?"); }), "format: path: section 'x' before byte 1006: 7 of"));
}

TEST_CASE("a text longer than its section is refused before it is read") {
  metadata_reader reader(bytes_of(metadata_writer().u32(0xffffffffu).u8(1)));
  CHECK(contains(refusal([&] { reader.text(); }), "4294967295 bytes expected, 1 left"));
}
