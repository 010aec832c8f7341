// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/encode/hadamard_lsh.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/encode/super_bit.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/inner_product.hpp>

#include <support/anisotropic.hpp>
#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

#include <cmath>
#include <cstdint>
#include <numbers>

namespace {

using support::contains;
using support::refusal;

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += double{a[k]} * double{b[k]};
  return sum;
}

}  // namespace

TEST_CASE("planes of a group are orthonormal, and fewer bits are a prefix of more") {
  for (const std::size_t dim : {1u, 7u, 64u, 100u})
    for (const std::size_t group : {std::size_t{0}, std::size_t{1}, (dim + 1) / 2, dim})
      for (const std::size_t bits : {1u, 63u, 64u, 65u, 127u}) {
        embit::rng a{9}, b{9};
        const auto planes = embit::super_bit({.dim = dim, .bits = bits, .group = group}, a).planes();
        const auto more = embit::super_bit({.dim = dim, .bits = bits + 40, .group = group}, b).planes();
        REQUIRE(planes.rows() == bits);
        const std::size_t size = group == 0 ? dim : group;
        for (std::size_t i = 0; i < bits; ++i) {
          for (std::size_t k = 0; k < dim; ++k)
            if (planes[i][k] != more[i][k]) FAIL("plane " << i);
          for (std::size_t j = i / size * size; j <= i; ++j)
            if (!(std::abs(dot(planes[i], planes[j]) - (i == j)) < 1e-6)) FAIL("planes " << i << " and " << j);
        }
      }
}

TEST_CASE("super-bit codes differ in theta / pi of the bits, with less variance than random planes") {
  const std::size_t dim = 64, bits = 64, draws = 800;
  for (const double theta : {.2, .8, 1.4}) {
    embit::rng rng{3};
    embit::matrix<float> rows(2, dim, 0.f);
    rows[0][0] = 1;
    rows[1][0] = static_cast<float>(std::cos(theta));
    rows[1][1] = static_cast<float>(std::sin(theta));
    const double p = theta / std::numbers::pi;
    double mean = 0, square = 0;
    for (std::size_t i = 0; i < draws; ++i) {
      const auto codes = embit::super_bit({.dim = dim, .bits = bits}, rng).encode(rows);
      const double share = support::hamming_distance(codes[0], codes[1]) / double{bits};
      mean += share / double{draws};
      square += (share - p) * (share - p) / double{draws};
    }
    CAPTURE(theta, mean, p, square);
    CHECK(std::abs(mean - p) < 4 * std::sqrt(p * (1 - p) / double{bits * draws}));
    CHECK(square < p * (1 - p) / double{bits});
  }
}

TEST_CASE("orthogonal planes find more neighbours than independent ones") {
  const std::size_t dim = 128, queries = 200;
  const auto all = support::anisotropic_rows(10000 + queries, dim, 1);
  const auto base = all.view().middle_rows(0, 10000), query = all.view().middle_rows(10000, queries);
  const auto truth = embit::flat_index{base, embit::inner_product{}}.search(query, 10);
  const auto recall = [&](const auto& hasher) {
    const auto found = embit::flat_index{hasher.encode(base)}.search(hasher.encode(query), 10);
    std::size_t hits = 0;
    for (std::size_t q = 0; q < queries; ++q)
      for (const auto& a : truth[q])
        for (const auto& b : found[q]) hits += a.id == b.id;
    return static_cast<double>(hits) / double(10 * queries);
  };
  double random = 0, orthogonal = 0, structured = 0;
  const int seeds = 3;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    embit::rng rng{seed};
    random += recall(embit::sign_lsh({.dim = dim, .bits = dim}, rng)) / seeds;
    orthogonal += recall(embit::super_bit({.dim = dim, .bits = dim}, rng)) / seeds;
    structured += recall(embit::hadamard_lsh({.dim = dim, .bits = dim}, rng)) / seeds;
  }
  CAPTURE(random, orthogonal, structured);
  CHECK(orthogonal >= random + .02);
  CHECK(structured >= random);
  CHECK(structured >= orthogonal - .02);
}

TEST_CASE("super_bit refuses groups that cannot be orthogonal") {
  embit::rng rng{1};
  REQUIRE(contains(refusal([&] { (void)embit::super_bit({.dim = 4, .bits = 8, .group = 5}, rng); }), "groups of 5"));
  REQUIRE(contains(refusal([&] { (void)embit::super_bit({.dim = 0, .bits = 8}, rng); }), "dim 0"));
  REQUIRE(contains(refusal([&] { (void)embit::super_bit({.dim = 4, .bits = 0}, rng); }), "bits 0"));
}
