// SPDX-License-Identifier: MIT
#include <embit/multivector/ball_carving.hpp>

#include <support/catch.hpp>
#include <support/refusal.hpp>
#include <support/token_sets.hpp>

#include <limits>
#include <vector>

TEST_CASE("balls are carved around the first token that is left") {
  // Directions at 0, 30, 60, 90 and 5 degrees, of lengths 1, 1, 1, 2 and 1.
  const float tokens[] = {1, 0, .866025f, .5f, .5f, .866025f, 0, 2, .996195f, .0871557f};
  const embit::row_set<const float> query(embit::matrix_view<const float>(tokens, 5, 2));
  const auto balls = embit::carve_balls(query, .8f);  // within 36.9 degrees
  REQUIRE(balls.rows() == 2);
  CHECK(balls[0][0] == Approx(1 + .866025f + .996195f));
  CHECK(balls[0][1] == Approx(.5f + .0871557f));
  CHECK(balls[1][0] == Approx(.5f));
  CHECK(balls[1][1] == Approx(2.866025f));

  const std::uint8_t mask[] = {0, 1, 0, 1, 1};
  const auto masked = embit::carve_balls({query, mask}, .8f);
  REQUIRE(masked.rows() == 2);
  CHECK(masked[0][0] == Approx(.866025f + .996195f));
  CHECK(masked[1][1] == 2);
}

TEST_CASE("carving keeps the sum of the tokens, and every token at tau 1") {
  embit::rng rng{1};
  const auto tokens = support::unit_tokens(40, 20, .6f, rng);
  std::size_t last = 41;
  for (const float tau : {1.f, .8f, .6f, .4f, .05f}) {
    const auto balls = embit::carve_balls(embit::row_set<const float>(tokens), tau);
    CHECK(balls.rows() <= last);
    last = balls.rows();
    for (std::size_t j = 0; j < 20; ++j) {
      double before = 0, after = 0;
      for (std::size_t i = 0; i < 40; ++i) before += double{tokens[i][j]};
      for (std::size_t i = 0; i < balls.rows(); ++i) after += double{balls[i][j]};
      CHECK(after == Approx(before).margin(1e-4));
    }
    if (tau == 1.f) CHECK(balls == tokens);
  }
  CHECK(last < 10);
  CHECK(embit::carve_balls({}, .5f).rows() == 0);
  for (const float tau : {0.f, -1.f, 1.1f, std::numeric_limits<float>::quiet_NaN()})
    CHECK(support::contains(support::refusal([&] { (void)embit::carve_balls({}, tau); }), "argument: carve_balls"));
}
