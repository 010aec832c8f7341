// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/index/graph.hpp>
#include <embit/io/save.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/search/row_list.hpp>

#include <support/catch.hpp>
#include <support/container_bytes.hpp>
#include <support/flipped_bytes.hpp>
#include <support/normal_rows.hpp>
#include <support/recall.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using embit::matrix, embit::metric, embit::row_id;
using graph = embit::graph_index<embit::rabitq>;

static_assert(embit::RangeIndex<graph> && embit::MutableIndex<graph>);

// Rows around points far from the origin.
matrix<float> clustered(std::size_t n, std::size_t dim, std::uint64_t seed) {
  const auto points = support::normal_rows(25, dim, 7);
  auto rows = support::normal_rows(n, dim, seed);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < dim; ++j) rows[i][j] = 5 + points[i % 25][j] + .7f * rows[i][j];
  return rows;
}

embit::rabitq coder_for(std::size_t dim, std::size_t bits) {
  embit::rng rng{5};
  return embit::fit_rabitq(support::normal_rows(400, dim, 3),
                           {.bits_per_dim = bits,
                            .metric = metric::l2,
                            .center = embit::rabitq_center::zero,
                            .scales = embit::rabitq_scales::kept,
                            .compress_factors = false},
                           rng);
}

template <class Exec = embit::inline_executor>
embit::graph_index<embit::rabitq, Exec> make(const matrix<float>& rows, std::size_t lists,
                                             embit::graph_options options = {}, const Exec& executor = {}) {
  embit::rng rng{2};
  const auto points = graph::points_of(rows, options.metric);
  const auto cells = embit::fit_k_means(points, {.clusters = lists, .rows_per_cluster = 0}, rng);
  const std::size_t dim = points.cols();
  return embit::graph_index<embit::rabitq, Exec>(rows, cells, coder_for(dim, 2), coder_for(dim, 1), options, executor);
}

template <class Result>
void require_same(const Result& a, const Result& b) {
  REQUIRE(a.queries() == b.queries());
  for (std::size_t q = 0; q < a.queries(); ++q)
    REQUIRE(std::vector(a[q].begin(), a[q].end()) == std::vector(b[q].begin(), b[q].end()));
}

double exact(std::span<const float> a, std::span<const float> b, metric m) {
  double product = 0, aa = 0, bb = 0, square = 0;
  for (std::size_t j = 0; j < a.size(); ++j) {
    product += double{a[j]} * double{b[j]};
    aa += double{a[j]} * double{a[j]};
    bb += double{b[j]} * double{b[j]};
    square += (double{a[j]} - double{b[j]}) * (double{a[j]} - double{b[j]});
  }
  return m == metric::l2 ? square : m == metric::inner_product ? -product : 1 - product / std::sqrt(aa * bb);
}

// Every vertex can be reached from the entries, no edge leads to itself or to a row that another stands for.
template <class Index>
void require_connected(const Index& index) {
  std::vector<bool> seen(index.rows());
  std::vector<row_id> order;
  const auto reach = [&](row_id v) {
    if (seen[v]) return;
    seen[v] = true;
    order.push_back(v);
  };
  for (const row_id entry : index.entries()) reach(entry);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto edges = index.edges(order[i]);
    REQUIRE(edges.size() <= index.degree());
    REQUIRE(std::set<row_id>(edges.begin(), edges.end()).size() == edges.size());
    for (const row_id to : edges) {
      REQUIRE(to != order[i]);
      reach(to);
    }
  }
  std::size_t vertices = 0;
  for (row_id row = 0; row < index.rows(); ++row) {
    vertices += index.vertex_of(row) == row;
    REQUIRE(index.vertex_of(index.vertex_of(row)) == index.vertex_of(row));
  }
  REQUIRE(order.size() == vertices);
}

}  // namespace

