// SPDX-License-Identifier: MIT
#include <embit/encode/sign_lsh.hpp>

#include <support/catch.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

TEST_CASE("two rows at angle theta differ in theta / pi of the bits") {
  const std::size_t bits = 20000;
  embit::rng rng{1};
  for (const std::size_t dim : {2u, 96u}) {
    const auto lsh = embit::sign_lsh({.dim = dim, .bits = bits}, rng);
    for (const double theta : {.1, 1., 2.}) {
      embit::matrix<float> rows(2, dim, 0.f);
      rows[0][0] = 1;
      rows[1][0] = static_cast<float>(std::cos(theta));
      rows[1][1] = static_cast<float>(std::sin(theta));
      const auto codes = lsh.encode(rows);
      int differ = 0;
      for (std::size_t w = 0; w < codes.words(); ++w) differ += std::popcount(codes[0][w] ^ codes[1][w]);
      const double p = theta / std::numbers::pi, sigma = std::sqrt(p * (1 - p) / double{bits});
      REQUIRE(std::abs(differ / double{bits} - p) < 4 * sigma);
    }
  }
}

TEST_CASE("the planes of sign_lsh are golden, and fewer bits are a prefix of more") {
  embit::rng a{42}, b{42}, c{43};
  const auto few = embit::sign_lsh({.dim = 10, .bits = 5}, a), more = embit::sign_lsh({.dim = 10, .bits = 70}, b);
  const auto few_planes = few.planes(), more_planes = more.planes();
  for (std::size_t j = 0; j < 5; ++j)
    for (std::size_t k = 0; k < 10; ++k) REQUIRE(few_planes[j][k] == more_planes[j][k]);
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const float x : more_planes.values()) hash = (hash ^ std::bit_cast<std::uint32_t>(x)) * 0x100000001b3u;
  REQUIRE(hash == 0x35775b3b97787397u);
  REQUIRE(!(embit::sign_lsh({.dim = 10, .bits = 5}, c).planes() == few_planes));
}

TEST_CASE("sign_lsh takes any engine and refuses empty sizes") {
  std::mt19937 engine(1);
  REQUIRE(embit::sign_lsh({.dim = 3, .bits = 4}, engine).bits() == 4);
  embit::rng rng{1};
  REQUIRE_THROWS_AS(embit::sign_lsh({.dim = 0, .bits = 4}, rng), embit::error);
  REQUIRE_THROWS_AS(embit::sign_lsh({.dim = 4, .bits = 0}, rng), embit::error);
}
