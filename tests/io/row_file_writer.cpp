// SPDX-License-Identifier: MIT
#include <embit/core/half.hpp>
#include <embit/core/random.hpp>
#include <embit/io/npy.hpp>
#include <embit/io/row_file.hpp>
#include <embit/io/row_file_writer.hpp>
#include <embit/io/vecs.hpp>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

using embit::dtype;
using embit::matrix;
using embit::row_file;
using embit::row_file_writer;
using support::contains;
using support::refusal;
using support::slurp;
using support::spill;

namespace {

matrix<float> whole_numbers(std::size_t rows, std::size_t cols) {
  embit::rng rng{12};
  matrix<float> m(rows, cols);
  for (auto& x : m.values()) x = static_cast<float>(embit::uniform_index(rng, 100));
  return m;
}

struct written_file {
  std::string name;
  embit::row_file_shape shape;
};

std::vector<written_file> every_format(std::size_t cols) {
  return {{"f32.npy", {cols}},
          {"f16.npy", {cols, dtype::f16}},
          {"i8.npy", {cols, dtype::i8}},
          {"u8.npy", {cols, dtype::u8}},
          {"x.fvecs", {cols}},
          {"x.bvecs", {cols, dtype::u8}},
          {"x.fbin", {cols, dtype::f32}},
          {"x.u8bin", {cols}},
          {"x.i8bin", {cols}}};
}

}  // namespace

TEST_CASE("rows appended in pieces are those of the file when it is finished, and more may follow") {
  const support::temp_dir dir(support::temp_dir::in_memory());
  for (const std::size_t cols : {1u, 7u, 65u}) {
    const auto m = whole_numbers(513, cols);
    for (const auto& format : every_format(cols)) {
      CAPTURE(format.name, cols);
      const std::string path = dir / format.name;
      std::filesystem::remove(path);
      const auto so_far = [&](std::size_t rows) {
        return row_file(path).read() == matrix<float>(m.view().middle_rows(0, rows));
      };
      {
        row_file_writer writer(path, format.shape);
        writer.append(m.view().middle_rows(0, 1));
        writer.append(m.view().middle_rows(1, 0));
        writer.append(m.view().middle_rows(1, 99));
        CHECK(!std::filesystem::exists(path));
        writer.finish();
        REQUIRE((writer.rows() == 100 && so_far(100)));
        writer.append(m.view().middle_rows(100, 7));
        CHECK(contains(refusal([&] { row_file_writer::continuing(path); }), "another writer has it"));
        writer.finish();
        writer.finish();
        REQUIRE(so_far(107));
      }
      auto more = row_file_writer::continuing(path);
      REQUIRE((more.rows() == 107 && more.cols() == cols && more.type() == row_file(path).type()));
      more.append(m.view().middle_rows(107, 406));
      more.finish();
      REQUIRE(so_far(513));
    }
  }
  const auto m = whole_numbers(20, 9);
  row_file_writer writer(dir / "same.npy", {9});
  writer.append(m);
  writer.finish();
  embit::write_npy(dir / "whole.npy", m);
  CHECK(slurp(dir / "same.npy") == slurp(dir / "whole.npy"));
  CHECK(embit::read_npy<float>(dir / "same.npy") == m);
}

TEST_CASE("rows of short numbers are written without going wrong in between") {
  const support::temp_dir dir(support::temp_dir::in_memory());
  matrix<std::int8_t> m(256, 1);
  matrix<embit::half> h(256, 1);
  for (int i = 0; i < 256; ++i) {
    m[static_cast<std::size_t>(i)][0] = static_cast<std::int8_t>(i - 128);
    h[static_cast<std::size_t>(i)][0] = embit::half(static_cast<float>(i) / 7);
  }
  row_file_writer bytes(dir / "x.i8bin", {1}), halves(dir / "h.npy", {1, dtype::f16});
  bytes.append(m);
  halves.append(h);
  bytes.finish();
  halves.finish();
  for (std::size_t i = 0; i < 256; ++i) {
    CHECK(row_file(dir / "x.i8bin").read()[i][0] == static_cast<float>(m[i][0]));
    CHECK(embit::read_npy<float>(dir / "h.npy")[i][0] == static_cast<float>(h[i][0]));
  }
}

TEST_CASE("an unfinished new file is none, and the old one stays") {
  const support::temp_dir dir(support::temp_dir::in_memory());
  const auto m = whole_numbers(30, 5);
  embit::write_npy(dir / "m.npy", m);
  {
    row_file_writer writer(dir / "m.npy", {5});
    writer.append(m);
    writer.append(m);
  }
  CHECK((row_file(dir / "m.npy").read() == m && dir.entries() == 1));
}

