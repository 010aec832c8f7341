// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/linalg/k_means.hpp>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <vector>

namespace {

using embit::fit_k_means, embit::matrix;
using matrix_rows = embit::matrix_view<const float>;

double squared_distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t j = 0; j < a.size(); ++j) sum += (double{a[j]} - double{b[j]}) * (double{a[j]} - double{b[j]});
  return sum;
}

// Rows around `centers` points far from the origin; row i belongs to point i % centers.
matrix<float> clustered(std::size_t n, std::size_t centers, std::size_t dim, float spread = .1f) {
  const auto points = support::normal_rows(centers, dim, 77);
  auto rows = support::normal_rows(n, dim, 78);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < dim; ++j) rows[i][j] = 30 + 3 * points[i % centers][j] + spread * rows[i][j];
  return rows;
}

double mean_distance(matrix_rows rows, const embit::k_means& clusters) {
  double sum = 0;
  for (const auto& each : clusters.assign(rows)) sum += double{each.distance};
  return sum / static_cast<double>(rows.rows());
}

std::vector<std::size_t> sizes_of(matrix_rows rows, const embit::k_means& clusters) {
  std::vector<std::size_t> sizes(clusters.size());
  for (const auto& each : clusters.assign(rows)) ++sizes[each.id];
  return sizes;
}

// The rounds as they are defined, in double, from given rows.
matrix<double> naive_rounds(matrix_rows rows, const matrix<float>& start, std::size_t rounds) {
  matrix<double> centroids(start.rows(), start.cols());
  std::ranges::copy(start.values(), centroids.values().begin());
  for (std::size_t round = 0; round < rounds; ++round) {
    matrix<double> sum(centroids.rows(), centroids.cols());
    std::vector<std::size_t> size(centroids.rows());
    for (std::size_t i = 0; i < rows.rows(); ++i) {
      std::size_t best = 0;
      double least = std::numeric_limits<double>::infinity();
      for (std::size_t c = 0; c < centroids.rows(); ++c) {
        double distance = 0;
        for (std::size_t j = 0; j < rows.cols(); ++j)
          distance += (double{rows[i][j]} - centroids[c][j]) * (double{rows[i][j]} - centroids[c][j]);
        if (distance < least) least = distance, best = c;
      }
      ++size[best];
      for (std::size_t j = 0; j < rows.cols(); ++j) sum[best][j] += double{rows[i][j]};
    }
    for (std::size_t c = 0; c < centroids.rows(); ++c)
      for (std::size_t j = 0; j < rows.cols() && size[c] > 0; ++j)
        centroids[c][j] = sum[c][j] / static_cast<double>(size[c]);
  }
  return centroids;
}

}  // namespace

TEST_CASE("rounds of k-means are those of Lloyd", "[k_means]") {
  const auto rows = clustered(500, 9, 6, 1.f);
  embit::rng a{3}, b{3};
  // No round that is watched has moved the centroids: what it starts from.
  const auto start = fit_k_means(rows, {.clusters = 7, .rows_per_cluster = 0, .iterations = 1}, a,
                                 [](const embit::progress_report&) { return false; });
  for (const std::size_t rounds : {1u, 4u}) {
    embit::rng again = b;
    const auto found = fit_k_means(rows, {.clusters = 7, .rows_per_cluster = 0, .iterations = rounds}, again);
    const auto expected = naive_rounds(rows, start.centroids(), rounds);
    for (std::size_t c = 0; c < 7; ++c)
      for (std::size_t j = 0; j < 6; ++j)
        REQUIRE(double{found.centroids()[c][j]} == Approx(expected[c][j]).margin(1e-3));
  }
}

