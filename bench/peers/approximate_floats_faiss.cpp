// Inverted lists over float rows against indexes of FAISS, and hnswlib's graph where it is installed: one query at a
// time, in turns, in one thread, each at its cheapest setting that has the recall, found on other queries of the same
// making. `--benchmark_filter` chooses; graphs take minutes to build.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/retrieve/fit_ivf.hpp>
#include <embit/retrieve/float_rerank.hpp>
#include <embit/retrieve/no_encoding.hpp>
#include <embit/retrieve/retriever.hpp>

#include <benchmark/benchmark.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexRefine.h>
#include <faiss/index_factory.h>
#include <omp.h>
#if __has_include(<hnswlib/hnswlib.h>)
#include <hnswlib/hnswlib.h>
#define BENCH_HNSWLIB 1
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../support/float_data.hpp"
#include "../support/measure.hpp"

namespace {

constexpr std::size_t k = 10;
using index_number = faiss::Index::idx_t;

/// A peer: what it takes to search one query at a setting, and its settings from cheap to dear.
struct peer {
  std::function<void(const float* query, index_number* ids)> search;
  std::vector<std::function<void()>> settings;
  double build_seconds = 0;
};

struct known_set {
  bench::float_set set;
  embit::knn_result<float> truth;
  embit::ivf_levels<embit::rabitq> lists;
  std::map<std::string, peer> peers;
};

known_set& set_of(const std::string& name) {
  static std::map<std::string, std::unique_ptr<known_set>> all;
  auto& found = all[name];
  if (!found) {
    bench::float_set set = name == "sift_made" ? bench::sift_made(200'000) : bench::manifold(1'000'000);
    auto truth = set.truth(k);
    embit::rng rng{1};
    auto lists = embit::fit_ivf(set.rows, {.lists = name == "sift_made" ? 512u : 2048u}, rng);
    found = std::make_unique<known_set>(known_set{std::move(set), std::move(truth), std::move(lists), {}});
  }
  return *found;
}

/// A description that `index_factory` takes, and what is tried of it.
peer faiss_peer(const bench::float_set& set, const std::string& description) {
  peer made;
  const std::shared_ptr<faiss::Index> index(
      faiss::index_factory(static_cast<int>(set.rows.cols()), description.c_str()));
  made.build_seconds = support::seconds_of(support::timer::thread, [&] {
    const auto n = static_cast<index_number>(set.rows.rows());
    index->train(n, set.rows.data());
    index->add(n, set.rows.data());
  });
  made.search = [index](const float* query, index_number* ids) {
    float distances[k];
    index->search(1, query, k, distances, ids);
  };
  auto* const refined = dynamic_cast<faiss::IndexRefine*>(index.get());
  auto* const lists = dynamic_cast<faiss::IndexIVF*>(refined != nullptr ? refined->base_index : index.get());
  auto* const graph = dynamic_cast<faiss::IndexHNSW*>(index.get());
  const std::vector<float> factors = refined != nullptr ? std::vector<float>{2, 4, 8, 16, 32} : std::vector<float>{1};
  for (double width = lists != nullptr ? 2 : 10; width < 2000; width = width * 1.25 + 1) {
    if (lists != nullptr && width > static_cast<double>(lists->nlist) / 2) break;
    for (const float factor : factors)
      made.settings.push_back([=] {
        if (lists != nullptr) lists->nprobe = static_cast<std::size_t>(width);
        if (refined != nullptr) refined->k_factor = factor;
        if (graph != nullptr) graph->hnsw.efSearch = static_cast<int>(width);
      });
  }
  return made;
}

#ifdef BENCH_HNSWLIB
peer hnswlib_peer(const bench::float_set& set) {
  peer made;
  const auto space = std::make_shared<hnswlib::L2Space>(set.rows.cols());
  const auto graph = std::make_shared<hnswlib::HierarchicalNSW<float>>(space.get(), set.rows.rows(), 16, 200);
  made.build_seconds = support::seconds_of(support::timer::thread, [&] {
    for (std::size_t i = 0; i < set.rows.rows(); ++i) graph->addPoint(set.rows[i].data(), i);
  });
  made.search = [graph, space](const float* query, index_number* ids) {
    auto best = graph->searchKnn(query, k);
    for (std::size_t i = 0; i < k; ++i, best.pop()) ids[i] = static_cast<index_number>(best.top().second);
  };
  for (double width = 10; width < 2000; width = width * 1.25 + 1)
    made.settings.push_back([=] { graph->setEf(static_cast<std::size_t>(width)); });
  return made;
}
#endif

peer& peer_of(known_set& known, const std::string& description) {
  const auto found = known.peers.find(description);
  if (found != known.peers.end()) return found->second;
#ifdef BENCH_HNSWLIB
  if (description == "hnswlib") return known.peers[description] = hnswlib_peer(known.set);
#endif
  return known.peers[description] = faiss_peer(known.set, description);
}

void search_all(const known_set& known, const peer& by, std::vector<index_number>& ids) {
  ids.resize(known.set.queries.rows() * k);
  for (std::size_t q = 0; q < known.set.queries.rows(); ++q) by.search(known.set.queries[q].data(), &ids[q * k]);
}

double recall(const known_set& known, const std::vector<index_number>& ids) {
  std::size_t seen = 0;
  for (std::size_t q = 0; q < known.set.queries.rows(); ++q)
    for (const auto& n : known.truth[q])
      seen += std::find(&ids[q * k], &ids[q * k] + k, static_cast<index_number>(n.id)) != &ids[q * k] + k;
  return static_cast<double>(seen) / static_cast<double>(ids.size());
}

/// Of all settings that have the recall, the one that took least.
void set_cheapest(const known_set& known, const peer& by, double target) {
  double least = std::numeric_limits<double>::infinity();
  const std::function<void()>* best = &by.settings.back();
  std::vector<index_number> ids;
  std::size_t in_vain = 0;
  for (const auto& setting : by.settings) {
    setting();
    const double seconds = support::seconds_of(support::timer::thread, [&] { search_all(known, by, ids); });
    if (seconds > 1.5 * least && ++in_vain > 10) break;
    if (seconds >= least || recall(known, ids) < target) continue;
    least = seconds;
    best = &setting;
  }
  (*best)();
}

void compare(benchmark::State& state, const std::string& name, const std::string& description, double target) {
  omp_set_num_threads(1);
  known_set& known = set_of(name);
  peer& theirs = peer_of(known, description);
  set_cheapest(known, theirs, target);
  embit::rng rng{2};
  embit::plan_probes(known.lists, known.set.rows, target, rng);
  const embit::retriever ours{embit::no_encoding{}, known.lists, embit::float_rerank{known.set.rows}};
  embit::knn_result<float> found;
  std::vector<index_number> ids, our_ids;
  const auto times = support::run_in_turn(
      state, support::timer::thread,
      [&] {
        our_ids.clear();
        for (std::size_t q = 0; q < known.set.queries.rows(); ++q) {
          ours.search_into(known.set.queries.view().middle_rows(q, 1), k, found);
          for (const auto& n : found[0]) our_ids.push_back(static_cast<index_number>(n.id));
        }
      },
      [&] { search_all(known, theirs, ids); });
  const double asked = static_cast<double>(known.set.queries.rows());
  state.counters["us"] = 1e6 * times.our_median() / asked;
  state.counters["their_us"] = 1e6 * times.their_median() / asked;
  state.counters["over_theirs"] = times.speedup();
  state.counters["recall"] = recall(known, our_ids);
  state.counters["their_recall"] = recall(known, ids);
  state.counters["their_build_s"] = theirs.build_seconds;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> sets{"manifold"};
  if (!bench::real_data("").empty()) sets.insert(sets.begin(), "sift_made");
  for (const std::string& set : sets) {
    const std::string lists = set == "sift_made" ? "IVF512" : "IVF2048";
    const std::string codes = set == "sift_made" ? "PQ64x4fs" : "PQ48x4fs";
    std::vector<std::string> peers{lists + "," + codes + ",RFlat", lists + ",Flat", "HNSW16"};
#ifdef BENCH_HNSWLIB
    peers.push_back("hnswlib");
#endif
    for (const std::string& by : peers)
      for (const double target : {.95, .98, .99})
        benchmark::RegisterBenchmark(
            (set + "/" + by + "/" + std::to_string(static_cast<int>(100 * target + .5))).c_str(),
            [=](benchmark::State& s) { compare(s, set, by, target); })
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond)
            ->Iterations(7);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
