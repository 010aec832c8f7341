// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/linalg/orthonormalize.hpp>
#include <embit/linalg/procrustes.hpp>
#include <embit/linalg/random_rotation.hpp>

#include <support/catch.hpp>
#include <support/orthonormal.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace {

double trace_of_product(const embit::matrix<double>& r, const embit::matrix<double>& m) {
  double trace = 0;
  for (std::size_t i = 0; i < r.values().size(); ++i) trace += r.values()[i] * m.values()[i];
  return trace;
}

embit::matrix<double> normal_matrix(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<double> m(rows, cols);
  for (auto& x : m.values()) x = double{embit::normal(rng)};
  return m;
}

}  // namespace

TEST_CASE("random rotations are orthogonal, drawn from the engine, and keep lengths") {
  embit::rng rng{1};
  for (const std::size_t dim : {1u, 2u, 31u, 64u, 100u, 256u}) {
    const auto r = embit::random_rotation(dim, rng);
    REQUIRE(support::off_orthonormal(r) < 1e-6);
    if (dim > 1) REQUIRE(!(embit::random_rotation(dim, rng) == r));
  }
  embit::rng a{5}, b{5};
  REQUIRE(embit::random_rotation(17, a) == embit::random_rotation(17, b));
  REQUIRE(support::off_orthonormal(embit::random_rotation<double>(50, a)) < 1e-14);
  REQUIRE_THROWS_AS(embit::random_rotation(0, rng), embit::error);
}

TEST_CASE("orthonormalize_rows keeps the span and replaces rows that depend on others") {
  auto rows = normal_matrix(20, 30, 1);
  const auto before = rows;
  embit::orthonormalize_rows(rows.view());
  REQUIRE(support::off_orthonormal(rows) < 1e-14);
  // Row i of before is a combination of the first i + 1 rows: what is left after projecting out is nothing.
  for (std::size_t i = 0; i < 20; ++i) {
    double square = 0, projected = 0;
    for (std::size_t k = 0; k < 30; ++k) square += before[i][k] * before[i][k];
    for (std::size_t j = 0; j <= i; ++j) {
      double dot = 0;
      for (std::size_t k = 0; k < 30; ++k) dot += before[i][k] * rows[j][k];
      projected += dot * dot;
    }
    REQUIRE(std::abs(projected - square) < 1e-12 * square);
  }
  auto dependent = normal_matrix(9, 9, 2);
  for (std::size_t k = 0; k < 9; ++k) {
    dependent[3][k] = 2 * dependent[1][k] - dependent[0][k];
    dependent[5][k] = 0;
    dependent[8][k] = dependent[7][k];
  }
  embit::orthonormalize_rows(dependent.view());
  REQUIRE(support::off_orthonormal(dependent) < 1e-13);
  REQUIRE_THROWS_AS(embit::orthonormalize_rows(embit::matrix_view<double>(dependent.data(), 4, 3)), embit::error);
}

TEST_CASE("nearest_rotation maximizes the trace, for singular matrices too") {
  embit::rng rng{3};
  for (const std::size_t n : {1u, 2u, 7u, 32u, 65u}) {
    for (const int kind : {0, 1, 2, 3}) {
      auto m = normal_matrix(n, n, n);
      if (kind == 1)  // rank n / 2
        for (std::size_t i = n / 2; i < n; ++i) std::ranges::copy(m[i - n / 2], m[i].begin());
      if (kind == 2) std::ranges::fill(m.values(), 0.);
      if (kind == 3)  // 300 orders of magnitude from the first row to the last
        for (std::size_t i = 0; i < n; ++i)
          for (auto& x : m[i]) x *= std::pow(10., -300. * double(i) / double(n));
      const auto r = embit::nearest_rotation(m.view());
      REQUIRE(support::off_orthonormal(r) < 1e-12);
      const double best = trace_of_product(r, m);
      for (int trial = 0; trial < 20; ++trial) {
        auto other = embit::random_rotation<double>(n, rng);
        REQUIRE(trace_of_product(other, m) <= best + 1e-12 * std::abs(best));
        // A small turn of the optimum must not be better either.
        auto turned = r;
        for (std::size_t i = 0; i < turned.values().size(); ++i) turned.values()[i] += 1e-3 * other.values()[i];
        embit::orthonormalize_rows(turned.view());
        REQUIRE(trace_of_product(turned, m) <= best + 1e-12 * std::abs(best));
      }
    }
  }
}

TEST_CASE("nearest_rotation is the product of the singular vectors, whatever the singular values") {
  // Sizes and spreads for which it is found by products, and some for which it cannot be: singular values too far
  // apart, so that it must be found by eigenvalues.
  embit::rng rng{5};
  for (const std::size_t n : {64u, 97u}) {
    for (const double smallest : {1., .3, 1e-2, 1e-3, 1e-4, 1e-5}) {
      const auto u = embit::random_rotation<double>(n, rng), w = embit::random_rotation<double>(n, rng);
      embit::matrix<double> m(n, n), expected(n, n);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < n; ++k)
          for (std::size_t j = 0; j < n; ++j) {
            const double part = u[j][i] * w[j][k];
            m[i][k] += 1e5 * std::pow(smallest, static_cast<double>(j) / static_cast<double>(n - 1)) * part;
            expected[i][k] += part;
          }
      const auto found = embit::nearest_rotation(m.view());
      REQUIRE(support::off_orthonormal(found) < 1e-12);
      double off = 0;
      for (std::size_t i = 0; i < n * n; ++i) off = std::max(off, std::abs(found.values()[i] - expected.values()[i]));
      CAPTURE(n, smallest);
      REQUIRE(off < 1e-5);
      embit::matrix<float> rounded(n, n);
      std::ranges::transform(m.values(), rounded.values().begin(), [](double x) { return static_cast<float>(x); });
      if (smallest >= 1e-2) {  // what rounding m leaves of the smaller singular vectors
        const auto in_floats = embit::nearest_rotation(rounded.view());
        for (std::size_t i = 0; i < n * n; ++i)
          REQUIRE(std::abs(static_cast<double>(in_floats.values()[i]) - expected.values()[i]) < 1e-4);
      }
    }
  }
}

TEST_CASE("nearest_rotation finds a rotation that was hidden") {
  embit::rng rng{4};
  for (const std::size_t n : {3u, 40u}) {
    const auto r = embit::random_rotation<double>(n, rng);
    auto m = r;
    for (auto& x : m.values()) x *= 1e200;
    const auto found = embit::nearest_rotation(m.view());
    for (std::size_t i = 0; i < r.values().size(); ++i) REQUIRE(std::abs(found.values()[i] - r.values()[i]) < 1e-12);
  }
  const auto wide = normal_matrix(2, 3, 1);
  REQUIRE_THROWS_AS(embit::nearest_rotation(wide.view()), embit::error);
  auto bad = normal_matrix(2, 2, 1);
  bad[1][1] = std::numeric_limits<double>::quiet_NaN();
  REQUIRE_THROWS_AS(embit::nearest_rotation(bad.view()), embit::error);
}