TEST_CASE("rows are assigned to the nearest centroid, and the nearest are told in order", "[k_means]") {
  for (const std::size_t n : {7u, 513u}) {
    const auto rows = clustered(n, 20, 17, 2.f);
    embit::rng rng{n};
    const auto found = fit_k_means(rows, {.clusters = n / 5}, rng);
    REQUIRE(found.size() == n / 5);
    const auto numbers = found.assign(rows);
    embit::k_means::workspace scratch;
    std::size_t agree = 0;
    for (std::size_t i = 0; i < n; ++i) {
      double best = std::numeric_limits<double>::infinity();
      for (std::size_t c = 0; c < found.size(); ++c)
        best = std::min(best, squared_distance(rows[i], found.centroids()[c]));
      REQUIRE(double{numbers[i].distance} <= best + 1e-3);
      REQUIRE(double{numbers[i].distance} ==
              Approx(squared_distance(rows[i], found.centroids()[numbers[i].id])).margin(1e-4));
      REQUIRE(found.assign(rows.view().middle_rows(i, 1)) == std::vector{numbers[i]});
      agree += found.nearest(rows[i], 1, scratch)[0].id == numbers[i].id;
    }
    REQUIRE(agree >= n * 9 / 10);
    REQUIRE(found.assign(rows.view().middle_rows(0, 0)).empty());
  }
}

TEST_CASE("the mean distance never rises from round to round, and clusters that are there are found", "[k_means]") {
  const auto rows = clustered(900, 9, 12);
  for (const auto start : {embit::k_means_start::sampled, embit::k_means_start::k_means_plus_plus}) {
    embit::rng rng{5};
    std::vector<double> seen;
    const auto found = fit_k_means(rows, {.clusters = 9, .rows_per_cluster = 0, .iterations = 30, .start = start}, rng,
                                   [&](const embit::progress_report& report) {
                                     REQUIRE(report.stage == "k_means");
                                     REQUIRE(report.total == 30);
                                     seen.push_back(report.objective);
                                     return true;
                                   });
    REQUIRE(std::ranges::is_sorted(seen, std::greater<>{}, [](double x) { return x * (1 + 1e-9); }));
    REQUIRE(mean_distance(rows, found) <= seen.front());
    if (start == embit::k_means_start::sampled) continue;
    // Every cluster is one of those that the rows were made of.
    const auto numbers = found.assign(rows);
    std::set<embit::row_id> different;
    for (const auto& each : numbers) different.insert(each.id);
    REQUIRE(different.size() == 9);
    for (std::size_t i = 9; i < rows.rows(); ++i) REQUIRE(numbers[i].id == numbers[i % 9].id);
    REQUIRE(mean_distance(rows, found) == Approx(12 * .01).epsilon(.1));
  }
}

TEST_CASE("two levels come near to one, on rows of their own as well", "[k_means]") {
  const auto rows = clustered(6000, 300, 16, .6f), fresh = clustered(6300, 300, 16, .6f);
  embit::rng a{1}, b{1};
  const auto tree = fit_k_means(rows, {.clusters = 150, .rows_per_cluster = 0, .levels = 2}, a);
  const auto flat = fit_k_means(rows, {.clusters = 150, .rows_per_cluster = 0, .levels = 1}, b);
  REQUIRE(tree.size() == 150);
  REQUIRE(mean_distance(rows, tree) < 1.1 * mean_distance(rows, flat));
  REQUIRE(mean_distance(fresh, tree) < 1.1 * mean_distance(fresh, flat));
  for (const std::size_t size : sizes_of(rows, tree)) REQUIRE(size > 0);
}

TEST_CASE("batches find what all rows do", "[k_means]") {
  const auto rows = clustered(4000, 10, 8);
  embit::rng rng{2};
  const auto found = fit_k_means(rows,
                                 {.clusters = 10,
                                  .rows_per_cluster = 0,
                                  .iterations = 40,
                                  .start = embit::k_means_start::k_means_plus_plus,
                                  .batch_rows = 256},
                                 rng);
  REQUIRE(mean_distance(rows, found) == Approx(8 * .01).epsilon(.2));
}

