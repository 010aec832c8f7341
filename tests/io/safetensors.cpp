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
  REQUIRE(in.read("layer.bias") == b);
  REQUIRE(in.read("empty") == none);
  REQUIRE(contains(refusal([&] { in.read("other"); }), "format: "));

  REQUIRE(contains(refusal([&] { out.add("layer.bias", b); }), "'layer.bias' is taken"));
  REQUIRE(contains(refusal([&] { out.add("a\"b", b); }), "argument: "));
  REQUIRE(contains(refusal([&] { out.add("c", a, true); }), "3 rows"));
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
  REQUIRE(in.read("half/s")[0][1] == -2.f);
  REQUIRE(in.read("b")[0][0] == 1.f);
  REQUIRE(in.read("d")[0][0] == -.75f);
  REQUIRE(contains(refusal([&] { in.read("i"); }), "0 dimensions"));
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
  REQUIRE(contains(why(dir, tensor("\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]"), eight), "'F33'"));
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