TEST_CASE("rows that were not finished are refused with their file, and cut by who continues it") {
  const support::temp_dir dir(support::temp_dir::in_memory());
  const auto m = whole_numbers(30, 5);
  for (const auto& format : every_format(5)) {
    CAPTURE(format.name);
    const std::string path = dir / format.name;
    {
      row_file_writer writer(path, format.shape);
      writer.append(m);
      writer.finish();
    }
    const std::string good = slurp(path);
    // As a crash leaves it: every number of bytes of two more rows, of which the header does not know.
    const std::size_t row = (good.size() - (good.size() > 300 && format.name.ends_with("npy") ? 128 : 0)) / 30;
    for (std::size_t extra = 1; extra < 2 * row; ++extra) {
      std::string longer = good;
      while (longer.size() < good.size() + extra) longer += good.substr(good.size() - row, row);
      spill(path, longer.substr(0, good.size() + extra));
      const bool by_rows = format.name.ends_with("vecs") && extra % row == 0;
      REQUIRE((refusal([&] { row_file(path).read(); }) == "accepted") == by_rows);
      auto writer = row_file_writer::continuing(path);
      const std::size_t kept = format.name.ends_with("vecs") ? 30 + extra / row : 30;
      REQUIRE((writer.rows() == kept && row_file(path).rows() == kept));
      writer.append(m.view().middle_rows(0, 1));
      writer.finish();
      REQUIRE(row_file(path).read({.first = kept}) == matrix<float>(m.view().middle_rows(0, 1)));
    }
  }
}

TEST_CASE("what a file cannot hold is refused with row, column and byte, and none of its rows is written") {
  const support::temp_dir dir(support::temp_dir::in_memory());
  auto m = whole_numbers(4, 3);
  const auto why = [&](const std::string& name, embit::row_file_shape shape, float bad) {
    row_file_writer writer(dir / name, shape);
    writer.append(m);
    auto worse = m;
    worse[2][1] = bad;
    const auto text = refusal([&] { writer.append(worse); });
    writer.append(m.view().middle_rows(1, 2));
    writer.finish();
    const std::size_t kept = text == "accepted" ? 8 : 4;
    CHECK(row_file(dir / name).read({.first = kept}) == matrix<float>(m.view().middle_rows(1, 2)));
    return text;
  };
  CHECK(why("h.npy", {3, dtype::f16}, 70000) ==
        "argument: " + dir / "h.npy" + ": row 6, column 1 (byte 166): 70000 overflows float16");
  CHECK(contains(why("h.npy", {3, dtype::f16}, 65520), "overflows float16"));
  CHECK(why("h.npy", {3, dtype::f16}, 65519) == "accepted");
  CHECK(contains(why("f.npy", {3}, std::numeric_limits<float>::infinity()), "not_finite: "));
  CHECK(contains(why("x.i8bin", {3}, 128), "128 is no number of type int8"));
  CHECK(contains(why("x.i8bin", {3}, -128.5f), "-128.5 is no number of type int8"));
  CHECK(contains(why("x.u8bin", {3}, -1), "row 6, column 1 (byte 27): -1 is no number of type uint8"));

  row_file_writer writer(dir / "w.npy", {3});
  CHECK(contains(refusal([&] { writer.append(whole_numbers(2, 4)); }), "shape: " + dir / "w.npy" + ": rows of 4"));
  CHECK(contains(refusal([&] { row_file_writer(dir / "w.npy", {0}); }), "shape: "));
  CHECK(contains(refusal([&] { row_file_writer(dir / "w.npy", {3, dtype::f64}); }), "argument: "));
  CHECK(contains(refusal([&] { row_file_writer(dir / "w.fbin", {3, dtype::u8}); }), "holds float32, not uint8"));
  CHECK(contains(refusal([&] { row_file_writer(dir / "w.txt", {3}); }), "files that end in .npy"));
  CHECK(contains(refusal([&] { row_file_writer::continuing(dir / "none.npy"); }), "io: "));
}

TEST_CASE("what cannot be continued is left as it is") {
  const support::temp_dir dir(support::temp_dir::in_memory());
  const auto why = [&](const std::string& name, const std::string& bytes) {
    spill(dir / name, bytes);
    const auto text = refusal([&] { row_file_writer::continuing(dir / name); });
    if (text != "accepted") CHECK(slurp(dir / name) == bytes);
    return text;
  };
  const auto npy = [](const std::string& shape, std::size_t size) {
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }";
    header.append(size - 11 - header.size(), ' ');
    return std::string("\x93NUMPY\1\0", 8) + static_cast<char>(header.size() + 1) + '\0' + header + '\n';
  };
  const std::string four(16, '\0');
  CHECK(why("x.npy", npy("(2, 2)", 128) + four + "tail") == "accepted");
  CHECK(contains(why("x.npy", npy("(2, 2)", 80) + four), "its header of 80 bytes has no room"));
  CHECK(contains(why("x.npy", npy("(4,)", 128) + four), "has no room for another shape"));
  CHECK(contains(why("x.npy", npy("(2, 3)", 128) + four), "truncated: "));
  CHECK(contains(why("x.fbin", "abc"), "truncated: "));
  CHECK(contains(why("x.fbin", std::string("\2\0\0\0\0\0\0\0", 8)), "shape: "));
  CHECK(contains(why("x.fvecs", std::string("\0\0\0\0", 4)), "format: "));
  CHECK(contains(why("x.fvecs", ""), "truncated: "));
}
