// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/index/concurrent.hpp>
#include <embit/index/labelled.hpp>
#include <embit/retrieve/fit_graph.hpp>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>
#include <support/recall.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

namespace {

using embit::matrix, embit::metric, embit::row_id;
using graph = embit::graph_index<embit::rabitq>;

// Rows on a curved surface of few dimensions.
matrix<float> curved(std::size_t n, std::uint64_t seed) {
  constexpr std::size_t dim = 32, latent = 6;
  const auto map = support::normal_rows(dim, latent, 1), inner = support::normal_rows(n, latent, seed);
  auto rows = support::normal_rows(n, dim, seed + 1);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < dim; ++j) {
      float sum = 0;
      for (std::size_t l = 0; l < latent; ++l) sum += map[j][l] * inner[i][l];
      rows[i][j] = .5f + std::sin(.6f * sum) + .02f * rows[i][j];
    }
  return rows;
}

}  // namespace

TEST_CASE("a fitted graph finds the recall that it was planned for, by every metric", "[graph]") {
  const auto rows = curved(8000, 2), queries = curved(400, 4);
  for (const metric m : {metric::l2, metric::inner_product, metric::cosine}) {
    CAPTURE(int(m));
    embit::rng rng{3};
    auto index = embit::fit_graph(rows, {.metric = m, .target_recall = .9}, rng);
    const auto truth = embit::ground_truth(rows, queries, 10, {.metric = m});
    const auto curve = index.recall_at_efs();
    REQUIRE(!curve.empty());
    REQUIRE(curve.back().ef == index.ef());
    REQUIRE(curve.back().recall >= .9);
    const double found = support::recall(index.search(queries, 10), truth);
    CHECK(found > .87);
    CHECK(found < .98);
    const std::size_t few = index.ef();
    embit::plan_ef(index, rows, .98, rng);
    REQUIRE(index.ef() > few);
    CHECK(support::recall(index.search(queries, 10), truth) > .96);
    embit::plan_ef(index, rows, queries, .95);
    const double planned = support::recall(index.search(queries, 10), truth);
    CHECK(planned >= .95);
    CHECK(planned < .985);
  }
}

TEST_CASE("a fitted graph is the same for a seed and any number of threads", "[graph][threads]") {
  const auto rows = curved(3000, 2), queries = curved(50, 4);
  embit::rng one{5}, other{5};
  const auto index = embit::fit_graph(rows, {.ef = 40, .lists = 30}, one);
  const auto pooled = embit::fit_graph(rows, {.ef = 40, .lists = 30}, other, {}, embit::thread_pool(3));
  for (row_id v = 0; v < 3000; ++v) REQUIRE(std::ranges::equal(index.edges(v), pooled.edges(v)));
  const auto a = index.search(queries, 10), b = pooled.search(queries, 10);
  for (std::size_t q = 0; q < queries.rows(); ++q) REQUIRE(std::ranges::equal(a[q], b[q]));
}

TEST_CASE("what cannot be made a graph is refused", "[graph]") {
  const auto rows = curved(50, 2);
  embit::rng rng{3};
  const auto code = [&](const matrix<float>& of, const embit::fit_graph_options& options) {
    return support::code_of([&] { embit::fit_graph(of, options, rng); });
  };
  REQUIRE(code(matrix<float>(0, 4), {}) == embit::errc::argument);
  REQUIRE(code(rows, {.degree = 1}) == embit::errc::argument);
  REQUIRE(code(rows, {.target_recall = 1.5}) == embit::errc::argument);
  REQUIRE(code(rows, {.lists = 51}) == embit::errc::argument);
  auto zero = rows;
  std::ranges::fill(zero[3], 0.f);
  REQUIRE(code(zero, {.metric = metric::cosine}) == embit::errc::argument);
  auto bad = rows;
  bad[2][1] = std::sqrt(-1.f);
  REQUIRE(code(bad, {}) == embit::errc::not_finite);
  // Fewer rows than edges, one point only, and one row are no errors.
  REQUIRE(embit::fit_graph(matrix<float>(rows.view().middle_rows(0, 9)), {}, rng).search(rows, 20)[0].size() == 9);
  REQUIRE(embit::fit_graph(matrix<float>(300, 5, 1.f), {}, rng).search(matrix<float>(1, 5), 7)[0][6].id == 6);
  REQUIRE(embit::fit_graph(matrix<float>(1, 5, 1.f), {}, rng).search(matrix<float>(1, 5), 7)[0].size() == 1);
}

TEST_CASE("rows of a graph have labels", "[graph]") {
  const auto rows = curved(900, 2);
  embit::rng rng{3};
  std::vector<std::uint64_t> labels(900);
  for (std::size_t i = 0; i < 900; ++i) labels[i] = 10'000 - 7 * i;
  embit::labelled_index index{embit::fit_graph(rows, {.ef = 60}, rng), labels};
  REQUIRE(index.search(rows.view().middle_rows(33, 1), 1)[0][0].id == labels[33]);
  REQUIRE(index.remove(labels[33]));
  REQUIRE(index.search(rows.view().middle_rows(33, 1), 1)[0][0].id != labels[33]);
  const std::vector<std::uint64_t> again{labels[33]};
  index.add(rows.view().middle_rows(33, 1), again);
  index.compact();
  REQUIRE(index.search(rows.view().middle_rows(33, 1), 1)[0][0].id == labels[33]);
}

TEST_CASE("a graph is searched while it changes", "[graph][threads]") {
  const auto rows = curved(1500, 2), more = curved(400, 9);
  embit::rng rng{3};
  embit::concurrent_index index{embit::fit_graph(rows, {.ef = 60}, rng)};
  std::atomic<bool> done{false};
  std::atomic<std::size_t> searches{0}, wrong{0};
  std::vector<std::thread> readers;
  for (std::size_t r = 0; r < 2; ++r)
    readers.emplace_back([&, r] {
      for (std::size_t i = r; !done || i < 50; i = i + 2) {
        const auto query = rows.view().middle_rows(1 + i % 700 * 2, 1);
        const auto found = index.search(query, 3);
        wrong += found[0].size() != 3 || found[0][0].distance > found[0][1].distance;
        ++searches;
      }
    });
  for (std::size_t i = 0; i < 20; ++i) {
    index.add(more.view().middle_rows(20 * i, 20));
    index.remove(static_cast<row_id>(2 * i));
    if (i % 7 == 6) index.compact();
  }
  done = true;
  for (auto& reader : readers) reader.join();
  REQUIRE(searches > 0);
  REQUIRE(wrong == 0);
  REQUIRE(index.size() == 1500 + 400 - 20);
}
