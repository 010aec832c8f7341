// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/eval/held_out.hpp>
#include <embit/kernel/gemm.hpp>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

using embit::held_out;
using embit::matrix;
using embit::matrix_view;
using embit::metric;
using embit::product_scores;
using support::normal_rows;

namespace {

held_out small_held_out(metric by = metric::inner_product) {
  return held_out(normal_rows(200, 8, 1), normal_rows(30, 8, 2), by, 10);
}

// A model of which we know what it finds: the rows without their last `lost` dimensions.
product_scores without_last(std::size_t lost, matrix_view<const float> rows, matrix_view<const float> queries) {
  product_scores scores{matrix<float>(queries), matrix<float>(rows)};
  for (std::size_t i = 0; i < rows.rows(); ++i)
    for (std::size_t k = rows.cols() - lost; k < rows.cols(); ++k) scores.rows[i][k] = 0;
  return scores;
}

struct dimensions {
  std::vector<std::size_t> lost;
  std::vector<int> prices;
  std::vector<std::size_t> made = {};

  std::size_t size() const { return lost.size(); }
  std::optional<std::size_t> make(std::size_t i) {
    made.push_back(i);
    if (lost[i] > 8) return {};
    return i;
  }
  product_scores scores(std::size_t model, matrix_view<const float> rows, matrix_view<const float> queries) const {
    return without_last(lost[model], rows, queries);
  }
  static double worth(std::size_t, double recall) { return recall; }
  int cost(std::size_t model) const { return prices[model]; }
};

const auto go_on = [](const embit::judged_variant&) { return true; };

}  // namespace

TEST_CASE("products with scales and sums find the best rows, ties by row, on any number of threads") {
  product_scores scores{normal_rows(37, 5, 3), normal_rows(90, 5, 4)};
  for (std::size_t i = 45; i < 90; ++i) std::ranges::copy(scores.rows[i - 45], scores.rows[i].begin());  // ties
  for (std::size_t i = 0; i < 90; ++i) scores.scales.push_back(1.f + static_cast<float>(i % 3));
  for (std::size_t i = 0; i < 90; ++i) scores.added.push_back(static_cast<float>(i % 5) - 2.f);
  const auto found = embit::best_by_products(scores, 12, embit::thread_pool(2));
  for (std::size_t q = 0; q < 37; ++q) {
    std::vector<embit::neighbor<float>> all;
    matrix<float> product(1, 90);
    embit::gemm(scores.queries.view().middle_rows(q, 1), scores.rows, product);
    for (std::size_t i = 0; i < 90; ++i)
      all.push_back({static_cast<embit::row_id>(i), product[0][i] * scores.scales[i] + scores.added[i]});
    std::ranges::sort(all, embit::neighbor_order<std::greater<>>{});
    REQUIRE(found[q].size() == 12);
    for (std::size_t i = 0; i < 12; ++i) {
      REQUIRE(found[q][i].id == all[i].id);
      REQUIRE(std::abs(found[q][i].distance - all[i].distance) < 1e-5f);
    }
  }
  REQUIRE(embit::best_by_products(scores, 1000)[0].size() == 90);
  REQUIRE(embit::best_by_products(scores, 0)[0].empty());
  scores.added.pop_back();
  REQUIRE_THROWS_AS(embit::best_by_products(scores, 1), embit::error);
}

TEST_CASE("recall is 1 for the rows themselves, less for less of them, 0 without queries") {
  for (const auto by : {metric::inner_product, metric::l2}) {
    const held_out held = small_held_out(by);
    const auto same = [&](auto rows, auto queries) {
      product_scores scores = without_last(0, rows, queries);
      for (std::size_t i = 0; by == metric::l2 && i < rows.rows(); ++i) {
        float square = 0;
        for (const float x : rows[i]) square += x * x;
        scores.added.push_back(-square / 2);
      }
      return scores;
    };
    REQUIRE(held.recall(same) == 1);
    REQUIRE(held.recall(embit::ground_truth(held.rows(), held.queries(), 10, {.metric = by})) == 1);
    const double half = held.recall([&](auto rows, auto queries) { return without_last(4, rows, queries); });
    REQUIRE(half > .1);
    REQUIRE(half < .9);
  }
  const held_out nobody_asks(normal_rows(20, 4, 1), matrix<float>(0, 4), metric::l2, 10);
  REQUIRE(nobody_asks.recall([](auto rows, auto queries) { return without_last(0, rows, queries); }) == 0);
  REQUIRE_THROWS_AS(held_out(normal_rows(20, 4, 1), normal_rows(3, 5, 1), metric::l2, 10), embit::error);
}

TEST_CASE("of variants the best is chosen, a cheaper one within the tolerance, the first of equals") {
  const held_out held = small_held_out();
  const auto chosen = [&](dimensions variants, double tolerance) { return held.choose(variants, tolerance, go_on); };
  CHECK(chosen({{4, 0, 2}, {1, 1, 1}}, 0) == 1u);
  CHECK(chosen({{0, 4, 2}, {3, 2, 1}}, 1) == 2u);    // everything is within the tolerance
  CHECK(chosen({{0, 4, 2}, {3, 2, 1}}, 0) == 0u);    // nothing but the best is
  CHECK(chosen({{8, 4, 0}, {1, 2, 3}}, .05) == 2u);  // what fell out of the tolerance is forgotten
  CHECK(chosen({{2, 2, 2}, {1, 1, 1}}, .1) == 0u);   // the first of equals
  CHECK(chosen({{9, 4, 9}, {0, 1, 0}}, 0) == 1u);    // the others are impossible
  CHECK(chosen({{9}, {0}}, 0) == std::nullopt);
  CHECK(chosen({{}, {}}, 0) == std::nullopt);
}

TEST_CASE("a choice that is told to stop is made of what there is, one model after another") {
  const held_out held = small_held_out();
  dimensions variants{{4, 9, 2, 0}, {1, 1, 1, 1}};
  std::vector<embit::judged_variant> told;
  const auto chosen = held.choose(variants, 0, [&](const embit::judged_variant& judged) {
    told.push_back(judged);
    return told.size() < 2;
  });
  REQUIRE(chosen == 2u);
  REQUIRE(variants.made == std::vector<std::size_t>{0, 1, 2});
  REQUIRE(told.size() == 2);
  REQUIRE(told[1].number == 2);
  REQUIRE(told[0].worth == told[0].best);
  REQUIRE(told[1].best == std::max(told[0].worth, told[1].worth));
}
