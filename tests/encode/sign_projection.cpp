// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/encode/sign_projection.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/inner_product.hpp>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace {

using support::normal_rows;

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

TEST_CASE("a row alone, in a batch, on threads and from a copied encoder has one code", "[threads]") {
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

TEST_CASE("margins are the distances of the projections from the thresholds", "[threads]") {
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

TEST_CASE("a float query finds more in the signs of unit rows than its own signs do") {
  embit::rng rng{8};
  embit::matrix<float> rows(1000, 32);
  for (float& x : rows.values()) x = embit::normal(rng);
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    float square = 0;
    for (const float x : rows[i]) square += x * x;
    for (float& x : rows[i]) x /= std::sqrt(square);
  }
  embit::matrix<float> queries(100, 32);
  for (std::size_t q = 0; q < queries.rows(); ++q)
    for (std::size_t j = 0; j < 32; ++j) queries[q][j] = rows[q][j] + .12f * embit::normal(rng);
  const auto lsh = embit::sign_lsh({.dim = 32, .bits = 64}, rng);
  const auto codes = lsh.encode(rows);
  const embit::flat_index truth{rows.view(), embit::inner_product{}};
  const embit::flat_index hamming{codes};
  const embit::flat_index asymmetric{codes, lsh.asymmetric()};
  const auto wanted = truth.search(queries, 10);
  const auto recall = [&](const auto& found) {
    std::size_t hits = 0;
    for (std::size_t q = 0; q < queries.rows(); ++q)
      for (const auto& hit : found[q])
        for (const auto& true_hit : wanted[q]) hits += hit.id == true_hit.id;
    return static_cast<double>(hits) / 1000.;
  };
  const double symmetric = recall(hamming.search(lsh.encode(queries), 10));
  CHECK(recall(asymmetric.search(queries, 10)) > symmetric + .02);

  // The same from rows of words, one at a time, as any other store would give them.
  const auto kernel = lsh.asymmetric();
  const auto found = asymmetric.search(queries, 3);
  for (std::size_t q = 0; q < 5; ++q) {
    const auto prepared = kernel.prepare(queries[q]);
    for (const auto& hit : found[q]) CHECK(kernel(prepared, codes[hit.id]) == hit.distance);
  }
  embit::rng other{9};
  const auto wider = embit::sign_lsh({.dim = 32, .bits = 65}, other);
  CHECK_THROWS_AS((embit::flat_index{codes, wider.asymmetric()}), embit::error);
}