TEST_CASE("a graph finds most true neighbours and says their exact distances, by every metric", "[graph]") {
  const auto rows = clustered(4000, 24, 1), queries = clustered(100, 24, 2);
  for (const metric m : {metric::l2, metric::inner_product, metric::cosine}) {
    const auto index = make(rows, 40, {.metric = m, .ef = 100});
    require_connected(index);
    const auto truth = embit::ground_truth(rows, queries, 10, {.metric = m});
    embit::graph_statistics did;
    const auto found = index.search(queries, 10, embit::accept_all{}, &did);
    CAPTURE(int(m));
    REQUIRE(did.visits > 0);
    REQUIRE(did.visits < 100 * 200);
    CHECK(support::recall(found, truth) > (m == metric::inner_product ? .94 : .97));
    CHECK(support::recall(index.search({queries, 10}, 10), truth) > .4);
    for (std::size_t q = 0; q < queries.rows(); ++q) {
      REQUIRE(found[q].size() == 10);
      REQUIRE(std::ranges::is_sorted(found[q], embit::neighbor_order<std::less<>>{}));
      for (const auto& n : found[q])
        REQUIRE(double{n.distance} ==
                Approx(exact(queries[q], rows[n.id], m)).epsilon(1e-4).margin(m == metric::cosine ? 1e-5 : 1e-3));
    }
    // As many candidates as rows: all are found.
    const auto all = index.search({queries, 4000}, 10);
    for (std::size_t q = 0; q < queries.rows(); ++q)
      for (std::size_t i = 0; i < 10; ++i)
        REQUIRE(double{all[q][i].distance} == Approx(m == metric::l2       ? double{truth[q][i].distance}
                                                     : m == metric::cosine ? 1 - double{truth[q][i].distance}
                                                                           : -double{truth[q][i].distance})
                                                  .epsilon(1e-4)
                                                  .margin(1e-4));
    // Every row is found by itself, where that is what is nearest.
    if (m == metric::inner_product) continue;
    const auto own = index.search({rows, 50}, 1);
    std::size_t itself = 0;
    for (row_id row = 0; row < 4000; ++row) itself += own[row][0].id == row;
    CHECK(itself >= 3998);
  }
}

TEST_CASE("a graph is the same on any number of threads, alone or in batches", "[graph][threads]") {
  const auto rows = clustered(3000, 17, 1), queries = clustered(90, 17, 2), more = clustered(300, 17, 3);
  auto index = make(rows, 30);
  auto pooled = make(rows, 30, {}, embit::thread_pool(3));
  for (int round = 0; round < 3; ++round) {
    for (row_id v = 0; v < index.rows(); ++v) REQUIRE(std::ranges::equal(index.edges(v), pooled.edges(v)));
    const auto together = index.search(queries, 10);
    require_same(together, pooled.search(queries, 10));
    for (std::size_t q = 0; q < queries.rows(); q += 9) {
      const auto alone = index.search(queries.view().middle_rows(q, 1), 10);
      REQUIRE(std::vector(alone[0].begin(), alone[0].end()) == std::vector(together[q].begin(), together[q].end()));
    }
    const auto is_third = [](row_id row) { return row % 3 == 0; };
    require_same(index.search(queries, 10, is_third), pooled.search(queries, 10, is_third));
    require_same(index.range_search(queries, 8), pooled.range_search(queries, 8));
    if (round == 0) {
      index.add(more);
      pooled.add(more);
    } else {
      for (row_id row = 0; row < index.rows(); row += 4) {
        index.remove(row);
        pooled.remove(row);
      }
      REQUIRE(index.compact() == pooled.compact());
    }
  }
}

