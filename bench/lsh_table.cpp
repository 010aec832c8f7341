// Approximate search through tables of keys against a scan of the same codes, one query at a time, in turns: at recalls
// that are reached by probes, and at those that were planned for.
// SPDX-License-Identifier: MIT
#include <embit/encode/sign_lsh.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/plan_lsh.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "support/code_data.hpp"
#include "support/measure.hpp"
#include "support/searched.hpp"

namespace {

using bench::code_set;

constexpr std::size_t k = 10;

/// Times an index and a scan, query after query, in turns.
void compare(benchmark::State& state, const auto& search, const auto& flat, embit::code_view<> queries) {
  embit::knn_result<std::uint32_t> found;
  const auto times = support::run_in_turn(
      state, support::timer::thread,
      [&] {
        for (std::size_t q = 0; q < queries.size(); ++q) search(q, found);
      },
      [&] {
        for (std::size_t q = 0; q < queries.size(); ++q) flat.search_into(queries.middle_rows(q, 1), k, found);
      });
  const double count = static_cast<double>(queries.size());
  state.counters["table_us"] = 1e6 * times.our_median() / count;
  state.counters["scan_us"] = 1e6 * times.their_median() / count;
  state.counters["ratio"] = times.speedup();
}

/// One set of codes at a time, with what is asked of all recalls.
struct searched_set {
  static constexpr std::size_t key_bits = 16, query_count = 64;

  code_set set;
  std::pair<embit::code_store<>, embit::code_store<>> made;
  embit::flat_index<> flat;
  embit::lsh_table<> table;
  embit::knn_result<std::uint32_t> exact;

  explicit searched_set(const code_set& s)
      : set(s),
        made(s.make(query_count)),
        flat(made.first),
        table(made.first, {.tables = s.bits / key_bits, .bits = key_bits}),
        exact(flat.search(made.second, k)) {}

  /// The share of the k nearest that are found.
  double recall(std::size_t probes, embit::lsh_statistics& did) const {
    return bench::share_found(table.search({made.second, probes}, k, embit::accept_all{}, &did), exact);
  }
};

/// As many probes as a recall takes, a quarter more each time.
void at_recall(benchmark::State& state, const code_set& set, double target) {
  const searched_set& s = bench::made_of<searched_set>(set);
  std::size_t probes = 1;
  embit::lsh_statistics did;
  double recall = s.recall(probes, did);
  while (recall < target && probes < std::size_t{1} << searched_set::key_bits) {
    probes += (probes + 3) / 4;
    did = {};
    recall = s.recall(probes, did);
  }
  const embit::code_view<> queries = s.made.second;
  compare(
      state,
      [&](std::size_t q, auto& found) {
        s.table.search_into({queries.middle_rows(q, 1), probes}, k, found);
      },
      s.flat, queries);
  state.counters["recall"] = recall;
  state.counters["probes"] = static_cast<double>(probes);
  state.counters["candidates"] = static_cast<double>(did.candidates) / searched_set::query_count;
  state.counters["bytes_beyond"] = static_cast<double>(s.table.memory().tables) / static_cast<double>(set.size);
}

/// Random unit rows of which row q is at `angle` from query q.
struct planted_rows {
  static constexpr std::size_t dim = 64, count = 200'000, query_count = 1000;
  embit::matrix<float> rows, queries;

  explicit planted_rows(double angle) : rows(random_units(count, 1)), queries(random_units(query_count, 2)) {
    for (std::size_t q = 0; q < query_count; ++q) {
      float along = 0, square = 0;
      for (std::size_t j = 0; j < dim; ++j) along += rows[q][j] * queries[q][j];
      for (std::size_t j = 0; j < dim; ++j) rows[q][j] -= along * queries[q][j];
      for (const float x : rows[q]) square += x * x;
      const float across = static_cast<float>(std::sin(angle)) / std::sqrt(square);
      for (std::size_t j = 0; j < dim; ++j)
        rows[q][j] = static_cast<float>(std::cos(angle)) * queries[q][j] + across * rows[q][j];
    }
  }

  static embit::matrix<float> random_units(std::size_t n, std::uint64_t seed) {
    embit::rng rng{seed};
    embit::matrix<float> m(n, dim);
    for (std::size_t i = 0; i < n; ++i) {
      float square = 0;
      for (float& x : m[i]) {
        x = embit::normal(rng);
        square += x * x;
      }
      for (float& x : m[i]) x /= std::sqrt(square);
    }
    return m;
  }
};

/// A table of hashed rows as a plan says, and what it finds.
struct planned_table {
  embit::code_store<> codes, queries;
  embit::matrix<float> margins;
  embit::lsh_table<> table;