TEST_CASE("the same engine gives the same centroids on any number of threads", "[k_means][threads]") {
  const auto rows = clustered(5000, 60, 10, 1.f);
  const embit::thread_pool pool(3);
  for (const auto& options : {embit::k_means_options{.clusters = 200, .rows_per_cluster = 20},
                              embit::k_means_options{.clusters = 40, .levels = 1},
                              embit::k_means_options{.clusters = 40, .balanced = true, .spherical = true},
                              embit::k_means_options{.clusters = 40, .iterations = 5, .batch_rows = 500}}) {
    embit::rng a{1}, b{1}, c{2};
    const auto here = fit_k_means(rows, options, a), there = fit_k_means(rows, options, b, {}, pool);
    REQUIRE(here.centroids() == there.centroids());
    REQUIRE(here.assign(rows) == here.assign(rows, pool));
    const auto other = fit_k_means(rows, options, c);
    REQUIRE_FALSE(here.centroids() == other.centroids());
  }
}

TEST_CASE("balanced clusters are more equal than others", "[k_means]") {
  // Half of the rows in one place that is broad enough to be split.
  auto rows = clustered(4000, 40, 6, .3f);
  for (std::size_t i = 0; i < rows.rows(); i += 2)
    for (std::size_t j = 0; j < 6; ++j) rows[i][j] = 100 + .01f * (rows[i][j] - 30);
  const auto unevenness = [&](bool balanced) {
    embit::rng rng{4};
    const auto found =
        fit_k_means(rows, {.clusters = 40, .rows_per_cluster = 0, .iterations = 25, .balanced = balanced}, rng);
    double sum = 0;
    for (const std::size_t size : sizes_of(rows, found)) sum += double(size) * double(size);
    return sum * 40 / 4000. / 4000.;
  };
  REQUIRE(unevenness(true) < 1.7);
  REQUIRE(unevenness(true) < unevenness(false));
}

