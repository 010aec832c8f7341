// SPDX-License-Identifier: MIT
#include <embit/core/half.hpp>
#include <embit/io/checksum.hpp>
#include <embit/io/container.hpp>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

using embit::container_reader;
using support::contains;
using support::refusal;
using support::slurp;
using support::spill;

namespace {

constexpr embit::file_kind thing{"thing", 2};

const std::vector<std::uint64_t> words{1, 2, 3, 0xffffffffffffffffu, 5};
const std::vector<float> floats{1.5f, -2.0f, 0.25f};

void write_thing(const std::string& path) {
  embit::container_writer writer(path, thing);
  const auto sections = writer.sections();
  sections.add("meta", embit::metadata_writer().u32(3).u64(5).f32(0.5f).f64(-1.25).text("name").u8(7).u16(8).i64(-9));
  sections.add("words", std::span(words));
  sections.scope("part").add("floats", std::span(floats));
  sections.add_stream("chunks", [](embit::section_sink& sink) {
    for (std::uint32_t i = 0; i < 3; ++i) sink.write(std::span<const std::uint32_t>(&i, 1));
  });
  sections.add("none", std::span<const float>());
  writer.finish();
}

/// Reads all of it by every route that this reader offers and says whether it is what was written.
bool is_the_thing(const container_reader& reader) {
  const auto sections = reader.sections();
  auto meta = sections.metadata("meta");
  const bool same_meta = meta.u32() == 3 && meta.u64() == 5 && meta.f32() == 0.5f && meta.f64() == -1.25 &&
                         meta.text() == "name" && meta.u8() == 7 && meta.u16() == 8 && meta.i64() == -9 &&
                         meta.remaining() == 0;
  const auto chunks = sections.array<std::uint32_t>("chunks");
  bool same =
      same_meta &&
      sections.array<std::uint64_t>("words", 5) == embit::aligned_vector<std::uint64_t>(words.begin(), words.end()) &&
      sections.scope("part").array<float>("floats") == embit::aligned_vector<float>(floats.begin(), floats.end()) &&
      chunks == embit::aligned_vector<std::uint32_t>{0, 1, 2} && sections.array<float>("none").empty();
  reader.verify();
  if (reader.in_memory()) {
    const auto view = sections.view<std::uint64_t>("words", 5);
    same = same && std::vector(view.begin(), view.end()) == words;
  }
  return same;
}

container_reader from_string(const std::string& bytes, embit::file_kind kind = thing) {
  embit::aligned_vector<std::byte> copy(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
  return container_reader::from_bytes(std::move(copy), "memory", kind);
}

std::string thing_bytes() {
  const support::temp_dir dir;
  write_thing(dir / "thing");
  return slurp(dir / "thing");
}

template <class T>
void poke(std::string& bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

/// Makes both checksums right again after a header or table was changed on purpose.
void reseal(std::string& bytes) {
  const auto all = support::bytes_of(bytes);
  std::uint32_t count = 0;
  std::memcpy(&count, bytes.data() + 48, 4);
  if (64 + std::size_t{count} * 64 <= bytes.size())
    poke(bytes, 56, embit::crc32c(all.subspan(64, std::size_t{count} * 64)));
  poke(bytes, 60, embit::crc32c(all.first(60)));
}

}  // namespace

TEST_CASE("what was written is read back, opened, mapped or from memory") {
  const support::temp_dir dir;
  write_thing(dir / "thing");
  CHECK(is_the_thing(container_reader::open(dir / "thing", thing)));
  CHECK(is_the_thing(from_string(slurp(dir / "thing"))));

  auto mapped = container_reader::map(dir / "thing", {"", 0});
  const auto* where = mapped.sections().view<float>("part/floats", 3).data();
  const auto moved = std::move(mapped);
  CHECK(is_the_thing(moved));
  CHECK(moved.sections().view<float>("part/floats", 3).data() == where);
  CHECK(reinterpret_cast<std::uintptr_t>(where) % 64 == 0);
  CHECK(moved.kind() == "thing");
  CHECK(moved.kind_version() == 2);
  CHECK(moved.path() == dir / "thing");
  CHECK_FALSE(moved.sections().contains("floats"));
  CHECK(dir.entries() == 1);

  write_thing(dir / "again");
  CHECK(slurp(dir / "again") == slurp(dir / "thing"));
}

TEST_CASE("the bytes of a file are those of the written layout") {
  const support::temp_dir dir;
  embit::container_writer writer(dir / "golden", {"gold", 3});
  const std::vector<std::uint16_t> values{0x0201, 0x0403};
  writer.sections().add("ab", std::span(values));
  writer.finish();
  std::string expected(132, '\0');
  expected.replace(0, 8,
                   "\x89"
                   "embit\r\n");
  poke(expected, 8, std::uint8_t{1});
  poke(expected, 12, std::uint8_t{3});
  expected.replace(16, 4, "gold");
  poke(expected, 40, std::uint8_t{132});
  poke(expected, 48, std::uint8_t{1});
  expected.replace(64, 2, "ab");
  poke(expected, 64 + 32, std::uint8_t{128});
  poke(expected, 64 + 40, std::uint8_t{4});
  expected.replace(128, 4, "\x01\x02\x03\x04");
  poke(expected, 64 + 48, std::uint32_t{0x29308cf4u});  // CRC-32C of 01 02 03 04
  reseal(expected);
  CHECK(slurp(dir / "golden") == expected);
}

TEST_CASE("every truncation and every flipped bit of a small container is refused or harmless") {
  const std::string good = thing_bytes();
  REQUIRE(is_the_thing(from_string(good)));
  std::size_t accepted = 0, refused = 0, harmless = 0, wrong = 0;
  for (std::size_t size = 0; size < good.size(); ++size)
    accepted += refusal([&] { from_string(good.substr(0, size)); }) == "accepted";
  CHECK(accepted == 0);
  CHECK(contains(refusal([&] { from_string(good + "x"); }), "format: memory: byte 40: "));

  for (std::size_t at = 0; at < good.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      bool same = false;
      const auto outcome = refusal([&] { same = is_the_thing(from_string(bad)); });
      refused += outcome != "accepted";
      harmless += outcome == "accepted" && same;
      wrong += outcome == "accepted" && !same;
    }
  CHECK(wrong == 0);
  CHECK(refused + harmless == good.size() * 8);
  CHECK(refused > harmless);  // only the padding between sections is harmless
}

TEST_CASE("a table that lies with valid checksums is refused before anything is read") {
  const std::string good = thing_bytes();
  const auto lie = [&](std::size_t at, auto value) {
    std::string bad = good;
    poke(bad, at, value);
    reseal(bad);
    return refusal([&] { from_string(bad); });
  };
  constexpr std::size_t second = 128, offset = 32, size = 40;  // the entry of "words"
  constexpr auto most = ~std::uint64_t{0};
  CHECK(contains(lie(48, ~std::uint32_t{0}), "format: memory: byte 48: 4294967295 sections"));
  CHECK(contains(lie(second + offset, most - 63), "reaches beyond"));
  CHECK(contains(lie(second + size, most), "reaches beyond"));
  CHECK(contains(lie(second + size, most - 447), "reaches beyond"));  // offset + size would wrap round
  CHECK(contains(lie(second + offset, std::uint64_t{449}), "misaligned"));
  CHECK(contains(lie(second + offset, std::uint64_t{0}), "format: memory: byte 128: section 'words'"));
  CHECK(contains(lie(64 + size, std::uint64_t{100}), "inside what is before it"));
  CHECK(contains(lie(second, std::array<char, 5>{'m', 'e', 't', 'a', 0}), "two sections are called 'meta'"));
  CHECK(contains(lie(second, '\0'), "no valid section name"));
  CHECK(contains(lie(second, '\n'), "no valid section name"));
  CHECK(contains(lie(16, '\x80'), "no valid kind"));
  CHECK(contains(lie(40, most), "were written"));
}

TEST_CASE("other files, versions, kinds and byte orders are told apart") {
  const std::string good = thing_bytes();
  const auto changed = [&](std::size_t at, auto value) {
    std::string bad = good;
    poke(bad, at, value);
    reseal(bad);
    return bad;
  };
  CHECK(contains(refusal([&] { from_string(changed(0, 'E')); }), "format: memory: byte 0: not an embit file"));
  CHECK(contains(refusal([&] { from_string(changed(8, 2u)); }), "version: memory: byte 8: format version 2"));
  CHECK(contains(refusal([&] { from_string(changed(8, 0x01000000u)); }), "the other byte order"));
  CHECK(contains(refusal([&] { from_string(changed(12, 3u)); }), "version: memory: byte 12: version 3 of 'thing'"));
  CHECK(contains(refusal([&] { from_string(good, {"other", 2}); }), "kind: memory: byte 16: holds 'thing'"));
  CHECK(refusal([&] { from_string(changed(12, 1u)); }) == "accepted");
}

TEST_CASE("damage inside a section is found when it is read or verified, with its place") {
  const support::temp_dir dir;
  std::string bytes = thing_bytes();
  const auto reader = from_string(bytes);
  const auto& info = reader.sections().info("words");
  bytes[static_cast<std::size_t>(info.offset) + 9] ^= 1;
  spill(dir / "bad", bytes);
  const std::string expected =
      "checksum: " + (dir / "bad") + ": section 'words' (40 bytes at byte " + std::to_string(info.offset) + ")";
  for (const auto& bad : {container_reader::open(dir / "bad", thing), container_reader::map(dir / "bad", thing)}) {
    CHECK(contains(refusal([&] { bad.verify(); }), expected));
    CHECK(contains(refusal([&] { bad.sections().array<std::uint64_t>("words"); }), expected));
    CHECK(bad.sections().array<float>("part/floats").size() == 3);
  }
}

TEST_CASE("sections that are missing or of another size are refused by name") {
  const auto reader = from_string(thing_bytes());
  const auto sections = reader.sections();
  CHECK(contains(refusal([&] { sections.array<float>("nothing"); }), "section 'nothing' is missing"));
  CHECK(contains(refusal([&] { sections.scope("part").metadata("x"); }), "section 'part/x' is missing"));
  CHECK(contains(refusal([&] { sections.array<float>("part/floats", 4); }), "3 elements where 4 are expected"));
  CHECK(contains(refusal([&] { sections.view<double>("part/floats", 1); }), "no multiple of 8"));
  auto meta = sections.metadata("meta");
  static_cast<void>(meta.u64());
  const auto message = refusal([&] {
    for (;;) static_cast<void>(meta.u64());
  });
  CHECK(contains(message, "format: memory: section 'meta' at byte "));
  CHECK(contains(message, " 8 bytes expected, "));
  const support::temp_dir dir;
  write_thing(dir / "thing");
  const auto opened = container_reader::open(dir / "thing", thing);
  CHECK(contains(refusal([&] { opened.sections().view<float>("part/floats", 3); }), "unsupported: "));
}

TEST_CASE("a file that changes its size while it is open is noticed") {
  const support::temp_dir dir;
  write_thing(dir / "thing");
  const auto mapped = container_reader::map(dir / "thing", thing);
  const auto opened = container_reader::open(dir / "thing", thing);
  const std::string bytes = slurp(dir / "thing");
  write_thing(dir / "thing");  // replaced under the same name: both still have the old one
  CHECK(is_the_thing(mapped));
  CHECK(is_the_thing(opened));

  const auto remapped = container_reader::map(dir / "thing", thing);
  const auto reopened = container_reader::open(dir / "thing", thing);
  REQUIRE(::truncate((dir / "thing").c_str(), 100) == 0);
  CHECK(contains(refusal([&] { remapped.verify(); }), "bytes when it was mapped and has 100 now"));
  CHECK(contains(refusal([&] { reopened.verify(); }), "ends at byte 100"));
  REQUIRE(::truncate((dir / "thing").c_str(), static_cast<off_t>(bytes.size()) + 1) == 0);
  CHECK(contains(refusal([&] { remapped.sections().metadata("meta"); }), "when it was mapped"));
}

TEST_CASE("a writer refuses bad names and leaves the old file when a section fails") {
  const support::temp_dir dir;
  spill(dir / "thing", "old");
  {
    embit::container_writer writer(dir / "thing", thing);
    const auto sections = writer.sections();
    sections.add("a", std::span(floats));
    CHECK(contains(refusal([&] { sections.add("a", std::span(floats)); }), "'a': added twice"));
    CHECK(contains(refusal([&] { sections.add("", std::span(floats)); }), "argument: "));
    CHECK(contains(refusal([&] { sections.add("two words", std::span(floats)); }), "argument: "));
    CHECK(contains(refusal([&] { sections.scope(std::string(31, 'p')).add("a", std::span(floats)); }), "argument: "));
    sections.add_stream("bad", [](embit::section_sink& sink) {
      sink.write(std::span(floats));
      embit::raise(embit::errc::stopped, "stopped halfway");
    });
    CHECK(contains(refusal([&] { writer.finish(); }), "stopped halfway"));
  }
  CHECK(slurp(dir / "thing") == "old");
  CHECK(dir.entries() == 1);
  CHECK(contains(refusal([&] { embit::container_writer("x", {"no spaces"}); }), "argument: kind 'no spaces'"));
  CHECK(contains(refusal([&] { embit::container_writer("x", {"zero", 0}); }), "versions begin at 1"));
  embit::container_writer lost(dir / "no/such/folder", thing);
  CHECK(contains(refusal([&] { lost.finish(); }), "io: " + (dir / "no/such/folder")));
  CHECK(contains(refusal([&] { container_reader::map(dir.path(), thing); }), "is a directory"));
}

TEST_CASE("an empty container and one of many megabytes are read back") {
  const support::temp_dir dir;
  embit::container_writer(dir / "empty", thing).finish();
  const auto empty = container_reader::map(dir / "empty", thing);
  CHECK(empty.table().empty());

  std::vector<std::uint64_t> many(500001);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = i * 0x9e3779b97f4a7c15u;
  embit::container_writer writer(dir / "many", thing);
  writer.sections().add("many", std::span<const std::uint64_t>(many));
  writer.finish();
  const auto reader = container_reader::open(dir / "many", thing);
  reader.verify();
  const auto back = reader.sections().array<std::uint64_t>("many");
  CHECK(std::equal(back.begin(), back.end(), many.begin(), many.end()));
}
