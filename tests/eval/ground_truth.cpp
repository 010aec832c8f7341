// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/kernel/l2.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <utility>
#include <vector>

using embit::metric;

namespace {

// Small whole numbers: sums are exact in float at every level, and ties abound.
embit::matrix<float> whole_rows(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<float> m(rows, cols);
  for (auto& x : m.values()) x = static_cast<float>(embit::uniform_index(rng, 3)) - 1;
  return m;
}

template <class Compare>
std::vector<embit::neighbor<float>> brute(const embit::matrix<float>& rows, std::span<const float> query, metric by,
                                          std::size_t skip) {
  std::vector<embit::neighbor<float>> all;
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    if (i == skip) continue;
    float square = 0, product = 0;
    for (std::size_t k = 0; k < query.size(); ++k) {
      square += (rows[i][k] - query[k]) * (rows[i][k] - query[k]);
      product += rows[i][k] * query[k];
    }
    all.push_back({static_cast<embit::row_id>(i), by == metric::l2 ? square : product});
  }
  std::sort(all.begin(), all.end(), embit::neighbor_order<Compare>{});
  return all;
}

}  // namespace

TEST_CASE("ground_truth is a sort of all rows, ties by row, with and without self, on any number of threads",
          "[threads]") {
  for (const std::size_t n : {0u, 1u, 7u, 513u})
    for (const std::size_t k : {0u, 1u, 10u, 600u})
      for (const auto by : {metric::l2, metric::inner_product})
        for (const bool self : {false, true}) {
          const auto rows = whole_rows(n, 9, n);
          const auto queries = self ? whole_rows(n, 9, n) : whole_rows(35, 9, 77);
          const auto found = embit::ground_truth(rows, queries, k, {.metric = by, .exclude_self = self});
          const auto threaded =
              embit::ground_truth(rows, queries, k, {.metric = by, .exclude_self = self}, embit::thread_pool(2));
          REQUIRE(found.queries() == queries.rows());
          for (std::size_t q = 0; q < queries.rows(); ++q) {
            const std::size_t skip = self ? q : n;
            const auto all = by == metric::l2 ? brute<std::less<>>(rows, queries[q], by, skip)
                                              : brute<std::greater<>>(rows, queries[q], by, skip);
            const std::size_t count = std::min(k, all.size());
            REQUIRE(found[q].size() == count);
            REQUIRE(std::equal(found[q].begin(), found[q].end(), all.begin()));
            REQUIRE(std::equal(found[q].begin(), found[q].end(), threaded[q].begin(), threaded[q].end()));
          }
        }
}

namespace {

// Every pair scored on its own, and all sorted: what ground_truth says it does.
template <class Compare>
void require_pairwise(const embit::matrix<float>& rows, const embit::matrix<float>& queries, std::size_t k, metric by,
                      bool self) {
  const auto product = [](std::span<const float> x, std::span<const float> y) {
    const embit::inner_product kernel;
    return kernel(kernel.prepare(x), y);
  };
  const auto squared = [](std::span<const float> x, std::span<const float> y) {
    const embit::l2 kernel;
    return kernel(kernel.prepare(x), y);
  };
  const auto inverses = [&](const embit::matrix<float>& m) {
    std::vector<float> all;
    for (std::size_t i = 0; i < m.rows(); ++i) all.push_back(std::sqrt(product(m[i], m[i])));
    for (float& x : all) x = x > 0 ? 1 / x : 0.f;
    return all;
  };
  const auto of_rows = inverses(rows), of_queries = inverses(queries);
  const auto found = embit::ground_truth(rows, queries, k, {.metric = by, .exclude_self = self});
  const auto threaded =
      embit::ground_truth(rows, queries, k, {.metric = by, .exclude_self = self}, embit::thread_pool(3));
  std::vector<embit::neighbor<float>> all;
  for (std::size_t q = 0; q < queries.rows(); ++q) {
    all.clear();
    for (std::size_t i = 0; i < rows.rows(); ++i) {
      if (self && i == q) continue;
      float score = by == metric::l2 ? squared(queries[q], rows[i]) : product(queries[q], rows[i]);
      if (by == metric::cosine) score = score * of_queries[q] * of_rows[i];
      all.push_back({static_cast<embit::row_id>(i), score});
    }
    std::sort(all.begin(), all.end(), embit::neighbor_order<Compare>{});
    CAPTURE(static_cast<int>(by), q, k);
    all.resize(std::min(k, all.size()));
    REQUIRE(std::equal(found[q].begin(), found[q].end(), all.begin(), all.end()));
    REQUIRE(std::equal(threaded[q].begin(), threaded[q].end(), all.begin(), all.end()));
  }
}

void require_pairwise(const embit::matrix<float>& rows, const embit::matrix<float>& queries, std::size_t k,
                      bool self = false) {
  require_pairwise<std::less<>>(rows, queries, k, metric::l2, self);
  require_pairwise<std::greater<>>(rows, queries, k, metric::inner_product, self);
  require_pairwise<std::greater<>>(rows, queries, k, metric::cosine, self);
}

embit::matrix<float> normal_rows(std::size_t rows, std::size_t cols, std::uint64_t seed, float scale, float offset) {
  embit::rng rng{seed};
  embit::matrix<float> m(rows, cols);
  for (float& x : m.values()) x = scale * embit::normal(rng) + offset;
  return m;
}

}  // namespace

