// Inverted lists over float rows with candidates scored again, planned for recalls from .8 to .99: what one query takes
// alone and in a batch of 1000, the recall that was planned, and what fresh queries get. --benchmark_format=csv prints
// it for a table.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/retrieve/fit_ivf.hpp>
#include <embit/retrieve/float_rerank.hpp>
#include <embit/retrieve/no_encoding.hpp>
#include <embit/retrieve/retriever.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/float_data.hpp"
#include "support/measure.hpp"

namespace {

/// A set, its truth and its index, made once.
struct searched_set {
  bench::float_set set;
  embit::knn_result<float> truth;
  embit::ivf_levels<embit::rabitq> index;
  double fit_seconds;
};

using maker = std::function<bench::float_set()>;

searched_set& set_of(const std::string& name, const maker& make, std::size_t lists) {
  static std::map<std::string, std::unique_ptr<searched_set>> all;
  auto& found = all[name];
  if (!found) {
    bench::float_set set = make();
    embit::rng rng{1};
    std::optional<embit::ivf_levels<embit::rabitq>> index;
    const double seconds = support::seconds_of(
        support::timer::thread, [&] { index = embit::fit_ivf(set.rows, {.metric = set.metric, .lists = lists}, rng); });
    auto truth = set.truth(10);
    found = std::make_unique<searched_set>(searched_set{std::move(set), std::move(truth), std::move(*index), seconds});
  }
  return *found;
}

template <class Score>
double recall(const embit::knn_result<Score>& found, const embit::knn_result<float>& truth, std::size_t first) {
  std::size_t seen = 0;
  for (std::size_t q = 0; q < found.queries(); ++q)
    for (const auto& each : truth[first + q])
      seen += std::ranges::any_of(found[q], [&](const auto& n) { return n.id == each.id; });
  return static_cast<double>(seen);
}

template <class K>
void search(benchmark::State& state, searched_set& s, K kernel, double target) {
  embit::rng rng{2};
  const double plan_seconds =
      support::seconds_of(support::timer::thread, [&] { embit::plan_probes(s.index, s.set.rows, target, rng); });
  const embit::retriever found_by{embit::no_encoding{}, s.index, embit::float_rerank{s.set.rows, kernel}};
  const auto queries = s.set.queries.view();
  embit::knn_result<typename decltype(found_by)::score_type> found;
  const auto times = support::run_in_turn(
      state, support::timer::thread,
      [&] {
        for (std::size_t q = 0; q < queries.rows(); ++q) found_by.search_into(queries.middle_rows(q, 1), 10, found);
      },
      [&] { found_by.search_into(queries, 10, found); });
  const auto& index = found_by.index();
  const double asked = static_cast<double>(queries.rows());
  state.counters["us"] = 1e6 * times.our_median() / asked;
  state.counters["batch_us"] = 1e6 * times.their_median() / asked;
  state.counters["planned"] =
      std::ranges::find(index.recall_at_probes(), index.probes(), &embit::recall_at_probe::probes)->recall;
  state.counters["recall"] = recall(found, s.truth, 0) / (10 * asked);
  state.counters["lists"] = static_cast<double>(index.list_count());
  state.counters["probes"] = static_cast<double>(index.probes());
  state.counters["candidates"] = static_cast<double>(index.candidates(10));
  state.counters["fit_s"] = s.fit_seconds;
  state.counters["plan_s"] = plan_seconds;
  state.counters["bytes_a_row"] = static_cast<double>(index.memory().total()) / static_cast<double>(index.rows());
}

template <class K>
void add(const std::string& name, maker make, std::size_t lists, K kernel) {
  for (const double target : {.8, .9, .95, .98, .99})
    benchmark::RegisterBenchmark((name + "/" + std::to_string(static_cast<int>(100 * target + .5))).c_str(),
                                 [=](auto& state) { search(state, set_of(name, make, lists), kernel, target); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
}

}  // namespace

int main(int argc, char** argv) {
  if (!bench::real_data("").empty()) {
    add(
        "sift_made/200k", [] { return bench::sift_made(200'000); }, 512, embit::l2{});
    add(
        "usps_11k", [] { return bench::real_rows("usps", "usps_11k/images_u8.npy"); }, 0, embit::l2{});
    add(
        "minilm_squad2k", [] { return bench::real_rows("minilm", "minilm_squad2k/emb_f32.npy"); }, 0, embit::l2{});
    add(
        "movie_mf59k",
        [] { return bench::real_rows("movie", "movie_mf59k/emb_f32.npy", embit::metric::inner_product); }, 0,
        embit::inner_product{});
  }
  add(
      "manifold/1M", [] { return bench::manifold(1'000'000); }, 2048, embit::l2{});
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
