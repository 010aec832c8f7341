// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/hadamard_lsh.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/fit/fit_pca_sign.hpp>
#include <embit/fit/fit_thresholds.hpp>
#include <embit/linalg/centering.hpp>

#include <support/anisotropic.hpp>
#include <support/catch.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

using support::contains;
using support::refusal;

/// In how many rows each bit is set.
std::vector<std::size_t> bit_counts(const embit::code_store<>& codes) {
  std::vector<std::size_t> counts(codes.bits());
  for (std::size_t i = 0; i < codes.size(); ++i)
    for (std::size_t j = 0; j < codes.bits(); ++j) counts[j] += codes[i][j / 64] >> j % 64 & 1;
  return counts;
}

std::size_t differing_bits(const embit::code_store<>& a, const embit::code_store<>& b) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t w = 0; w < a.words(); ++w) count += static_cast<std::size_t>(std::popcount(a[i][w] ^ b[i][w]));
  return count;
}

template <class Hasher>
void check_rules(const Hasher& hasher) {
  const auto rows = support::anisotropic_rows(513, hasher.dim(), 2);
  const auto zero = embit::with_thresholds(hasher, rows, embit::threshold_rule::zero);
  REQUIRE(differing_bits(zero.encode(rows), hasher.encode(rows)) == 0);

  // The planes through the mean are those through the origin of centered rows.
  const auto mean = embit::with_thresholds(hasher, rows, embit::threshold_rule::mean);
  const auto centered = embit::fit_centering(rows).apply(rows);
  REQUIRE(differing_bits(mean.encode(rows), hasher.encode(centered)) * 10000 < 513 * hasher.bits());
  REQUIRE(differing_bits(mean.encode(rows), hasher.encode(rows)) * 100 > 513 * hasher.bits());

  const auto median = embit::with_thresholds(hasher, rows, embit::threshold_rule::median);
  for (const std::size_t n : {513u, 512u, 7u, 2u, 1u}) {
    const auto some = rows.view().middle_rows(0, n);
    const auto fitted = embit::with_thresholds(hasher, some, embit::threshold_rule::median, embit::thread_pool{2});
    // The row in the middle lies on the plane, up to rounding.
    for (const std::size_t count : bit_counts(fitted.encode(some))) {
      REQUIRE(count >= n / 2);
      REQUIRE(count <= n / 2 + n % 2);
    }
  }
  const auto thresholds = embit::fit_thresholds(hasher, rows, embit::threshold_rule::median);
  REQUIRE(std::ranges::equal(thresholds, median.thresholds()));

  std::vector<float> own(hasher.bits(), -10.f);
  own[0] = 10;
  const auto counts = bit_counts(embit::with_thresholds(hasher, own).encode(rows));
  REQUIRE(counts[0] == 0);
  for (std::size_t j = 1; j < counts.size(); ++j) REQUIRE(counts[j] == 513);

  REQUIRE(contains(refusal([&] { (void)embit::with_thresholds(hasher, std::vector<float>(3)); }), "3 for"));
  REQUIRE(contains(refusal([&] { (void)embit::with_thresholds(hasher, std::vector<float>(hasher.bits(), NAN)); }),
                   "not_finite"));
  const auto fit = [&](embit::matrix_view<const float> x) {
    return refusal([&] { (void)embit::fit_thresholds(hasher, x, embit::threshold_rule::median); });
  };
  REQUIRE(contains(fit(embit::matrix<float>(0, hasher.dim())), "no rows"));
  REQUIRE(contains(fit(embit::matrix<float>(2, hasher.dim() + 1, 0.f)), "shape: rows"));
  REQUIRE(contains(fit(embit::matrix<float>(2, hasher.dim(), NAN)), "not_finite: rows: row 0"));
  REQUIRE(contains(fit(embit::matrix<float>(2, hasher.dim(), 3e38f)), "not_finite"));
}

}  // namespace

TEST_CASE("thresholds of dense planes follow their rule", "[threads]") {
  embit::rng rng{1};
  check_rules(embit::sign_lsh({.dim = 40, .bits = 65}, rng));
}

TEST_CASE("thresholds of structured planes follow their rule") {
  embit::rng rng{1};
  check_rules(embit::hadamard_lsh({.dim = 40, .bits = 65}, rng));
}

TEST_CASE("pca_sign takes the signs of the principal components") {
  const auto rows = support::anisotropic_rows(400, 24, 3);
  const auto components = embit::fit_pca(rows);
  for (const std::size_t bits : {1u, 10u, 24u}) {
    const auto hasher = embit::fit_pca_sign(rows, {.bits = bits});
    REQUIRE(hasher.bits() == bits);
    const auto codes = hasher.encode(rows);
    for (std::size_t i = 0; i < rows.rows(); ++i)
      for (std::size_t j = 0; j < bits; ++j) {
        double along = 0;
        for (std::size_t k = 0; k < 24; ++k)
          along += double{components.directions[j][k]} * (double{rows[i][k]} - double{components.mean[k]});
        if (std::abs(along) > 1e-5) REQUIRE(((codes[i][0] >> j & 1) != 0) == (along > 0));
      }
  }
  const auto halved = embit::fit_pca_sign(rows, {.bits = 9, .thresholds = embit::threshold_rule::median});
  for (const std::size_t count : bit_counts(halved.encode(rows))) REQUIRE(count == 200);
  const auto plain = embit::fit_pca_sign(rows, {.bits = 9, .thresholds = embit::threshold_rule::zero});
  for (const float t : plain.thresholds()) REQUIRE(t == 0);

  // Fewer rows than bits, equal rows and constant columns have codes, and equal rows equal ones.
  REQUIRE(embit::fit_pca_sign(rows.view().middle_rows(0, 5), {.bits = 24}).encode(rows).size() == 400);
  const embit::matrix<float> equal(9, 6, 2.f);
  const auto codes = embit::fit_pca_sign(equal, {.bits = 6}).encode(equal);
  for (std::size_t i = 1; i < 9; ++i) REQUIRE(codes[i][0] == codes[0][0]);
  REQUIRE(contains(refusal([&] { (void)embit::fit_pca_sign(rows, {.bits = 25}); }), "25 bits where 1 to 24"));
  REQUIRE(contains(refusal([&] { (void)embit::fit_pca_sign(rows, {.bits = 0}); }), "0 bits"));
  REQUIRE(contains(refusal([&] { (void)embit::fit_pca_sign(embit::matrix<float>(0, 4), {.bits = 2}); }), "0 x 4"));
  REQUIRE(contains(refusal([&] { (void)embit::fit_pca_sign(embit::matrix<float>(3, 4, NAN), {.bits = 2}); }),
                   "not_finite"));
}
