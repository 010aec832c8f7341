// Candidate lists: what a search for the k nearest costs as k grows from 10 to 10,000, against the same search for 10,
// in turns. Binary codes by Hamming distance, one query, batches of 16 and of 1000; RaBitQ codes with float queries;
// and ranges that hold as many rows.
// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/index/flat.hpp>

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "support/measure.hpp"
#include "support/random_codes.hpp"

namespace {

constexpr std::size_t ks[] = {10, 100, 300, 1000, 10'000};

void k_nearest(benchmark::State& state, const auto& index, const auto& asked, std::size_t batch, std::size_t k) {
  embit::knn_result<typename std::remove_cvref_t<decltype(index)>::distance_type> found;
  const auto search = [&](std::size_t count) {
    for (std::size_t q = 0; q + batch <= asked.size(); q += batch)
      index.search_into(asked.middle_rows(q, batch), count, found);
  };
  const auto times = support::run_in_turn(
      state, support::timer::thread, [&] { search(k); }, [&] { search(10); });
  state.counters["us"] = 1e6 * times.our_median() / static_cast<double>(asked.size());
  state.counters["of_k10"] = 1 / times.speedup();
}

/// The radius that holds about `hits` rows of a query of random bits.
std::uint32_t radius_of(std::size_t bits, std::size_t rows, std::size_t hits) {
  const double half = static_cast<double>(bits) / 2, deviation = std::sqrt(static_cast<double>(bits)) / 2;
  std::uint32_t radius = 0;
  const double share = static_cast<double>(hits) / static_cast<double>(rows);
  while (.5 * std::erfc((half - radius - .5) / deviation / std::sqrt(2.)) < share) ++radius;
  return radius;
}

void in_range(benchmark::State& state, const auto& index, const auto& asked, std::uint32_t radius) {
  std::size_t hits = 0;
  embit::knn_result<std::uint32_t> nearest;
  const auto times = support::run_in_turn(
      state, support::timer::thread,
      [&] {
        hits = 0;
        const auto found = index.range_search(asked, radius);
        for (std::size_t q = 0; q < asked.size(); ++q) hits += found[q].size();
      },
      [&] { index.search_into(asked, 10, nearest); });
  state.counters["us"] = 1e6 * times.our_median() / static_cast<double>(asked.size());
  state.counters["hits"] = static_cast<double>(hits) / static_cast<double>(asked.size());
  state.counters["of_k10"] = 1 / times.speedup();
}

void binary(std::size_t bits, std::size_t rows, std::size_t queries, std::size_t batch) {
  for (const std::size_t k : ks)
    benchmark::RegisterBenchmark(("hamming/" + std::to_string(bits) + "bits/" + std::to_string(rows) + "rows/batch" +
                                  std::to_string(batch) + "/k" + std::to_string(k))
                                     .c_str(),
                                 [=](auto& state) {
                                   const embit::flat_index index{support::random_codes(rows, bits, 1)};
                                   const auto asked = support::random_codes(queries, bits, 2);
                                   k_nearest(state, index, asked.view(), batch, k);
                                 })
        ->UseManualTime();
}

void levels(std::size_t rows, std::size_t dims) {
  for (const std::size_t k : {10u, 100u, 400u, 1000u})
    benchmark::RegisterBenchmark(
        ("rabitq/1bits/" + std::to_string(rows) + "rows/" + std::to_string(dims) + "dims/k" + std::to_string(k))
            .c_str(),
        [=](auto& state) {
          embit::rng rng{1};
          embit::matrix<float> x(rows, dims), asked(32, dims);
          for (float& v : x.values()) v = embit::normal(rng);
          for (float& v : asked.values()) v = embit::normal(rng);
          const auto coder = embit::fit_rabitq(x, {.bits_per_dim = 1}, rng);
          const embit::flat_index index{coder.encode(x), coder.estimator({.query_bits = 6})};
          k_nearest(state, index, asked.view(), 1, k);
        })
        ->UseManualTime();
}

void ranges(std::size_t bits, std::size_t rows, std::size_t queries) {
  for (const std::size_t hits : {10u, 1000u, 10'000u})
    benchmark::RegisterBenchmark(("range/" + std::to_string(bits) + "bits/" + std::to_string(rows) + "rows/" +
                                  std::to_string(queries) + "queries/" + std::to_string(hits) + "hits")
                                     .c_str(),
                                 [=](auto& state) {
                                   const embit::flat_index index{support::random_codes(rows, bits, 1)};
                                   const auto asked = support::random_codes(queries, bits, 2);
                                   in_range(state, index, asked.view(), radius_of(bits, rows, hits));
                                 })
        ->UseManualTime();
}

}  // namespace

int main(int argc, char** argv) {
  binary(128, 100'000, 64, 1);
  binary(256, 100'000, 1000, 1000);
  binary(256, 1'000'000, 64, 16);
  levels(200'000, 128);
  ranges(128, 100'000, 1);
  ranges(128, 100'000, 100);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