TEST_CASE("rows that are all equal, and a row that is there very often, have clusters", "[k_means]") {
  for (const std::size_t levels : {1u, 2u}) {
    embit::rng rng{levels};
    const matrix<float> equal(1000, 4, 2.5f);
    const auto one = fit_k_means(equal, {.clusters = 30, .levels = levels}, rng);
    for (std::size_t c = 0; c < 30; ++c)
      for (const float x : one.centroids()[c]) REQUIRE(x == 2.5f);
    REQUIRE(sizes_of(equal, one)[0] == 1000);

    auto rows = clustered(20'000, 300, 4, .5f);
    for (std::size_t i = 0; i < rows.rows(); ++i)
      if (i % 10 != 0) std::ranges::fill(rows[i], 31.f);
    const auto many = fit_k_means(rows, {.clusters = 60, .rows_per_cluster = 0, .levels = levels}, rng);
    auto sizes = sizes_of(rows, many);
    std::ranges::sort(sizes, std::greater<>{});
    REQUIRE(sizes[0] >= 18'000);
    REQUIRE(sizes[1] < 500);  // the other clusters share the other rows
    REQUIRE(std::ranges::count_if(sizes, [](std::size_t s) { return s > 0; }) >= 50);
  }
}

TEST_CASE("as many clusters as rows, and one cluster", "[k_means]") {
  for (const std::size_t n : {1u, 2u, 150u}) {
    const auto rows = support::normal_rows(n, 3, n);
    embit::rng rng{1};
    const auto all = fit_k_means(rows, {.clusters = n}, rng);
    REQUIRE(mean_distance(rows, all) < (n == 1 ? 1e-12 : .02));
    const auto one = fit_k_means(rows, {.clusters = 1, .rows_per_cluster = 0}, rng);
    const auto mean = embit::mean_row(rows);
    for (std::size_t j = 0; j < 3; ++j) REQUIRE(one.centroids()[0][j] == Approx(mean[j]).margin(1e-5));
    REQUIRE(fit_k_means(rows, {}, rng).size() == std::max<std::size_t>(std::size_t(1.5 * std::sqrt(double(n))), 1));
  }
}

TEST_CASE("spherical clusters are of directions, whatever the lengths", "[k_means]") {
  auto rows = support::normal_rows(600, 5, 9);
  embit::rng a{1}, b{1};
  const embit::k_means_options options{.clusters = 12, .rows_per_cluster = 0, .spherical = true};
  const auto found = fit_k_means(rows, options, a);
  REQUIRE(found.spherical());
  for (std::size_t c = 0; c < found.size(); ++c)
    REQUIRE(squared_distance(found.centroids()[c], std::vector<float>(5)) == Approx(1).epsilon(1e-5));
  auto scaled = rows;
  for (std::size_t i = 0; i < rows.rows(); ++i)
    for (float& x : scaled[i]) x *= (i % 2 == 0 ? 1024.f : .25f);
  const auto of_scaled = fit_k_means(scaled, options, b);
  REQUIRE(of_scaled.centroids() == found.centroids());
  const auto of_rows = found.assign(rows), of_longer = found.assign(scaled);
  for (std::size_t i = 0; i < rows.rows(); ++i) REQUIRE(of_rows[i].id == of_longer[i].id);
  REQUIRE(found.assign(matrix<float>(1, 5, 0.f))[0].id == 0);
}

TEST_CASE("training that is stopped keeps what it has reached", "[k_means]") {
  const auto rows = clustered(4000, 60, 10, 1.f);
  for (const std::size_t levels : {1u, 2u})
    for (const std::size_t stop : {1u, 3u, 7u}) {
      embit::rng rng{1};
      std::size_t calls = 0;
      const auto found = fit_k_means(rows, {.clusters = 150, .levels = levels}, rng,
                                     [&](const embit::progress_report&) { return ++calls < stop; });
      REQUIRE(calls == stop);
      REQUIRE(found.size() == 150);
      REQUIRE(std::isfinite(mean_distance(rows, found)));
    }
}

TEST_CASE("fit_k_means refuses what it cannot do, and says what", "[k_means]") {
  auto rows = support::normal_rows(20, 3, 1);
  embit::rng rng{1};
  const auto refused = [&](matrix_rows from, const embit::k_means_options& options) {
    return support::refusal([&] { fit_k_means(from, options, rng); });
  };
  REQUIRE(support::contains(refused(rows, {.clusters = 21}), "argument: fit_k_means: 21 clusters of 20 rows"));
  REQUIRE(support::contains(refused(rows, {.levels = 3}), "argument: fit_k_means: 3 levels"));
  REQUIRE(support::contains(refused(rows, {.levels = 2, .batch_rows = 5}), "argument"));
  REQUIRE(support::contains(refused(matrix<float>(0, 3), {}), "argument: fit_k_means: 0 x 3"));
  REQUIRE(support::contains(refused(matrix<float>(3, 0), {}), "argument: fit_k_means: 3 x 0"));
  std::ranges::fill(rows[4], 0.f);
  REQUIRE(refused(rows, {.clusters = 2}) == "accepted");
  REQUIRE(support::contains(refused(rows, {.clusters = 2, .spherical = true}), "argument: fit_k_means: row 4 is zero"));
  rows[7][1] = std::numeric_limits<float>::quiet_NaN();
  REQUIRE(support::contains(refused(rows, {}), "not_finite: rows: row 7, column 1"));
  const auto good = fit_k_means(support::normal_rows(20, 3, 1), {}, rng);
  REQUIRE(support::code_of([&] { good.assign(rows); }) == embit::errc::not_finite);
  REQUIRE(support::code_of([&] { good.assign(matrix<float>(2, 4)); }) == embit::errc::shape);
  REQUIRE(support::code_of([&] { embit::k_means none{matrix<float>(0, 4)}; }) == embit::errc::argument);
}
