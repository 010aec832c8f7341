// Files of codes: opening by mapping, verifying and loading 1,000,000 codes of 256 bits, next to what the machine
// allows: a read of the same memory, and `read` of the same file into a fresh buffer. The file is in the page cache.
// SPDX-License-Identifier: MIT
#include <embit/core/buffer.hpp>
#include <embit/core/random.hpp>
#include <embit/io/file.hpp>
#include <embit/io/save.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/mapped_store.hpp>

#include "support/limits.hpp"
#include "support/measure.hpp"

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>

namespace {

constexpr std::size_t rows = 1'000'000, bits = 256;

/// The file, removed when the program ends.
const std::string& file() {
  static const struct saved {
    std::string path = std::string(std::getenv("TMPDIR") != nullptr ? std::getenv("TMPDIR") : "/tmp") +
                       "/embit_bench_files_" + std::to_string(::getpid());
    saved() {
      embit::rng rng{1};
      embit::code_store<> codes(rows, bits);
      for (std::size_t i = 0; i < rows * codes.words(); ++i) codes.data()[i] = rng();
      embit::save(path, embit::block_store<>(codes));
    }
    ~saved() { std::remove(path.c_str()); }
  } once;
  return once.path;
}

// Fresh pages each time, as `load` has them.
embit::aligned_vector<std::byte> plain_read() { return embit::read_file(file()); }

void open_by_mapping(benchmark::State& state) {
  file();
  std::optional<embit::mapped_store<>> mapped;
  for (auto _ : state) {
    mapped.reset();
    const double seconds = support::seconds_of(support::timer::wall, [&] { mapped.emplace(file()); });
    state.SetIterationTime(seconds);
  }
  state.counters["rows"] = static_cast<double>(mapped->size());
}

void verify(benchmark::State& state) {
  const embit::mapped_store<> mapped(file());
  const std::span<const embit::word> words(mapped.run(0).data, rows * mapped.words());
  const auto times = support::run_in_turn(
      state, support::timer::thread, [&] { mapped.verify(); }, [&] { benchmark::DoNotOptimize(limits::read(words)); });
  state.counters["of_memory_limit"] = times.speedup();
  state.counters["GB/s"] = static_cast<double>(words.size_bytes()) / times.our_median() / 1e9;
}

void load(benchmark::State& state) {
  file();
  const auto times = support::run_in_turn(
      state, support::timer::thread,
      [&] { benchmark::DoNotOptimize(embit::load<embit::block_store<>>(file()).size()); },
      [&] { benchmark::DoNotOptimize(plain_read().size()); });
  state.counters["times_of_read"] = 1 / times.speedup();
}

BENCHMARK(open_by_mapping)->UseManualTime()->Unit(benchmark::kMicrosecond)->Iterations(200);
BENCHMARK(verify)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(50);
BENCHMARK(load)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(30);

}  // namespace

BENCHMARK_MAIN();
