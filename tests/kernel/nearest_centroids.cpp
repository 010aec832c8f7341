// SPDX-License-Identifier: MIT
#include <embit/core/isa.hpp>
#include <embit/kernel/centroid_panels.hpp>
#include <embit/kernel/nearest_centroids.hpp>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>
#include <support/refusal.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

namespace {

using embit::nearest_centroids;
using support::normal_rows;
using found_list = std::vector<embit::neighbor<float>>;

found_list ask(const nearest_centroids& centroids, std::span<const float> query, std::size_t count,
               embit::isa level = embit::active_isa()) {
  nearest_centroids::scratch scratch;
  const auto found = centroids(query, count, scratch, level);
  return {found.begin(), found.end()};
}

double squared_distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t j = 0; j < a.size(); ++j) sum += (double{a[j]} - double{b[j]}) * (double{a[j]} - double{b[j]});
  return sum;
}

}  // namespace

TEST_CASE("the nearest centroids come in order, ties by their number, however many are asked for") {
  for (const std::size_t size : {1u, 7u, 16u, 17u, 63u, 64u, 65u, 127u, 513u, 1000u}) {
    auto rows = normal_rows(size, 20, size);
    for (std::size_t i = 3; i < size; i += 5) std::ranges::copy(rows[i - 3], rows[i].begin());
    const auto query = normal_rows(1, 20, 1);
    const nearest_centroids centroids(rows);
    const auto all = ask(centroids, query[0], size + 5);
    REQUIRE(all.size() == size);
    REQUIRE(std::ranges::is_sorted(all, embit::neighbor_order<std::less<>>{}));
    std::vector<bool> seen(size);
    for (const auto& each : all) seen[each.id] = true;
    REQUIRE(std::ranges::all_of(seen, [](bool was) { return was; }));
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, size / 9, size / 2, size - 1})
      REQUIRE(ask(centroids, query[0], count) == found_list(all.begin(), all.begin() + std::ptrdiff_t(count)));
  }
}

TEST_CASE("what is computed in 8 bits is the distance but for a little, far from the origin too") {
  for (const std::size_t dim : {1u, 3u, 64u, 127u}) {
    auto rows = normal_rows(200, dim, dim), queries = normal_rows(20, dim, dim + 1);
    for (float& x : rows[7]) x *= 30;  // one that is far out costs the others nothing
    for (auto* each : {&rows, &queries})
      for (float& x : each->values()) x += 100;
    const nearest_centroids by_distance(rows), by_product(rows, embit::centroid_score::product);
    const double scale = std::sqrt(double(dim));
    for (std::size_t q = 0; q < queries.rows(); ++q) {
      const auto found = ask(by_distance, queries[q], 200);
      const double common = squared_distance(queries[q], rows[found[0].id]) - double{found[0].distance};
      for (const auto& each : found) {
        const double own = squared_distance(queries[q], rows[each.id]);
        REQUIRE(std::abs(own - common - double{each.distance}) < (each.id == 7 || found[0].id == 7 ? 6. : .2) * scale);
      }
      const auto product = [&](std::size_t row) {
        return std::inner_product(rows[row].begin(), rows[row].end(), queries[q].begin(), 0.);
      };
      const auto likest = ask(by_product, queries[q], 200);
      const double shared = -product(likest[0].id) - double{likest[0].distance};
      for (const auto& each : likest)
        REQUIRE(std::abs(-product(each.id) - shared - double{each.distance}) <
                (each.id == 7 || likest[0].id == 7 ? 600. : 20.) * scale);
    }
  }
}

TEST_CASE("centroids and queries of zeros, equal ones and enormous ones have an order") {
  const std::vector<float> zeros(5), huge(5, 3e38f);
  const embit::matrix<float> equal(70, 5, 2.5f);
  const auto some = normal_rows(70, 5, 1);
  const auto numbers = [](const found_list& found) {
    std::vector<embit::row_id> ids;
    for (const auto& each : found) ids.push_back(each.id);
    return ids;
  };
  REQUIRE(numbers(ask(nearest_centroids(equal), zeros, 3)) == std::vector<embit::row_id>{0, 1, 2});
  for (const embit::isa level : embit::supported_isas()) {
    REQUIRE(ask(nearest_centroids(some), huge, 70, level) == ask(nearest_centroids(some), huge, 70));
    REQUIRE(ask(nearest_centroids(some), huge, 9, level).size() == 9);
    REQUIRE(numbers(ask(nearest_centroids(equal), huge, 2, level)) == std::vector<embit::row_id>{0, 1});
  }
  REQUIRE(ask(nearest_centroids(), {}, 3).empty());
}

TEST_CASE("centroids that are not finite are refused, and so are levels that cannot run") {
  auto rows = normal_rows(3, 4, 1);
  rows[1][2] = std::numeric_limits<float>::quiet_NaN();
  REQUIRE(support::code_of([&] { nearest_centroids made(rows); }) == embit::errc::not_finite);
  rows[1][2] = 1e30f;
  REQUIRE(support::contains(support::refusal([&] { nearest_centroids made(rows); }), "too far"));
  const auto good = normal_rows(3, 4, 1);
  for (const embit::isa level : embit::all_isas)
    if (!embit::supports(level))
      REQUIRE(support::code_of([&] { ask(nearest_centroids(good), good[0], 1, level); }) == embit::errc::unsupported);
}

TEST_CASE("a row is assigned to its nearest centroid, alone or among others") {
  for (const std::size_t size : {1u, 5u, 16u, 100u, 513u, 1030u})
    for (const std::size_t dim : {1u, 33u}) {
      auto centroids = normal_rows(size, dim, size), rows = normal_rows(200, dim, dim);
      for (auto* each : {&rows, &centroids})
        for (float& x : each->values()) x += 50;
      const embit::centroid_panels panels(centroids);
      embit::centroid_panels::scratch scratch;
      std::vector<embit::assigned_row> together(200), alone(1);
      panels.assign(rows, together, scratch);
      for (std::size_t i = 0; i < rows.rows(); ++i) {
        double best = std::numeric_limits<double>::infinity();
        for (std::size_t c = 0; c < size; ++c) best = std::min(best, squared_distance(rows[i], centroids[c]));
        REQUIRE(squared_distance(rows[i], centroids[together[i].centroid]) <= best + 1e-3);
        REQUIRE(double{together[i].score} + squared_distance(rows[i], panels.center()) == Approx(best).margin(1e-2));
        const std::vector<embit::row_id> which{static_cast<embit::row_id>(i)};
        panels.assign(rows, which, alone, scratch);
        REQUIRE(alone[0] == together[i]);
      }
    }
}

TEST_CASE("rows between equal centroids go to the first of them, zero rows among equal norms to the first of all") {
  embit::matrix<float> centroids(1000, 3, 1.f);
  centroids[0][0] = 9;
  const embit::centroid_panels panels(centroids), equal(support::normal_rows(40, 3, 2), true);
  embit::centroid_panels::scratch scratch;
  std::vector<embit::assigned_row> out(2);
  panels.assign(embit::matrix<float>(2, 3, .5f), out, scratch);
  REQUIRE(out[0].centroid == 1);
  REQUIRE(out[1].centroid == 1);
  equal.assign(embit::matrix<float>(2, 3, 0.f), out, scratch);
  REQUIRE(out[0].centroid == 0);
}
