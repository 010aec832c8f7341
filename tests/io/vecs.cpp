// SPDX-License-Identifier: MIT
#include <embit/core/half.hpp>
#include <embit/core/random.hpp>
#include <embit/io/vecs.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

using embit::matrix;
using support::contains;
using support::refusal;
using support::slurp;
using support::spill;

namespace {

template <class T>
matrix<T> numbers(std::size_t rows, std::size_t cols) {
  embit::rng rng{12};
  matrix<T> m(rows, cols);
  for (auto& x : m.values()) x = static_cast<T>(embit::uniform_index(rng, 256));
  return m;
}

std::string int_bytes(std::initializer_list<std::int32_t> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * 4};
}

}  // namespace

TEST_CASE("rows are read back as they were written, and as other types") {
  const support::temp_dir dir;
  for (const std::size_t rows : {1u, 7u, 513u})
    for (const std::size_t dim : {1u, 3u, 64u, 1000u}) {
      const auto m = numbers<float>(rows, dim);
      embit::write_fvecs(dir / "x.fvecs", m);
      CHECK(slurp(dir / "x.fvecs").size() == rows * (4 + 4 * dim));
      CHECK(embit::read_fvecs(dir / "x.fvecs") == m);
      CHECK(embit::read_fvecs<double>(dir / "x.fvecs")[rows - 1][dim - 1] == static_cast<double>(m[rows - 1][dim - 1]));

      const auto bytes = numbers<std::uint8_t>(rows, dim);
      embit::write_bvecs(dir / "x.bvecs", bytes);
      CHECK(embit::read_bvecs(dir / "x.bvecs") == bytes);
      CHECK(embit::read_bvecs<float>(dir / "x.bvecs") == m);
      CHECK(embit::read_bvecs<embit::half>(dir / "x.bvecs")[0][0] == m[0][0]);

      const auto ints = numbers<std::int32_t>(rows, dim);
      embit::write_ivecs(dir / "x.ivecs", ints);
      CHECK(embit::read_ivecs(dir / "x.ivecs") == ints);
      CHECK(embit::read_ivecs<std::uint8_t>(dir / "x.ivecs") == bytes);
    }
}

TEST_CASE("part of the rows may be read") {
  const support::temp_dir dir;
  const auto m = numbers<float>(100, 9);
  embit::write_fvecs(dir / "x.fvecs", m);
  for (const std::size_t first : {0u, 1u, 99u, 100u})
    for (const std::size_t count : {0u, 1u, 50u, 1000u}) {
      const auto part = embit::read_fvecs(dir / "x.fvecs", {.first = first, .count = count});
      REQUIRE(part.rows() == std::min(count, 100 - first));
      CHECK(part == matrix<float>(m.view().middle_rows(first, part.rows())));
    }
  CHECK(contains(refusal([&] { embit::read_fvecs(dir / "x.fvecs", {.first = 101}); }), "out_of_range: "));
}

TEST_CASE("no rows make an empty file, and rows of nothing none") {
  const support::temp_dir dir;
  embit::write_fvecs(dir / "x.fvecs", matrix<float>(0, 8));
  CHECK(slurp(dir / "x.fvecs").empty());
  CHECK(embit::read_fvecs(dir / "x.fvecs").rows() == 0);
  CHECK(contains(refusal([&] { embit::write_fvecs(dir / "y.fvecs", matrix<float>(3, 0)); }), "shape: "));
  CHECK(dir.entries() == 1);
}

TEST_CASE("rows that disagree, and dimensions that cannot be, are refused with row and byte") {
  const support::temp_dir dir;
  const std::string path = dir / "x.ivecs";
  const auto complaint = [&](const std::string& bytes) {
    spill(path, bytes);
    const auto text = refusal([&] { embit::read_ivecs(path); });
    CHECK(contains(text, ": " + path + ": row "));
    return text;
  };
  CHECK(contains(complaint(int_bytes({0, 1})), "row 0 at byte 0: dimension 0"));
  CHECK(contains(complaint(int_bytes({-5, 1})), "row 0 at byte 0: dimension -5"));
  CHECK(contains(complaint(int_bytes({std::numeric_limits<std::int32_t>::max(), 1})),
                 "dimension 2147483647 needs 8589934592 bytes"));
  CHECK(contains(complaint(std::string("\1\0", 2)), "row 0 at byte 0: truncated, 2 bytes"));
  CHECK(contains(complaint(int_bytes({1, 10, 2, 20, 1, 30})), "row 1 at byte 8: dimension 2 where"));  // size fits
  CHECK(contains(complaint(int_bytes({2, 1, 1, 2, 1, 1, 1, 1, 2, 1, 1})), "row 2 at byte 24: dimension 1 where"));
  CHECK(contains(complaint(int_bytes({2, 1, 1, 2, 1})), "row 1 at byte 12: truncated, 8 of 12 bytes"));
  CHECK(contains(complaint(int_bytes({2, 1, 1}) + "\2"), "row 1 at byte 12: truncated, 1 bytes"));
}

TEST_CASE("numbers that do not fit are refused") {
  const support::temp_dir dir;
  matrix<std::int32_t> m(3, 2, 5);
  m[2][1] = -1;
  embit::write_ivecs(dir / "x.ivecs", m);
  CHECK(contains(refusal([&] { embit::read_ivecs<std::uint8_t>(dir / "x.ivecs"); }),
                 "row 2 at byte 24: element 1 does not fit into uint8"));
}

TEST_CASE("every truncation and every flipped bit of a small .bvecs file is refused or harmless") {
  const support::temp_dir dir;
  embit::write_bvecs(dir / "m.bvecs", numbers<std::uint8_t>(4, 7));
  const std::string good = slurp(dir / "m.bvecs");
  std::size_t largest = 0;
  const auto outcome = [&](const std::string& bytes) {
    spill(dir / "x.bvecs", bytes);
    return refusal([&] { largest = std::max(largest, embit::read_bvecs<float>(dir / "x.bvecs").values().size()); });
  };
  std::size_t wrongly_accepted = 0;
  for (std::size_t size = 0; size < good.size(); ++size)
    wrongly_accepted += (outcome(good.substr(0, size)) == "accepted") != (size % 11 == 0);
  for (std::size_t at = 0; at < good.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      wrongly_accepted += (outcome(bad) == "accepted") != (at % 11 >= 4);  // flips in elements are other elements
    }
  CHECK(wrongly_accepted == 0);
  CHECK(largest == 28);
}
