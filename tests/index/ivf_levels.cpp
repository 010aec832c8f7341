// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/index/ivf_levels.hpp>
#include <embit/io/save.hpp>
#include <embit/search/row_bitset.hpp>

#include <support/catch.hpp>
#include <support/container_bytes.hpp>
#include <support/flipped_bytes.hpp>
#include <support/normal_rows.hpp>
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
#include <vector>

namespace {

using embit::matrix, embit::metric, embit::row_id;
using matrix_rows = embit::matrix_view<const float>;
using rows_index = embit::ivf_levels<embit::rabitq>;

static_assert(embit::ResidualCoder<embit::rabitq>);
static_assert(embit::RangeIndex<rows_index> && embit::MutableIndex<rows_index>);

// Rows around points far from the origin.
matrix<float> clustered(std::size_t n, std::size_t dim, std::uint64_t seed) {
  const auto points = support::normal_rows(25, dim, 7);
  auto rows = support::normal_rows(n, dim, seed);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < dim; ++j) rows[i][j] = 20 + 2 * points[i % 25][j] + .7f * rows[i][j];
  return rows;
}

embit::rabitq coder_for(std::size_t dim, std::size_t bits, metric m) {
  embit::rng rng{5};
  const auto like = support::normal_rows(400, dim, 3);
  return embit::fit_rabitq(like,
                           {.bits_per_dim = bits,
                            .metric = m == metric::inner_product ? m : metric::l2,
                            .center = embit::rabitq_center::zero,
                            .scales = embit::rabitq_scales::kept,
                            .compress_factors = false},
                           rng);
}

matrix<float> unit(matrix<float> rows) {
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    double square = 0;
    for (const float x : rows[i]) square += double{x} * double{x};
    for (float& x : rows[i]) x = static_cast<float>(double{x} / std::sqrt(square));
  }
  return rows;
}

rows_index make(const matrix<float>& rows, std::size_t lists, std::size_t bits, metric m, std::size_t probes) {
  embit::rng rng{2};
  const auto cells =
      embit::fit_k_means(m == metric::cosine ? unit(rows) : rows, {.clusters = lists, .rows_per_cluster = 0}, rng);
  return rows_index(rows, cells, coder_for(rows.cols(), bits, m), {.metric = m, .probes = probes});
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

void require_same(const embit::knn_result<float>& a, const embit::knn_result<float>& b) {
  REQUIRE(a.queries() == b.queries());
  for (std::size_t q = 0; q < a.queries(); ++q)
    REQUIRE(std::vector(a[q].begin(), a[q].end()) == std::vector(b[q].begin(), b[q].end()));
}

}  // namespace

TEST_CASE("estimates of all rows are near their distances, by every metric", "[ivf]") {
  const std::size_t n = 600, dim = 40;
  const auto rows = clustered(n, dim, 1), queries = clustered(12, dim, 2);
  for (const metric m : {metric::l2, metric::inner_product, metric::cosine})
    for (const std::size_t bits : {1u, 4u, 8u}) {
      const auto index = make(rows, 10, bits, m, 10);
      const auto found = index.search(queries, n);
      double error = 0, spread = 0;
      for (std::size_t q = 0; q < queries.rows(); ++q) {
        REQUIRE(found[q].size() == n);
        REQUIRE(std::ranges::is_sorted(found[q], embit::neighbor_order<std::less<>>{}));
        std::set<row_id> ids;
        double mean = 0;
        for (std::size_t i = 0; i < n; ++i) mean += exact(queries[q], rows[i], m) / n;
        for (const auto& each : found[q]) {
          ids.insert(each.id);
          const double own = exact(queries[q], rows[each.id], m);
          error += (own - double{each.distance}) * (own - double{each.distance});
          spread += (own - mean) * (own - mean);
        }
        REQUIRE(ids.size() == n);
      }
      // Of the variance of the distances, what remains of codes of so many bits.
      INFO(bits << " bits, metric " << int(m) << ": " << error / spread);
      const double most = bits == 1 ? .25 : bits == 4 ? .004 : 1e-4;
      REQUIRE(error / spread < (m == metric::inner_product ? 2 : 1) * most);  // errors grow with the query there
    }
}

