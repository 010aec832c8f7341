// SPDX-License-Identifier: MIT
#include <embit/core/half.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/io/npy.hpp>
#include <embit/io/row_file.hpp>
#include <embit/io/save.hpp>
#include <embit/io/vecs.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

using embit::dtype;
using embit::file_reads;
using embit::matrix;
using embit::row_file;
using embit::row_file_options;
using support::contains;
using support::refusal;
using support::slurp;
using support::spill;

namespace {

template <class T>
matrix<T> numbers(std::size_t rows, std::size_t cols, std::uint64_t seed = 12) {
  embit::rng rng{seed};
  matrix<T> m(rows, cols);
  for (auto& x : m.values()) x = T(float(embit::uniform_index(rng, 100)));
  return m;
}

template <class T>
std::string bytes_of(const matrix<T>& m) {
  return {reinterpret_cast<const char*>(m.data()), m.values().size_bytes()};
}

std::string u32s(std::initializer_list<std::uint32_t> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * 4};
}

template <class T>
std::string big_ann(const matrix<T>& m) {
  return u32s({static_cast<std::uint32_t>(m.rows()), static_cast<std::uint32_t>(m.cols())}) + bytes_of(m);
}

template <class T>
matrix<float> floats(const matrix<T>& m) {
  matrix<float> out(m.rows(), m.cols());
  for (std::size_t i = 0; i < m.values().size(); ++i) out.values()[i] = static_cast<float>(m.values()[i]);
  return out;
}

struct float_sections {
  static constexpr embit::file_kind file{"test_rows", 1};
  matrix<float> rows;
  void write_to(const embit::section_writer& out) const { embit::detail::add_matrix(out, "rows", rows); }
};

/// The same rows in a file of every format: its name, what it holds as floats, how it is opened.
struct stored_rows {
  std::string path;
  matrix<float> rows;
  dtype type;
  embit::row_source source = {};
};

std::vector<stored_rows> every_format(const support::temp_dir& dir, std::size_t rows, std::size_t cols) {
  std::vector<stored_rows> all;
  const auto add = [&](const std::string& name, const matrix<float>& m, dtype type, embit::row_source source = {}) {
    all.push_back({dir / name, m, type, std::move(source)});
  };
  const auto npy = [&]<class T>(T, const std::string& name) {
    const auto m = numbers<T>(rows, cols);
    embit::write_npy(dir / name, m);
    add(name, floats(m), embit::dtype_of<T>);
  };
  npy(float{}, "f32.npy");
  npy(embit::half{}, "f16.npy");
  npy(std::int8_t{}, "i8.npy");
  npy(std::uint8_t{}, "u8.NPY");
  const auto f = numbers<float>(rows, cols);
  const auto u = numbers<std::uint8_t>(rows, cols);
  const auto s = numbers<std::int8_t>(rows, cols);
  const auto h = numbers<embit::half>(rows, cols);
  if (rows != 0) {
    embit::write_fvecs(dir / "x.fvecs", f);
    add("x.fvecs", f, dtype::f32);
    embit::write_bvecs(dir / "x.bvecs", u);
    add("x.bvecs", floats(u), dtype::u8);
  }
  spill(dir / "x.fbin", big_ann(f));
  add("x.fbin", f, dtype::f32);
  spill(dir / "x.u8bin", big_ann(u));
  add("x.u8bin", floats(u), dtype::u8);
  spill(dir / "x.i8bin", big_ann(s));
  add("x.i8bin", floats(s), dtype::i8);
  spill(dir / "raw", "odd" + bytes_of(h) + "behind");
  add("raw", floats(h), dtype::f16, {.raw = embit::raw_rows{dtype::f16, cols, 3, rows}});
  spill(dir / "raw_f32", "x" + bytes_of(f));
  add("raw_f32", f, dtype::f32, {.raw = embit::raw_rows{dtype::f32, cols, 1}});
  embit::save(dir / "x.embit", float_sections{f});
  add("x.embit", f, dtype::f32);
  return all;
}

}  // namespace

