// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/eval/ground_truth.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
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
