// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/cross_polytope.hpp>
#include <support/catch.hpp>
#include <support/normal_rows.hpp>
#include <support/refusal.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace {

using support::refusal;
using support::normal_rows;

/// Rows at about the angle from those of `from`, in high dimension.
embit::matrix<float> turned(const embit::matrix<float>& from, double angle, std::uint64_t seed) {
  auto rows = normal_rows(from.rows(), from.cols(), seed);
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    double along = 0, square = 0, across = 0;
    for (std::size_t j = 0; j < rows.cols(); ++j) {
      along += double{rows[i][j]} * double{from[i][j]};
      square += double{from[i][j]} * double{from[i][j]};
    }
    std::vector<double> rest(rows.cols());
    for (std::size_t j = 0; j < rows.cols(); ++j) {
      rest[j] = double{rows[i][j]} - along / square * double{from[i][j]};
      across += rest[j] * rest[j];
    }
    for (std::size_t j = 0; j < rows.cols(); ++j)
      rows[i][j] = static_cast<float>(std::cos(angle) * double{from[i][j]} +
                                      std::sin(angle) * rest[j] * std::sqrt(square / across));
  }
  return rows;
}

/// The share of equal keys of the two sets of rows.
double collisions(const embit::cross_polytope& hash, const embit::matrix<float>& a, const embit::matrix<float>& b) {
  const auto x = hash.encode(a), y = hash.encode(b);
  std::size_t equal = 0;
  for (std::size_t i = 0; i < x.values().size(); ++i) equal += x.values()[i] == y.values()[i];
  return static_cast<double>(equal) / static_cast<double>(x.values().size());
}

}  // namespace

TEST_CASE("cross-polytope keys have log2(2 dim) bits a hash, for every dimension") {
  embit::rng rng{1};
  for (const std::size_t dim : {1u, 2u, 3u, 63u, 64u, 65u, 100u, 1000u}) {
    const std::size_t bits = static_cast<std::size_t>(std::bit_width(std::bit_ceil(dim)));
    for (const std::size_t hashes : {1u, 2u}) {
      const embit::cross_polytope hash({.dim = dim, .tables = 5, .hashes = hashes}, rng);
      REQUIRE(hash.dim() == dim);
      REQUIRE(hash.bits() == bits * hashes);
      const auto keys = hash.encode(normal_rows(513, dim, dim));
      REQUIRE(keys.rows() == 513);
      REQUIRE(keys.cols() == 5);
      std::set<std::uint32_t> seen;
      for (const std::uint32_t key : keys.values()) {
        REQUIRE(std::uint64_t{key} >> hash.bits() == 0);
        seen.insert(key);
      }
      // Every vertex is some row's.
      if (dim <= 64 && hashes == 1) REQUIRE(seen.size() == std::size_t{1} << bits);
      REQUIRE(hash.encode(normal_rows(0, dim, 1)).rows() == 0);
    }
  }
}

TEST_CASE("equal rows collide, scaled ones too, and opposite rows have opposite vertices", "[threads]") {
  embit::rng rng{2};
  const embit::cross_polytope hash({.dim = 96, .tables = 6}, rng);
  const auto rows = normal_rows(200, 96, 3);
  const auto keys = hash.encode(rows);
  REQUIRE(hash.encode(rows) == keys);
  REQUIRE(hash.encode(rows, embit::thread_pool{2}) == keys);
  auto scaled = rows, opposite = rows;
  for (float& x : scaled.values()) x *= 0x1p100f;
  for (float& x : opposite.values()) x = -x;
  REQUIRE(hash.encode(scaled) == keys);
  const auto others = hash.encode(opposite);
  const std::uint32_t sign = std::uint32_t{1} << (hash.bits() - 1);
  for (std::size_t i = 0; i < keys.values().size(); ++i) REQUIRE(others.values()[i] == (keys.values()[i] ^ sign));
  const auto nothing = hash.encode(embit::matrix<float>(1, 96, 0.f));
  for (const std::uint32_t key : nothing[0]) REQUIRE(key == 0);
}

TEST_CASE("cross-polytope keys collide less the larger the angle, and less than a random key at right angles") {
  for (const std::size_t dim : {100u, 128u}) {
    embit::rng rng{4};
    const embit::cross_polytope hash({.dim = dim, .tables = 20}, rng);
    const auto rows = normal_rows(500, dim, 5);
    double last = 1.001;
    for (const double angle : {0.0, 0.2, 0.4, 0.7, 1.0, 1.3, 1.57}) {
      const double share = collisions(hash, rows, turned(rows, angle, 6));
      CAPTURE(dim, angle, share, last);
      REQUIRE(share < last);
      last = share;
    }
    REQUIRE(last < 3.0 / 256);  // 256 vertices
    REQUIRE(collisions(hash, rows, turned(rows, 0.4, 6)) > 0.3);
  }
}

TEST_CASE("joined hashes collide as often as all of them do") {
  embit::rng rng{7};
  const embit::cross_polytope one({.dim = 64, .tables = 40}, rng), two({.dim = 64, .tables = 40, .hashes = 2}, rng);
  const auto rows = normal_rows(500, 64, 8), near = turned(rows, 0.4, 9);
  const double single = collisions(one, rows, near), both = collisions(two, rows, near);
  CAPTURE(single, both);
  REQUIRE(std::abs(both - single * single) < 0.04);
}

