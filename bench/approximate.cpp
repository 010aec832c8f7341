// Approximate search of a million codes, one query at a time: what each recall costs with inverted lists, tables of
// keys and tables of substrings, beside a scan; as CSV too where EMBIT_BENCH_CSV names a file.
// SPDX-License-Identifier: MIT
#include <embit/index/flat.hpp>
#include <embit/index/ivf.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "support/code_data.hpp"
#include "support/measure.hpp"
#include "support/searched.hpp"

namespace {

using bench::code_set;

constexpr std::size_t k = 10;

/// One set of codes at a time, and the lists that all recalls are measured with.
struct searched_set {
  static constexpr std::size_t query_count = 1000, batch = 1000;

  code_set set;
  std::pair<embit::code_store<>, embit::code_store<>> made;
  embit::flat_index<> flat;
  embit::knn_result<std::uint32_t> exact;
  double build_seconds = 0;
  std::unique_ptr<const embit::ivf_index<>> lists;

  explicit searched_set(const code_set& s)
      : set(s), made(s.make(query_count)), flat(made.first), exact(flat.search(made.second, k)) {
    embit::rng rng{7};
    build_seconds = support::seconds_of(support::timer::thread, [&] {
      lists = std::make_unique<embit::ivf_index<>>(made.first, embit::ivf_options{}, rng);
    });
  }
};

void report(benchmark::State& state, const searched_set& s, const std::string& index, double recall, double us,
            double bytes) {
  state.counters["recall"] = recall;
  state.counters["us"] = us;
  state.counters["bytes_beyond"] = bytes / static_cast<double>(s.set.size);
  static std::FILE* const csv = [] {
    const char* name = std::getenv("EMBIT_BENCH_CSV");
    std::FILE* file = name != nullptr ? std::fopen(name, "w") : nullptr;
    if (file != nullptr) std::fprintf(file, "set,index,recall,us\n");
    return file;
  }();
  if (csv == nullptr) return;
  std::fprintf(csv, "%s,%s,%.4f,%.3f\n", s.set.name().c_str(), index.c_str(), recall, us);
  std::fflush(csv);
}

/// `search(first, count, result)` in turn with the same for the scan.
template <class Search>
double microseconds(benchmark::State& state, const searched_set& s, std::size_t batch, const Search& search) {
  embit::knn_result<std::uint32_t> found;
  const embit::code_view<> queries = s.made.second;
  constexpr std::size_t scanned = 50;
  const auto times = support::run_in_turn(
      state, support::timer::thread,
      [&] {
        for (std::size_t q = 0; q < queries.size(); q += batch) search(queries.middle_rows(q, batch), found);
      },
      [&] {
        for (std::size_t q = 0; q < scanned; ++q) s.flat.search_into(queries.middle_rows(q, 1), k, found);
      });
  state.counters["scan_over"] = times.speedup() * static_cast<double>(queries.size()) / scanned;
  return 1e6 * times.our_median() / static_cast<double>(queries.size());
}

/// As many probes as are planned for a recall.
void by_lists(benchmark::State& state, const code_set& set, double target, std::size_t batch) {
  const searched_set& s = bench::made_of<searched_set>(set);
  const auto& curve = s.lists->recall_at_probes();
  auto point = curve.back();
  for (auto p = curve.rbegin(); p != curve.rend() && p->recall >= target; ++p) point = *p;
  const double us = microseconds(state, s, batch, [&](embit::code_view<> some, auto& found) {
    s.lists->search_into({some, point.probes}, k, found);
  });
  const double recall = bench::share_found(s.lists->search({s.made.second, point.probes}, k), s.exact);
  report(state, s, "ivf", recall, us, static_cast<double>(s.lists->memory().tables));
  state.counters["planned"] = point.recall;
  state.counters["probes"] = static_cast<double>(point.probes);
  state.counters["build_s"] = s.build_seconds;
}

void by_keys(benchmark::State& state, const code_set& set, double target) {
  const searched_set& s = bench::made_of<searched_set>(set);
  embit::lsh_table<> table{s.made.first, {.tables = set.bits / 16, .bits = 16}};
  std::size_t probes = 1;
  double recall = 0;
  while ((recall = bench::share_found(table.search({s.made.second, probes}, k), s.exact)) < target && probes < 1000)
    probes += (probes + 3) / 4;
  const double us = microseconds(state, s, 1, [&](embit::code_view<> some, auto& found) {
    table.search_into({some, probes}, k, found);
  });
  report(state, s, "lsh_table", recall, us, static_cast<double>(table.memory().tables));
}

void by_substrings(benchmark::State& state, const code_set& set) {
  const searched_set& s = bench::made_of<searched_set>(set);
  const embit::multi_index tables{s.made.first};
  const double us =
      microseconds(state, s, 1, [&](embit::code_view<> some, auto& found) { tables.search_into(some, k, found); });
  report(state, s, "multi_index", 1, us, static_cast<double>(tables.memory().tables));
}

void add(const std::string& name, const auto& run) {
  benchmark::RegisterBenchmark(name.c_str(), run)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(5);
}

}  // namespace

int main(int argc, char** argv) {
  for (const code_set& set : bench::code_sets()) {
    if (set.data == bench::code_data::uniform) continue;  // there is no neighbourhood to find
    for (const double target : {.8, .9, .95, .98, .99})
      for (const std::size_t batch : {std::size_t{1}, searched_set::batch})
        add("lists/" + set.name() + "/" + std::to_string(target).substr(0, 4) + "/batch:" + std::to_string(batch),
            [=](benchmark::State& s) { by_lists(s, set, target, batch); });
    for (const double target : {.95, .99})
      add("keys/" + set.name() + "/" + std::to_string(target).substr(0, 4),
          [=](benchmark::State& s) { by_keys(s, set, target); });
    add("substrings/" + set.name(), [=](benchmark::State& s) { by_substrings(s, set); });
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
