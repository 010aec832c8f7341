// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/hadamard_lsh.hpp>
#include <embit/encode/sign_projection.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/normal_rows.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

namespace {

using support::contains;
using support::refusal;
using support::normal_rows;

bool bit(std::span<const embit::word> code, std::size_t j) { return (code[j / 64] >> j % 64 & 1) != 0; }

bool same(const embit::code_store<>& a, const embit::code_store<>& b) {
  return a.size() == b.size() && a.bits() == b.bits() &&
         std::equal(a.data(), a.data() + a.size() * a.words(), b.data());
}

}  // namespace

TEST_CASE("hadamard_lsh sets the bits of its planes, in any width and dimension") {
  for (const std::size_t dim : {1u, 2u, 3u, 20u, 64u, 100u, 128u})
    for (const std::size_t bits : {1u, 63u, 64u, 65u, 127u, 1000u})
      for (const std::size_t rounds : {1u, 3u}) {
        embit::rng rng{dim + bits};
        const auto hasher = embit::hadamard_lsh({.dim = dim, .bits = bits, .rounds = rounds}, rng);
        const auto rows = normal_rows(3, dim, 2), cut = normal_rows(1, bits, 3);
        const auto planes = hasher.planes();
        CAPTURE(dim, bits, rounds);
        REQUIRE(hasher.bits() == bits);
        REQUIRE(planes.rows() == bits);
        for (const bool shifted : {false, true}) {
          const auto encoder = shifted ? hasher.with_thresholds(cut[0]) : hasher;
          const auto codes = encoder.encode(rows);
          const auto margins = encoder.margins(rows), projections = encoder.projections(rows);
          REQUIRE_NOTHROW(embit::require_clean_tails(codes.view(), "codes"));
          for (std::size_t i = 0; i < 3; ++i)
            for (std::size_t j = 0; j < bits; ++j) {
              double exact = 0, square = 0;
              for (std::size_t k = 0; k < dim; ++k) {
                exact += double{planes[j][k]} * double{rows[i][k]};
                square += double{planes[j][k]} * double{planes[j][k]};
              }
              const double threshold = shifted ? double{cut[0][j]} : 0;
              if (!(std::abs(double{projections[i][j]} - exact) < 1e-4)) FAIL("projection " << j);
              if (!(std::abs(double{margins[i][j]} - std::abs(exact - threshold)) < 1e-4)) FAIL("margin " << j);
              if (std::has_single_bit(dim) && !(std::abs(square - 1) < 1e-4)) FAIL("length " << j);
              if (std::abs(exact - threshold) > 1e-4 && bit(codes[i], j) != (exact > threshold)) FAIL("bit " << j);
            }
        }
      }
}

TEST_CASE("planes of one transform are orthogonal") {
  embit::rng rng{1};
  const auto planes = embit::hadamard_lsh({.dim = 64, .bits = 128}, rng).planes();
  for (std::size_t a = 0; a < 128; ++a)
    for (std::size_t b = 0; b < a; ++b) {
      double dot = 0;
      for (std::size_t k = 0; k < 64; ++k) dot += double{planes[a][k]} * double{planes[b][k]};
      if (a / 64 == b / 64 && !(std::abs(dot) < 1e-5)) FAIL("planes " << a << " and " << b);
    }
}

// The planes are not drawn from the sphere, so the share of differing bits is θ / π up to a band that narrows with the
// rounds: 0.01 with three, sparse rows included.
TEST_CASE("two rows at angle theta differ in about theta / pi of the bits") {
  for (const std::size_t dim : {96u, 128u, 1000u})
    for (const double theta : {.1, .5, 1., 2.}) {
      double sparse = 0, dense = 0;
      const int trials = 20;
      for (int trial = 0; trial < trials; ++trial) {
        embit::rng rng{static_cast<std::uint64_t>(trial)};
        const std::size_t bits = 4096;
        const auto hasher = embit::hadamard_lsh({.dim = dim, .bits = bits}, rng);
        embit::matrix<float> rows(4, dim, 0.f);
        const auto c = static_cast<float>(std::cos(theta)), s = static_cast<float>(std::sin(theta));
        rows[0][0] = 1;
        rows[1][0] = c;
        rows[1][1] = s;
        auto random = normal_rows(2, dim, 100 + static_cast<std::uint64_t>(trial));
        double square = 0, along = 0, across = 0;
        for (std::size_t k = 0; k < dim; ++k) {
          square += double{random[0][k]} * double{random[0][k]};
          along += double{random[0][k]} * double{random[1][k]};
        }
        for (std::size_t k = 0; k < dim; ++k) {
          random[1][k] -= static_cast<float>(along / square) * random[0][k];
          across += double{random[1][k]} * double{random[1][k]};
        }
        for (std::size_t k = 0; k < dim; ++k) {
          rows[2][k] = random[0][k];
          rows[3][k] = c * random[0][k] + s * random[1][k] * static_cast<float>(std::sqrt(square / across));
        }
        const auto codes = hasher.encode(rows);
        sparse += support::hamming_distance(codes[0], codes[1]) / double{bits} / trials;
        dense += support::hamming_distance(codes[2], codes[3]) / double{bits} / trials;
      }
      CAPTURE(dim, theta, sparse, dense, theta / std::numbers::pi);
      CHECK(std::abs(sparse - theta / std::numbers::pi) < .01);
      CHECK(std::abs(dense - theta / std::numbers::pi) < .01);
    }
}

