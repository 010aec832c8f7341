// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/sign_projection.hpp>

#include <support/catch.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace {

embit::matrix<float> normal_rows(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<float> m(rows, cols);
  for (auto& x : m.values()) x = embit::normal(rng);
  return m;
}

bool same(embit::code_view<> a, embit::code_view<> b) {
  return a.size() == b.size() && a.bits() == b.bits() &&
         std::equal(a.data(), a.data() + a.size() * a.words(), b.data());
}

}  // namespace

TEST_CASE("sign_projection sets the bits whose projection is above the threshold") {
  for (const std::size_t bits : {1u, 63u, 64u, 65u, 127u, 1000u}) {
    const std::size_t n = 7, dim = 20;
    const auto planes = normal_rows(bits, dim, 1), rows = normal_rows(n, dim, 2), cut = normal_rows(1, bits, 3);
    const embit::sign_projection encoder(planes, cut[0]);
    REQUIRE(encoder.bits() == bits);
    REQUIRE(encoder.dim() == dim);
    const auto codes = encoder.encode(rows);
    REQUIRE(codes.bits() == bits);
    REQUIRE_NOTHROW(embit::require_clean_tails(codes.view(), "codes"));
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < bits; ++j) {
        double exact = -double{cut[0][j]};
        for (std::size_t k = 0; k < dim; ++k) exact += double{planes[j][k]} * double{rows[i][k]};
        if (std::abs(exact) < 1e-4) continue;  // within rounding of the plane
        if ((codes[i][j / 64] >> j % 64 & 1) != embit::word{exact > 0}) FAIL("bit " << j << " of row " << i);
      }
  }
}

TEST_CASE("a row alone, in a batch, on threads and from a copied encoder has one code") {
  const auto rows = normal_rows(513, 33, 4);
  const embit::sign_projection encoder(normal_rows(100, 33, 5));
  const auto codes = encoder.encode(rows);
  REQUIRE(same(encoder.encode(rows, embit::thread_pool(2)), codes));
  REQUIRE(same(embit::sign_projection(encoder).encode(rows), codes));
  REQUIRE(same(embit::sign_projection(encoder.planes(), encoder.thresholds()).encode(rows), codes));
  std::vector<embit::word> code(2);
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    encoder.encode_into(rows[i], code);
    REQUIRE(std::equal(code.begin(), code.end(), codes[i].begin()));
  }
  REQUIRE(encoder.encode(rows.view().middle_rows(0, 0)).empty());
}

TEST_CASE("sign_projection keeps its planes and thresholds") {
  const auto planes = normal_rows(65, 9, 6), cut = normal_rows(1, 65, 7);
  const embit::sign_projection with(planes, cut[0]), without(planes);
  REQUIRE(with.planes() == planes);
  REQUIRE(std::equal(with.thresholds().begin(), with.thresholds().end(), cut[0].begin(), cut[0].end()));
  REQUIRE(without.thresholds().size() == 65);
  for (const float t : without.thresholds()) REQUIRE(t == 0);
}

TEST_CASE("margins are the distances of the projections from the thresholds") {
  for (const std::size_t bits : {1u, 63u, 65u, 127u}) {
    const auto planes = normal_rows(bits, 20, 1), rows = normal_rows(9, 20, 2), cut = normal_rows(1, bits, 3);
    const embit::sign_projection encoder(planes, cut[0]);
    const auto margins = encoder.margins(rows);
    REQUIRE(margins.rows() == 9);
    REQUIRE(margins.cols() == bits);
    for (std::size_t i = 0; i < 9; ++i)
      for (std::size_t j = 0; j < bits; ++j) {
        double exact = -double{cut[0][j]};
        for (std::size_t k = 0; k < 20; ++k) exact += double{planes[j][k]} * double{rows[i][k]};
        REQUIRE(std::abs(double{margins[i][j]} - std::abs(exact)) < 1e-4);
      }
    REQUIRE(encoder.margins(rows, embit::thread_pool(2)) == margins);
  }
  const embit::sign_projection encoder(normal_rows(8, 4, 8));
  REQUIRE_THROWS_AS(encoder.margins(normal_rows(3, 5, 9)), embit::error);
  REQUIRE_THROWS_AS(encoder.margins(embit::matrix<float>(3, 4, INFINITY)), embit::error);
}

TEST_CASE("sign_projection refuses what it cannot use") {
  const auto planes = normal_rows(8, 4, 8);
  const embit::sign_projection encoder(planes);
  auto rows = normal_rows(10, 4, 9);
  REQUIRE_THROWS_AS(encoder.encode(normal_rows(10, 5, 9)), embit::error);
  rows[7][2] = std::numeric_limits<float>::quiet_NaN();
  try {
    (void)encoder.encode(rows);
    FAIL("NaN");
  } catch (const embit::error& e) {
    REQUIRE(e.code() == embit::errc::not_finite);
    REQUIRE(std::string(e.what()).find("row 7") != std::string::npos);
  }
  std::vector<embit::word> code{42}, wide(2);
  REQUIRE_THROWS_AS(encoder.encode_into(rows[7], code), embit::error);
  REQUIRE(code[0] == 42);
  REQUIRE_THROWS_AS(encoder.encode_into(rows[1], wide), embit::error);

  REQUIRE_THROWS_AS(embit::sign_projection(embit::matrix<float>(0, 4)), embit::error);
  REQUIRE_THROWS_AS(embit::sign_projection(embit::matrix<float>(4, 0)), embit::error);
  REQUIRE_THROWS_AS(embit::sign_projection(rows), embit::error);
  REQUIRE_THROWS_AS(embit::sign_projection(planes, std::vector<float>(7)), embit::error);
  REQUIRE_THROWS_AS(embit::sign_projection(planes, std::vector<float>(8, INFINITY)), embit::error);
}
