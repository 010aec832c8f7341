// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/eval/metrics.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

using embit::tie_rule;
using embit::whole_ranking;

namespace {

bool near(double a, double b) { return std::abs(a - b) <= 1e-12; }

using list = std::vector<embit::neighbor<int>>;
using span = std::span<const embit::neighbor<int>>;

// A ranking of a few rows with many ties; row i has gain gains[i].
struct sample {
  list ranking;
  std::vector<double> gains;
};

sample random_sample(std::size_t n, std::size_t distances, embit::rng& rng) {
  sample s;
  for (std::size_t i = 0; i < n; ++i)
    s.ranking.push_back({static_cast<embit::row_id>(i), static_cast<int>(embit::uniform_index(rng, distances))});
  std::sort(s.ranking.begin(), s.ranking.end(), embit::neighbor_order<std::less<>>{});
  for (std::size_t i = 0; i < n + 3; ++i)  // three rows are in no list
    s.gains.push_back(std::max(0., double(embit::uniform_index(rng, 5)) - 2));
  return s;
}

// Every order of the rows that keeps distances sorted, and what `score` makes of them: the mean and the least.
template <class Score>
std::pair<double, double> over_all_orders(const list& ranking, Score&& score) {
  list order = ranking;
  const auto key = [](const auto& a, const auto& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.id < b.id;
  };
  std::vector<std::size_t> index(ranking.size());
  double sum = 0, least = INFINITY, count = 0;
  std::sort(order.begin(), order.end(), key);
  list permuted = order;
  std::sort(permuted.begin(), permuted.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  do {
    if (!std::is_sorted(permuted.begin(), permuted.end(),
                        [](const auto& a, const auto& b) { return a.distance < b.distance; }))
      continue;
    const double s = score(span(permuted));
    sum += s;
    least = std::min(least, s);
    ++count;
  } while (std::next_permutation(permuted.begin(), permuted.end(),
                                 [](const auto& a, const auto& b) { return a.id < b.id; }));
  return {sum / count, least};
}

// The definitions, over one order.
double brute_hits(span ranking, std::size_t r, const std::vector<double>& gains) {
  double hits = 0;
  for (std::size_t i = 0; i < std::min(r, ranking.size()); ++i) hits += gains[ranking[i].id] > 0;
  return hits;
}
double brute_average_precision(span ranking, std::size_t depth, const std::vector<double>& gains) {
  double sum = 0;
  for (std::size_t i = 0; i < std::min(depth, ranking.size()); ++i)
    if (gains[ranking[i].id] > 0) sum += brute_hits(ranking, i + 1, gains) / double(i + 1);
  const auto total =
      static_cast<std::size_t>(std::count_if(gains.begin(), gains.end(), [](double g) { return g > 0; }));
  return total == 0 ? 0 : sum / double(std::min(total, depth));
}
double brute_ndcg(span ranking, std::size_t r, std::vector<double> gains) {
  double sum = 0, best = 0;
  for (std::size_t i = 0; i < std::min(r, ranking.size()); ++i) sum += gains[ranking[i].id] / std::log2(double(i) + 2);
  std::sort(gains.begin(), gains.end(), std::greater<>{});
  for (std::size_t i = 0; i < std::min(r, gains.size()); ++i) best += gains[i] / std::log2(double(i) + 2);
  return best > 0 ? sum / best : 0;
}

}  // namespace

TEST_CASE("every metric is its definition under every tie rule") {
  embit::rng rng{1};
  for (int trial = 0; trial < 60; ++trial) {
    const std::size_t n = 1 + embit::uniform_index(rng, 6);
    const auto s = random_sample(n, 1 + embit::uniform_index(rng, 4), rng);
    const auto relevant = [&](embit::row_id id) { return s.gains[id] > 0; };
    const auto gain = [&](embit::row_id id) { return s.gains[id]; };
    const auto total =
        static_cast<std::size_t>(std::count_if(s.gains.begin(), s.gains.end(), [](double g) { return g > 0; }));
    const span ranking(s.ranking);
    for (const std::size_t r : {std::size_t{1}, std::size_t{2}, std::size_t{3}, n, n + 2}) {
      const auto check = [&](auto&& metric, auto&& brute) {
        const auto [mean, least] = over_all_orders(s.ranking, brute);
        CAPTURE(n, r, trial);
        REQUIRE(near(metric(tie_rule::by_row), brute(ranking)));
        REQUIRE(near(metric(tie_rule::expected), mean));
        REQUIRE(near(metric(tie_rule::pessimistic), least));
      };
      check([&](tie_rule t) { return embit::hits_at(ranking, r, relevant, t); },
            [&](span l) { return brute_hits(l, r, s.gains); });
      check([&](tie_rule t) { return embit::precision_at(ranking, r, relevant, t); },
            [&](span l) { return brute_hits(l, r, s.gains) / double(r); });
      check([&](tie_rule t) { return embit::recall_at(ranking, r, relevant, total, t); },
            [&](span l) { return total == 0 ? 0 : brute_hits(l, r, s.gains) / double(total); });
      check([&](tie_rule t) { return embit::average_precision(ranking, relevant, total, t, r); },
            [&](span l) { return brute_average_precision(l, r, s.gains); });
      check([&](tie_rule t) { return embit::average_precision(ranking, relevant, total, t); },
            [&](span l) { return brute_average_precision(l, whole_ranking, s.gains); });
      check([&](tie_rule t) { return embit::ndcg_at(ranking, r, gain, s.gains, t); },
            [&](span l) { return brute_ndcg(l, r, s.gains); });
    }
  }
}

TEST_CASE("metrics of nothing are 0 and of the ideal 1") {
  const list none, ideal{{3, 0}, {1, 1}, {0, 2}};
  const auto relevant = [](embit::row_id) { return true; };
  const std::vector<double> gains{1, 1, 1};
  REQUIRE(embit::precision_at(span(none), 5, relevant) == 0);
  REQUIRE(embit::recall_at(span(none), 5, relevant, 0) == 0);
  REQUIRE(embit::average_precision(span(none), relevant, 3) == 0);
  REQUIRE(embit::ndcg_at(span(none), 5, [](embit::row_id) { return 1.; }, {}) == 0);
  REQUIRE(embit::precision_at(span(ideal), 3, relevant) == 1);
  REQUIRE(embit::precision_at(span(ideal), 6, relevant) == .5);
  REQUIRE(embit::average_precision(span(ideal), relevant, 3) == 1);
  REQUIRE(embit::ndcg_at(
              span(ideal), 3, [](embit::row_id) { return 1.; }, gains) == 1);
  REQUIRE_THROWS_AS(embit::precision_at(span(ideal), 0, relevant), embit::error);
}

TEST_CASE("means over queries") {
  embit::knn_result<float> truth;
  embit::knn_result<unsigned> found;
  truth.reset(2, 2);
  found.reset(2, 4);
  const auto put = [](auto& result, std::size_t query, const std::vector<embit::row_id>& ids) {
    using neighbor_type = typename std::remove_reference_t<decltype(result)>::neighbor_type;
    std::vector<neighbor_type> list;
    for (std::size_t i = 0; i < ids.size(); ++i)
      list.push_back({ids[i], static_cast<decltype(neighbor_type::distance)>(i / 2)});
    result.assign(query, list);
  };
  put(truth, 0, {4, 5});
  put(truth, 1, {1});
  put(found, 0, {5, 0, 4, 2});
  put(found, 1, {0, 2, 3});
  REQUIRE(embit::mean_recall(truth, found, 2, 1) == .25);
  REQUIRE(embit::mean_recall(truth, found, 2, 3) == .5);
  REQUIRE(embit::mean_recall(truth, found, 1, 3) == .5);
  REQUIRE(embit::mean_recall(truth, found, 2, 1, tie_rule::expected) == .125);
  REQUIRE(embit::mean_recall(truth, found, 2, 1, tie_rule::pessimistic) == 0);
  REQUIRE(embit::mean_recall(truth, truth, 2, 2) == 1);

  const std::vector<int> row_labels{7, 7, 8, 8, 7, 8}, query_labels{7, 8};
  const std::span<const int> rows(row_labels), queries(query_labels);
  REQUIRE(near(embit::mean_precision(found, rows, queries, 2), (.5 + .5) / 2));
  REQUIRE(near(embit::mean_precision(found, rows, queries, 4), (.5 + .5) / 2));
  // Query 0: relevant ranks 2 (row 0) and 3 (row 4) of 3; query 1: ranks 2 and 3 of 3.
  REQUIRE(near(embit::mean_average_precision(found, rows, queries), (1. / 2 + 2. / 3) / 3));
  REQUIRE_THROWS_AS(embit::mean_precision(found, rows.first(4), queries, 2), embit::error);
  REQUIRE_THROWS_AS(embit::mean_precision(found, rows, queries.first(1), 2), embit::error);
  embit::knn_result<float> nobody;
  REQUIRE_THROWS_AS(embit::mean_recall(nobody, nobody, 1, 1), embit::error);
  REQUIRE_THROWS_AS(embit::mean_recall(truth, nobody, 1, 1), embit::error);
}
