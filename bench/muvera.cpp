// MUVERA and Chamfer similarity, one thread: encoding beside the product with the planes alone, exact scores against
// the multiply-add limit, and on real token vectors how much of exact MaxSim the candidates hold, in which time. What
// is compared runs in turn. EMBIT_ISA forces a level; EMBIT_DATA_DIR names the real data.
//
//   bench_muvera --benchmark_filter='document|query|chamfer'
//   bench_muvera --benchmark_filter='mv_cacm'
// SPDX-License-Identifier: MIT
#include <embit/core/half.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/chamfer.hpp>
#include <embit/kernel/project.hpp>
#include <embit/multivector/fit_center.hpp>
#include <embit/multivector/muvera.hpp>
#include <embit/retrieve/chamfer_rerank.hpp>
#include <embit/retrieve/retriever.hpp>
#include <embit/store/token_store.hpp>

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "../tests/support/late_interaction.hpp"
#include "support/limits.hpp"
#include "support/measure.hpp"

namespace {

using embit::fde_partitions, embit::fde_planes, embit::fde_projection, embit::muvera, embit::muvera_options;
using support::timer;

constexpr std::size_t dim = 128;

/// `count` sets of unit tokens; clustered ones lie around a direction of their own.
support::token_file make_sets(std::size_t count, std::size_t tokens, bool clustered, std::uint64_t seed) {
  embit::rng rng{seed};
  support::token_file sets;
  sets.values = embit::matrix<float>(count * tokens, dim);
  sets.offsets.assign(1, 0);
  std::vector<float> center(dim);
  for (std::size_t i = 0; i < count; ++i) {
    for (float& x : center) x = clustered ? 1.2f * embit::normal(rng) : 0.f;
    for (std::size_t t = i * tokens; t < (i + 1) * tokens; ++t) {
      double squares = 0;
      for (std::size_t j = 0; j < dim; ++j) {
        const float x = embit::normal(rng) + center[j];
        sets.values[t][j] = x;
        squares += double{x} * double{x};
      }
      for (float& x : sets.values[t]) x = static_cast<float>(double{x} / std::sqrt(squares));
    }
    sets.offsets.push_back((i + 1) * tokens);
  }
  return sets;
}

muvera make_encoder(fde_planes planes, fde_projection projection = fde_projection::count_sketch) {
  embit::rng rng{1};
  return muvera({.dim = dim, .planes = planes, .projection = projection}, rng);
}

constexpr std::size_t sets_at_once = 32;

// Encoding in turn with the signs of the 100 planes alone, through the product that every sign hasher uses.
template <class Encode>
void beside_product(benchmark::State& state, const support::token_file& sets, const muvera& encoder, Encode&& encode) {
  const embit::projection_planes planes(encoder.planes());
  const std::size_t words = embit::words_for(planes.bits());
  std::vector<embit::word> codes(sets.values.rows() * words);
  const auto times = support::run_in_turn(
      state, timer::thread, [&] { encode(); },
      [&] {
        embit::project(sets.values, planes, codes);
        benchmark::DoNotOptimize(codes.data());
      });
  const double count = static_cast<double>(sets.view().size());
  state.counters["us"] = times.our_median() / count * 1e6;
  state.counters["us_product_alone"] = times.their_median() / count * 1e6;
}

void document(benchmark::State& state, fde_planes planes, fde_projection projection, bool clustered) {
  const auto sets = make_sets(sets_at_once, 100, clustered, 2);
  const auto encoder = make_encoder(planes, projection);
  beside_product(state, sets, encoder, [&] {
    const auto rows = encoder.encode(sets.view());
    benchmark::DoNotOptimize(rows.view().data());
  });
}

void query(benchmark::State& state, fde_planes planes) {
  const auto sets = make_sets(sets_at_once, 32, false, 3);
  const auto encoder = make_encoder(planes);
  beside_product(state, sets, encoder, [&] {
    const auto rows = encoder.encode_queries(sets.view());
    benchmark::DoNotOptimize(rows.data());
  });
}

template <class T>
void chamfer(benchmark::State& state) {
  const auto sets = make_sets(sets_at_once, 100, false, 4), queries = make_sets(1, 32, false, 5);
  const embit::token_store<T> store(sets.view());
  const embit::chamfer_of<T> kernel;
  const auto prepared = kernel.prepare(queries.view()[0]);
  const double multiplications = 32. * static_cast<double>(sets.values.rows() * dim);
  std::vector<double> limit;
  const auto times = support::run_in_turn(
      state, timer::thread,
      [&] {
        float sum = 0;
        for (std::size_t i = 0; i < store.size(); ++i) sum += kernel(prepared, store[i]);
        benchmark::DoNotOptimize(sum);
      },
      [&] {
        const embit::isa level = embit::active_isa();
        constexpr std::size_t rounds = 10000;
        const double seconds = support::seconds_of(timer::thread, [&] {
          float sum = limits::multiply(level, rounds);
          benchmark::DoNotOptimize(sum);
        });
        limit.push_back(seconds * multiplications / static_cast<double>(rounds * limits::multiply_floats(level)));
      });
  state.counters["us"] = times.our_median() / static_cast<double>(store.size()) * 1e6;
  state.counters["GFLOP/s"] = 2 * multiplications / times.our_median() * 1e-9;
  state.counters["of_limit"] = support::median(limit) / times.our_median();
}

/// What is known of a collection before anything is encoded.
struct known {
  support::collection sets;
  embit::knn_result<float> truth;
  std::vector<float> center;
  double ndcg;