TEST_CASE("filters of a graph find what they let through, however few that are", "[graph]") {
  const std::size_t n = 6000;
  const auto rows = clustered(n, 16, 1), queries = clustered(30, 16, 2);
  auto index = make(rows, 40);
  for (row_id row = 0; row < n; row += 10) index.remove(row);
  const auto all = index.search({queries, n}, n);
  for (const std::size_t step : {2u, 7u, 50u, 3000u}) {
    CAPTURE(step);
    const auto accepts = [=](row_id row) { return row % step == 1; };
    embit::row_bitset members(n);
    std::vector<row_id> listed;
    for (row_id row = 1; row < n; row += static_cast<row_id>(step)) {
      members.set(row);
      listed.push_back(row);
    }
    embit::knn_result<float> truth;
    truth.reset(queries.rows(), 10);
    for (std::size_t q = 0; q < queries.rows(); ++q) {
      std::vector<embit::neighbor<float>> kept;
      for (const auto& each : all[q])
        if (accepts(each.id) && kept.size() < 10) kept.push_back(each);
      truth.assign(q, kept);
    }
    const auto check = [&](const embit::knn_result<float>& found) {
      CHECK(support::recall(found, truth) > .95);
      for (std::size_t q = 0; q < queries.rows(); ++q) {
        REQUIRE(found[q].size() == truth[q].size());
        for (const auto& each : found[q]) {
          REQUIRE(accepts(each.id));
          REQUIRE(each.id % 10 != 0);
        }
      }
    };
    check(index.search(queries, 10, accepts));
    check(index.search(queries, 10, members));
    check(index.search(queries, 10, embit::row_list(listed)));
    check(index.search(queries, 10, [&](std::size_t, row_id row) { return accepts(row); }));
  }
  const auto none = index.search(queries, 3, [](row_id) { return false; });
  for (const auto list : none) REQUIRE(list.empty());
  REQUIRE(support::code_of([&] { index.search(queries, 5, embit::row_bitset(n + 1)); }) == embit::errc::shape);
}

TEST_CASE("a graph finds what lies within a radius", "[graph]") {
  const auto rows = clustered(5000, 12, 1), queries = clustered(40, 12, 2);
  for (const metric m : {metric::l2, metric::inner_product, metric::cosine}) {
    const auto index = make(rows, 40, {.metric = m, .ef = 40});
    const auto all = index.search({queries, 5000}, 5000);
    for (const std::size_t rank : {3u, 150u}) {
      const float radius = all[0][rank].distance;
      const auto found = index.range_search(queries, radius);
      std::size_t seen = 0, expected = 0;
      for (std::size_t q = 0; q < queries.rows(); ++q) {
        REQUIRE(std::ranges::is_sorted(found[q], embit::neighbor_order<std::less<>>{}));
        for (const auto& each : all[q]) expected += each.distance <= radius;
        for (const auto& each : found[q]) REQUIRE(each.distance <= radius);
        seen += found[q].size();
      }
      CHECK(static_cast<double>(seen) >= .95 * static_cast<double>(expected));
    }
  }
}

TEST_CASE("equal rows are one vertex of a graph, and each is found", "[graph]") {
  // A fifth of the rows are equal, and lie among others.
  auto rows = clustered(5000, 8, 1);
  for (std::size_t i = 0; i < 5000; i += 5) std::ranges::copy(rows[7], rows[i].begin());
  auto index = make(rows, 30);
  require_connected(index);
  REQUIRE(index.vertex_of(4995) == 0);
  const auto query = rows.view().middle_rows(5, 1);
  const auto first = index.search(query, 12);
  const std::vector<row_id> expected{0, 5, 7, 10, 15, 20, 25, 30, 35, 40, 45, 50};
  for (std::size_t i = 0; i < 12; ++i) REQUIRE(first[0][i] == embit::neighbor<float>{expected[i], 0});
  REQUIRE(index.range_search(query, 0).total() == 1001);
  for (const row_id row : {0u, 5u, 15u}) index.remove(row);
  const auto late = index.search(query, 3, [](row_id row) { return row > 4000; });
  REQUIRE(late[0][0] == embit::neighbor<float>{4005, 0});
  const auto left = index.search(query, 3);
  REQUIRE(left[0][0].id == 7);
  REQUIRE(left[0][1].id == 10);
  // Those that are added are equal to them, or to one another.
  matrix<float> more(300, 8);
  for (std::size_t i = 0; i < 300; ++i) std::ranges::copy(i % 2 == 0 ? rows[7] : rows[8], more[i].begin());
  matrix<float> others(4, 8, -3.f);
  index.add(more);
  index.add(others);
  require_connected(index);
  REQUIRE(index.vertex_of(5298) == 0);
  REQUIRE(index.vertex_of(5299) == 8);
  REQUIRE(index.vertex_of(5303) == 5300);
  REQUIRE(index.search(others, 4)[3][3] == embit::neighbor<float>{5303, 0});
  const auto numbers = index.compact();
  require_connected(index);
  REQUIRE(numbers[7] == 5);
  REQUIRE(index.vertex_of(numbers[10]) == numbers[7]);
  REQUIRE(index.range_search(query, 0).total() == 1001 - 3 + 150);
  REQUIRE(index.search(others, 1)[0][0].id == numbers[5300]);
}

