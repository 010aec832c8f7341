// What a filter costs a search: predicates and bitsets that let a share of the rows through, against the same search
// without a filter, one query at a time, in turns. By a kernel that scans tiles and by one that is called row by row.
// Then a batch in which each query has a filter of its own beside the batch with one for all, and few allowed labels of
// many rows, as rows that are listed once and as a predicate.
// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/kernel/l2.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "support/measure.hpp"
#include "support/random_codes.hpp"

namespace {

constexpr std::size_t rows = 200'000, queries = 16, k = 10;
constexpr int shares[] = {1, 50, 99};  // in a hundred

/// A number below 100 for every row: a predicate reads it, as one that looks up a column of the user's does.
const std::vector<std::uint8_t>& column() {
  static const std::vector<std::uint8_t> values = [] {
    embit::rng rng{3};
    std::vector<std::uint8_t> v(rows);
    for (auto& x : v) x = static_cast<std::uint8_t>(embit::uniform_index(rng, 100));
    return v;
  }();
  return values;
}

template <class Filter>
void against_unfiltered(benchmark::State& state, const auto& index, const auto& asked, const Filter& filter) {
  embit::knn_result<typename std::remove_cvref_t<decltype(index)>::distance_type> found;
  const auto search = [&](const auto& chosen) {
    for (std::size_t q = 0; q < queries; ++q) index.search_into(asked.middle_rows(q, 1), k, found, chosen);
  };
  const auto times = support::run_in_turn(
      state, support::timer::thread, [&] { search(filter); }, [&] { search(embit::accept_all{}); });
  state.counters["us"] = 1e6 * times.our_median() / queries;
  state.counters["of_unfiltered"] = 1 / times.speedup();
}

template <class Index, class Asked>
void add(const std::string& name, const Index& index, const Asked& asked) {
  for (const int share : shares) {
    benchmark::RegisterBenchmark((name + "/predicate/" + std::to_string(share)).c_str(), [&index, asked,
                                                                                          share](auto& state) {
      const std::uint8_t* values = column().data();
      against_unfiltered(state, index, asked, [values, share](embit::row_id row) { return values[row] < share; });
    })->UseManualTime();
    benchmark::RegisterBenchmark((name + "/bitset/" + std::to_string(share)).c_str(), [&index, asked,
                                                                                       share](auto& state) {
      embit::row_bitset members(rows);
      for (std::size_t row = 0; row < rows; ++row) members.set(row, column()[row] < share);
      against_unfiltered(state, index, asked, members);
    })->UseManualTime();
  }
}

/// A batch whose queries each ask for another tenth of the rows, beside the batch that asks for one tenth.
void filter_of_each(benchmark::State& state, const embit::flat_index<>& index) {
  constexpr std::size_t batch = 256;
  const auto asked = support::random_codes(batch, 256, 5);
  const std::uint8_t* values = column().data();
  embit::knn_result<std::uint32_t> found;
  const auto times = support::run_in_turn(
      state, support::timer::thread,
      [&] {
        index.search_into(asked, k, found,
                          [values](std::size_t query, embit::row_id row) { return values[row] % 10 == query % 10; });
      },
      [&] { index.search_into(asked, k, found, [values](embit::row_id row) { return values[row] % 10 == 3; }); });
  state.counters["us"] = 1e6 * times.our_median() / batch;
  state.counters["of_one_filter"] = 1 / times.speedup();
}

/// A hundred allowed labels of a million rows.
void allowed_labels(benchmark::State& state) {
  constexpr std::size_t many = 1'000'000;
  std::vector<embit::row_label> labels(many), allowed(100);
  std::iota(labels.begin(), labels.end(), embit::row_label{1} << 33);
  for (std::size_t i = 0; i < allowed.size(); ++i) allowed[i] = labels[i * 9973];
  const embit::labelled_index index{embit::flat_index{support::random_codes(many, 64, 6)}, labels};
  const auto asked = support::random_codes(1, 64, 7);
  const auto times = support::run_in_turn(
      state, support::timer::thread,
      [&] {
        const auto rows_of_them = index.labels_to_rows(allowed);
        benchmark::DoNotOptimize(index.search(asked, k, embit::by_row{rows_of_them}));
      },
      [&] {
        benchmark::DoNotOptimize(
            index.search(asked, k, [&](embit::row_label label) { return std::ranges::binary_search(allowed, label); }));
      });
  state.counters["us"] = 1e6 * times.our_median();
  state.counters["of_a_predicate"] = 1 / times.speedup();
}

}  // namespace

int main(int argc, char** argv) {
  const embit::code_store<> codes = support::random_codes(rows, 256, 1), asked = support::random_codes(queries, 256, 2);
  embit::rng rng{4};
  embit::matrix<float> floats(rows, 32), float_queries(queries, 32);
  for (float& x : floats.values()) x = embit::normal(rng);
  for (float& x : float_queries.values()) x = embit::normal(rng);
  const embit::flat_index flat{codes};
  const embit::multi_index<> tables{codes, {.substrings = 16}};
  const embit::flat_index l2{floats.view(), embit::l2{}};
  add("flat_hamming", flat, asked.view());
  add("multi_index", tables, asked.view());
  add("flat_l2", l2, float_queries.view());
  benchmark::RegisterBenchmark("filter_of_each/256x200k", [&](auto& state) {
    filter_of_each(state, flat);
  })->UseManualTime();
  benchmark::RegisterBenchmark("allowed_labels/100of1M", allowed_labels)->UseManualTime();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
