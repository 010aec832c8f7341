// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/io/safetensors.hpp>

#include <cstdint>
#include <cstring>
#include <string>

#include "support/catch.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

using support::contains;
using support::refusal;

namespace {

std::string safetensors(const std::string& header, const std::string& data) {
  const std::uint64_t size = header.size();
  std::string file(sizeof size, '\0');
  std::memcpy(file.data(), &size, sizeof size);
  return file + header + data;
}

std::string why(const support::temp_dir& dir, const std::string& header, const std::string& data) {
  support::spill(dir / "x", safetensors(header, data));
  return refusal([&] { embit::safetensors_reader(dir / "x"); });
}

}  // namespace

TEST_CASE("tensors come back as they were written") {
  const support::temp_dir dir;
  embit::matrix<float> a(3, 5), b(1, 4, 2.5f), none(0, 3);
  for (std::size_t i = 0; i < a.values().size(); ++i) a.values()[i] = static_cast<float>(i) - 7;
  embit::safetensors_writer out;
  out.add("layer.weight", a);
  out.add("layer.bias", b, true);
  out.add("empty", none);
  out.write(dir / "weights.safetensors");
  REQUIRE(dir.entries() == 1);

  const embit::safetensors_reader in(dir / "weights.safetensors");
  REQUIRE(in.tensors().size() == 3);
  REQUIRE(in.find("layer.weight")->shape == std::vector<std::size_t>{3, 5});
  REQUIRE(in.find("layer.bias")->shape == std::vector<std::size_t>{4});
  REQUIRE(in.find("layer.bias")->offset % 4 == 0);
  REQUIRE(in.find("layer") == nullptr);
  REQUIRE(in.read("layer.weight") == a);
  REQUIRE(in.read("layer.bias") == embit::matrix<float>(4, 1, 2.5f));  // one dimension is a column
  out.add("column", embit::matrix<float>(4, 1, 2.5f), true);
  out.write(dir / "more");
  const embit::safetensors_reader more(dir / "more");
  REQUIRE(more.find("column")->shape == std::vector<std::size_t>{4});
  REQUIRE(in.read("empty") == none);
  REQUIRE(contains(refusal([&] { in.read("other"); }), "format: "));

  REQUIRE(contains(refusal([&] { out.add("layer.bias", b); }), "'layer.bias' is taken"));
  REQUIRE(contains(refusal([&] { out.add("a\"b", b); }), "argument: "));
  REQUIRE(contains(refusal([&] { out.add("c", a, true); }), "is 3 x 5, not a row or a column"));
}

TEST_CASE("numbers of other types, escapes, spaces and metadata are read") {
  const support::temp_dir dir;
  const std::string header =
      "{ \"__metadata__\": {\"format\": \"pt\"},\n \"h\\u0061lf\\/s\": {\"shape\":[2], "
      "\"data_offsets\":[0,4],\"dtype\":"
      "\"F16\"}, \"b\":{\"dtype\":\"BF16\",\"shape\":[1,1],\"data_offsets\":[4,6]},\"d\":{\"dtype\":\"F64\",\"shape\":"
      "[1],\"data_offsets\":[6,14]},\"i\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[14,15]}}  ";
  const double d = -.75;
  std::string data("\x00\x3c\x00\xc0\x80\x3f", 6);  // 1, -2; 1
  data.append(reinterpret_cast<const char*>(&d), 8);
  support::spill(dir / "x", safetensors(header, data + "z"));
  const embit::safetensors_reader in(dir / "x");
  REQUIRE(in.read("half/s")[1][0] == -2.f);
  REQUIRE(in.read("b")[0][0] == 1.f);
  REQUIRE(in.read("d")[0][0] == -.75f);
  REQUIRE(contains(refusal([&] { in.read("i"); }), "0 dimensions"));
}

TEST_CASE("tensors of types that are not read are an error only when they are asked for") {
  const support::temp_dir dir;
  const auto beside = [&](const std::string& type, const std::string& shape, std::size_t bytes) {
    const std::string header = "{\"w\":{\"dtype\":\"" + type + "\",\"shape\":" + shape + ",\"data_offsets\":[8," +
                               std::to_string(8 + bytes) +
                               "]},\"emb\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}}";
    support::spill(dir / "x", safetensors(header, std::string(8, '\0') + std::string(bytes, 'y')));
    const embit::safetensors_reader in(dir / "x");
    CHECK(in.read("emb") == embit::matrix<float>(1, 2, 0.f));
    CHECK(in.find("w")->type == type);
    CHECK(!in.find("w")->numbers);
    return refusal([&] { in.read("w"); });
  };
  const std::string at = "argument: " + (dir / "x") + ": tensor 'w' holds ";
  CHECK(beside("F8_E4M3", "[2,3]", 6) == at + "F8_E4M3, which is not read");
  CHECK(beside("F8_E5M2", "[6]", 6) == at + "F8_E5M2, which is not read");
  CHECK(beside("F4", "[2,4]", 4) == at + "F4, which is not read");
  CHECK(beside("C64", "[1]", 8) == at + "C64, which is not read");
  CHECK(beside("made up", "[18446744073709551615,2]", 1) == at + "made up, which is not read");
}