TEST_CASE("a hundred thousand equal rows and no others are no endless walk", "[graph]") {
  const matrix<float> equal(100'000, 6, 2.f);
  auto index = make(equal, 20);
  require_connected(index);
  const auto found = index.search(equal.view().middle_rows(0, 2), 4);
  for (row_id i = 0; i < 4; ++i) REQUIRE(found[1][i] == embit::neighbor<float>{i, 0});
  REQUIRE(index.add(equal.view().middle_rows(0, 200)) == 100'000);
  REQUIRE(index.vertex_of(100'199) == 0);
  for (row_id row = 0; row < 100'000; ++row) index.remove(row);
  index.compact();
  REQUIRE(index.search(equal.view().middle_rows(0, 1), 300)[0].size() == 200);
}

TEST_CASE("rows in clusters far from one another can all be reached", "[graph]") {
  auto rows = support::normal_rows(3000, 6, 1);
  for (std::size_t i = 0; i < 3000; ++i)
    for (float& x : rows[i]) x = 1e-3f * x + 1000 * static_cast<float>(i % 60);
  // More clusters than lists, so that there are some without an entry.
  const auto index = make(rows, 7, {.degree = 8});
  require_connected(index);
  const auto own = index.search({rows, 30}, 1);
  std::size_t itself = 0;
  for (row_id row = 0; row < 3000; ++row) itself += own[row][0].distance < 1;
  CHECK(itself > 2500);
}

TEST_CASE("a graph of few rows finds all of them", "[graph]") {
  for (const std::size_t n : {1u, 2u, 7u, 33u, 65u}) {
    const auto rows = clustered(n, 9, n);
    for (const std::size_t lists : {std::size_t{1}, n})
      for (const std::size_t degree : {2u, 5u, 32u}) {
        auto index = make(rows, lists, {.degree = degree});
        require_connected(index);
        const auto found = index.search(rows, n + 3);
        for (std::size_t q = 0; q < n; ++q) {
          REQUIRE(found[q].size() == n);
          REQUIRE(found[q][0].id == q);
        }
        for (row_id row = 0; row < n; ++row) index.remove(row);
        REQUIRE(index.search(rows, 3)[0].empty());
        index.compact();
        REQUIRE(index.rows() == 0);
        REQUIRE(index.search(rows, 3)[0].empty());
        REQUIRE(index.add(rows) == 0);
        require_connected(index);
        REQUIRE(index.search(rows, n)[n - 1][0].id == n - 1);
      }
  }
  auto moved = make(clustered(50, 9, 1), 3);
  const auto to = std::move(moved);
  REQUIRE(to.size() == 50);
}

TEST_CASE("rows come and go, and a graph finds those that are left", "[graph]") {
  for (const metric m : {metric::l2, metric::inner_product, metric::cosine}) {
    CAPTURE(int(m));
    auto held = clustered(2000, 12, 1);
    const auto queries = clustered(50, 12, 2);
    auto index = make(held, 20, {.metric = m, .ef = 100});
    std::vector<bool> live(2000, true);
    embit::rng draws{9};
    for (int round = 0; round < 6; ++round) {
      const std::size_t count = round == 3 ? 1500 : 1 + static_cast<std::size_t>(embit::uniform_index(draws, 300));
      const auto more = clustered(count, 12, 100 + static_cast<std::uint64_t>(round));
      const auto copy = index;
      const auto before = copy.search(queries, 10);
      REQUIRE(index.add(more) == held.rows());
      require_same(copy.search(queries, 10), before);
      held.append(more);
      live.resize(held.rows(), true);
      for (std::size_t i = 0; i < held.rows(); ++i)
        if (live[i] && embit::uniform_index(draws, 5) == 0) {
          REQUIRE(index.remove(static_cast<row_id>(i)));
          live[i] = false;
        }
      if (round % 2 == 1) {
        const auto numbers = index.compact();
        matrix<float> left(0, 12);
        for (std::size_t i = 0; i < held.rows(); ++i) {
          REQUIRE((numbers[i] == embit::no_row) == !live[i]);
          if (!live[i]) continue;
          REQUIRE(numbers[i] == left.rows());
          left.append(held.view().middle_rows(i, 1));
        }
        held = std::move(left);
        live.assign(held.rows(), true);
        require_connected(index);
      }
      REQUIRE(index.rows() == held.rows());
      const auto truth = embit::ground_truth(held, queries, held.rows(), {.metric = m});
      embit::knn_result<float> nearest;
      nearest.reset(queries.rows(), 10);
      for (std::size_t q = 0; q < queries.rows(); ++q) {
        std::vector<embit::neighbor<float>> kept;
        for (const auto& each : truth[q])
          if (live[each.id] && kept.size() < 10) kept.push_back({each.id, each.distance});
        nearest.assign(q, kept);
      }
      const auto found = index.search(queries, 10);
      CHECK(support::recall(found, nearest) >= .99);
      for (const auto list : found)
        for (const auto& each : list) REQUIRE(live[each.id]);
    }
  }
}

TEST_CASE("a graph is a file, from which it finds the same", "[graph]") {
  const support::temp_dir dir;
  const auto queries = clustered(20, 11, 2);
  for (const metric m : {metric::l2, metric::inner_product, metric::cosine})
    for (const std::size_t n : {1u, 7u, 2500u}) {
      auto rows = clustered(n, 11, 1);
      if (n > 7) std::ranges::copy(rows[3], rows[2000].begin());
      auto index = make(rows, n > 7 ? 12 : 1, {.metric = m, .degree = 20, .ef = 33});
      index.remove(5 % static_cast<row_id>(n));
      index.set_recall_at_efs({{10, .5}, {33, .75}});
      embit::save(dir / "index", index);
      auto loaded = embit::load<graph>(dir / "index");
      auto mapped = embit::load_mapped<graph>(dir / "index");
      REQUIRE(mapped.memory().codes < 1000);
      for (graph* each : {&loaded, &mapped}) {
        REQUIRE(each->size() == index.size());
        REQUIRE(each->rows() == index.rows());
        REQUIRE(each->ef() == 33);
        REQUIRE(each->degree() == 20);
        REQUIRE(each->metric() == m);
        REQUIRE(std::ranges::equal(each->recall_at_efs(), index.recall_at_efs()));
        auto original = index;
        const auto copy = *each;
        const auto same_everywhere = [&] {
          require_same(each->search(queries, 10), original.search(queries, 10));
          require_same(each->range_search(queries, 8), original.range_search(queries, 8));
          embit::save(dir / "b", *each);
          embit::save(dir / "c", original);
          REQUIRE(support::slurp(dir / "b") == support::slurp(dir / "c"));
        };
        same_everywhere();
        REQUIRE(each->add(queries) == original.add(queries));
        same_everywhere();
        each->remove(0);
        original.remove(0);
        REQUIRE(each->compact() == original.compact());
        same_everywhere();
        embit::save(dir / "b", copy);
        REQUIRE(support::slurp(dir / "b") == support::slurp(dir / "index"));
      }
    }
}

TEST_CASE("a damaged file of a graph is refused, or searched within bounds where it is mapped", "[graph]") {
  const support::temp_dir dir(support::temp_dir::in_memory());
  auto rows = clustered(40, 5, 1);
  std::ranges::copy(rows[3], rows[20].begin());
  const auto made = make(rows, 3, {.ef = 1});
  embit::save(dir / "a", made);
  const auto is_odd = [](row_id row) { return row % 2 == 1; };
  const auto use = [&] {
    auto mapped = embit::load_mapped<graph>(dir / "b");
    const auto found = mapped.search({rows.view().middle_rows(0, 2), 5}, 5);
    for (const auto list : found) {
      std::set<row_id> ids;
      for (const auto& each : list) {
        REQUIRE(each.id < 40);
        REQUIRE(ids.insert(each.id).second);
      }
    }
    mapped.search(rows.view().middle_rows(0, 2), 5, is_odd);
    mapped.range_search(rows.view().middle_rows(0, 1), 20);
    mapped.remove(4);
    mapped.compact();
    mapped.add(rows);
  };
  support::use_flipped(dir / "a", dir / "b", use, 2);
}

TEST_CASE("a graph says what it refuses", "[graph]") {
  const auto rows = clustered(200, 8, 1);
  auto index = make(rows, 10);
  const auto cosine = make(rows, 10, {.metric = metric::cosine});
  auto bad = rows;
  bad[3][4] = std::numeric_limits<float>::infinity();
  REQUIRE(support::code_of([&] { index.search(bad, 1); }) == embit::errc::not_finite);
  REQUIRE(support::code_of([&] { index.add(bad); }) == embit::errc::not_finite);
  REQUIRE(support::code_of([&] { index.search(matrix<float>(1, 9), 1); }) == embit::errc::shape);
  REQUIRE(support::code_of([&] { index.add(matrix<float>(1, 9)); }) == embit::errc::shape);
  REQUIRE(support::code_of([&] { index.search(rows, 0); }) == embit::errc::argument);
  REQUIRE(support::contains(support::refusal([&] { index.search({rows, 4}, 5); }), "ef: 4 candidates for 5"));
  REQUIRE(support::code_of([&] { index.set_ef(0); }) == embit::errc::argument);
  REQUIRE(support::code_of([&] { index.remove(200); }) == embit::errc::out_of_range);
  REQUIRE(support::code_of([&] { index.edges(200); }) == embit::errc::out_of_range);
  auto growing = cosine;
  REQUIRE(support::contains(support::refusal([&] { growing.add(matrix<float>(2, 8, 0.f)); }), "row 0 is zero"));
  REQUIRE(cosine.search(matrix<float>(1, 8, 0.f), 5)[0].size() == 5);
  matrix<float> huge(1, 8, 1e30f);
  REQUIRE(support::code_of([&] { index.add(huge); }) == embit::errc::not_finite);
  REQUIRE(support::contains(support::refusal([&] { index.search(huge, 5); }), "queries: row 0 is too long"));
  // So far out that 16 bits do not hold the factors: it is found all the same.
  matrix<float> far_out(1, 8, 1e12f);
  REQUIRE(index.add(far_out) == 200);
  REQUIRE(index.search(far_out, 1)[0][0].id == 200);
  for (const std::size_t degree : {0u, 1u, 33u})
    REQUIRE(support::contains(support::refusal([&] { make(rows, 10, {.degree = degree}); }), "degree"));
  embit::rng rng{1};
  const auto spherical = embit::fit_k_means(rows, {.clusters = 4, .spherical = true}, rng);
  const auto coder = coder_for(8, 1);
  REQUIRE(support::code_of([&] { graph made(rows, spherical, coder, coder); }) == embit::errc::argument);
  const auto cells = embit::fit_k_means(rows, {.clusters = 4}, rng);
  REQUIRE(support::code_of([&] { graph made(rows, cells, coder_for(9, 1), coder); }) == embit::errc::shape);
  REQUIRE(support::code_of([&] { graph made(rows, cells, coder, coder_for(9, 1)); }) == embit::errc::shape);
  REQUIRE(support::code_of([&] { graph made(rows, cells, coder, coder, {.query_bits = 3}); }) == embit::errc::argument);
  const auto stop = [](const embit::progress_report&) { return false; };
  REQUIRE(support::code_of([&] { graph made(rows, cells, coder, coder, {}, {}, stop); }) == embit::errc::stopped);
}