TEST_CASE("what products of blocks leave out of ground_truth is nothing that pairs would find") {
  // Of any scale, about zero and far from it, where products say little of distances; at the ends of the range of
  // floats, where they say nothing.
  for (const auto& [scale, offset] :
       {std::pair{1.f, 0.f}, {1.f, 300.f}, {1e-3f, 1e4f}, {1e-20f, 0.f}, {1e-30f, 0.f}, {1e15f, 0.f}, {1e18f, 0.f}}) {
    const auto rows = normal_rows(700, 33, 1, scale, offset), queries = normal_rows(41, 33, 2, scale, offset);
    for (const std::size_t k : {1u, 10u, 100u}) require_pairwise(rows, queries, k);
    require_pairwise(rows, rows, 5, true);
  }
}

TEST_CASE("ground_truth of many equal rows, of lengths far apart and of zeros is that of pairs") {
  auto rows = normal_rows(6000, 16, 3, 1, 0), queries = normal_rows(20, 16, 4, 1, 0);
  embit::rng rng{5};
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    const std::size_t kind = i % 4;
    if (kind == 0) std::ranges::copy(rows[4 * embit::uniform_index(rng, 20)], rows[i].begin());
    if (kind == 1)
      for (float& x : rows[i]) x *= std::ldexp(1.f, static_cast<int>(i % 100) - 50);
    if (kind == 2 && i % 8 == 2) std::ranges::fill(rows[i], 0.f);
  }
  std::ranges::fill(queries[7], 0.f);              // at the same cosine and product from all
  std::ranges::copy(rows[0], queries[3].begin());  // at the distance 0 from hundreds
  for (float& x : queries[9]) x *= 1e-22f;         // its squared length is 0 in floats
  require_pairwise(rows, queries, 10);
  require_pairwise(rows, queries, 2000);
  require_pairwise(whole_rows(6000, 3, 6), whole_rows(20, 3, 7), 10);  // more ties than rows are worth remembering
}

TEST_CASE("cosine does not see lengths, and a zero row is at 0") {
  embit::rng rng{3};
  embit::matrix<float> rows(50, 6), queries(4, 6);
  for (auto& x : rows.values()) x = embit::normal(rng);
  for (auto& x : queries.values()) x = embit::normal(rng);
  std::ranges::fill(rows[13], 0.f);
  auto longer = rows;
  for (std::size_t i = 0; i < 50; ++i)
    for (auto& x : longer[i]) x *= static_cast<float>(i + 1);
  const auto a = embit::ground_truth(rows, queries, 50, {.metric = metric::cosine});
  const auto b = embit::ground_truth(longer, queries, 50, {.metric = metric::cosine});
  for (std::size_t q = 0; q < 4; ++q) {
    for (std::size_t i = 0; i < 50; ++i) {
      REQUIRE(a[q][i].id == b[q][i].id);
      if (a[q][i].id == 13) REQUIRE(a[q][i].distance == 0);
      REQUIRE(std::abs(a[q][i].distance) <= 1.0001f);
    }
    const auto row = rows[a[q][0].id];
    double xy = 0, xx = 0, yy = 0;
    for (std::size_t k = 0; k < 6; ++k) {
      xy += double{row[k]} * double{queries[q][k]};
      xx += double{row[k]} * double{row[k]};
      yy += double{queries[q][k]} * double{queries[q][k]};
    }
    REQUIRE(std::abs(double{a[q][0].distance} - xy / std::sqrt(xx * yy)) < 1e-5);
  }
}

TEST_CASE("ground_truth refuses what it cannot compare") {
  auto rows = whole_rows(5, 4, 1);
  REQUIRE_THROWS_AS(embit::ground_truth(rows, whole_rows(2, 3, 1), 1), embit::error);
  REQUIRE_THROWS_AS(embit::ground_truth(rows, whole_rows(6, 4, 1), 1, {.exclude_self = true}), embit::error);
  rows[2][2] = std::numeric_limits<float>::quiet_NaN();
  REQUIRE_THROWS_AS(embit::ground_truth(rows, whole_rows(2, 4, 1), 1), embit::error);
  REQUIRE_THROWS_AS(embit::ground_truth(whole_rows(2, 4, 1), rows, 1), embit::error);
}