TEST_CASE("rows of every format are those that were written, mapped or read") {
  const support::temp_dir dir;
  for (const std::size_t rows : {0u, 1u, 7u, 513u})
    for (const std::size_t cols : {1u, 3u, 64u, 1000u})
      for (const auto& stored : every_format(dir, rows, cols))
        for (const auto reads : {file_reads::mapped, file_reads::pread})
          for (const std::size_t cache : {0u, 1u << 15, 1u << 22}) {
            const row_file file(stored.path, {.reads = reads, .cache_bytes = cache, .source = stored.source});
            CAPTURE(stored.path, rows, cols, cache);
            REQUIRE((file.rows() == stored.rows.rows() && file.type() == stored.type && file.reads() == reads));
            REQUIRE(file.read() == stored.rows);
            if (rows == 0) continue;
            REQUIRE(file.cols() == cols);
            embit::rng rng{5};
            std::vector<embit::row_id> some;
            for (int i = 0; i < 50; ++i) some.push_back(static_cast<embit::row_id>(embit::uniform_index(rng, rows)));
            matrix<float> out(some.size(), cols);
            file.read(some, out);
            REQUIRE(out == matrix<float>(stored.rows.view(), some));
            REQUIRE(file.read({.first = rows / 2, .count = 3}) ==
                    matrix<float>(stored.rows.view().middle_rows(rows / 2, std::min<std::size_t>(3, rows - rows / 2))));
          }
}

TEST_CASE("a batch reads each row once, in order, and counts its pages") {
  const support::temp_dir dir;
  const auto m = numbers<float>(4096, 256);  // four rows a page of 4096
  embit::write_npy(dir / "m.npy", m);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  for (const auto reads : {file_reads::mapped, file_reads::pread}) {
    const row_file file(dir / "m.npy", {.reads = reads, .cache_bytes = 1u << 20});
    const std::vector<embit::row_id> asked{9, 9, 10, 700, 701, 4000};
    std::vector<embit::row_id> seen;
    const auto note = [&](std::size_t i, const std::byte* bytes, std::size_t worker) {
      CHECK(worker == 0);
      CHECK(std::memcmp(bytes, m[asked[i]].data(), 1024) == 0);
      seen.push_back(asked[i]);
    };
    file.for_each(asked, note);
    CHECK(seen == asked);
    const auto first = file.statistics();
    CHECK((first.rows == 5 && first.cached == 0));
    std::vector<std::size_t> pages;
    for (const auto row : asked)
      for (std::size_t p = (128 + row * 1024u) / page; p <= (128 + row * 1024u + 1023) / page; ++p) pages.push_back(p);
    pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
    CHECK(first.pages == pages.size());
    // A call for adjacent pages; by pread, all but the first are asked for and then read.
    CHECK(first.calls == (reads == file_reads::mapped ? 3u : 5u));
    file.for_each(asked, note);
    const auto second = file.statistics();
    CHECK((second.rows == 10 && second.pages == 2 * first.pages));
    if (reads == file_reads::pread) CHECK((second.calls == 5 && second.cached == first.pages));
  }
}

