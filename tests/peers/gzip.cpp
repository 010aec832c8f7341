// What zlib and gzip compress is read as it was; damage is told with the byte of the text.
#include <embit/adapt/gzip.hpp>
#include <embit/io/delimited.hpp>

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <support/catch.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

using embit::delimited_reader;
using embit::gzip_text;
using namespace support;

namespace {

// One member, with a name in its header where one is given.
std::string packed(const std::string& text, int level = 6, const char* name = nullptr) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  gz_header header{};
  std::string copy(name == nullptr ? "" : name);
  header.name = reinterpret_cast<Bytef*>(copy.data());
  header.hcrc = 1;
  if (name != nullptr) deflateSetHeader(&stream, &header);
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())) + 100, '\0'), in = text;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

// What `text` holds until it ends or is refused, read `step` bytes at a time.
std::string read_into(std::string& all, gzip_text& text, std::size_t step) {
  std::vector<std::byte> bytes(step);
  return refusal([&] {
    while (const std::size_t size = text.read(bytes)) all.append(reinterpret_cast<const char*>(bytes.data()), size);
  });
}

std::pair<std::string, std::string> read_all(const std::string& path, std::size_t step = 1000) {
  std::string all;
  std::string outcome = refusal([&] {
    gzip_text text(path);
    const std::string first = read_into(all, text, step);
    if (first != "accepted")
      CHECK(read_into(all, text, step) == first);  // and stays as it is
    else
      CHECK(text.bytes_read() == text.bytes());
    if (first != "accepted") embit::raise(embit::errc::stopped, first);
  });
  if (outcome.starts_with("stopped: ")) outcome.erase(0, 9);
  return {all, outcome};
}

std::string lines(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += std::to_string(i) + "," + std::to_string(i * i * 7919 % 65521) + "\n";
  return text;
}

}  // namespace

TEST_CASE("what gzip compressed is read as it was, however much at a time") {
  const temp_dir dir;
  const std::string path = dir / "x.csv.gz", many = lines(30000);  // longer than the buffer, packed or not
  for (const int level : {0, 1, 9})
    for (const std::string& text : {std::string(), std::string("a"), many}) {
      spill(path, packed(text, level, level == 9 ? "a name" : nullptr));
      for (const std::size_t step : {std::size_t{1}, std::size_t{4097}, std::size_t{1} << 20})
        CHECK(read_all(path, step) == std::pair(text, std::string("accepted")));
    }
  spill(path, packed(many) + packed("") + packed("a,b\n", 0, "b") + packed(many, 1));
  CHECK(read_all(path).first == many + "a,b\n" + many);
  spill(path, packed("a") + packed("b") + std::string(70000, '\0'));
  CHECK(read_all(path) == std::pair(std::string("ab"), std::string("accepted")));
}

TEST_CASE("tables of compressed text are read, and errors have their lines") {
  const temp_dir dir;
  const std::string path = dir / "x.csv.gz";
  spill(path, packed("\xef\xbb\xbf"
                     "a,1\nb") +
                  packed(",2\nc,x\n"));
  for (const std::size_t size : {1u, 3u, 1000u}) {
    delimited_reader rows(gzip_text(path), {.separator = ',', .fields = 2, .buffer_size = size});
    REQUIRE(rows.next());
    CHECK(rows[0] == "a");
    REQUIRE(rows.next());
    CHECK((rows[0] == "b" && rows.number<unsigned>(1) == 2));
    REQUIRE(rows.next());
    CHECK(refusal([&] { rows.number<unsigned>(1); }) ==
          "format: " + path + ": line 3, column 3: \"x\" is not a whole number");
    CHECK_FALSE(rows.next());
    CHECK(rows.bytes_read() == rows.bytes());
  }
  spill(path, packed("PK\x03\x04\"x"));
  CHECK(refusal([&] {
          delimited_reader rows{gzip_text(path)};
          rows.next();
        }) == "kind: " + path +
                  ": is a zip archive, as .npz and PyTorch's files are: unpack it; a table of text is expected");
}

TEST_CASE("what gzip did not write is refused with what it is") {
  const temp_dir dir;
  const std::string path = dir / "x.gz";
  const auto says = [&](const std::string& bytes) {
    spill(path, bytes);
    const std::string outcome = read_all(path).second;
    const std::size_t at = outcome.find(path);
    return outcome.substr(0, at) + outcome.substr((std::min)(outcome.size(), at + path.size() + 2));
  };
  CHECK(says("") == "truncated: gzip's compressed text ends too early, at byte 0 of the text");
  CHECK(says("a,b\n") == "format: does not begin as gzip does");
  CHECK(says("BZh9") == "kind: is compressed by bzip2: run bunzip2; gzip is expected");
  CHECK(says(packed("abc") + "more") == "format: something that is not gzip's follows byte 3 of the text");
  CHECK(says(packed("abc") + std::string(3, '\0') + "x") ==
        "format: something that is not gzip's follows byte 3 of the text");
  std::string wrong = packed("abc");
  wrong[wrong.size() - 8] ^= 1;
  CHECK(says(wrong) == "checksum: is damaged at byte 3 of the text: incorrect data check");
  wrong = packed("abc") + packed("defg");
  wrong[wrong.size() - 1] ^= 1;
  CHECK(says(wrong) == "checksum: is damaged at byte 7 of the text: incorrect length check");
  wrong = packed("abc");
  wrong[2] = 7;
  CHECK(says(wrong) == "format: is damaged at byte 0 of the text: unknown compression method");
  CHECK(code_of([&] { gzip_text(dir / "absent"); }) == embit::errc::io);
  CHECK(code_of([&] { gzip_text(dir.path()); }) == embit::errc::not_a_file);
}

TEST_CASE("every truncation is told, and what comes before it is read") {
  const temp_dir dir(temp_dir::in_memory());
  const std::string text = lines(300), path = dir / "x.gz", first = packed(text), good = first + packed(text, 1);
  std::size_t most = 0;
  for (std::size_t size = 0; size < good.size(); ++size) {
    spill(path, good.substr(0, size));
    const auto [read, outcome] = read_all(path);
    CAPTURE(size, outcome);
    REQUIRE((text + text).starts_with(read));
    if (size == first.size()) {
      REQUIRE(outcome == "accepted");
      continue;
    }
    REQUIRE(outcome.starts_with("truncated: " + path + ": "));
    REQUIRE(contains(outcome, "byte " + std::to_string(read.size()) + " of the text"));
    most = (std::max)(most, read.size());
  }
  CHECK(most == 2 * text.size());  // all but the checksum
}

TEST_CASE("every flipped bit is refused, or where it does not matter") {
  const temp_dir dir(temp_dir::in_memory());
  const std::string text = lines(200), path = dir / "x.gz", good = packed(text);
  std::size_t harmless = 0;
  for (std::size_t at = 0; at < good.size(); ++at)
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(static_cast<unsigned char>(bad[at]) ^ (1u << bit));
      spill(path, bad);
      const auto [read, outcome] = read_all(path);
      CAPTURE(at, bit, outcome);
      if (outcome == "accepted") {
        ++harmless;
        REQUIRE(read == text);
        continue;
      }
      const std::string code = outcome.substr(0, outcome.find(':'));
      REQUIRE(((code == "checksum" || code == "format" || code == "truncated") && contains(outcome, path)));
    }
  CHECK((harmless >= 48 && harmless < 100));  // the header's time, extra flags, system; another way to the same text
}
