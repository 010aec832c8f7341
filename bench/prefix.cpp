// Funnels over nested codes against a scan of all bits: what share of its time they take, and of its neighbours they
// find, on queries that the plan has not seen. Funnel and scan run in turn, by CPU time of the thread; "speedup" is the
// median time of the scan over that of the funnel.
//
//   bench_prefix --benchmark_filter='64,128,256/0.98'
//
// Names: data / bits / rows / widths of the index / recall that was asked for / queries at a time.
// SPDX-License-Identifier: MIT
#include <embit/index/flat.hpp>
#include <embit/index/plan_funnel.hpp>
#include <embit/index/prefix_index.hpp>
#include <embit/search/recall_by_distance.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "support/code_data.hpp"
#include "support/measure.hpp"

namespace {

constexpr std::size_t rows = 1'000'000, bits = 256, k = 10, planned_by = 800, asked = 300;

struct searched {
  std::pair<embit::code_store<>, embit::code_store<>> codes;
  embit::flat_index<> flat;
  std::map<std::vector<std::size_t>, embit::prefix_index<>> nested;

  explicit searched(bench::code_data data)
      : codes(bench::make_codes(data, rows, planned_by + asked, bits)), flat(codes.first) {}
  const embit::prefix_index<>& index(const std::vector<std::size_t>& widths) {
    return nested.try_emplace(widths, codes.first, widths).first->second;
  }
  embit::code_view<> sample() const { return codes.second.view().middle_rows(0, planned_by); }
  embit::code_view<> queries() const { return codes.second.view().middle_rows(planned_by, asked); }
};

searched& codes_of(bench::code_data data) {
  static std::map<bench::code_data, searched> all;
  return all.try_emplace(data, data).first->second;
}

void measure(benchmark::State& state, bench::code_data data, const std::vector<std::size_t>& widths, double target,
             std::size_t batch) {
  searched& codes = codes_of(data);
  const auto& index = codes.index(widths);
  embit::rng rng{1};
  const auto plan = embit::plan_funnel(index, codes.sample(), {.target_recall = target, .k = k}, rng);
  const auto queries = codes.queries();
  embit::knn_result<std::uint32_t> found;
  const auto each = [&](auto&& search) {
    for (std::size_t first = 0; first < asked; first += batch)
      search(queries.middle_rows(first, std::min(batch, asked - first)));
  };
  const auto times = support::run_in_turn(
      state, support::timer::thread, [&] { each([&](auto part) {
                                             index.search_into({part, plan.steps}, k, found);
                                           }); },
      [&] { each([&](auto part) { codes.flat.search_into(part, k, found); }); });
  state.counters["us"] = 1e6 * times.our_median() / asked;
  state.counters["speedup"] = times.speedup();
  state.counters["planned"] = plan.recall;
  state.counters["recall"] =
      embit::detail::recall_by_distance(index.search(queries, k, plan.steps), codes.flat.search(queries, k));
  std::string steps;
  for (const auto& [width, keep] : plan.steps) steps += "{" + std::to_string(width) + "," + std::to_string(keep) + "}";
  state.SetLabel(steps.empty() ? "all bits" : steps);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::vector<std::size_t>> cuts{{64, 128}, {32, 64, 128}};
  for (const auto data : {bench::code_data::clustered, bench::code_data::hashed})
    for (const auto& widths : cuts)
      for (const auto& [target, name] : {std::pair{.9, "0.90"}, {.95, "0.95"}, {.98, "0.98"}})
        for (const std::size_t batch : {1u, 60u}) {
          std::string cut;
          for (const std::size_t width : widths) cut += std::to_string(width) + ",";
          const std::string full = "prefix/" + std::string(bench::name_of(data)) + "/256/1M/" + cut + "256/" + name +
                                   "/" + std::to_string(batch) + "queries";
          benchmark::RegisterBenchmark(full.c_str(), [=, t = target](auto& state) {
            measure(state, data, widths, t, batch);
          })->UseManualTime();
        }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