TEST_CASE("a cache of a few pages keeps to its size and to the truth") {
  const support::temp_dir dir;
  const auto m = numbers<float>(3000, 300);
  embit::write_npy(dir / "m.npy", m);
  const row_file file(dir / "m.npy", {.reads = file_reads::pread, .cache_bytes = 100'000});
  CHECK(file.memory() < 200'000);
  embit::rng rng{8};
  for (int batch = 0; batch < 100; ++batch) {
    std::vector<embit::row_id> some(30);
    for (auto& row : some) row = static_cast<embit::row_id>(embit::uniform_index(rng, batch % 2 == 0 ? 3000 : 40));
    matrix<float> out(30, 300);
    file.read(some, out);
    REQUIRE(out == matrix<float>(m.view(), some));
  }
  CHECK(file.statistics().cached > 0);
}

TEST_CASE("many threads read one file, through copies of a handle and an executor", "[threads]") {
  const support::temp_dir dir;
  const auto m = numbers<float>(2000, 128);
  embit::write_npy(dir / "m.npy", m);
  for (const auto reads : {file_reads::mapped, file_reads::pread}) {
    const row_file file(dir / "m.npy", {.reads = reads, .cache_bytes = 1u << 17});
    std::vector<std::thread> threads;
    std::vector<int> good(4);
    for (std::size_t t = 0; t < good.size(); ++t)
      threads.emplace_back([&, t, mine = file] {
        embit::rng rng{t};
        for (int batch = 0; batch < 30; ++batch) {
          std::vector<embit::row_id> some(100);
          for (auto& row : some) row = static_cast<embit::row_id>(embit::uniform_index(rng, 2000));
          matrix<float> out(100, 128);
          mine.read(some, out);
          good[t] += out == matrix<float>(m.view(), some);
        }
      });
    for (auto& thread : threads) thread.join();
    CHECK(good == std::vector<int>(4, 30));
    std::vector<embit::row_id> all(2000);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<embit::row_id>(i);
    std::vector<char> right(2000);
    file.for_each(
        all,
        [&](std::size_t i, const std::byte* bytes, std::size_t worker) {
          right[i] = worker < 3 && std::memcmp(bytes, m[i].data(), 512) == 0;
        },
        embit::thread_pool(3));
    CHECK(std::ranges::count(right, 1) == 2000);
  }
}

TEST_CASE("rows beyond the end and files cut short are refused with path and byte") {
  const support::temp_dir dir;
  const auto m = numbers<float>(5000, 64);
  for (const auto reads : {file_reads::mapped, file_reads::pread}) {
    const std::string path = dir / "m.npy";
    std::filesystem::remove(path);
    embit::write_npy(path, m);
    const row_file file(path, {.reads = reads, .cache_bytes = 0});
    const auto read = [&](embit::row_id row) {
      matrix<float> out(1, 64);
      return refusal([&] { file.read(std::span(&row, 1), out); });
    };
    CHECK(read(4999) == "accepted");
    CHECK(read(5000) == "out_of_range: " + path + ": row 5000 at byte 1280128, of 5000 rows");
    matrix<float> narrow(1, 63);
    const embit::row_id zero = 0;
    CHECK(contains(refusal([&] { file.read(std::span(&zero, 1), narrow); }), "shape: out: 1 x 63"));
    CHECK(contains(refusal([&] { file.read({.first = 5001}); }), "out_of_range: "));
    std::filesystem::resize_file(path, 128 + 100 * 256);
    const std::string cut = read(4000);
    CHECK(contains(cut, "changed: " + path + ": "));
    if (reads == file_reads::pread)
      CHECK(contains(cut, "ends at byte 25728"));
    else
      CHECK(cut == "changed: " + path + ": has 25728 bytes and had 1280128; 5000 rows end at byte 1280128");
  }
}

TEST_CASE("what cannot be read row by row is refused, and what can read it is named") {
  const support::temp_dir dir;
  const auto why = [&](const std::string& name, const std::string& bytes, row_file_options options = {}) {
    spill(dir / name, bytes);
    return refusal([&] { row_file(dir / name, options).rows(); });
  };
  const auto npy = [](const std::string& type, const std::string& fortran, const std::string& data) {
    std::string header = "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': (2, 2), }";
    header.append(127 - 10 - header.size(), ' ');
    return std::string("\x93NUMPY\1\0", 8) + static_cast<char>(header.size() + 1) + '\0' + header + '\n' + data;
  };
  const std::string four(16, '\0'), eight(32, '\0');
  CHECK(why("x.npy", npy("<f4", "False", four)) == "accepted");
  CHECK(why("x.npy", npy(">f4", "False", four)) ==
        "argument: " + dir / "x.npy" +
            ": its numbers are in the other byte order and cannot be read row by row; read_npy reads it");
  CHECK(contains(why("x.npy", npy("<f4", "True", four)), "is in Fortran order"));
  CHECK(contains(why("x.npy", npy("<f8", "False", eight)),
                 "argument: " + dir / "x.npy" + ": holds float64 where float32, float16, int8 and uint8"));
  CHECK(contains(why("x.npy", npy("<f4", "False", four + "x")), "format: "));
  CHECK(contains(why("x.npy", npy("<f4", "False", "x")), "truncated: "));
  CHECK(contains(why("x.txt", "1 2 3"), "files that end in .npy, .fvecs"));
  CHECK(contains(why("x.bin", std::string("PK\3\4....", 8)), "; this one is a zip archive"));
  CHECK(contains(why("x.fbin", u32s({2, 2}) + four), "accepted"));
  CHECK(why("x.fbin", u32s({2, 3}) + four) ==
        "truncated: " + dir / "x.fbin" +
            ": 16 bytes from byte 8 on are not the 2 x 3 numbers of type float32 that byte 0 says");
  CHECK(contains(why("x.fbin", u32s({2, 1}) + four), "format: "));
  CHECK(contains(why("x.fbin", u32s({0xffffffffu, 0xffffffffu}) + four), "truncated: "));
  CHECK(contains(why("x.fbin", u32s({3, 0})), "shape: "));
  CHECK(contains(why("x.fbin", "abc"), "truncated: " + dir / "x.fbin" + ": 3 bytes, too few"));
  CHECK(contains(why("x.u8bin", std::string("\x93NUMPY\1\0", 8)), "kind: "));
  CHECK(contains(why("x.fvecs", u32s({2, 0, 0, 3, 0, 0})), "accepted"));  // seen when the row is read
  CHECK(contains(refusal([&] { row_file(dir / "x.fvecs").read(); }),
                 "format: " + dir / "x.fvecs" + ": row 1 at byte 12: dimension 3 where the first row has 2"));
  CHECK(contains(refusal([&] { row_file(dir / "x.fvecs", {.reads = file_reads::pread}).read(); }),
                 ": row 1 at byte 12: dimension 3"));
  CHECK(contains(refusal([&] { row_file(dir / "none.npy"); }), "io: "));
  CHECK(contains(refusal([&] { row_file(dir.path()); }), "not_a_file: "));

  const auto raw = [&](embit::raw_rows rows) { return why("raw", four, {.source = {.raw = rows}}); };
  constexpr std::size_t huge = std::numeric_limits<std::size_t>::max() / 2;
  CHECK(raw({dtype::f32, 2}) == "accepted");
  CHECK(raw({dtype::u8, 3, 1, 5}) == "accepted");
  CHECK(contains(raw({dtype::f32, 3}), "truncated: " + dir / "raw" + ": 16 bytes from byte 0 on are not rows of 3"));
  CHECK(contains(raw({dtype::f32, 0}), "argument: "));
  CHECK(contains(raw({dtype::f64, 2}), "argument: "));
  CHECK(contains(raw({dtype::u8, 3, 2, 5}), "truncated: " + dir / "raw" + ": 14 bytes from byte 2 on are too few"));
  CHECK(contains(raw({dtype::u8, huge, 0, huge}), "truncated: "));
  CHECK(contains(raw({dtype::u8, 1, huge, 1}), "truncated: "));
  CHECK(contains(raw({dtype::u8, huge, 0, 0}), "shape: "));
}

TEST_CASE("the matrix of a file of this library is found by the name of its section") {
  const support::temp_dir dir;
  const auto m = numbers<float>(40, 9);
  embit::save(dir / "x", float_sections{m});
  CHECK(row_file(dir / "x").read() == m);
  CHECK(contains(refusal([&] { row_file(dir / "x", {.source = {.section = "more"}}); }),
                 "format: " + dir / "x" + ": section 'more' is missing"));
  const std::string good = slurp(dir / "x");
  for (std::size_t size = 0; size < good.size(); ++size) {
    spill(dir / "cut", good.substr(0, size));
    REQUIRE(refusal([&] { row_file(dir / "cut").read(); }) != "accepted");
  }
}

TEST_CASE("every truncation and every flipped bit of a small .i8bin file is refused or harmless") {
  const support::temp_dir dir;
  const std::string good = big_ann(numbers<std::int8_t>(4, 7));
  std::size_t largest = 0;
  const auto outcome = [&](const std::string& bytes) {
    spill(dir / "x.i8bin", bytes);
    return refusal([&] {
      for (const auto reads : {file_reads::mapped, file_reads::pread})
        largest = std::max(largest, row_file(dir / "x.i8bin", {.reads = reads}).read().values().size());
    });
  };
  std::size_t wrongly_accepted = 0;
  for (std::size_t size = 0; size < good.size(); ++size)
    wrongly_accepted += outcome(good.substr(0, size)) == "accepted";
  for (std::size_t at = 0; at < good.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      wrongly_accepted += (outcome(bad) == "accepted") != (at >= 8);
    }
  CHECK(wrongly_accepted == 0);
  CHECK(largest == 28);
}
