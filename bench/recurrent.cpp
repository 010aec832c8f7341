// Recurrent binarization, one thread: encoding against the multiply-add limit of the level, measured in turn with it,
// and training by the rows that it learns from in a second. EMBIT_ISA forces a level.
//
//   bench_recurrent --benchmark_filter='encode/128to64'
//   bench_recurrent --benchmark_filter='train'
// SPDX-License-Identifier: MIT
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/recurrent.hpp>
#include <embit/fit/fit_recurrent.hpp>

#include <benchmark/benchmark.h>

#include <sys/resource.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/limits.hpp"
#include "support/measure.hpp"

namespace {

struct sizes {
  std::size_t dim, dims, loops, hidden;
};

embit::matrix<float> normal_rows(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<float> m(rows, cols);
  for (auto& x : m.values()) x = embit::normal(rng);
  return m;
}

/// Multiply-adds that the products of one row take.
double multiplications(const sizes& s) {
  const auto block = [&](std::size_t in, std::size_t out) { return in * s.hidden + out * (in + s.hidden); };
  return static_cast<double>((s.loops + 1) * block(s.dim, s.dims) + s.loops * block(s.dims, s.dim));
}

/// Seconds that so many multiply-adds take at least.
double multiply_limit(double count) {
  const embit::isa level = embit::active_isa();
  constexpr std::size_t rounds = 200000;
  const double seconds = support::seconds_of(support::timer::thread, [&] {
    float sum = limits::multiply(level, rounds);
    benchmark::DoNotOptimize(sum);
  });
  return seconds * count / static_cast<double>(rounds * limits::multiply_floats(level));
}

embit::recurrent encoder_of(const sizes& s) {
  embit::rng rng{1};
  const auto rows = normal_rows(2000, s.dim, 2);
  return embit::fit_recurrent(rows, {.dims = s.dims, .loops = s.loops, .hidden = s.hidden, .steps = 1, .batch = 64},
                              rng);
}

void encode(benchmark::State& state, sizes s, std::size_t count) {
  const auto encoder = encoder_of(s);
  const auto rows = normal_rows(count, s.dim, 3);
  const double all = static_cast<double>(count) * multiplications(s);
  std::vector<double> limit;
  const auto times = support::run_in_turn(
      state, support::timer::thread,
      [&] {
        const auto codes = encoder.encode(rows);
        benchmark::DoNotOptimize(codes.size());
      },
      [&] { limit.push_back(multiply_limit(all)); });
  state.counters["of_limit"] = support::median(limit) / times.our_median();
  state.counters["GFMA/s"] = all / times.our_median() * 1e-9;
  state.counters["rows/s"] = static_cast<double>(count) / times.our_median();
  state.counters["code_bytes"] = static_cast<double>(encoder.encode(rows).bytes_per_row());
}

/// The most memory that the process has had.
double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// From embeddings alone: the rows of all batches over the seconds from the first step to the last, without the
// principal components before and the choice of the best state.
void train(benchmark::State& state, sizes s, std::size_t count, std::size_t steps) {
  constexpr std::size_t batch = 768;
  const auto rows = normal_rows(count, s.dim, 4);
  for (auto _ : state) {
    embit::rng rng{1};
    const double start = support::now(support::timer::thread);
    double first = 0, last = 0;
    embit::fit_recurrent(
        rows,
        {.dims = s.dims, .loops = s.loops, .hidden = s.hidden, .steps = steps, .batch = batch, .validate_every = steps},
        rng, [&](const embit::progress_report& report) {
          if (report.stage != "recurrent") return true;
          last = support::now(support::timer::thread);
          if (first == 0) first = last;
          return true;
        });
    state.SetIterationTime(support::now(support::timer::thread) - start);
    state.counters["rows/s"] = static_cast<double>((steps - 1) * batch) / (last - first);
  }
  state.counters["peak_MB"] = peak_megabytes();
}

template <class F, class... Sizes>
auto* add(const std::string& name, F* run, Sizes... sizes) {
  return benchmark::RegisterBenchmark(name.c_str(), run, sizes...)->UseManualTime();
}

void add_encode(const std::string& name, sizes s, std::size_t count = 4096) {
  add("encode/" + name, encode, s, count)->Unit(benchmark::kMillisecond)->Iterations(31);
}

}  // namespace

int main(int argc, char** argv) {
  add_encode("128to64/1loop/256hidden", {128, 64, 1, 256});
  add_encode("128to32/3loops/256hidden", {128, 32, 3, 256});
  add_encode("128to64/1loop/0hidden", {128, 64, 1, 0});
  add_encode("100to50/1loop/200hidden", {100, 50, 1, 200});
  add_encode("384to96/3loops/256hidden", {384, 96, 3, 256}, 2048);
  add_encode("768to256/1loop/256hidden", {768, 256, 1, 256}, 1024);
  add_encode("768to128/3loops/512hidden", {768, 128, 3, 512}, 512);
  add_encode("128to64/1loop/256hidden/1row", {128, 64, 1, 256}, 1);
  add("train/128to32/3loops/256hidden", train, sizes{128, 32, 3, 256}, std::size_t{8000}, std::size_t{40})
      ->Unit(benchmark::kMillisecond)
      ->Iterations(1);
  add("train/768to128/1loop/256hidden", train, sizes{768, 128, 1, 256}, std::size_t{4000}, std::size_t{10})
      ->Unit(benchmark::kMillisecond)
      ->Iterations(1);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
