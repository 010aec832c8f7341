// k-means of two levels against ten rounds of Lloyd over 256 rows a cluster: how many times as fast, and
// which share of the true 10 neighbours of fresh queries lies in the nearest clusters that together hold 1 % of the
// rows. Then what it takes to assign rows, and to find the nearest centroids of a query.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/linalg/k_means.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/float_data.hpp"
#include "support/measure.hpp"

namespace {

/// The share of the true neighbours in the nearest clusters that hold `budget` of the rows; a cluster that fits in part
/// counts not at all.
double share_near(const bench::float_set& set, const embit::knn_result<float>& truth, const embit::k_means& clusters,
                  double budget) {
  const auto numbers = clusters.assign(set.rows);
  std::vector<std::size_t> sizes(clusters.size());
  for (const auto& each : numbers) ++sizes[each.id];
  embit::k_means::workspace scratch;
  std::size_t seen = 0, all = 0;
  std::vector<char> reached(clusters.size());
  for (std::size_t q = 0; q < set.queries.rows(); ++q) {
    std::ranges::fill(reached, 0);
    double rows = 0;
    for (const auto& each : clusters.nearest(set.queries[q], clusters.size(), scratch)) {
      rows += static_cast<double>(sizes[each.id]);
      if (rows > budget * static_cast<double>(set.rows.rows())) break;
      reached[each.id] = 1;
    }
    for (const auto& neighbor : truth[q]) seen += static_cast<std::size_t>(reached[numbers[neighbor.id].id]);
    all += truth[q].size();
  }
  return static_cast<double>(seen) / static_cast<double>(all);
}

struct known_set {
  bench::float_set set;
  embit::knn_result<float> truth;
};

const known_set& set_of(const std::string& name) {
  static std::map<std::string, known_set> sets;
  auto found = sets.find(name);
  if (found == sets.end()) {
    known_set made{name == "sift_made" ? bench::sift_made(200'000) : bench::manifold(1'000'000), {}};
    made.truth = made.set.truth(10);
    found = sets.emplace(name, std::move(made)).first;
  }
  return found->second;
}

/// Ten rounds over 256 rows a cluster: once a set, since they take their time.
struct rounds_of_lloyd {
  embit::k_means clusters;
  double seconds, share;
};

const rounds_of_lloyd& lloyd_of(const std::string& name, std::size_t clusters) {
  static std::map<std::string, rounds_of_lloyd> all;
  auto found = all.find(name);
  if (found == all.end()) {
    const known_set& known = set_of(name);
    embit::rng rng{1};
    const double start = support::now(support::timer::thread);
    auto trained = embit::fit_k_means(
        known.set.rows, {.clusters = clusters, .rows_per_cluster = 256, .levels = 1, .iterations = 10}, rng);
    const double seconds = support::now(support::timer::thread) - start;
    const double share = share_near(known.set, known.truth, trained, .01);
    found = all.emplace(name, rounds_of_lloyd{std::move(trained), seconds, share}).first;
  }
  return found->second;
}

void train(benchmark::State& state, const std::string& name, std::size_t clusters, std::size_t rows_per_cluster) {
  const known_set& known = set_of(name);
  const rounds_of_lloyd& lloyd = lloyd_of(name, clusters);
  std::optional<embit::k_means> tree;
  std::vector<double> seconds;
  for (auto _ : state) {
    seconds.push_back(support::seconds_of(support::timer::thread, [&] {
      embit::rng rng{1};
      tree = embit::fit_k_means(known.set.rows,
                                {.clusters = clusters, .rows_per_cluster = rows_per_cluster, .levels = 2}, rng);
    }));
    state.SetIterationTime(seconds.back());
  }
  state.counters["seconds"] = support::median(seconds);
  state.counters["lloyd_seconds"] = lloyd.seconds;
  state.counters["speedup"] = lloyd.seconds / support::median(seconds);
  state.counters["share"] = share_near(known.set, known.truth, *tree, .01);
  state.counters["lloyd_share"] = lloyd.share;
}

void use(benchmark::State& state, const std::string& name, std::size_t clusters, std::size_t count) {
  const known_set& known = set_of(name);
  embit::rng rng{1};
  const auto found = embit::fit_k_means(known.set.rows, {.clusters = clusters}, rng);
  embit::k_means::workspace scratch;
  const auto some = known.set.rows.view().middle_rows(0, 20'000);
  const auto times = support::run_in_turn(
      state, support::timer::thread, [&] { benchmark::DoNotOptimize(found.assign(some).data()); },
      [&] {
        for (std::size_t q = 0; q < known.set.queries.rows(); ++q)
          benchmark::DoNotOptimize(found.nearest(known.set.queries[q], count, scratch).data());
      });
  state.counters["us_a_row"] = 1e6 * times.our_median() / static_cast<double>(some.rows());
  state.counters["us_a_query"] = 1e6 * times.their_median() / static_cast<double>(known.set.queries.rows());
}

}  // namespace

int main(int argc, char** argv) {
  const auto add = [](const std::string& name, auto work) {
    benchmark::RegisterBenchmark(name.c_str(), work)->UseManualTime()->Unit(benchmark::kMillisecond);
  };
  for (const std::size_t rows : {64u, 128u, 256u}) {
    if (!bench::real_data("").empty())
      add("train/sift_made/200k/1024clusters/" + std::to_string(rows) + "rows",
          [=](auto& state) { train(state, "sift_made", 1024, rows); });
    add("train/manifold/1M/2048clusters/" + std::to_string(rows) + "rows",
        [=](auto& state) { train(state, "manifold", 2048, rows); });
  }
  for (const std::size_t count : {16u, 64u, 256u}) {
    if (!bench::real_data("").empty())
      add("use/sift_made/512clusters/" + std::to_string(count) + "nearest",
          [=](auto& state) { use(state, "sift_made", 512, count); });
    add("use/manifold/2048clusters/" + std::to_string(count) + "nearest",
        [=](auto& state) { use(state, "manifold", 2048, count); });
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