TEST_CASE("whole numbers and bools are read as what is asked for, if they fit") {
  const support::temp_dir dir;
  const std::string header =
      "{\"i8\":{\"dtype\":\"I8\",\"shape\":[2,2],\"data_offsets\":[0,4]},"
      "\"u8\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]},"
      "\"b\":{\"dtype\":\"BOOL\",\"shape\":[1,2],\"data_offsets\":[8,10]},"
      "\"i16\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[10,12]},"
      "\"f\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[12,14]}}";
  const auto spill = [&](char truth) {
    support::spill(dir / "x",
                   safetensors(header, std::string("\x80\x7f\0\1\xff\0\1\2\0", 9) + truth + "\xfe\xff\x80\x3f"));
    return embit::safetensors_reader(dir / "x");
  };
  const auto in = spill('\1');
  CHECK(in.read<std::int8_t>("i8")[0][0] == -128);
  CHECK(in.read("i8")[0][1] == 127.f);
  CHECK(in.read<std::uint8_t>("u8")[0][0] == 255);
  CHECK(in.read<std::uint8_t>("u8").rows() == 4);
  CHECK(in.read<std::uint8_t>("b")[0][1] == 1);
  CHECK(in.read<std::int64_t>("i16")[0][0] == -2);
  CHECK(in.read<double>("f")[0][0] == 1.0);
  const std::string at = dir / "x";
  CHECK(contains(refusal([&] { in.read<std::uint8_t>("i8"); }), "argument: " + at + ": element 0 at byte "));
  CHECK(refusal([&] { in.read<int>("f"); }) ==
        "argument: " + at + ": tensor 'f': holds bfloat16, which int32 cannot hold");
  const auto damaged = spill('\2');
  CHECK(contains(refusal([&] { damaged.read("b"); }), "format: " + at + ": element 1 at byte "));
}

TEST_CASE("escapes of any character are read in names and metadata") {
  const support::temp_dir dir;
  const auto name = [&](const std::string& escaped) {
    support::spill(dir / "x", safetensors("{\"__metadata__\":{\"author\":\"J\\u00fcrgen \\ud83d\\ude00 \\ud800\"},\"" +
                                              escaped + "\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}",
                                          ""));
    const embit::safetensors_reader in(dir / "x");
    return in.tensors()[0].name;
  };
  CHECK(name("\\u007f\\u0080\\u07ff") == "\x7f\xc2\x80\xdf\xbf");
  CHECK(name("\\u0800\\uFFFF") == "\xe0\xa0\x80\xef\xbf\xbf");
  CHECK(name("\\ud800\\udc00\\uDBFF\\uDFFF") == "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
  CHECK(name("\\ud800x\\udc00") == "\xef\xbf\xbdx\xef\xbf\xbd");
  CHECK(name("\\ud800\\u0041") ==
        "\xef\xbf\xbd"
        "A");
  CHECK(name("\\ud800\\n") == "\xef\xbf\xbd\n");
  CHECK(contains(refusal([&] { name("\\ud800\\u00"); }), "four hexadecimal digits"));
  CHECK(contains(refusal([&] { name("\\u12g4"); }), "four hexadecimal digits"));
}

TEST_CASE("damaged or hostile headers are refused with the place") {
  const support::temp_dir dir;
  const auto tensor = [](const std::string& rest) { return "{\"t\":{" + rest + "}}"; };
  const std::string good = "\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]", eight(8, 'x');
  REQUIRE(why(dir, tensor(good), eight) == "accepted");
  REQUIRE(why(dir, "{}", "") == "accepted");
  REQUIRE(contains(why(dir, " {}", ""), "begins with"));
  REQUIRE(contains(why(dir, tensor(good), eight + "y"), "1 bytes after the last tensor"));
  REQUIRE(contains(why(dir, tensor(good), "short"), "not inside the file"));
  REQUIRE(contains(why(dir, tensor(good + ",\"shape\":[2]"), eight), "there twice"));
  REQUIRE(contains(why(dir, tensor(good + ",\"more\":[2]"), eight), "'more'"));
  REQUIRE(contains(why(dir, tensor("\"dtype\":\"F32\",\"shape\":[2]"), eight), "lacks"));
  REQUIRE(contains(why(dir, tensor("\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]"), eight), "8 bytes for 3"));
  REQUIRE(
      contains(why(dir, tensor("\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]"), eight),
               "beyond what can be addressed"));
  REQUIRE(contains(why(dir, tensor("\"dtype\":\"F32\",\"shape\":[02],\"data_offsets\":[0,8]"), eight), "leading zero"));
  REQUIRE(contains(why(dir, tensor("\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]"), eight), "whole number"));
  REQUIRE(contains(why(dir, tensor("\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]"), eight),
                   "beyond 64 bits"));
  REQUIRE(
      contains(why(dir, tensor("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]"), eight), "gap or overlap"));
  REQUIRE(contains(why(dir, "{\"t\":{" + good + "},\"t\":{" + good + "}}", eight), "'t' is there twice"));
  REQUIRE(contains(why(dir, "{\"t\":{" + good + "}} x", eight), "text after"));
  REQUIRE(contains(why(dir, "{\"t", eight), "ends inside a string"));
  REQUIRE(contains(why(dir, "{\"t\\x\":{" + good + "}}", eight), "escape"));
  support::spill(dir / "x", "1234567");
  REQUIRE(contains(refusal([&] { embit::safetensors_reader(dir / "x"); }), "7 bytes"));
  support::spill(dir / "x", std::string(8, '\xff'));
  REQUIRE(contains(refusal([&] { embit::safetensors_reader(dir / "x"); }), "a header of"));
}