TEST_CASE("probes find the rows of the lists that they look at, alone or together, on any number of threads",
          "[ivf][threads]") {
  const auto rows = clustered(3000, 33, 1), queries = clustered(150, 33, 2);
  embit::rng rng{2};
  const auto cells = embit::fit_k_means(rows, {.clusters = 60}, rng);
  const auto coder = coder_for(33, 1, metric::l2);
  const rows_index index(rows, cells, coder, {.probes = 5});
  const embit::ivf_levels pooled(rows, cells, coder, {.probes = 5}, embit::thread_pool(3));
  for (const std::size_t k : {1u, 10u, 100u, 700u}) {
    const auto together = index.search(queries, k);
    require_same(together, pooled.search(queries, k));
    const auto all = index.search({queries, 60}, 3000);
    const auto strict = index.search_in_lists(queries, k, 5);
    for (std::size_t q = 0; q < queries.rows(); ++q) {
      const auto alone = index.search(queries.view().middle_rows(q, 1), k);
      REQUIRE(std::vector(alone[0].begin(), alone[0].end()) == std::vector(together[q].begin(), together[q].end()));
      REQUIRE(together[q].size() == k);
      // What is found is what all rows have, but for those of other lists.
      std::vector<row_id> order(3000);
      for (std::size_t i = 0; i < 3000; ++i) order[all[q][i].id] = static_cast<row_id>(i);
      for (const auto& each : together[q]) REQUIRE(each == all[q][order[each.id]]);
      REQUIRE(strict[q].size() <= k);
      if (strict[q].size() == k) REQUIRE(std::equal(strict[q].begin(), strict[q].end(), together[q].begin()));
    }
  }
  for (const std::size_t threads : {1u, 3u})
    require_same(pooled.search(queries.view().middle_rows(0, threads), 20),
                 index.search(queries.view().middle_rows(0, threads), 20));
}

