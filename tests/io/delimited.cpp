// SPDX-License-Identifier: MIT
#include <embit/io/delimited.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

using embit::delimited_options;
using embit::delimited_reader;
using support::refusal;
using support::spill;
using namespace std::string_literals;

namespace {

using rows = std::vector<std::vector<std::string>>;

rows read_all(const std::string& path, const delimited_options& options) {
  delimited_reader reader(path, options);
  rows all;
  while (reader.next()) {
    all.emplace_back();
    for (std::size_t i = 0; i < reader.size(); ++i) all.back().emplace_back(reader[i]);
  }
  CHECK(reader.bytes_read() == reader.bytes());
  CHECK_FALSE(reader.next());
  return all;
}

constexpr std::array<std::size_t, 6> buffer_sizes{1, 2, 3, 5, 16, 1 << 18};

// What reading `text` says after the path.
std::string complaint(const std::string& path, const delimited_options& options) {
  const std::string said = refusal([&] { read_all(path, options); });
  const std::size_t at = said.find(path);
  return at == said.npos ? said : said.substr(0, at) + said.substr(at + path.size() + 2);
}

}  // namespace

TEST_CASE("rows and fields are those of RFC 4180, wherever the buffer ends") {
  const std::vector<std::pair<std::string, rows>> cases{
      {"", {}},
      {"\xef\xbb\xbf", {}},
      {"\n", {{""}}},
      {"\r\n\n", {{""}, {""}}},
      {"a", {{"a"}}},
      {"a\n", {{"a"}}},
      {"a,b\nc,d", {{"a", "b"}, {"c", "d"}}},
      {"a,b\r\nc,d\r\n", {{"a", "b"}, {"c", "d"}}},
      {"\xef\xbb\xbf"
       "a,b\n",
       {{"a", "b"}}},
      {",\n,,", {{"", ""}, {"", "", ""}}},
      {"a\rb,c\n", {{"a\rb", "c"}}},
      {"\"a\",\"\"\n", {{"a", ""}}},
      {"\"a,b\",c\r\n", {{"a,b", "c"}}},
      {"\"a\r\nb\"\r\n\"\n\"", {{"a\r\nb"}, {"\n"}}},
      {"\"say \"\"hi\"\"\",x\n\"\"\"\"", {{"say \"hi\"", "x"}, {"\""}}},
      {" a , b \n", {{" a ", " b "}}},
      {"\xc3\xa4,\xe2\x82\xac\n", {{"\xc3\xa4", "\xe2\x82\xac"}}}};
  const support::temp_dir dir;
  for (const auto& [text, expected] : cases) {
    spill(dir / "x.csv", text);
    for (const std::size_t size : buffer_sizes) {
      CAPTURE(text, size);
      CHECK(read_all(dir / "x.csv", {.separator = ',', .buffer_size = size}) == expected);
    }
  }
  spill(dir / "x.tsv", "a \"b\"\t\"\r\nc,d\n");
  CHECK(read_all(dir / "x.tsv", {.quotes = false}) == rows{{"a \"b\"", "\""}, {"c,d"}});
}

TEST_CASE("what is no table is refused with line and column, wherever the buffer ends") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"a,b\nc,\"d\n", "format: line 2, column 3: a quote that is not closed"},
      {"\"a\nb\",c\nd,\"", "format: line 3, column 3: a quote that is not closed"},
      {"a,b\nc,d\"e\n", "format: line 2, column 4: a quote inside a field without quotes"},
      {"\"a\"b,c\n", "format: line 1, column 4: a character after the quote that closes a field"},
      {"x,y\n\"a\nbc\"d,c\n", "format: line 3, column 4: a character after the quote that closes a field"},
      {"a,\"b\"\rc\n", "format: line 1, column 7: no line feed after a carriage return"},
      {"a,b\nc,\0\n"s, "format: line 2, column 3: a NUL byte"},
      {"\xef\xbb\xbf"
       "a,\"\n\0"s,
       "format: line 2, column 1: a NUL byte"},
      {"a,b\nc,d,e,f\n", "format: line 2, column 5: 4 fields where 2 are expected"},
      {"a,b\n\"c\n\",d,e\n", "format: line 3, column 5: 3 fields where 2 are expected"},
      {"a,b\n\n", "format: line 2, column 1: 1 fields where 2 are expected"},
      {"a,b\n" + std::string(30, 'c') + ",d\n", "format: line 2, column 1: a row of more than 32 bytes"},
      {"a,b\nc,\"" + std::string(30, '\n') + "\"\n",
       "format: line 2, column 3: a quote opens in a row of more than 32 bytes"}};
  const support::temp_dir dir;
  for (const auto& [text, expected] : cases) {
    spill(dir / "x.csv", text);
    for (const std::size_t size : {1u, 2u, 3u, 5u, 7u, 16u}) {
      CAPTURE(text, size);
      const delimited_options options{.separator = ',', .fields = 2, .longest_row = 32, .buffer_size = size};
      CHECK(complaint(dir / "x.csv", options) == expected);
    }
  }
}

