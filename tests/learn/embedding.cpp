// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/learn/embedding.hpp>
#include <embit/learn/optimizer.hpp>
#include <embit/learn/parameter.hpp>
#include <embit/learn/row_optimizer.hpp>

#include <learn/gradients.hpp>
#include <support/catch.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

using embit::row_id;
using support::normal_rows;
using support::refusal;

namespace {

embit::embedding drawn(std::size_t rows, std::size_t dim) {
  embit::rng rng{rows};
  embit::embedding table(rows, dim);
  table.draw(rng);
  return table;
}

std::vector<float> numbers(const embit::embedding& table) {
  std::vector<float> all;
  for (std::size_t i = 0; i < table.rows(); ++i)
    all.insert(all.end(), table.values()[i].begin(), table.values()[i].end());
  return all;
}

}  // namespace

TEST_CASE("rows are looked up, and gradients of one that comes twice add up") {
  const auto before = drawn(20, 7);
  auto table = before;
  const std::vector<row_id> ids{3, 19, 3, 0};
  embit::matrix<float> found(4, 7);
  table.gather(ids, found.view());
  for (std::size_t i = 0; i < ids.size(); ++i) REQUIRE(std::ranges::equal(found[i], before.values()[ids[i]]));
  const auto slope = normal_rows(4, 7, 2);
  table.accumulate(ids, slope);
  REQUIRE(std::vector<row_id>(table.touched().begin(), table.touched().end()) == std::vector<row_id>{3, 19, 0});
  for (std::size_t k = 0; k < 7; ++k) {
    REQUIRE(table.gradient(0)[k] == slope[0][k] + slope[2][k]);
    REQUIRE(table.gradient(1)[k] == slope[1][k]);
  }
  table.clear_gradients();
  REQUIRE(table.touched().empty());
  table.accumulate(std::vector<row_id>{3}, slope.view().middle_rows(1, 1));
  REQUIRE(std::ranges::equal(table.gradient(0), slope[1]));
  REQUIRE(numbers(table) == numbers(before));
}

TEST_CASE("a number that is no row changes nothing") {
  auto table = drawn(4, 3);
  embit::matrix<float> two(2, 3, 5.f), wide(2, 4);
  const std::vector<row_id> outside{1, 4}, fine{1, 2};
  REQUIRE(refusal([&] { table.gather(outside, two.view()); }) == "out_of_range: embedding: ids[1] is 4 of 4 rows");
  REQUIRE(two[0][0] == 5);
  REQUIRE(refusal([&] { table.accumulate(outside, two); }).starts_with("out_of_range: "));
  REQUIRE(refusal([&] { table.accumulate(fine, wide); }).starts_with("shape: "));
  REQUIRE(table.touched().empty());
}

TEST_CASE("lazy Adam is Adam where every step touches every row") {
  auto table = drawn(6, 9);
  embit::parameter dense(6, 9);
  std::ranges::copy(numbers(table), dense.value.values().begin());
  embit::lazy_adam lazy({.weight_decay = .01f});
  embit::adam usual({.weight_decay = .01f});
  embit::parameter* const parameters[] = {&dense};
  std::vector<row_id> ids{5, 4, 3, 2, 1, 0};
  for (std::size_t step = 0; step < 20; ++step) {
    const auto slope = normal_rows(6, 9, step);
    for (std::size_t i = 0; i < 6; ++i) std::ranges::copy(slope[i], dense.gradient[ids[i]].begin());
    table.accumulate(ids, slope);
    lazy.step(table, .05f);
    usual.step(parameters, .05f);
  }
  const auto found = numbers(table);
  for (std::size_t i = 0; i < found.size(); ++i)
    REQUIRE(found[i] == Approx(dense.value.values()[i]).epsilon(1e-5).margin(1e-6));
  REQUIRE(lazy.memory() >= 6 * 4 + 2 * 6 * 9 * sizeof(float));
}

TEST_CASE("optimizers of rows move those that were touched, and no others") {
  const auto before = drawn(50, 4);
  const std::vector<row_id> ids{7, 30};
  const auto slope = normal_rows(2, 4, 1);
  const auto moved = [&](auto optimizer) {
    auto table = before;
    table.accumulate(ids, slope);
    optimizer.step(table, .1f);
    REQUIRE(table.touched().empty());
    for (row_id row = 0; row < 50; ++row)
      REQUIRE(std::ranges::equal(table.values()[row], before.values()[row]) == (row != 7 && row != 30));
    return table;
  };
  const auto by_adagrad = moved(embit::row_adagrad());
  // The first step has the length of the rate times √dim, against the gradient.
  double square = 0;
  for (std::size_t k = 0; k < 4; ++k) {
    const double d = double{by_adagrad.values()[30][k]} - double{before.values()[30][k]};
    square += d * d;
    REQUIRE(d * double{slope[1][k]} < 0);
  }
  REQUIRE(std::sqrt(square) == Approx(.1 * 2).epsilon(1e-3));
  moved(embit::lazy_adam());
  auto other = drawn(51, 4), table = before;
  embit::row_adagrad adagrad;
  adagrad.step(table, .1f);
  REQUIRE(refusal([&] { adagrad.step(other, .1f); }).starts_with("shape: "));
  REQUIRE(refusal([&] { adagrad.step(table, INFINITY); }).starts_with("argument: "));
}