TEST_CASE("threads share the lists of one query where these are long", "[ivf][threads]") {
  const auto rows = clustered(30'000, 9, 1), queries = clustered(2, 9, 2);
  embit::rng rng{2};
  const auto cells = embit::fit_k_means(rows, {.clusters = 25}, rng);
  const auto coder = coder_for(9, 1, metric::l2);
  const rows_index index(rows, cells, coder, {.probes = 20});
  const embit::ivf_levels pooled(rows, cells, coder, {.probes = 20}, embit::thread_pool(3));
  const auto odd = [](row_id row) { return row % 2 == 1; };
  const auto of_query = [](std::size_t query, row_id row) { return (query + row) % 3 == 1; };
  for (const std::size_t k : {1u, 100u, 29'000u}) {
    embit::ivf_statistics one, many;
    require_same(pooled.search(queries, k, embit::accept_all{}, &many),
                 index.search(queries, k, embit::accept_all{}, &one));
    if (k == 100) CHECK(many.rows_scanned == one.rows_scanned);
    require_same(pooled.search(queries, k, odd), index.search(queries, k, odd));
    require_same(pooled.search(queries, k, of_query), index.search(queries, k, of_query));
  }
}

TEST_CASE("most true neighbours are among some candidates of some lists", "[ivf]") {
  const auto rows = clustered(4000, 32, 1), queries = clustered(100, 32, 2);
  for (const metric m : {metric::l2, metric::inner_product, metric::cosine}) {
    const auto truth = embit::ground_truth(rows, queries, 10, {.metric = m});
    const auto index = make(rows, 50, 2, m, 50);
    const auto found = index.search(queries, 40);
    std::size_t seen = 0;
    for (std::size_t q = 0; q < queries.rows(); ++q)
      for (const auto& each : truth[q])
        seen += std::ranges::any_of(found[q], [&](const auto& n) { return n.id == each.id; });
    REQUIRE(seen >= 950);
  }
}

TEST_CASE("filters and removed rows are respected, and as many rows are found as there are", "[ivf]") {
  const auto rows = clustered(1500, 20, 1), queries = clustered(40, 20, 2);
  auto index = make(rows, 30, 1, metric::l2, 2);
  const auto all = index.search(queries, 1500);
  const auto odd = [](row_id row) { return row % 2 == 1; };
  embit::row_bitset few(1500);
  for (const row_id row : {3u, 77u, 900u, 1499u}) few.set(row);
  for (row_id row = 0; row < 1500; row += 3) REQUIRE(index.remove(row));
  REQUIRE(index.size() == 1000);
  const auto expected = [&](std::size_t q, auto accepts) {
    std::vector<embit::neighbor<float>> kept;
    for (const auto& n : all[q])
      if (n.id % 3 != 0 && accepts(n.id)) kept.push_back(n);
    return kept;
  };
  const auto odd_ones = index.search(queries, 1500, odd), chosen = index.search(queries, 5, few);
  for (std::size_t q = 0; q < queries.rows(); ++q) {
    REQUIRE(std::vector(odd_ones[q].begin(), odd_ones[q].end()) == expected(q, odd));
    REQUIRE(std::vector(chosen[q].begin(), chosen[q].end()) == expected(q, [&](row_id row) { return few.test(row); }));
    for (const auto& n : index.search(queries.view().middle_rows(q, 1), 20)[0]) REQUIRE(n.id % 3 != 0);
  }
  embit::ivf_statistics did;
  index.search(queries, 5, few, &did);
  CHECK(did.rows_scanned <= queries.rows() * 4 * 32);  // their blocks alone
  const float radius = all[0][700].distance;
  const auto within = index.range_search(queries, radius, few);
  for (std::size_t q = 0; q < queries.rows(); ++q) {
    auto these = expected(q, [&](row_id row) { return few.test(row); });
    std::erase_if(these, [&](const auto& n) { return n.distance > radius; });
    REQUIRE(std::vector(within[q].begin(), within[q].end()) == these);
  }
  REQUIRE(support::code_of([&] { index.search(queries, 5, embit::row_bitset(1499)); }) == embit::errc::shape);
}

TEST_CASE("rows that are added, removed and renumbered are those of an index made of them", "[ivf]") {
  for (const metric m : {metric::l2, metric::inner_product, metric::cosine}) {
    const auto rows = clustered(900, 24, 1), more = clustered(801, 24, 4), queries = clustered(20, 24, 2);
    embit::rng rng{2};
    const auto cells = embit::fit_k_means(m == metric::cosine ? unit(rows) : rows, {.clusters = 20}, rng);
    const auto coder = coder_for(24, 1, m);
    matrix<float> both(1701, 24);
    std::copy(rows.values().begin(), rows.values().end(), both.data());
    std::copy(more.values().begin(), more.values().end(), both[900].data());
    rows_index grown(rows, cells, coder, {.metric = m, .probes = 4});
    REQUIRE(grown.add(more.view().middle_rows(0, 1)) == 900);
    REQUIRE(grown.add(more.view().middle_rows(1, 0)) == 901);
    REQUIRE(grown.add(more.view().middle_rows(1, 500)) == 901);
    const rows_index copy = grown;
    REQUIRE(grown.add(more.view().middle_rows(501, 300)) == 1401);
    REQUIRE(copy.size() == 1401);
    const rows_index whole(both, cells, coder, {.metric = m, .probes = 4});
    REQUIRE(grown.size() == 1701);
    const auto same_rows = [&](const rows_index& index, const rows_index& of) {
      const auto a = index.search(queries, 1701), b = of.search(queries, 1701);
      for (std::size_t q = 0; q < queries.rows(); ++q) {
        REQUIRE(a[q].size() == b[q].size());
        std::vector<float> distance(1701);
        for (const auto& n : b[q]) distance[n.id] = n.distance;
        // Factors of 16 bits are rounded about another mean.
        for (const auto& n : a[q]) REQUIRE(std::abs(n.distance - distance[n.id]) < (m == metric::cosine ? 1e-3f : .5f));
      }
    };
    same_rows(grown, whole);

    for (row_id row = 0; row < 1701; row += 2) grown.remove(row);
    const auto before = grown.search(queries, 15);
    const auto numbers = grown.compact();
    REQUIRE(grown.rows() == 850);
    const auto after = grown.search(queries, 15);
    for (std::size_t q = 0; q < queries.rows(); ++q)
      for (std::size_t i = 0; i < 15; ++i) {
        REQUIRE(after[q][i].id == numbers[before[q][i].id]);
        REQUIRE(after[q][i].distance == before[q][i].distance);
      }
    REQUIRE(grown.add(rows) == 850);
    REQUIRE(grown.search(rows.view().middle_rows(5, 1), 1)[0].size() == 1);
  }
}

TEST_CASE("drift tells that added rows are unlike those that lists over floats were made of", "[ivf]") {
  const support::temp_dir dir;
  for (const metric m : {metric::l2, metric::inner_product, metric::cosine}) {
    const auto rows = clustered(900, 24, 1);
    auto alike = make(rows, 20, 1, m, 4);
    auto unlike = alike;
    REQUIRE(alike.drift() == 1);
    alike.add(clustered(400, 24, 4));
    REQUIRE(alike.drift() > .8);
    REQUIRE(alike.drift() < 1.2);
    auto others = support::normal_rows(400, 24, 5);
    for (std::size_t i = 0; i < others.rows(); ++i)
      for (float& x : others[i]) x = 20 + 4 * x;
    unlike.add(others);
    REQUIRE(unlike.drift() > 1.5);
    // What is saved after rows are dropped has counted more rows than it has.
    for (row_id row = 0; row < 1000; ++row) unlike.remove(row);
    unlike.compact();
    embit::save(dir / "index", unlike);
    REQUIRE(embit::load<rows_index>(dir / "index").drift() == unlike.drift());
  }
}

TEST_CASE("everything within a radius is found in the lists that are looked at", "[ivf]") {
  const auto rows = clustered(1000, 20, 1), queries = clustered(10, 20, 2);
  auto index = make(rows, 15, 2, metric::l2, 15);
  const auto all = index.search(queries, 1000);
  const float radius = all[0][200].distance;
  const auto found = index.range_search(queries, radius);
  for (std::size_t q = 0; q < queries.rows(); ++q) {
    std::vector<embit::neighbor<float>> expected;
    for (const auto& n : all[q])
      if (n.distance <= radius) expected.push_back(n);
    REQUIRE(std::vector(found[q].begin(), found[q].end()) == expected);
  }
  index.set_probes(1);
  REQUIRE(index.range_search(queries, radius).total() < found.total());
}

TEST_CASE("few rows, equal rows, one list and more probes than lists are no errors", "[ivf]") {
  for (const std::size_t n : {1u, 7u, 65u}) {
    const auto rows = clustered(n, 9, n);
    for (const std::size_t lists : {std::size_t{1}, n}) {
      const auto index = make(rows, lists, 1, metric::l2, 1000);
      REQUIRE(index.probes() == lists);
      const auto found = index.search(rows, n + 3);
      for (std::size_t q = 0; q < n; ++q) REQUIRE(found[q].size() == n);
    }
  }
  const matrix<float> equal(5000, 6, 2.f);
  const auto index = make(equal, 30, 1, metric::l2, 2);
  const auto found = index.search(equal.view().middle_rows(0, 2), 4);
  REQUIRE(found[1].size() == 4);
  for (row_id i = 0; i < 4; ++i) REQUIRE(found[1][i].id == i);
  REQUIRE(found[0][0].distance == Approx(0).margin(1e-6));
  rows_index moved = make(equal, 3, 1, metric::l2, 2), to = std::move(moved);
  REQUIRE(to.size() == 5000);
}

TEST_CASE("an index of inverted lists is a file, from which it finds the same", "[ivf]") {
  const support::temp_dir dir;
  const auto rows = clustered(700, 17, 1), queries = clustered(20, 17, 2);
  for (const metric m : {metric::l2, metric::inner_product, metric::cosine}) {
    auto index = make(rows, 12, 2, m, 3);
    index.remove(5);
    index.add(queries);
    index.set_candidates(70);
    index.set_recall_at_probes({{1, .5}, {3, .75}});
    embit::save(dir / "index", index);
    auto loaded = embit::load<rows_index>(dir / "index");
    REQUIRE(loaded.size() == index.size());
    REQUIRE(loaded.rows() == index.rows());
    REQUIRE(loaded.probes() == 3);
    REQUIRE(loaded.candidates(10) == 70);
    REQUIRE(loaded.metric() == m);
    REQUIRE(std::ranges::equal(loaded.recall_at_probes(), index.recall_at_probes()));
    require_same(loaded.search(queries, 30), index.search(queries, 30));
    REQUIRE(loaded.add(rows) == index.add(rows));
    require_same(loaded.search(queries, 30), index.search(queries, 30));
  }
}

TEST_CASE("an index of inverted lists is searched, changed and saved where its file lies", "[ivf]") {
  const support::temp_dir dir;
  for (const metric m : {metric::l2, metric::inner_product, metric::cosine})
    for (const std::size_t n : {0u, 1u, 7u, 513u}) {
      CAPTURE(n);
      const auto rows = clustered(n, 20, 1), fitted = clustered(300, 20, 1), queries = clustered(5, 20, 2);
      auto index = make(fitted, 9, 2, m, 4);
      for (row_id row = 0; row < index.rows(); row += 3) index.remove(row);
      index.compact();
      index.add(rows);
      index.remove(1);
      embit::save(dir / "a", index);
      const std::string written = support::slurp(dir / "a");
      auto mapped = embit::load_mapped<rows_index>(dir / "a");
      REQUIRE(mapped.memory().codes == 0);
      const auto same_everywhere = [&] {
        require_same(mapped.search(queries, 30), index.search(queries, 30));
        require_same(mapped.search(queries, 7, [](row_id row) { return row % 31 == 2; }),
                     index.search(queries, 7, [](row_id row) { return row % 31 == 2; }));
        embit::save(dir / "b", mapped);
        embit::save(dir / "c", index);
        REQUIRE(support::slurp(dir / "b") == support::slurp(dir / "c"));
      };
      same_everywhere();
      const auto copy = mapped;
      for (const std::size_t more : {1u, 200u}) {
        mapped.add(clustered(more, 20, 9));
        index.add(clustered(more, 20, 9));
        same_everywhere();
      }
      mapped.remove(5);
      index.remove(5);
      REQUIRE(mapped.compact() == index.compact());
      same_everywhere();
      REQUIRE(copy.memory().codes == 0);
      std::filesystem::remove(dir / "a");
      embit::save(dir / "b", copy);
      REQUIRE(support::slurp(dir / "b") == written);
    }
}

TEST_CASE("a damaged file of lists that is mapped is refused or searched within bounds", "[ivf]") {
  const support::temp_dir dir(support::temp_dir::in_memory());
  const auto rows = clustered(60, 7, 1);
  embit::save(dir / "a", make(rows, 4, 1, metric::l2, 2));
  support::use_flipped(dir / "a", dir / "b", [&] {
    auto mapped = embit::load_mapped<rows_index>(dir / "b");
    for (const auto& n : mapped.search(rows.view().middle_rows(0, 2), 5)[0]) REQUIRE(n.id < 60);
    mapped.range_search(rows.view().middle_rows(0, 1), 20);
    mapped.compact();
    mapped.add(rows);
  });
}

TEST_CASE("an index of inverted lists says what it refuses", "[ivf]") {
  const auto rows = clustered(200, 8, 1);
  auto index = make(rows, 10, 1, metric::l2, 3);
  const auto cosine = make(rows, 10, 1, metric::cosine, 3);
  auto bad = rows;
  bad[3][4] = std::numeric_limits<float>::infinity();
  REQUIRE(support::code_of([&] { index.search(bad, 1); }) == embit::errc::not_finite);
  REQUIRE(support::code_of([&] { index.add(bad); }) == embit::errc::not_finite);
  REQUIRE(support::code_of([&] { index.search(matrix<float>(1, 9), 1); }) == embit::errc::shape);
  REQUIRE(support::code_of([&] { index.add(matrix<float>(1, 9)); }) == embit::errc::shape);
  REQUIRE(support::code_of([&] { index.search(rows, 0); }) == embit::errc::argument);
  REQUIRE(support::code_of([&] { index.set_probes(0); }) == embit::errc::argument);
  REQUIRE(support::code_of([&] { index.remove(200); }) == embit::errc::out_of_range);
  auto growing = cosine;
  REQUIRE(support::contains(support::refusal([&] { growing.add(matrix<float>(2, 8, 0.f)); }), "row 0 is zero"));
  REQUIRE(cosine.search(matrix<float>(1, 8, 0.f), 5)[0].size() == 5);
  // So far out that 16 bits do not hold its factors: nothing has changed then.
  matrix<float> far_out(1, 8, 1e12f);
  REQUIRE(support::code_of([&] { index.add(far_out); }) == embit::errc::not_finite);
  REQUIRE(index.rows() == 200);
  embit::rng rng{1};
  const auto spherical = embit::fit_k_means(rows, {.clusters = 4, .spherical = true}, rng);
  const auto coder = coder_for(8, 1, metric::l2);
  REQUIRE(support::code_of([&] { rows_index made(rows, spherical, coder); }) == embit::errc::argument);
  const auto cells = embit::fit_k_means(rows, {.clusters = 4}, rng);
  REQUIRE(support::code_of([&] { rows_index made(rows, cells, coder_for(9, 1, metric::l2)); }) == embit::errc::shape);
  REQUIRE(support::code_of([&] { rows_index made(rows, cells, coder, {.query_bits = 3}); }) == embit::errc::argument);
}

TEST_CASE("lists of levels ask each query its own filter", "[threads]") {
  const auto rows = clustered(1500, 20, 1), queries = clustered(37, 20, 2);
  const auto index = make(rows, 12, 3, metric::l2, 2);
  const auto sees = [](std::size_t query, row_id row) { return row * 2654435761u % 16 < query % 17; };
  std::vector<std::size_t> k(queries.size());
  std::vector<float> radii(queries.size());
  for (std::size_t q = 0; q < k.size(); ++q) {
    k[q] = 1 + q % 9;
    radii[q] = static_cast<float>(q);
  }
  const auto found = index.search(queries, std::span<const std::size_t>(k), sees);
  const auto within = index.range_search(queries, std::span<const float>(radii), sees);
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const auto mine = [&](row_id row) { return sees(q, row); };
    const auto one = queries.view().middle_rows(q, 1);
    const auto expected = index.search(one, 9, mine);  // as far as for the largest number of neighbours
    const auto near_by = index.range_search(one, radii[q], mine);
    REQUIRE(found[q].size() == std::min(k[q], expected[0].size()));
    for (std::size_t i = 0; i < found[q].size(); ++i) {
      CHECK(sees(q, found[q][i].id));
      CHECK(found[q][i].id == expected[0][i].id);
    }
    REQUIRE(within[q].size() == near_by[0].size());
  }
}
