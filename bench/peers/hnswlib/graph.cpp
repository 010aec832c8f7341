// A graph with the codes of neighbours beside each vertex against hnswlib and against our inverted lists, on a million
// rows of a curved manifold (or as many as --rows says): each with the fewest candidates, or the probes, that find .95,
// .98 and .99 of the true 10 neighbours of the queries, one query at a time, in turn. Where EMBIT_BENCH_FOLDER is set,
// what takes minutes to build is kept there.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/io/save.hpp>
#include <embit/retrieve/fit_graph.hpp>
#include <embit/retrieve/fit_ivf.hpp>
#include <embit/retrieve/float_rerank.hpp>
#include <embit/retrieve/no_encoding.hpp>
#include <embit/retrieve/retriever.hpp>

#include <hnswlib/hnswlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../../support/float_data.hpp"
#include "../../support/measure.hpp"

namespace {

using graph = embit::graph_index<embit::rabitq>;
constexpr std::size_t k = 10;

std::string kept(const std::string& name) {
  const char* const folder = std::getenv("EMBIT_BENCH_FOLDER");
  return folder == nullptr ? std::string() : std::string(folder) + '/' + name;
}

template <class Make, class Save, class Load>
auto made_or_kept(const std::string& name, const Make& make, const Save& save, const Load& load) {
  const std::string path = kept(name);
  if (!path.empty() && std::filesystem::exists(path)) return load(path);
  std::optional<decltype(make())> made;
  const double seconds = support::seconds_of(support::timer::thread, [&] { made.emplace(make()); });
  std::printf("%s: built in %.1f s\n", name.c_str(), seconds);
  if (!path.empty()) save(*made, path);
  return std::move(*made);
}

/// The share of the true neighbours that `ids_of(query)` holds.
template <class IdsOf>
double recall(const embit::knn_result<float>& truth, const IdsOf& ids_of) {
  std::size_t seen = 0;
  for (std::size_t q = 0; q < truth.queries(); ++q) {
    const std::vector<std::size_t> ids = ids_of(q);
    for (const auto& each : truth[q]) seen += std::ranges::find(ids, std::size_t{each.id}) != ids.end();
  }
  return static_cast<double>(seen) / static_cast<double>(truth.queries() * truth.k());
}

/// The smallest number from k on that reaches a recall, as far as 4096.
template <class RecallAt>
std::size_t fewest(double target, const RecallAt& recall_at) {
  std::size_t low = k - 1, high = k;
  while (recall_at(high) < target && high < 4096) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const std::size_t middle = (low + high) / 2;
    (recall_at(middle) < target ? low : high) = middle;
  }
  return high;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t n = argc > 1 ? std::stoul(argv[1]) : 1'000'000;
  const bool sift = argc > 2 && std::string_view(argv[2]) == "sift";
  const bench::float_set set = sift ? bench::sift_made(n) : bench::manifold(n);
  const std::string name = (sift ? "sift." : "manifold.") + std::to_string(n);
  const auto truth = set.truth(k);
  embit::rng rng{1};
  const auto save = [](const auto& made, const std::string& path) { embit::save(path, made); };
  const std::size_t lists = n >= 1'000'000 ? 2048 : 512;
  const graph ours = made_or_kept(
      name + ".graph", [&] { return embit::fit_graph(set.rows, {.ef = 64, .lists = lists}, rng); }, save,
      [](const std::string& path) { return embit::load<graph>(path); });
  using rows_index = embit::ivf_levels<embit::rabitq>;
  rows_index inverted = made_or_kept(
      name + ".lists", [&] { return embit::fit_ivf(set.rows, {.lists = lists, .probes = 8, .candidates = 100}, rng); },
      save, [](const std::string& path) { return embit::load<rows_index>(path); });
  hnswlib::L2Space space(set.rows.cols());
  using hnsw = hnswlib::HierarchicalNSW<float>;
  const auto theirs = made_or_kept(
      name + ".hnsw",
      [&] {
        auto index = std::make_unique<hnsw>(&space, n, 16, 200);
        for (std::size_t i = 0; i < n; ++i) index->addPoint(set.rows[i].data(), i);
        return index;
      },
      [](const auto& made, const std::string& path) { made->saveIndex(path); },
      [&](const std::string& path) { return std::make_unique<hnsw>(&space, path); });
  std::printf("%zu bytes a vertex, %zu beside the floats of its row\n", ours.bytes_per_row(),
              ours.bytes_per_row() - sizeof(float) * set.rows.cols());

  const auto queries = set.queries.view();
  const auto query = [&](std::size_t q) { return queries.middle_rows(q, 1); };
  embit::knn_result<float> found;
  const auto ids = [](const auto& list) {
    std::vector<std::size_t> all;
    for (const auto& each : list) all.push_back(each.id);
    return all;
  };
  const auto of_graph = [&](std::size_t ef) {
    found = ours.search({queries, ef}, k);
    return recall(truth, [&](std::size_t q) { return ids(found[q]); });
  };
  const auto of_hnsw = [&](std::size_t ef) {
    theirs->setEf(ef);
    return recall(truth, [&](std::size_t q) {
      std::vector<std::size_t> all;
      for (auto queue = theirs->searchKnn(queries[q].data(), k); !queue.empty(); queue.pop())
        all.push_back(queue.top().second);
      return all;
    });
  };
  for (const double target : {.95, .98, .99}) {
    const std::size_t ef = fewest(target, of_graph), their_ef = fewest(target, of_hnsw);
    theirs->setEf(their_ef);
    embit::plan_probes(inverted, set.rows, queries, target);
    const embit::retriever by_lists{embit::no_encoding{}, inverted, embit::float_rerank{set.rows}};
    std::vector<double> times[3];
    for (int round = 0; round < 11; ++round) {
      times[0].push_back(support::seconds_of(support::timer::thread, [&] {
        for (std::size_t q = 0; q < queries.rows(); ++q) ours.search_into({query(q), ef}, k, found);
      }));
      times[1].push_back(support::seconds_of(support::timer::thread, [&] {
        for (std::size_t q = 0; q < queries.rows(); ++q) by_lists.search_into(query(q), k, found);
      }));
      times[2].push_back(support::seconds_of(support::timer::thread, [&] {
        for (std::size_t q = 0; q < queries.rows(); ++q) theirs->searchKnn(queries[q].data(), k);
      }));
    }
    const auto microseconds = [&](int which) {
      return 1e6 * support::median(times[which]) / static_cast<double>(queries.rows());
    };
    std::printf(
        "%.2f: graph %.1f us (ef %zu), lists %.1f us (%zu probes, %zu candidates), hnswlib %.1f us (ef %zu): "
        "%.2f and %.2f times as fast\n",
        target, microseconds(0), ef, microseconds(1), inverted.probes(), inverted.candidates(k), microseconds(2),
        their_ef, microseconds(1) / microseconds(0), microseconds(2) / microseconds(0));
    std::fflush(stdout);
  }
}
