// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/io/npy.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/retrieve/fit_ivf.hpp>
#include <embit/retrieve/fit_ivf_transform.hpp>
#include <embit/retrieve/float_rerank.hpp>
#include <embit/retrieve/no_encoding.hpp>
#include <embit/retrieve/retriever.hpp>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>
#include <support/real_data.hpp>
#include <support/recall.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace {

using embit::fit_ivf, embit::matrix, embit::metric;

matrix<float> clustered(std::size_t n, std::size_t dim, std::uint64_t seed) {
  const auto points = support::normal_rows(60, dim, 7);
  auto rows = support::normal_rows(n, dim, seed);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < dim; ++j) rows[i][j] = 10 + 2 * points[i % 60][j] + .9f * rows[i][j];
  return rows;
}

// The share of the true 10 neighbours that a retriever finds.
template <class Retriever>
double recall_of(const Retriever& found_by, const matrix<float>& rows, const matrix<float>& queries, metric m) {
  const auto truth = embit::ground_truth(rows, queries, 10, {.metric = m});
  return support::recall(found_by.search(queries, 10), truth);
}

// Rows in a random order, the last of which are queries.
std::pair<matrix<float>, matrix<float>> parted(const matrix<float>& all, std::size_t queries) {
  embit::rng rng{11};
  std::vector<std::size_t> order(all.rows());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  embit::shuffle(std::span(order), rng);
  const std::size_t n = all.rows() - queries;
  std::pair<matrix<float>, matrix<float>> parts{matrix<float>(n, all.cols()), matrix<float>(queries, all.cols())};
  for (std::size_t i = 0; i < all.rows(); ++i)
    std::ranges::copy(all[order[i]], i < n ? parts.first[i].begin() : parts.second[i - n].begin());
  return parts;
}

}  // namespace

TEST_CASE("lists over floats are planned for a recall, which queries of the same kind get", "[ivf]") {
  // Of unit rows cosines and distances have one order.
  const auto rows = support::unit_rows(clustered(6000, 24, 1)), queries = support::unit_rows(clustered(500, 24, 2));
  for (const metric m : {metric::l2, metric::cosine})
    for (const double target : {.8, .97}) {
      embit::rng rng{3};
      auto index = fit_ivf(rows, {.metric = m, .lists = 80, .target_recall = target}, rng);
      REQUIRE(index.list_count() == 80);
      REQUIRE(index.candidates(10) >= 10);
      REQUIRE(index.candidates(20) == 2 * index.candidates(10));
      const auto curve = index.recall_at_probes();
      REQUIRE(!curve.empty());
      REQUIRE(std::ranges::is_sorted(curve, {}, &embit::recall_at_probe::probes));
      const auto planned = std::ranges::find(curve, index.probes(), &embit::recall_at_probe::probes);
      REQUIRE(planned != curve.end());
      REQUIRE(planned->recall >= target);
      const double expected = planned->recall;
      const embit::retriever found_by{embit::no_encoding{}, std::move(index), embit::float_rerank{rows}};
      REQUIRE(std::abs(recall_of(found_by, rows, queries, metric::l2) - expected) < .03);
    }
}

TEST_CASE("what is planned on real rows is what fresh ones get", "[ivf][real]") {
  EMBIT_NEEDS_REAL_DATA();
  const auto [rows, queries] = parted(embit::read_npy<float>(support::real_data("usps_11k/images_u8.npy")), 1000);
  for (const double target : {.9, .95, .99}) {
    embit::rng rng{1};
    const embit::retriever found_by{embit::no_encoding{}, fit_ivf(rows, {.target_recall = target}, rng),
                                    embit::float_rerank{rows}};
    const auto curve = found_by.index().recall_at_probes();
    const double planned = std::ranges::find(curve, found_by.index().probes(), &embit::recall_at_probe::probes)->recall;
    const double recall = recall_of(found_by, rows, queries, metric::l2);
    INFO("planned " << planned << ", found " << recall);
    CHECK(planned >= target);
    CHECK(std::abs(recall - planned) < .015);
  }
}

TEST_CASE("probes are planned anew on rows or on queries", "[ivf]") {
  const auto rows = clustered(3000, 24, 1), queries = clustered(300, 24, 2);
  embit::rng rng{3};
  auto index = fit_ivf(rows, {.lists = 60, .target_recall = .7}, rng);
  const std::size_t few = index.probes();
  embit::plan_probes(index, rows, .99, rng);
  REQUIRE(index.probes() > few);
  embit::plan_probes(index, rows, queries, .9);
  const double planned =
      std::ranges::find(index.recall_at_probes(), index.probes(), &embit::recall_at_probe::probes)->recall;
  REQUIRE(planned >= .9);
  const embit::retriever found_by{embit::no_encoding{}, index, embit::float_rerank{rows}};
  // What was measured, or more: as many lists are looked at as it takes to have the candidates.
  REQUIRE(recall_of(found_by, rows, queries, metric::l2) > planned - 1e-6);
  REQUIRE(support::code_of([&] { embit::plan_probes(index, queries, .9, rng); }) == embit::errc::argument);
  REQUIRE(support::code_of([&] { embit::plan_probes(index, rows, 0., rng); }) == embit::errc::argument);
}