  planned_table(const planted_rows& data, const embit::lsh_plan& plan, std::uint64_t seed)
      : planned_table(data, plan, hasher(plan, seed)) {}

  static embit::sign_projection hasher(const embit::lsh_plan& plan, std::uint64_t seed) {
    embit::rng rng{seed};
    return embit::sign_lsh({.dim = planted_rows::dim, .bits = plan.tables * plan.bits}, rng);
  }

  auto asking(std::size_t first, std::size_t count, bool with_margins) const {
    const auto some = queries.view().middle_rows(first, count);
    return with_margins ? embit::lsh_table<>::query_view(some, margins.view().middle_rows(first, count))
                        : embit::lsh_table<>::query_view(some);
  }

  /// The share of the planted rows that are candidates.
  double recall(bool with_margins) const {
    const auto is_planted = [](embit::row_id row) { return row < planted_rows::query_count; };
    const auto found = table.search(asking(0, queries.size(), with_margins), queries.size(), is_planted);
    std::size_t hits = 0;
    for (std::size_t q = 0; q < found.queries(); ++q)
      hits += std::any_of(found[q].begin(), found[q].end(), [q](const auto& n) { return n.id == q; });
    return static_cast<double>(hits) / static_cast<double>(found.queries());
  }

 private:
  planned_table(const planted_rows& data, const embit::lsh_plan& plan, const embit::sign_projection& lsh)
      : codes(lsh.encode(data.rows)),
        queries(lsh.encode(data.queries)),
        margins(lsh.margins(data.queries)),
        table(codes, {.tables = plan.tables, .bits = plan.bits, .probes = plan.probes}) {}
};

/// Tables as `plan_lsh` says: the recall of rows at an angle, as a mean over hashers, and the times of one.
void planned(benchmark::State& state, double target, bool multiprobe, bool margins) {
  constexpr double angle = 0.6;
  static const planted_rows data(angle);
  embit::plan_lsh_options asked{.rows = planted_rows::count,
                                .target_recall = target,
                                .angle = angle,
                                .spread = 1 / std::sqrt(double{planted_rows::dim})};
  if (!multiprobe) {
    asked.max_tables = 256;
    asked.max_probes = 1;
  }
  const auto plan = embit::plan_lsh(asked);
  const planned_table one(data, plan, 3);
  constexpr std::size_t hashers = 4;
  double recall = one.recall(margins) / hashers;
  for (std::size_t seed = 4; seed < 3 + hashers; ++seed)
    recall += planned_table(data, plan, seed).recall(margins) / hashers;
  embit::lsh_statistics did;
  (void)one.table.search(one.asking(0, one.queries.size(), margins), k, embit::accept_all{}, &did);

  constexpr std::size_t timed = 100;
  compare(
      state, [&](std::size_t q, auto& found) { one.table.search_into(one.asking(q, 1, margins), k, found); },
      embit::flat_index{one.codes}, one.queries.view().middle_rows(0, timed));
  state.counters["planned"] = plan.expected_recall;
  state.counters["recall"] = recall;
  state.counters["tables"] = static_cast<double>(plan.tables);
  state.counters["bits"] = static_cast<double>(plan.bits);
  state.counters["probes"] = static_cast<double>(plan.probes);
  state.counters["candidates"] = static_cast<double>(did.candidates) / static_cast<double>(one.queries.size());
}

void add(const std::string& name, auto&& function) {
  benchmark::RegisterBenchmark(name.c_str(), function)->UseManualTime()->Unit(benchmark::kMicrosecond)->Iterations(5);
}

}  // namespace

int main(int argc, char** argv) {
  const auto percent = [](double share) { return std::to_string(static_cast<int>(std::lround(100 * share))); };
  for (const code_set& set : bench::code_sets())
    for (const double target : {.5, .8, .9, .95, .99})
      add("recall/" + set.name() + "/" + percent(target), [=](benchmark::State& s) { at_recall(s, set, target); });
  for (const double target : {.5, .7, .8, .9, .95}) {
    add("planned/" + percent(target), [=](benchmark::State& s) { planned(s, target, true, false); });
    add("planned_margins/" + percent(target), [=](benchmark::State& s) { planned(s, target, true, true); });
  }
  add("planned_plain/90", [=](benchmark::State& s) { planned(s, .9, false, false); });
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