TEST_CASE("the order and the signs of the dimensions do not matter to the share of collisions") {
  embit::rng rng{10};
  const embit::cross_polytope hash({.dim = 80, .tables = 40}, rng);
  const auto rows = normal_rows(500, 80, 11), near = turned(rows, 0.5, 12);
  std::vector<std::size_t> order(80);
  for (std::size_t j = 0; j < 80; ++j) order[j] = j;
  embit::shuffle(std::span(order), rng);
  const auto mixed = [&](const embit::matrix<float>& m) {
    embit::matrix<float> out(m.rows(), 80);
    for (std::size_t i = 0; i < m.rows(); ++i)
      for (std::size_t j = 0; j < 80; ++j) out[i][j] = j % 3 == 0 ? -m[i][order[j]] : m[i][order[j]];
    return out;
  };
  const double plain = collisions(hash, rows, near), other = collisions(hash, mixed(rows), mixed(near));
  CAPTURE(plain, other);
  REQUIRE(plain > 0.1);
  REQUIRE(std::abs(plain - other) < 0.02);
}

TEST_CASE("fewer tables have the first keys of more, and the keys are those of the engine") {
  const auto rows = normal_rows(50, 30, 13);
  embit::rng a{14}, b{14};
  const auto few = embit::cross_polytope({.dim = 30, .tables = 3}, a).encode(rows);
  const auto many = embit::cross_polytope({.dim = 30, .tables = 9}, b).encode(rows);
  for (std::size_t i = 0; i < 50; ++i)
    for (std::size_t t = 0; t < 3; ++t) REQUIRE(few[i][t] == many[i][t]);
  REQUIRE_FALSE(many[0][3] == many[0][4]);
}

TEST_CASE("probes are distinct keys, the row's own first, and find more near rows the more of them there are") {
  for (const std::size_t hashes : {1u, 2u}) {
    embit::rng rng{15};
    const std::size_t tables = 4;
    const embit::cross_polytope hash({.dim = 50, .tables = tables, .hashes = hashes}, rng);
    const auto rows = normal_rows(300, 50, 16), near = turned(rows, 0.6, 17);
    const auto keys = hash.encode(near), own = hash.encode(rows);
    const std::size_t count = 20;
    const auto probes = hash.probes(rows, count);
    REQUIRE(probes.cols() == count * tables);
    std::vector<std::size_t> hits(count);
    for (std::size_t i = 0; i < 300; ++i)
      for (std::size_t t = 0; t < tables; ++t) {
        REQUIRE(probes[i][t] == own[i][t]);
        std::set<std::uint32_t> seen;
        for (std::size_t p = 0; p < count; ++p) {
          REQUIRE(seen.insert(probes[i][p * tables + t]).second);
          hits[p] += probes[i][p * tables + t] == keys[i][t];
        }
      }
    CAPTURE(hashes, hits[0], hits[1], hits[5]);
    REQUIRE(hits[0] > hits[1]);
    REQUIRE(hits[1] > hits[10]);
    std::size_t more = 0;
    for (std::size_t p = 1; p < count; ++p) more += hits[p];
    REQUIRE(2 * more > hits[0]);
  }
  // All of them, each once.
  embit::rng rng{18};
  const embit::cross_polytope small({.dim = 3, .tables = 1, .hashes = 2}, rng);
  const auto all = small.probes(normal_rows(3, 3, 19), 64);
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(std::set<std::uint32_t>(all[i].begin(), all[i].end()).size() == 64);
}

TEST_CASE("cross_polytope refuses what it cannot do") {
  embit::rng rng{20};
  const auto build = [&](embit::cross_polytope_options o) { return refusal([&] { embit::cross_polytope(o, rng); }); };
  CHECK(support::contains(build({.dim = 0, .tables = 1}), "argument: cross_polytope: dim 0"));
  CHECK(support::contains(build({.dim = 1, .tables = 0}), "tables 0"));
  CHECK(support::contains(build({.dim = 1, .tables = 1, .hashes = 0}), "hashes 0"));
  CHECK(support::contains(build({.dim = 128, .tables = 1, .hashes = 5}), "5 hashes of 128"));
  CHECK(build({.dim = 128, .tables = 1, .hashes = 4}) == "accepted");
  const embit::cross_polytope hash({.dim = 4, .tables = 1}, rng);
  auto rows = normal_rows(3, 4, 21);
  CHECK(support::contains(refusal([&] { (void)hash.encode(normal_rows(3, 5, 21)); }), "shape: rows: 5 columns"));
  CHECK(support::contains(refusal([&] { (void)hash.probes(rows, 0); }), "argument: count: 0"));
  CHECK(support::contains(refusal([&] { (void)hash.probes(rows, 9); }), "argument: count: 9"));
  rows[2][1] = NAN;
  CHECK(support::contains(refusal([&] { (void)hash.encode(rows); }), "not_finite: rows: row 2"));
}
