// Exact search by tables against a scan of the same codes, one query at a time, in turns.
// Set EMBIT_BENCH_LARGE for 10 million codes as well.
// SPDX-License-Identifier: MIT
#include <embit/index/flat.hpp>
#include <embit/index/multi_index.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "support/code_data.hpp"
#include "support/measure.hpp"

namespace {

using bench::code_set;
using support::median;

template <class F>
double seconds(F&& f) {
  return support::seconds_of(support::timer::thread, f);
}

template <class Index>
double time_single(const Index& index, embit::code_view<> queries, std::size_t k,
                   embit::knn_result<std::uint32_t>& result) {
  return seconds([&] {
           for (std::size_t q = 0; q < queries.size(); ++q) index.search_into(queries.middle_rows(q, 1), k, result);
         }) /
         static_cast<double>(queries.size());
}

/// Microseconds a query of the tables and of the scan, and how many times faster the tables are.
template <class Layout>
void search(benchmark::State& state, const code_set& set, std::size_t k) {
  constexpr std::size_t query_count = 256, scanned_queries = 32;
  const auto [codes, queries] = set.make(query_count);
  const embit::flat_index flat{codes};
  const embit::multi_index<Layout> tables{codes};
  embit::knn_result<std::uint32_t> result;
  std::vector<double> scan_times, table_times;
  for (auto _ : state) {
    scan_times.push_back(time_single(flat, queries.view().middle_rows(0, scanned_queries), k, result));
    table_times.push_back(time_single(tables, queries, k, result));
    state.SetIterationTime(table_times.back());
  }
  embit::multi_index_statistics did;
  for (std::size_t q = 0; q < query_count; ++q)
    tables.search_into(queries.view().middle_rows(q, 1), k, result, embit::accept_all{}, &did);
  state.counters["scan_us"] = 1e6 * median(scan_times);
  state.counters["tables_us"] = 1e6 * median(table_times);
  state.counters["ratio"] = median(scan_times) / median(table_times);
  state.counters["substrings"] = static_cast<double>(tables.substrings());
  state.counters["lookups"] = static_cast<double>(did.lookups) / query_count;
  state.counters["candidates"] = static_cast<double>(did.candidates) / query_count;
  state.counters["survivors"] = static_cast<double>(did.survivors) / query_count;
  state.counters["bailed_out"] = static_cast<double>(did.bailed_out);
  state.counters["scanned"] = static_cast<double>(did.scanned);
  state.counters["bytes_beyond"] = static_cast<double>(tables.memory().tables) / static_cast<double>(set.size);
}

/// The whole batch at once: tables or scan, whichever the index chooses.
void search_batch(benchmark::State& state, const code_set& set) {
  const auto [codes, queries] = set.make(256);
  const embit::flat_index flat{codes};
  const embit::multi_index tables{codes};
  embit::knn_result<std::uint32_t> result;
  std::vector<double> scan_times, single_times, table_times;
  for (auto _ : state) {
    single_times.push_back(time_single(flat, queries.view().middle_rows(0, 32), 10, result));
    scan_times.push_back(seconds([&, &q = queries] { flat.search_into(q, 10, result); }));
    table_times.push_back(seconds([&, &q = queries] { tables.search_into(q, 10, result); }));
    state.SetIterationTime(table_times.back());
  }
  state.counters["scan_us"] = 1e6 * median(scan_times) / 256;
  state.counters["tables_us"] = 1e6 * median(table_times) / 256;
  state.counters["ratio"] = median(scan_times) / median(table_times);
  state.counters["ratio_to_single_scan"] = 256 * median(single_times) / median(table_times);
}

/// Every row within a radius, by tables that are chosen for it, of codes and of near copies of them.
void within(benchmark::State& state, const code_set& set, std::uint32_t radius) {
  constexpr std::size_t query_count = 256, scanned_queries = 32;
  auto made = set.make(query_count);
  const auto& codes = made.first;
  auto& queries = made.second;
  for (std::size_t q = 0; q < query_count; q += 2) {
    std::ranges::copy(codes[q * 97], queries.row(q).begin());
    queries.row(q)[0] ^= 5;
  }
  const embit::flat_index flat{codes};
  const embit::multi_index tables{codes, {.typical_radius = radius}};
  std::size_t hits = 0;
  const auto time = [&](const auto& index, std::size_t count) {
    return seconds([&] {
             for (std::size_t q = 0; q < count; ++q)
               hits += index.range_search(queries.view().middle_rows(q, 1), radius)[0].size();
           }) /
           static_cast<double>(count);
  };
  std::vector<double> scan_times, table_times;
  for (auto _ : state) {
    scan_times.push_back(time(flat, scanned_queries));
    table_times.push_back(time(tables, query_count));
    state.SetIterationTime(table_times.back());
  }
  benchmark::DoNotOptimize(hits);
  state.counters["scan_us"] = 1e6 * median(scan_times);
  state.counters["tables_us"] = 1e6 * median(table_times);
  state.counters["ratio"] = median(scan_times) / median(table_times);
  state.counters["substrings"] = static_cast<double>(tables.substrings());
}

/// Building all tables, and a least-significant-digit radix sort of the same keys with their rows.
void build(benchmark::State& state, const code_set& set) {
  const std::size_t n = set.size;
  const auto made = set.make(1);
  const embit::block_store<> store(made.first.view());
  std::vector<double> build_times, sort_times;
  std::size_t substrings = 0;
  for (auto _ : state) {
    build_times.push_back(seconds([&] { substrings = embit::multi_index{store}.substrings(); }));
    state.SetIterationTime(build_times.back());
    std::vector<std::uint64_t> pairs(n), other(n);
    for (std::size_t i = 0; i < n; ++i) pairs[i] = (made.first[i][0] & 0xffff) << 32 | i;
    sort_times.push_back(seconds([&] {
      for (const int shift : {32, 40}) {
        std::vector<std::size_t> next(257, 0);
        for (const auto p : pairs) ++next[(p >> shift & 255) + 1];
        for (std::size_t d = 0; d < 256; ++d) next[d + 1] += next[d];
        for (const auto p : pairs) other[next[p >> shift & 255]++] = p;
        pairs.swap(other);
      }
    }));
  }
  state.counters["seconds"] = median(build_times);
  state.counters["radix_sort_s"] = median(sort_times);
  state.counters["per_table_ratio"] = median(build_times) / static_cast<double>(substrings) / median(sort_times);
}

void add(const std::string& name, auto&& function) {
  benchmark::RegisterBenchmark(name.c_str(), function)->UseManualTime()->Unit(benchmark::kMicrosecond)->Iterations(9);
}

void add_all(const code_set& set) {
  for (const std::size_t k : {10u, 100u})
    add("search/" + set.name() + "/k" + std::to_string(k),
        [=](benchmark::State& s) { search<embit::inlined_codes>(s, set, k); });
  add("search_ids_only/" + set.name() + "/k10", [=](benchmark::State& s) { search<embit::ids_only>(s, set, 10); });
  for (const std::uint32_t radius : {3u, 8u, 16u})
    add("within/" + set.name() + "/r" + std::to_string(radius), [=](benchmark::State& s) { within(s, set, radius); });
  add("batch/" + set.name() + "/k10", [=](benchmark::State& s) { search_batch(s, set); });
  if (set.data == bench::code_data::clustered) add("build/" + set.name(), [=](benchmark::State& s) { build(s, set); });
}

}  // namespace

int main(int argc, char** argv) {
  for (const code_set& set : bench::code_sets()) add_all(set);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
