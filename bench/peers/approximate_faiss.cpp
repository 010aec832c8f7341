// Inverted lists of binary codes against those of FAISS, one query at a time, in turns, in one thread: each at the
// fewest lists that have the recall.
// SPDX-License-Identifier: MIT
#include <embit/index/flat.hpp>
#include <embit/index/ivf.hpp>

#include <benchmark/benchmark.h>
#include <faiss/Index.h>
#include <faiss/IndexBinaryFlat.h>
#include <faiss/IndexBinaryIVF.h>
#include <omp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../support/code_data.hpp"
#include "../support/measure.hpp"
#include "../support/searched.hpp"

namespace {

using bench::code_set;

constexpr std::size_t k = 10, query_count = 1000;

std::uint8_t* bytes(embit::code_view<> codes) {
  return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(codes.data()));
}

struct both {
  code_set set;
  std::pair<embit::code_store<>, embit::code_store<>> made;
  embit::knn_result<std::uint32_t> exact;
  std::unique_ptr<const embit::ivf_index<>> ours;
  faiss::IndexBinaryFlat quantizer;
  faiss::IndexBinaryIVF theirs;
  double our_build = 0, their_build = 0;
  std::vector<std::int32_t> distances = std::vector<std::int32_t>(query_count * k);
  std::vector<faiss::Index::idx_t> ids = std::vector<faiss::Index::idx_t>(query_count * k);

  both(const code_set& s, std::size_t lists)
      : set(s),
        made(s.make(query_count)),
        exact(embit::flat_index{made.first}.search(made.second, k)),
        quantizer(static_cast<faiss::Index::idx_t>(s.bits)),
        theirs(&quantizer, s.bits, lists) {
    embit::rng rng{7};
    our_build = support::seconds_of(support::timer::thread, [&] {
      ours = std::make_unique<embit::ivf_index<>>(made.first, embit::ivf_options{}, rng);
    });
    const embit::code_view<> codes = made.first;
    their_build = support::seconds_of(support::timer::thread, [&] {
      theirs.train(static_cast<faiss::Index::idx_t>(codes.size()), bytes(codes));
      theirs.add(static_cast<faiss::Index::idx_t>(codes.size()), bytes(codes));
    });
  }

  double our_recall(std::size_t probes) const {
    return bench::share_found(ours->search({made.second, probes}, k), exact);
  }
  void search_theirs() {
    const embit::code_view<> queries = made.second;
    for (std::size_t q = 0; q < query_count; ++q)
      theirs.search(1, bytes(queries.middle_rows(q, 1)), k, &distances[q * k], &ids[q * k]);
  }
  double their_recall(std::size_t probes) {
    theirs.nprobe = probes;
    search_theirs();
    std::size_t hits = 0;
    for (std::size_t i = 0; i < query_count * k; ++i)
      hits += ids[i] >= 0 && static_cast<std::uint32_t>(distances[i]) <= exact[i / k].back().distance;
    return static_cast<double>(hits) / static_cast<double>(query_count * k);
  }
};

/// The fewest probes, an eighth more each time, that have the recall.
template <class Recall>
std::size_t probes_for(double target, std::size_t most, const Recall& recall) {
  std::size_t probes = 1;
  while (probes < most && recall(probes) < target) probes += (probes + 7) / 8;
  return probes;
}

void compare(benchmark::State& state, const code_set& set, double target, std::size_t lists) {
  omp_set_num_threads(1);
  static std::unique_ptr<both> last;
  if (last == nullptr || !(last->set == set) || last->theirs.nlist != lists) {
    last = nullptr;
    last = std::make_unique<both>(set, lists);
  }
  both& b = *last;
  const std::size_t ours = probes_for(target, b.ours->list_count(), [&](std::size_t p) { return b.our_recall(p); });
  const std::size_t theirs = probes_for(target, lists, [&](std::size_t p) { return b.their_recall(p); });
  state.counters["recall"] = b.our_recall(ours);
  state.counters["faiss_recall"] = b.their_recall(theirs);
  const embit::code_view<> queries = b.made.second;
  embit::knn_result<std::uint32_t> found;
  const auto times = support::run_in_turn(
      state, support::timer::thread,
      [&] {
        for (std::size_t q = 0; q < query_count; ++q) b.ours->search_into({queries.middle_rows(q, 1), ours}, k, found);
      },
      [&] { b.search_theirs(); });
  state.counters["us"] = 1e6 * times.our_median() / query_count;
  state.counters["faiss_us"] = 1e6 * times.their_median() / query_count;
  state.counters["over_faiss"] = times.speedup();
  state.counters["build_s"] = b.our_build;
  state.counters["faiss_build_s"] = b.their_build;
}

}  // namespace

int main(int argc, char** argv) {
  for (const code_set& set : bench::code_sets()) {
    if (set.data == bench::code_data::uniform) continue;
    for (const std::size_t lists : {1024u, 4096u})
      for (const double target : {.95, .99})
        benchmark::RegisterBenchmark(
            ("faiss" + std::to_string(lists) + '/' + set.name() + '/' + std::to_string(target).substr(0, 4)).c_str(),
            [=](benchmark::State& s) { compare(s, set, target, lists); })
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond)
            ->Iterations(5);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