TEST_CASE("what is planned by one search is what searches of so many lists find", "[ivf]") {
  const auto rows = clustered(4000, 24, 1), queries = clustered(150, 24, 2);
  const auto truth = embit::ground_truth(rows, queries, 10);
  embit::rng rng{3};
  auto index = fit_ivf(rows, {.lists = 100}, rng);
  for (const double target : {.5, .8, .95, 1.}) {
    embit::plan_probes(index, rows, queries, target);
    const std::size_t candidates = index.candidates(10);
    const auto curve = index.recall_at_probes();
    REQUIRE(std::ranges::is_sorted(curve, {}, &embit::recall_at_probe::probes));
    REQUIRE(std::ranges::is_sorted(curve, {}, &embit::recall_at_probe::recall));
    REQUIRE(curve.front().probes == 1);
    bool planned = false;
    for (const auto& point : curve) {
      const auto found = index.search_in_lists(queries, candidates, point.probes);
      std::size_t seen = 0;
      for (std::size_t q = 0; q < queries.rows(); ++q)
        for (const auto& n : truth[q])
          seen += std::ranges::find(found[q], n.id, &embit::neighbor<float>::id) != found[q].end();
      const double recall = static_cast<double>(seen) / static_cast<double>(10 * queries.rows());
      if (point.probes == index.probes()) {
        CHECK(point.recall == Approx(recall).margin(1e-9));
        planned = true;
      } else if (point.probes < index.probes()) {
        CHECK(point.recall <= recall + 1e-9);
      } else {
        CHECK(point.recall >= recall - 1e-9);
      }
    }
    CHECK(planned);
    if (target < 1) CHECK(std::ranges::find(curve, index.probes(), &embit::recall_at_probe::probes)->recall >= target);
  }
  // The lists of rows and those that a query looks at.
  const auto list_of = index.lists_of_rows();
  std::vector<std::size_t> sizes(index.list_count());
  for (const embit::row_id list : list_of) ++sizes[list];
  for (std::size_t list = 0; list < sizes.size(); ++list) CHECK(sizes[list] == index.list_size(list));
  const auto lists = index.nearest_lists(queries[0], 7);
  REQUIRE(lists.size() == 7);
  for (const auto& n : index.search_in_lists(queries.view().middle_rows(0, 1), 50, 7)[0])
    CHECK(std::ranges::find(lists, list_of[n.id]) != lists.end());
  CHECK(support::code_of([&] { index.nearest_lists(matrix<float>(1, 3)[0], 2); }) == embit::errc::shape);
}

TEST_CASE("rows that come keep their recall, and lists that no longer fit are found anew", "[ivf]") {
  const auto rows = clustered(3000, 24, 1), like = clustered(3000, 24, 8), queries = clustered(300, 24, 2);
  auto moved = clustered(3000, 24, 9);
  for (std::size_t i = 0; i < moved.rows(); ++i)
    for (std::size_t j = 0; j < 24; ++j) moved[i][j] += 12 * static_cast<float>(j % 2);
  embit::rng rng{3};
  const auto index = fit_ivf(rows, {.lists = 60, .target_recall = .95}, rng);  // twice as many rows need some more
  const auto both = [&](const matrix<float>& more) {
    matrix<float> all(6000, 24);
    std::ranges::copy(rows.values(), all.data());
    std::ranges::copy(more.values(), all[3000].data());
    return all;
  };
  const auto recall = [&](const auto& lists, const matrix<float>& all, const matrix<float>& asked) {
    return recall_of(embit::retriever{embit::no_encoding{}, lists, embit::float_rerank{all}}, all, asked, metric::l2);
  };
  auto grown = index, drifted = index;
  grown.add(like);
  CHECK(grown.drift() < 1.1);
  CHECK(recall(grown, both(like), queries) > .85);
  drifted.add(moved);
  CHECK(drifted.drift() > 1.5);
  CHECK(drifted.remove(7));
  const auto all = both(moved);
  embit::retrain(drifted, all, {.lists = 100, .target_recall = .9}, rng);
  CHECK(drifted.drift() == 1);
  CHECK(drifted.list_count() == 100);
  CHECK(drifted.rows() == 6000);
  CHECK(!drifted.contains(7));
  CHECK(drifted.size() == 5999);
  CHECK(recall(drifted, all, queries) > .85);
  for (const auto& n : drifted.search(all.view().middle_rows(7, 1), 20)[0]) CHECK(n.id != 7);
  drifted.compact();
  matrix<float> left(5999, 24);
  for (std::size_t i = 0; i < 5999; ++i) std::ranges::copy(all[i < 7 ? i : i + 1], left[i].begin());
  embit::retrain(drifted, left, {.lists = 100, .target_recall = .9}, rng);
  CHECK(drifted.generation() == 1);
  CHECK(support::code_of([&] { drifted.replace_lists(index); }) == embit::errc::argument);
  CHECK(support::code_of([&] { embit::retrain(drifted, rows, {}, rng); }) == embit::errc::argument);
  CHECK(support::code_of([&] { embit::retrain(drifted, matrix<float>(6000, 23), {}, rng); }) == embit::errc::shape);
}