TEST_CASE("a row has one code: alone, in a batch, on threads, at every level", "[threads]") {
  embit::rng a{5}, b{5}, c{5};
  const auto hasher = embit::hadamard_lsh({.dim = 33, .bits = 200}, a);
  const auto rows = normal_rows(513, 33, 4);
  const auto codes = hasher.encode(rows);
  REQUIRE(same(embit::hadamard_lsh({.dim = 33, .bits = 200}, b).encode(rows), codes));
  REQUIRE(same(hasher.encode(rows, embit::thread_pool{2}), codes));
  REQUIRE(hasher.encode(rows.view().middle_rows(0, 0)).empty());
  const auto few = embit::hadamard_lsh({.dim = 33, .bits = 70}, c).encode(rows);
  std::vector<embit::word> code(codes.words());
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    hasher.encode_into(rows[i], code);
    REQUIRE(std::ranges::equal(code, codes[i]));
    REQUIRE(few[i][0] == codes[i][0]);
    REQUIRE(few[i][1] == (codes[i][1] & 63));
  }
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (std::size_t i = 0; i < codes.size() * codes.words(); ++i) hash = (hash ^ codes.data()[i]) * 0x100000001b3u;
  REQUIRE(hash == 0xcbc1518514b98827u);
}

TEST_CASE("hadamard_lsh defines codes of odd rows and refuses what it cannot use") {
  embit::rng rng{1};
  const auto hasher = embit::hadamard_lsh({.dim = 100, .bits = 90}, rng);
  auto rows = normal_rows(10, 100, 1);
  std::ranges::fill(rows[2], 0.f);
  const auto codes = hasher.encode(rows);
  REQUIRE(codes[2][0] == 0);
  REQUIRE(codes[2][1] == 0);
  auto scaled = rows;
  for (float& x : scaled.values()) x *= 0x1p-60f;
  REQUIRE(same(hasher.encode(scaled), codes));
  REQUIRE_NOTHROW(hasher.encode(embit::matrix<float>(2, 100, 3e38f)));
  for (const float bad : {NAN, INFINITY}) {
    auto spoilt = rows;
    spoilt[7][99] = bad;
    REQUIRE(contains(refusal([&] { (void)hasher.encode(spoilt); }), "not_finite: rows: row 7, column 99"));
    std::vector<embit::word> code{42, 43};
    REQUIRE(contains(refusal([&] { hasher.encode_into(spoilt[7], code); }), "not_finite"));
    REQUIRE(code[0] == 42);
    REQUIRE(contains(refusal([&] { (void)hasher.margins(spoilt); }), "row 7"));
  }
  std::vector<embit::word> wide(3);
  REQUIRE(contains(refusal([&] { hasher.encode_into(rows[0], wide); }), "3 words"));
  REQUIRE(contains(refusal([&] { (void)hasher.encode(normal_rows(2, 99, 1)); }), "99 columns"));
  REQUIRE(contains(refusal([&] { (void)hasher.with_thresholds(std::vector<float>(89)); }), "89 for 90"));
  REQUIRE(contains(refusal([&] { (void)hasher.with_thresholds(std::vector<float>(90, NAN)); }), "not_finite"));
  REQUIRE(contains(refusal([&] { (void)embit::hadamard_lsh({.dim = 0, .bits = 1}, rng); }), "dim 0"));
  REQUIRE(contains(refusal([&] { (void)embit::hadamard_lsh({.dim = 1, .bits = 0}, rng); }), "bits 0"));
  REQUIRE(contains(refusal([&] { (void)embit::hadamard_lsh({.dim = 1, .bits = 1, .rounds = 0}, rng); }), "0 rounds"));
}