TEST_CASE("a row may have just the bytes that are allowed, however much is read at a time") {
  const support::temp_dir dir;
  spill(dir / "x.csv", "abc\ndefg\nh");
  for (const std::size_t size : buffer_sizes) {
    CAPTURE(size);
    CHECK(read_all(dir / "x.csv", {.longest_row = 5, .buffer_size = size}) == rows{{"abc"}, {"defg"}, {"h"}});
    CHECK(complaint(dir / "x.csv", {.longest_row = 4, .buffer_size = size}) ==
          "format: line 2, column 1: a row of more than 4 bytes");
  }
}

TEST_CASE("fields become numbers and bytes, or are refused where they stand") {
  const support::temp_dir dir;
  spill(dir / "x.tsv", "255\t-1.5e2\t00fFa1\tinf\n\"256\"\t1e999\t00fg\tnan\n-1\t1.5x\t0ff\t\n");
  delimited_reader reader(dir / "x.tsv");
  const auto says = [&](auto&& call) {
    const std::string said = refusal(call);
    return said.substr(0, said.find(':') + 2) + said.substr(said.find("line "));
  };
  std::array<std::uint8_t, 3> bytes{};

  REQUIRE(reader.next());
  CHECK(reader.number<std::uint8_t>(0) == 255);
  CHECK(reader.real<float>(1) == -150.f);
  CHECK(reader.real<double>(0) == 255.);
  reader.hex(2, bytes);
  CHECK(bytes == std::array<std::uint8_t, 3>{0x00, 0xff, 0xa1});
  CHECK(says([&] { reader.real<float>(3); }) == "not_finite: line 1, column 19: \"inf\" is not finite");
  CHECK(says([&] { reader.refuse(1, "no ", 7); }) == "format: line 1, column 5: no 7");

  REQUIRE(reader.next());
  CHECK(reader.number<std::uint16_t>(0) == 256);
  CHECK(says([&] { reader.number<std::uint8_t>(0); }) ==
        "format: line 2, column 1: \"256\" is beyond the numbers of 1 bytes");
  CHECK(says([&] { reader.real<double>(1); }) ==
        "format: line 2, column 7: \"1e999\" is beyond the numbers of 8 bytes");
  CHECK(says([&] { reader.hex(2, bytes); }) ==
        "format: line 2, column 13: \"00fg\": character 4 is no hexadecimal digit");
  CHECK(says([&] { reader.real<double>(3); }) == "not_finite: line 2, column 18: \"nan\" is not finite");

  REQUIRE(reader.next());
  CHECK(reader.line() == 3);
  CHECK(says([&] { reader.number<std::uint64_t>(0); }) == "format: line 3, column 1: \"-1\" is not a whole number");
  CHECK(says([&] { reader.real<float>(1); }) == "format: line 3, column 4: \"1.5x\" is not a number");
  CHECK(says([&] { reader.hex(2, bytes); }) ==
        "format: line 3, column 9: 3 hexadecimal digits where 3 bytes of two are expected");
  CHECK(says([&] { reader.real<float>(3); }) == "format: line 3, column 13: \"\" is not a number");
  CHECK(bytes == std::array<std::uint8_t, 3>{0x00, 0xff, 0xa1});
}

TEST_CASE("files that cannot be read and options that cannot be are refused") {
  const support::temp_dir dir;
  CHECK(support::code_of([&] { delimited_reader(dir / "absent"); }) == embit::errc::io);
  CHECK(support::code_of([&] { delimited_reader(dir.path()); }) == embit::errc::not_a_file);
  spill(dir / "x.tsv.gz", "\x1f\x8b\x08\0\0"s);
  CHECK(complaint(dir / "x.tsv.gz", {}) == "kind: is compressed by gzip: run gunzip; a table of text is expected");
  spill(dir / "x.tsv", "a");
  for (const char separator : {'\0', '\n', '\r', '"'})
    CHECK(support::code_of([&] { delimited_reader(dir / "x.tsv", {.separator = separator}); }) ==
          embit::errc::argument);
  CHECK(support::code_of([&] { delimited_reader(dir / "x.tsv", {.longest_row = 0}); }) == embit::errc::argument);
  CHECK(support::code_of([&] { delimited_reader(dir / "x.tsv", {.buffer_size = 0}); }) == embit::errc::argument);
}