TEST_CASE("lists of transform codes are planned as those of RaBitQ are", "[ivf]") {
  const auto rows = clustered(3000, 24, 1), queries = clustered(200, 24, 2);
  embit::rng rng{3};
  for (const metric m : {metric::l2, metric::inner_product, metric::cosine}) {
    CAPTURE(static_cast<int>(m));
    const auto index = embit::fit_ivf_transform(rows, {.metric = m, .lists = 60, .target_recall = .95}, rng);
    CHECK(index.coder().format().row_bytes() <= 3);
    const auto recall = [&](const auto& kernel) {
      const embit::retriever found_by{embit::no_encoding{}, index, embit::float_rerank{rows, kernel}};
      return recall_of(found_by, rows, queries, m);
    };
    if (m == metric::l2) CHECK(recall(embit::l2{}) > .9);
    if (m == metric::inner_product) CHECK(recall(embit::inner_product{}) > .9);
  }
  CHECK(support::code_of([&] { embit::fit_ivf_transform(rows, {.bits_per_dim = 9}, rng); }) == embit::errc::argument);
  CHECK(support::code_of([&] { embit::fit_ivf_transform(matrix<float>(0, 3), {}, rng); }) == embit::errc::argument);
}

TEST_CASE("a retriever without an encoder passes queries on, and is a file", "[ivf]") {
  const auto rows = clustered(2000, 16, 1);
  embit::rng rng{1};
  auto quantized = fit_ivf(rows, {.bits_per_dim = 2, .metric = metric::l2}, rng);
  const embit::retriever reranked{embit::no_encoding{}, std::move(quantized), embit::float_rerank{rows}};
  const auto found = reranked.search(rows, 5, {.candidates = 50});
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    REQUIRE(found[i][0].id == i);
    REQUIRE(found[i][0].distance == 0);
  }
  const embit::float_rerank by_product{rows, embit::inner_product{}};
  embit::rng again{1};
  const embit::retriever products{
      embit::no_encoding{}, fit_ivf(rows, {.metric = metric::inner_product, .target_recall = .9}, again), by_product};
  REQUIRE(recall_of(products, rows, clustered(200, 16, 5), metric::inner_product) > .8);
}

TEST_CASE("the same engine makes the same lists, and what is given is not planned", "[ivf]") {
  const auto rows = clustered(1500, 16, 1), queries = clustered(30, 16, 2);
  embit::rng a{4}, b{4};
  const embit::fit_ivf_options options{.lists = 30, .probes = 7, .candidates = 60};
  const auto one = fit_ivf(rows, options, a), other = fit_ivf(rows, options, b);
  REQUIRE(one.probes() == 7);
  REQUIRE(one.candidates(10) == 60);
  REQUIRE(one.recall_at_probes().empty());
  const auto found = one.search(queries, 9), same = other.search(queries, 9);
  for (std::size_t q = 0; q < queries.rows(); ++q)
    REQUIRE(std::vector(found[q].begin(), found[q].end()) == std::vector(same[q].begin(), same[q].end()));
  embit::rng c{4};
  const matrix<float> one_row(1, 5, 3.f);
  const auto lonely = fit_ivf(one_row, {}, c);
  REQUIRE(lonely.search(one_row, 3)[0].size() == 1);
}

TEST_CASE("fit_ivf says what it refuses", "[ivf]") {
  auto rows = clustered(50, 6, 1);
  embit::rng rng{1};
  const auto refused = [&](embit::fit_ivf_options options) {
    return support::refusal([&] { fit_ivf(rows, options, rng); });
  };
  REQUIRE(support::contains(refused({.lists = 51}), "argument: fit_ivf: 51 lists of 50 rows"));
  REQUIRE(support::contains(refused({.target_recall = 1.1}), "argument: target_recall: 1.1"));
  REQUIRE(support::contains(refused({.bits_per_dim = 9}), "argument"));
  REQUIRE(support::contains(refused({.query_bits = 15}), "argument: query_bits"));
  std::ranges::fill(rows[8], 0.f);
  REQUIRE(support::contains(refused({.metric = metric::cosine}), "argument: rows: row 8 is zero"));
  rows[9][0] = std::numeric_limits<float>::quiet_NaN();
  REQUIRE(support::contains(refused({}), "not_finite: rows: row 9"));
  REQUIRE(support::code_of([&] { fit_ivf(matrix<float>(0, 3), {}, rng); }) == embit::errc::argument);
}
