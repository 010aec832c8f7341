// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/linalg/pca.hpp>
#include <embit/linalg/random_rotation.hpp>

#include <support/catch.hpp>
#include <support/orthonormal.hpp>

#include <cmath>
#include <cstdint>
#include <limits>

namespace {

// Rows with the given deviations along the rows of a hidden rotation, moved away from the origin.
embit::matrix<float> spread_rows(std::size_t n, const embit::matrix<float>& axes, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<float> x(n, axes.cols(), 3.f);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < axes.rows(); ++j) {
      const float along = embit::normal(rng) * std::pow(.6f, static_cast<float>(j));
      for (std::size_t k = 0; k < axes.cols(); ++k) x[i][k] += along * axes[j][k];
    }
  return x;
}

}  // namespace

TEST_CASE("fit_pca finds hidden axes and their variances") {
  embit::rng rng{1};
  const auto axes = embit::random_rotation(12, rng);
  const auto x = spread_rows(20000, axes, 2);
  const auto all = embit::fit_pca(x), some = embit::fit_pca(x, {.dims = 5});
  REQUIRE(some.directions.rows() == 5);
  REQUIRE(support::off_orthonormal(all.directions) < 1e-6);
  for (std::size_t j = 0; j < 12; ++j) {
    const double variance = std::pow(.36, double(j));
    REQUIRE(std::abs(double{all.variances[j]} - variance) < .05 * variance);
    double dot = 0;
    for (std::size_t k = 0; k < 12; ++k) dot += double{axes[j][k]} * double{all.directions[j][k]};
    REQUIRE(std::abs(dot) > .999);
    if (j < 5)
      for (std::size_t k = 0; k < 12; ++k) REQUIRE(some.directions[j][k] == all.directions[j][k]);
  }
}

TEST_CASE("fit_pca of few, equal and constant rows has orthonormal directions and no NaN") {
  embit::rng rng{3};
  for (const std::size_t n : {1u, 2u, 5u}) {
    const auto x = spread_rows(n, embit::random_rotation(40, rng), n);
    const auto found = embit::fit_pca(x);
    REQUIRE(support::off_orthonormal(found.directions) < 1e-5);
    for (std::size_t j = 0; j < 40; ++j) {
      REQUIRE(found.variances[j] >= 0);
      if (j >= n) REQUIRE(found.variances[j] < 1e-5);
    }
  }
  const auto equal = embit::fit_pca(embit::matrix<float>(10, 6, 2.5f));
  REQUIRE(support::off_orthonormal(equal.directions) < 1e-6);
  for (const float v : equal.variances) REQUIRE(v == 0);
}

TEST_CASE("fit_pca refuses nothing, too much and NaN") {
  embit::matrix<float> x(10, 6, 1.f);
  REQUIRE_THROWS_AS(embit::fit_pca(x, {.dims = 7}), embit::error);
  REQUIRE_THROWS_AS(embit::fit_pca(embit::matrix<float>(0, 6)), embit::error);
  REQUIRE_THROWS_AS(embit::fit_pca(embit::matrix<float>(6, 0)), embit::error);
  x[3][3] = std::numeric_limits<float>::quiet_NaN();
  REQUIRE_THROWS_AS(embit::fit_pca(x), embit::error);
}

TEST_CASE("symmetric_eigen gives back the matrix") {
  embit::rng rng{5};
  for (const std::size_t n : {1u, 2u, 33u}) {
    embit::matrix<double> m(n, n);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j <= i; ++j) m[i][j] = m[j][i] = double{embit::normal(rng)};
    auto lower = m;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = i + 1; j < n; ++j) lower[i][j] = 1e9;  // the upper triangle is not read
    const auto pairs = embit::symmetric_eigen(lower.view());
    for (std::size_t i = 0; i < n; ++i) {
      if (i > 0) REQUIRE(pairs.values[i] <= pairs.values[i - 1]);
      for (std::size_t j = 0; j < n; ++j) {
        double back = 0;
        for (std::size_t k = 0; k < n; ++k) back += pairs.values[k] * pairs.vectors[k][i] * pairs.vectors[k][j];
        REQUIRE(std::abs(back - m[i][j]) < 1e-12 * double(n));
      }
    }
  }
  REQUIRE(embit::symmetric_eigen(embit::matrix_view<double>()).values.empty());
}
