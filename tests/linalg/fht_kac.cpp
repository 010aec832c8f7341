// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/linalg/fht_kac.hpp>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>
#include <support/refusal.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

namespace {

using support::contains;
using support::refusal;
using support::normal_rows;

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += double{a[k]} * double{b[k]};
  return sum;
}

}  // namespace

TEST_CASE("fht_kac keeps norms and inner products, and inverts, in any dimension") {
  for (const std::size_t dim : {1u, 2u, 3u, 5u, 63u, 64u, 65u, 96u, 100u, 127u, 384u, 768u, 1000u, 1024u, 1536u}) {
    embit::rng rng{dim};
    const embit::fht_kac rotation(dim, rng);
    REQUIRE(rotation.dim() == dim);
    REQUIRE(rotation.output_dim() == dim);
    const auto rows = normal_rows(9, dim, dim + 1);
    const auto turned = rotation.apply(rows), back = rotation.apply_inverse(turned);
    for (std::size_t i = 0; i < 9; ++i) {
      const double norm = std::sqrt(dot(rows[i], rows[i]));
      for (std::size_t j = 0; j <= i; ++j) {
        const double size = norm * std::sqrt(dot(rows[j], rows[j]));
        if (!(std::abs(dot(turned[i], turned[j]) - dot(rows[i], rows[j])) <= 1e-5 * size)) FAIL("dot, dim " << dim);
      }
      for (std::size_t k = 0; k < dim; ++k)
        if (!(std::abs(double{back[i][k]} - double{rows[i][k]}) <= 1e-5 * norm)) FAIL("inverse, dim " << dim);
    }
  }
}

TEST_CASE("fht_kac spreads any one coordinate over all") {
  for (const std::size_t dim : {64u, 96u, 100u, 768u}) {
    embit::rng rng{dim};
    double largest = 0, correlation = 0;
    std::size_t count = 0;
    for (int trial = 0; trial < 10; ++trial) {
      const embit::fht_kac rotation(dim, rng);
      embit::matrix<float> axes(4, dim, 0.f);
      for (std::size_t i = 0; i < 4; ++i) axes[i][i * (dim - 1) / 3] = 1;
      const auto turned = rotation.apply(axes);
      for (std::size_t i = 0; i < 4; ++i) {
        double fourth = 0;
        for (const float x : turned[i]) fourth += std::pow(double{x}, 4) * static_cast<double>(dim);
        // Coordinates of a point drawn uniformly from the sphere have 3 dim / (dim + 2).
        largest = std::max(largest, fourth);
        correlation += fourth;
        ++count;
      }
    }
    CAPTURE(dim, largest, correlation / static_cast<double>(count));
    REQUIRE(largest < 6);
    REQUIRE(std::abs(correlation / static_cast<double>(count) - 3) < .5);
  }
}

TEST_CASE("fht_kac is golden, drawn from the engine, and rebuilt from its signs") {
  embit::rng a{42}, b{42}, c{43};
  const embit::fht_kac rotation(100, a), again(100, b), other(100, c);
  REQUIRE(rotation == again);
  REQUIRE(!(rotation == other));
  REQUIRE(rotation.signs().size() == 8);
  const auto rows = normal_rows(3, 100, 1);
  const auto turned = rotation.apply(rows);
  REQUIRE(embit::fht_kac(100, rotation.signs()).apply(rows) == turned);
  REQUIRE(!(other.apply(rows) == turned));
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const float x : turned.values()) hash = (hash ^ std::bit_cast<std::uint32_t>(x)) * 0x100000001b3u;
  REQUIRE(hash == 0x3fd95abc7519005bu);
}

TEST_CASE("fht_kac turns a row the same way alone, in place and on threads", "[threads]") {
  embit::rng rng{1};
  const embit::fht_kac rotation(130, rng);
  const auto rows = normal_rows(33, 130, 2);
  const auto turned = rotation.apply(rows);
  REQUIRE(rotation.apply(rows, embit::thread_pool{2}) == turned);
  auto wide = normal_rows(33, 140, 3);
  const embit::matrix_view<float> inside(wide.data() + 5, 33, 130, 140);
  for (std::size_t i = 0; i < 33; ++i) std::ranges::copy(rows[i], inside[i].begin());
  rotation.apply_in_place(inside);
  REQUIRE(embit::matrix<float>(inside) == turned);
  REQUIRE(rotation.apply(rows.view().middle_rows(7, 1)) == embit::matrix<float>(turned.view().middle_rows(7, 1)));
  REQUIRE(rotation.apply(rows.view().middle_rows(0, 0)).rows() == 0);
}

TEST_CASE("fht_kac has no NaN in its output") {
  embit::rng rng{1};
  const embit::fht_kac rotation(96, rng);
  for (const float size : {0.f, 1e-45f, 1e-38f, 1e30f}) {
    embit::matrix<float> rows(2, 96, size);
    const auto turned = rotation.apply(rows);
    for (const float x : turned.values()) REQUIRE(std::isfinite(x));
  }
  embit::matrix<float> longest(1, 96, 0.f);
  longest[0][5] = std::numeric_limits<float>::max() / 2;
  const auto turned = rotation.apply(longest);
  for (const float x : turned.values()) REQUIRE(std::isfinite(x));

  auto rows = normal_rows(10, 96, 1);
  REQUIRE(contains(refusal([&] { (void)rotation.apply(normal_rows(2, 95, 1)); }), "shape: rows: 95 columns"));
  rows[6][3] = std::numeric_limits<float>::quiet_NaN();
  const auto before = rows;
  REQUIRE(contains(refusal([&] { (void)rotation.apply(rows); }), "not_finite: rows: row 6, column 3"));
  REQUIRE(contains(refusal([&] { rotation.apply_in_place(rows); }), "row 6"));
  REQUIRE(rows[0][0] == before[0][0]);
  rows[6][3] = std::numeric_limits<float>::infinity();
  REQUIRE(contains(refusal([&] { (void)rotation.apply_inverse(rows); }), "row 6"));
  rows[6][3] = 3e38f;
  REQUIRE(contains(refusal([&] { (void)rotation.apply(rows); }), "row 6 has the norm"));
  REQUIRE(contains(refusal([&] { (void)embit::fht_kac(0, rng); }), "argument"));
  REQUIRE(contains(refusal([&] { (void)embit::fht_kac(65, std::vector<embit::word>(7)); }), "7 words"));
}
