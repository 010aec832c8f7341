// Search by Tanimoto similarity: what the popcount bound gains over the plain scan of the same store, next to what the
// share of rows inside the bound would allow. Plain and bounded searches alternate; medians of CPU time are compared.
//
// Real fingerprints are read from EMBIT_DATA_DIR/hiv_fps; where it is unset only the synthetic case runs.
// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/npy.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/store/code_store.hpp>

#include <benchmark/benchmark.h>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

namespace {

using embit::code_store;
using embit::code_view;

code_store<> read_fingerprints(const std::string& path, std::size_t bits) {
  const auto bytes = embit::read_npy<std::uint8_t>(path);
  code_store<> codes(bytes.rows(), bits);
  for (std::size_t i = 0; i < bytes.rows(); ++i)
    for (std::size_t j = 0; j < bytes.cols(); ++j) codes.row(i)[j / 8] |= embit::word{bytes[i][j]} << j % 8 * 8;
  return codes;
}

// Of equal popcount: the bound skips nothing.
code_store<> equal_popcounts(std::size_t n, std::size_t bits) {
  embit::rng rng{1};
  code_store<> codes(n, bits);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t set = 0; set < bits / 8;) {
      const std::size_t bit = rng() % bits;
      embit::word& w = codes.row(i)[bit / 64];
      set += (w >> bit % 64 & 1) == 0;
      w |= embit::word{1} << bit % 64;
    }
  return codes;
}

struct fingerprints {
  code_store<> rows;
  embit::flat_index<embit::popcount_store<>, embit::jaccard> bounded;
  embit::flat_index<embit::popcount_store<>, embit::without_bound<embit::jaccard>> plain;

  explicit fingerprints(code_store<> codes) : rows(std::move(codes)), bounded(rows), plain(rows) {}
};

// `count` of the rows, evenly spread.
code_store<> sample(code_view<> rows, std::size_t count) {
  code_store<> queries(0, rows.bits());
  for (std::size_t i = 0; i < count; ++i) queries.append(rows.middle_rows(i * rows.size() / count, 1));
  return queries;
}

// What is asked of an index: the `k` nearest, or all within `radius` where k is 0; in batches of `batch` queries.
struct request {
  std::size_t k;
  float radius;
  std::size_t batch;
};

template <class Index>
double seconds(const Index& index, code_view<> queries, request r) {
  const std::clock_t start = std::clock();
  for (std::size_t q = 0; q < queries.size(); q += r.batch) {
    const auto part = queries.middle_rows(q, std::min(r.batch, queries.size() - q));
    if (r.k != 0)
      benchmark::DoNotOptimize(index.search(part, r.k).queries());
    else
      benchmark::DoNotOptimize(index.range_search(part, r.radius).total());
  }
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

// The share of (query, row) pairs whose popcounts allow the radius, or the score of the k-th neighbour.
double share_inside(const fingerprints& f, code_view<> queries, request r) {
  const embit::jaccard kernel;
  const auto found = f.bounded.search(queries, std::max<std::size_t>(r.k, 1));
  std::vector<std::uint32_t> sizes;
  for (std::size_t i = 0; i < f.rows.size(); ++i) sizes.push_back(kernel.prepare(f.rows[i]).size);
  std::size_t inside = 0;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const std::uint32_t size = kernel.prepare(queries[q]).size;
    const float limit = r.k != 0 ? found[q].back().distance : r.radius;
    for (const std::uint32_t s : sizes) inside += kernel.bound(size, s) >= limit;
  }
  return static_cast<double>(inside) / static_cast<double>(f.rows.size() * queries.size());
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void compare(benchmark::State& state, const fingerprints& f, request r) {
  std::vector<double> plain, bounded;
  const code_store<> queries = sample(f.rows, r.batch == 1 ? 100 : 1000);
  for (auto _ : state) {
    plain.push_back(seconds(f.plain, queries, r));
    bounded.push_back(seconds(f.bounded, queries, r));
    state.SetIterationTime(bounded.back());
  }
  const double allowed = 1 / share_inside(f, queries, r), gained = median(plain) / median(bounded);
  const double bytes = static_cast<double>(f.rows.size() * f.rows.words() * 8 * queries.size());
  state.counters["plain_GB/s"] = bytes / median(plain) * 1e-9;
  state.counters["us/query"] = median(bounded) * 1e6 / static_cast<double>(queries.size());
  state.counters["speedup"] = gained;
  state.counters["allowed"] = allowed;
  state.counters["reached"] = gained / allowed;
}

void add_cases(const std::string& name, std::shared_ptr<const fingerprints> f) {
  const auto add = [&](const std::string& what, request r) {
    for (const std::size_t batch : {std::size_t{1000}, std::size_t{1}}) {
      r.batch = batch;
      benchmark::RegisterBenchmark((name + "/" + what + "/batch:" + std::to_string(batch)).c_str(),
                                   [f, r](benchmark::State& state) { compare(state, *f, r); })
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond)
          ->Iterations(15);
    }
  };
  add("radius:.7", {0, .7f, 0});
  add("radius:.9", {0, .9f, 0});
  add("k:10", {10, 0, 0});
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (const char* data = std::getenv("EMBIT_DATA_DIR")) {
    const std::string folder = std::string(data) + "/hiv_fps/";
    add_cases("morgan_1024",
              std::make_shared<fingerprints>(read_fingerprints(folder + "morgan2_1024_packed_u8.npy", 1024)));
    add_cases("maccs_167", std::make_shared<fingerprints>(read_fingerprints(folder + "maccs167_packed_u8.npy", 167)));
  } else {
    std::puts("EMBIT_DATA_DIR is not set: no real fingerprints");
  }
  add_cases("equal_popcounts_1024", std::make_shared<fingerprints>(equal_popcounts(40000, 1024)));
  benchmark::RunSpecifiedBenchmarks();
}
