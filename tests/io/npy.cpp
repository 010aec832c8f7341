// SPDX-License-Identifier: MIT
#include <embit/core/half.hpp>
#include <embit/core/random.hpp>
#include <embit/io/npy.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>

#include "support/catch.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

using embit::matrix;
using embit::read_npy;
using support::contains;
using support::refusal;
using support::slurp;
using support::spill;

namespace {

/// A file made by hand: what NumPy would write for this dictionary, followed by `data`.
std::string npy(const std::string& dictionary, const std::string& data, char version = 1) {
  const std::size_t start = version == 1 ? 10 : 12;
  const std::string header = dictionary + std::string(63 - (start + dictionary.size()) % 64, ' ') + '\n';
  std::string file("\x93NUMPY", 6);
  file += {version, 0, static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  if (version > 1) file += {0, 0};
  return file + header + data;
}

std::string dictionary(const std::string& descr, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }";
}

std::string floats(std::initializer_list<float> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * 4};
}

template <class T>
matrix<T> numbers(std::size_t rows, std::size_t cols) {
  embit::rng rng{11};
  matrix<T> m(rows, cols);
  for (auto& x : m.values())
    if constexpr (std::is_integral_v<T>)
      x = static_cast<T>(rng());
    else
      x = T(embit::normal(rng));
  return m;
}

template <class T>
bool same_bytes(const matrix<T>& a, const matrix<T>& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() &&
         (a.values().empty() || std::memcmp(a.data(), b.data(), a.values().size_bytes()) == 0);
}

}  // namespace