  explicit known(support::collection c)
      : sets(std::move(c)),
        truth(embit::flat_index{sets.documents.view(), embit::chamfer{}}.search(sets.queries.view(), 10)),
        center(embit::fit_center(sets.documents.view())),
        ndcg(mean_ndcg(truth, sets)) {}
};

constexpr std::size_t depths[] = {50, 100, 200, 400};

void add_shares(benchmark::State& state, const known& k, const embit::knn_result<float>& found, double weight) {
  for (const std::size_t depth : depths)
    state.counters["R10@" + std::to_string(depth)] += weight * embit::mean_recall(k.truth, found, 10, depth);
}

// The share of the exact top 10 among the first candidates: means of four seeds. `bits` of 32 are floats.
void shares(benchmark::State& state, const std::shared_ptr<const known>& k, muvera_options options, std::size_t bits,
            bool centered) {
  const auto documents = k->sets.documents.view();
  constexpr std::size_t seeds = 4;
  for (auto _ : state)
    for (std::size_t seed = 1; seed <= seeds; ++seed) {
      embit::rng rng{seed};
      muvera fde(options, rng);
      if (centered) fde = fde.with_centers({.hash = k->center});
      const auto queries = fde.encode_queries(k->sets.queries.view());
      const auto found =
          bits == 32 ? embit::flat_index{fde.encode(documents), embit::inner_product{}}.search(queries, 400)
                     : embit::flat_index{fde.encode_levels(documents, bits), fde.estimator(bits)}.search(queries, 400);
      add_shares(state, *k, found, 1. / seeds);
      state.counters["bytes"] = static_cast<double>(fde.encoded_dim() * bits) / 8;
    }
}

void mean_vector(benchmark::State& state, const std::shared_ptr<const known>& k) {
  const embit::flat_index index{support::mean_vectors(k->sets.documents.view()), embit::inner_product{}};
  const auto queries = support::mean_vectors(k->sets.queries.view());
  for (auto _ : state) add_shares(state, *k, index.search(queries, 400), 1);
  state.counters["bytes"] = dim * sizeof(float);
}

// One-bit codes and a rerank in turn with exact MaxSim over all documents, query by query.
template <class T>
void whole_search(benchmark::State& state, const support::token_file& documents, const support::token_file& queries,
                  std::size_t candidates, float ball_tau, const known* judged) {
  embit::rng rng{1};
  const auto fde = muvera({.dim = dim, .simhash_bits = 4, .projected_dim = 8}, rng)
                       .with_centers({.hash = embit::fit_center(documents.view())});
  const embit::token_store<T> tokens(documents.view());
  const embit::retriever late{fde, embit::flat_index{fde.encode_levels(documents.view(), 1), fde.estimator()},
                              embit::chamfer_rerank{tokens, {.ball_tau = ball_tau}}};
  const embit::chamfer_rerank rerank{tokens};
  const embit::flat_index exact{tokens.view(), embit::chamfer_of<T>{}};
  embit::knn_result<float> found, truth;
  const auto times = support::run_in_turn(
      state, timer::thread, [&] { found = late.search(queries.view(), 10, {.candidates = candidates}); },
      [&] { truth = exact.search(queries.view(), 10); });
  const double count = static_cast<double>(queries.view().size());
  state.counters["ms"] = times.our_median() / count * 1e3;
  state.counters["ms_exact"] = times.their_median() / count * 1e3;
  state.counters["of_exact_time"] = times.our_median() / times.their_median();
  state.counters["R1@1"] = embit::mean_recall(truth, found, 1, 1);
  state.counters["R10@10"] = embit::mean_recall(truth, found, 10, 10);
  if (judged != nullptr) {
    state.counters["nDCG"] = mean_ndcg(found, judged->sets);
    state.counters["of_exact_nDCG"] = state.counters["nDCG"] / judged->ndcg;
  }
}

// Documents of 24 tokens around topics, queries of 16 tokens of one document each, disturbed.
void generated(benchmark::State& state, std::size_t count) {
  const auto documents = make_sets(count, 24, true, 6);
  embit::rng rng{7};
  support::token_file queries;
  queries.values = embit::matrix<float>(8 * 16, dim);
  queries.offsets.assign(1, 0);
  for (std::size_t q = 0; q < 8; ++q) {
    const auto tokens = documents.view()[static_cast<std::size_t>(embit::uniform_index(rng, count))];
    for (std::size_t t = 0; t < 16; ++t)
      for (std::size_t j = 0; j < dim; ++j) queries.values[q * 16 + t][j] = tokens[t][j] + .08f * embit::normal(rng);
    queries.offsets.push_back((q + 1) * 16);
  }
  whole_search<std::int8_t>(state, documents, queries, 100, 0, nullptr);
}

template <class F>
auto* add(const std::string& name, F&& run) {
  return benchmark::RegisterBenchmark(name.c_str(), std::forward<F>(run))
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

void add_speed() {
  for (const auto planes : {fde_planes::gaussian, fde_planes::structured}) {
    const std::string name = planes == fde_planes::gaussian ? "gaussian" : "structured";
    for (const bool clustered : {false, true})
      add("document/" + name + (clustered ? "/clustered" : "/uniform"), [=](benchmark::State& state) {
        document(state, planes, fde_projection::count_sketch, clustered);
      })->Iterations(100);
    add("query/" + name, [=](benchmark::State& state) { query(state, planes); })->Iterations(200);
  }
  add("document/gaussian/dense", [](benchmark::State& state) {
    document(state, fde_planes::gaussian, fde_projection::dense, false);
  })->Iterations(30);
  add("document/gaussian/identity", [](benchmark::State& state) {
    document(state, fde_planes::gaussian, fde_projection::identity, false);
  })->Iterations(30);
  add("chamfer/float", chamfer<float>)->Iterations(200);
  add("chamfer/half", chamfer<embit::half>)->Iterations(200);
  add("chamfer/int8", chamfer<std::int8_t>)->Iterations(200);
  add("chamfer/signs", chamfer<embit::sign_token>)->Iterations(200);
}

void add_shares_of(const std::shared_ptr<const known>& k) {
  const auto add_case = [&](const std::string& name, const muvera_options& options, std::size_t bits, bool centered) {
    benchmark::RegisterBenchmark(("mv_cacm/" + name + "/" + std::to_string(bits) + "bits").c_str(),
                                 [=](benchmark::State& state) { shares(state, k, options, bits, centered); })
        ->Iterations(1)
        ->Unit(benchmark::kMillisecond);
  };
  benchmark::RegisterBenchmark("mv_cacm/mean_vector/32bits", [=](benchmark::State& state) { mean_vector(state, k); })
      ->Iterations(1)
      ->Unit(benchmark::kMillisecond);
  struct size {
    std::size_t repetitions, bits, columns;
  };
  for (const size s : {size{20, 5, 16}, size{20, 4, 8}, size{40, 6, 16}}) {
    const std::string name =
        "(" + std::to_string(s.repetitions) + "," + std::to_string(s.bits) + "," + std::to_string(s.columns) + ")/";
    muvera_options options{
        .dim = dim, .repetitions = s.repetitions, .simhash_bits = s.bits, .projected_dim = s.columns};
    for (const std::size_t bits : {32u, 8u, 4u, 2u, 1u})
      if (s.bits < 6 || bits == 32 || bits == 1) add_case(name + "unit", options, bits, true);
    options.projection = fde_projection::dense;
    add_case(name + "unit/dense", options, 32, true);
    options.projection = fde_projection::count_sketch;
    add_case(name + "unit/not_centered", options, 32, false);
    options.planes = fde_planes::structured;
    add_case(name + "unit/structured", options, 32, true);
    add_case(name + "unit/structured", options, 1, true);
    options.planes = fde_planes::gaussian;
    options.partitions = fde_partitions::mean;
    add_case(name + "mean", options, 32, true);
    add_case(name + "mean", options, 1, true);
    add_case(name + "mean/not_centered", options, 32, false);
  }
  for (const std::size_t candidates : {50u, 100u, 200u})
    for (const float tau : {0.f, .7f})
      add("mv_cacm/search/rerank" + std::to_string(candidates) + (tau == 0 ? "" : "/balls"),
          [=](benchmark::State& state) {
            whole_search<float>(state, k->sets.documents, k->sets.queries, candidates, tau, k.get());
          })
          ->Iterations(15);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  add_speed();
  if (const char* folder = std::getenv("EMBIT_DATA_DIR"))
    add_shares_of(std::make_shared<const known>(
        support::mv_cacm(std::string(folder) + "/mv_cacm", std::string(folder) + "/ir_cacm/qrels.tsv.gz")));
  else
    std::puts("EMBIT_DATA_DIR is not set: no real token vectors");
  for (const std::size_t count : {10000u, 100000u})
    add("generated/" + std::to_string(count) + "/rerank100", [=](benchmark::State& state) {
      generated(state, count);
    })->Iterations(3);
  benchmark::RunSpecifiedBenchmarks();
}