TEMPLATE_TEST_CASE("every type is read back as it was written", "", embit::half, float, double, std::int8_t,
                   std::int16_t, std::int32_t, std::int64_t, std::uint8_t, std::uint16_t, std::uint32_t,
                   std::uint64_t) {
  const support::temp_dir dir;
  for (const auto& [rows, cols] : {std::pair{0, 5}, {0, 0}, {1, 1}, {7, 13}, {513, 65}, {1000, 300}}) {
    const auto m = numbers<TestType>(std::size_t(rows), std::size_t(cols));
    embit::write_npy(dir / "m.npy", m);
    CHECK(same_bytes(read_npy<TestType>(dir / "m.npy"), m));
    CHECK(slurp(dir / "m.npy").size() == 128 + m.values().size_bytes());
    const auto header = embit::read_npy_header(dir / "m.npy");
    CHECK(header.type == embit::dtype_of<TestType>);
    CHECK(header.offset == 128);

    const auto wide = read_npy<double>(dir / "m.npy");
    const auto narrow = read_npy<float>(dir / "m.npy");
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < m.values().size(); ++i) {
      wrong += wide.values()[i] != static_cast<double>(m.values()[i]);
      wrong += narrow.values()[i] != static_cast<float>(m.values()[i]);
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("a view with a stride is written without its gaps") {
  const support::temp_dir dir;
  const auto m = numbers<float>(9, 16);
  embit::write_npy(dir / "part.npy", embit::matrix_view<const float>(m.data() + 3, 9, 5, 16));
  const auto part = read_npy<float>(dir / "part.npy");
  REQUIRE(part.rows() == 9);
  CHECK(part[8][4] == m[8][7]);
  CHECK(part[0][0] == m[0][3]);
}

TEST_CASE("headers as NumPy and others write them") {
  const support::temp_dir dir;
  const auto read = [&](const std::string& bytes) {
    spill(dir / "x.npy", bytes);
    return read_npy<float>(dir / "x.npy");
  };
  const std::string data = floats({1, 2, 3, 4, 5, 6});
  for (const char version : {'\1', '\2', '\3'}) {
    const auto m = read(npy(dictionary("<f4", "(2, 3)"), data, version));
    CHECK((m.rows() == 2 && m[1][2] == 6));
  }
  const auto column = read(npy(dictionary("<f4", "(6,)"), data));
  CHECK((column.rows() == 6 && column.cols() == 1 && column[5][0] == 6));
  CHECK(read(npy("{\"shape\":(2,3,),\"descr\":\"<f4\",\"fortran_order\":False}", data))[0][1] == 2);
  CHECK(read(npy(dictionary("|u1", "(1, 2)"), "\x01\xff"))[0][1] == 255);
  CHECK(read(npy(dictionary("|i1", "(1, 2)"), "\x01\xff"))[0][1] == -1);
  CHECK(read(npy(dictionary("<f2", "(1, 2)"), std::string("\x00\x3c\x00\xfc", 4)))[0][1] == -INFINITY);
}

TEST_CASE("headers of Python 2, and every order of bytes, are read") {
  const support::temp_dir dir;
  const auto write = [&](const std::string& bytes) { return spill(dir / "x.npy", bytes), dir / "x.npy"; };
  CHECK(read_npy<float>(write(npy(dictionary("<f4", "(2L, 1L)"), floats({1, 2}))))[1][0] == 2);
  CHECK(read_npy<float>(write(npy(dictionary("<f4", "(2L,)"), floats({1, 2}))))[1][0] == 2);
  for (const char order : {'<', '>', '|', '='}) {
    INFO(order);
    CHECK(read_npy<int>(write(npy(dictionary(std::string{order} + "u1", "(1, 2)"), "\x01\xff")))[0][1] == 255);
    CHECK(read_npy<int>(write(npy(dictionary(std::string{order} + "b1", "(1, 2)"), {"\0\1", 2})))[0][1] == 1);
  }
  const auto big = [&](const std::string& descr, const std::string& one) {
    return write(npy(dictionary(descr, "(2, 1)"), std::string(one.size(), '\0') + one));
  };
  CHECK(read_npy<float>(big(">f2", "\x3c\x01"))[1][0] == 1.0009765625f);
  CHECK(read_npy<float>(big(">f4", {"\x3f\x80\x00\x01", 4}))[1][0] == std::nextafter(1.f, 2.f));
  CHECK(read_npy<double>(big(">f8", {"\x3f\xf0\0\0\0\0\0\1", 8}))[1][0] == std::nextafter(1., 2.));
  CHECK(read_npy<std::int16_t>(big(">i2", "\xff\x7f"))[1][0] == -129);
  CHECK(read_npy<std::uint16_t>(big(">u4", {"\0\0\x12\x34", 4}))[1][0] == 0x1234);
  CHECK(read_npy<std::int64_t>(big(">i8", {"\1\2\3\4\5\6\7\x08", 8}))[1][0] == 0x0102030405060708);
  CHECK(contains(refusal([&] {
                   read_npy<std::uint8_t>(big(">i2", {"\1\0", 2}));
                 }),
                 "element 1 at byte 130 does not fit into uint8"));
}

TEST_CASE("arrays in Fortran order are transposed, whole or some rows, of every type") {
  const support::temp_dir dir;
  for (const auto& [rows, cols] : {std::pair{1, 1}, {7, 13}, {9000, 3}, {1, 50}, {50, 1}, {0, 4}}) {
    const auto m = numbers<std::int32_t>(std::size_t(rows), std::size_t(cols));
    for (const bool big : {false, true}) {
      std::string data;
      for (std::size_t j = 0; j < m.cols(); ++j)
        for (std::size_t i = 0; i < m.rows(); ++i) {
          std::string bytes(reinterpret_cast<const char*>(&m[i][j]), 4);
          if (big) std::reverse(bytes.begin(), bytes.end());
          data += bytes;
        }
      spill(dir / "x.npy", npy("{'descr': '" + std::string(big ? ">" : "<") + "i4', 'fortran_order': True, 'shape': (" +
                                   std::to_string(rows) + ", " + std::to_string(cols) + "), }",
                               data));
      CHECK(read_npy<std::int32_t>(dir / "x.npy") == m);
      const auto wide = read_npy<double>(dir / "x.npy");
      CHECK(std::ranges::equal(wide.values(), m.values(), [](double x, std::int32_t y) { return x == y; }));
      const auto part = read_npy<std::int32_t>(dir / "x.npy", {m.rows() / 3, m.rows() / 2});
      CHECK(same_bytes(part, matrix<std::int32_t>(m.view().middle_rows(m.rows() / 3, m.rows() / 2))));
    }
  }
  spill(dir / "x.npy", npy("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 2), }", {"\1\0\2\0\3\1\4\0", 8}));
  CHECK(contains(refusal([&] { read_npy<std::uint8_t>(dir / "x.npy"); }), "element 2 at byte 132 does not fit"));
}

TEST_CASE("bools are 0 and 1, and any other byte is refused") {
  const support::temp_dir dir;
  spill(dir / "x.npy", npy(dictionary("|b1", "(2, 3)"), {"\0\1\0\1\1\0", 6}));
  CHECK(embit::read_npy_header(dir / "x.npy").type == embit::dtype::boolean);
  const auto m = read_npy<std::uint8_t>(dir / "x.npy");
  CHECK((m.rows() == 2 && m[0][1] == 1 && m[1][0] == 1 && m[1][2] == 0));
  CHECK(read_npy<float>(dir / "x.npy")[1][1] == 1.f);
  CHECK(read_npy<embit::half>(dir / "x.npy")[1][1] == 1.f);
  spill(dir / "x.npy", npy(dictionary("|b1", "(2, 3)"), {"\0\1\0\1\2\0", 6}));
  for (const auto& text :
       {refusal([&] { read_npy<std::uint8_t>(dir / "x.npy"); }), refusal([&] { read_npy<float>(dir / "x.npy"); })})
    CHECK(text == "format: " + (dir / "x.npy") + ": element 4 at byte 132 is a bool of neither 0 nor 1");
}

TEST_CASE("some rows of a .npy file") {
  const support::temp_dir dir;
  const auto m = numbers<float>(1000, 77);
  embit::write_npy(dir / "m.npy", m);
  for (const embit::row_range range : {embit::row_range{0, 1}, {999, 1}, {300, 500}, {1000, 5}, {17, 0}}) {
    const auto part = read_npy<float>(dir / "m.npy", range);
    CHECK(
        same_bytes(part, matrix<float>(m.view().middle_rows(range.first, std::min(range.count, 1000 - range.first)))));
    CHECK(part.cols() == 77);
    CHECK(read_npy<double>(dir / "m.npy", range).rows() == part.rows());
  }
  CHECK(read_npy<float>(dir / "m.npy", {998}).rows() == 2);
  CHECK(contains(refusal([&] { read_npy<float>(dir / "m.npy", {1001}); }),
                 "out_of_range: " + (dir / "m.npy") + ": rows from 1001 on, of 1000"));
  spill(dir / "x.npy", npy(dictionary("<f4", "(6,)"), floats({1, 2, 3, 4, 5, 6})));
  const auto column = read_npy<float>(dir / "x.npy", {2, 3});
  CHECK((column.rows() == 3 && column.cols() == 1 && column[2][0] == 5));
}

TEST_CASE("headers that are not understood are refused with their reason and place") {
  const support::temp_dir dir;
  const auto complaint = [&](const std::string& bytes) {
    spill(dir / "x.npy", bytes);
    const auto text = refusal([&] { read_npy<float>(dir / "x.npy"); });
    CHECK(contains(text, ": " + (dir / "x.npy") + ": "));
    return text;
  };
  const auto dict = [&](const std::string& text) { return complaint(npy(text, floats({1, 2, 3, 4, 5, 6}))); };
  CHECK(contains(dict("{'descr': '<f4', 'fortran_order': 1, 'shape': (2, 3), }"), "must be True or False"));
  CHECK(contains(dict(dictionary("=f4", "(2, 3)")), "the type '=f4' does not say the order of its bytes"));
  CHECK(contains(dict(dictionary("<c8", "(1, 3)")), "numbers of type '<c8'"));
  CHECK(contains(dict(dictionary("|O", "(2, 3)")), "numbers of type '|O'"));
  CHECK(contains(dict(dictionary("|f4", "(2, 3)")), "the type '|f4' does not say"));
  CHECK(contains(dict(dictionary("<f4", "(2, 3LL)")), "')' is expected"));
  CHECK(contains(dict("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,), }"), "structured types"));
  CHECK(contains(dict(dictionary("<f4", "(1, 2, 3)")), "shape: "));
  CHECK(contains(dict(dictionary("<f4", "(1, 2, 3)")),
                 "shape (1, 2, 3) where one dimension, n rows of one number, or two are needed"));
  CHECK(contains(dict(dictionary("<f4", "(6)")), "with a comma"));
  CHECK(contains(dict(dictionary("<f4", "(-2, -3)")), "a whole number is expected"));
  CHECK(contains(dict(dictionary("<f4", "(2, 3.0)")), "')' is expected"));
  CHECK(contains(dict(dictionary("<f4", "(99999999999999999999, 3)")), "too large"));
  CHECK(contains(dict(dictionary("<f4", "(18446744073709551615, 18446744073709551615)")), "are not the numbers"));
  CHECK(contains(dict(dictionary("<f4", "(4611686018427387904, 4)")), "are not the numbers"));
  CHECK(contains(dict(dictionary("<f4", "(2, 4)")), "24 bytes from byte 128 on are not the numbers of shape (2, 4)"));
  CHECK(contains(dict(dictionary("<f4", "(2, 2)")), "are not the numbers"));
  CHECK(contains(dict(dictionary("<f4", "(2, 3)") + "x"), "text after"));
  CHECK(contains(dict("{'descr': '<f4', 'shape': (2, 3), }"), "not all of"));
  CHECK(contains(dict("{'descr': '<f4', 'descr': '<f4', 'shape': (2, 3), }"), "'descr' is unknown or there twice"));
  CHECK(contains(dict("{'descr': '<f4', 'more': 1}"), "'more' is unknown"));
  CHECK(contains(dict("{'descr': '<f4"), "does not end"));
  CHECK(contains(dict(""), "'{' is expected"));
  CHECK(contains(complaint(npy(dictionary("<f4", "()"), floats({1}))), "shape ()"));
  CHECK(contains(complaint(npy(dictionary("<f4", "(1000000000000, 0)"), "")), "rows without elements"));
  CHECK(contains(complaint(""), "format: "));
  CHECK(contains(complaint("\x93NUMPY\1"), "byte 0: not a .npy file"));
  CHECK(contains(complaint("\x93NUMPZ\1aaaaaaaaa"), "byte 0: not a .npy file"));
  CHECK(contains(complaint(npy(dictionary("<f4", "(2, 3)"), "", 4)), "version: "));
  CHECK(contains(complaint(std::string("\x93NUMPY\2\0\xff\xff\xff\xff", 12) + "{}"), "a header of 4294967295 bytes"));
}

TEST_CASE("whole numbers are never rounded, cut or made of floats") {
  const support::temp_dir dir;
  matrix<std::int64_t> m(2, 2, 7);
  embit::write_npy(dir / "m.npy", m);
  CHECK(read_npy<std::uint8_t>(dir / "m.npy")[1][1] == 7);
  m[1][0] = 256;
  embit::write_npy(dir / "m.npy", m);
  CHECK(read_npy<std::int16_t>(dir / "m.npy")[1][0] == 256);
  CHECK(contains(refusal([&] { read_npy<std::uint8_t>(dir / "m.npy"); }),
                 "element 2 at byte 144 does not fit into uint8"));
  m[1][0] = -1;
  embit::write_npy(dir / "m.npy", m);
  CHECK(contains(refusal([&] { read_npy<std::uint64_t>(dir / "m.npy"); }), "does not fit into uint64"));
  embit::write_npy(dir / "f.npy", matrix<float>(1, 1, 1.0f));
  CHECK(contains(refusal([&] { read_npy<std::int32_t>(dir / "f.npy"); }), "holds float32, which int32 cannot hold"));
}

TEST_CASE("every truncation and every flipped bit of a small .npy file is refused or harmless") {
  const support::temp_dir dir;
  embit::write_npy(dir / "m.npy", numbers<std::int16_t>(3, 5));
  const std::string good = slurp(dir / "m.npy");
  std::size_t largest = 0;
  const auto outcome = [&](const std::string& bytes) {
    spill(dir / "x.npy", bytes);
    // A type or a shape may become another one with as many bytes; never may more be read than is there.
    return refusal([&] { largest = std::max(largest, read_npy<double>(dir / "x.npy").values().size()); });
  };
  std::size_t accepted = 0, refused = 0;
  for (std::size_t size = 0; size < good.size(); ++size) accepted += outcome(good.substr(0, size)) == "accepted";
  CHECK(accepted == 0);
  CHECK(contains(outcome(good + '\0'), "format: "));
  for (std::size_t at = 0; at < good.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      refused += outcome(bad) != "accepted";
    }
  CHECK(largest <= 30);          // bytes of numbers
  CHECK(refused > 128 * 8 / 2);  // the header has 128 bytes; most flips there are seen, those in numbers cannot be
}

TEST_CASE("files that are not there, and folders, are refused by name") {
  const support::temp_dir dir;
  CHECK(contains(refusal([&] { read_npy<float>(dir / "none.npy"); }), "io: " + (dir / "none.npy")));
  CHECK(contains(refusal([&] { read_npy<float>(dir.path()); }), "is a directory"));
  CHECK(contains(refusal([&] { embit::write_npy(dir / "a/b.npy", matrix<float>(1, 1, 0.0f)); }), "io: "));
}

TEST_CASE("arrays that NumPy wrote") {
  const char* data = std::getenv("EMBIT_DATA_DIR");
  if (data == nullptr) {
    WARN("EMBIT_DATA_DIR is not set: files written by NumPy are not read");
    return;
  }
  const std::string folder = data;
  const auto clip = read_npy<float>(folder + "/clip_text_detic/emb_f16.npy");
  REQUIRE((clip.rows() == 2148 && clip.cols() == 512));
  float norm = 0;
  for (const float x : clip[0]) norm += x * x;
  CHECK(std::abs(std::sqrt(norm) - 10) < 2);
  const auto minilm = read_npy<float>(folder + "/minilm_squad2k/emb_f32.npy");
  REQUIRE((minilm.rows() == 2000 && minilm.cols() == 384));
  norm = 0;
  for (const float x : minilm[1999]) norm += x * x;
  CHECK(std::abs(norm - 1) < 1e-3f);
  CHECK(read_npy<std::uint8_t>(folder + "/minilm_squad2k/article_u8.npy").cols() == 1);
  CHECK(read_npy<std::int64_t>(folder + "/gowalla/train_indptr_i32.npy").rows() == 29859);
}
