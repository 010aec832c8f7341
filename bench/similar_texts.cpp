// Near-duplicates among signatures of texts, most of them copies of others with some words replaced. The columns are
// the time of the pairs and of the groups, the bytes that the join takes a row, the pairs, how many were compared, and
// the share of the copies that are found with their originals, in all and by the share of the words that is replaced.
//   EMBIT_DATA_DIR=<folder> bench_similar_texts --benchmark_filter=<signatures>/<threads>
// SPDX-License-Identifier: MIT
#include <embit/codes/code_view.hpp>
#include <embit/codes/plan_bands.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/min_hash.hpp>
#include <embit/encode/shingles.hpp>
#include <embit/search/band_join.hpp>
#include <embit/search/similar_groups.hpp>
#include <embit/store/code_store.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "support/measure.hpp"
#include "support/peak_memory.hpp"

namespace {

constexpr std::size_t hashes = 128, bits_per_hash = 8, steps = 4;  // 5, 10, 15 and 20 % of the words

using words = std::vector<std::uint64_t>;

/// The words of the texts of a file, hashed; a line a text, after a tab.
void read_texts(const std::string& path, std::vector<words>& texts) {
  std::FILE* const pipe = ::popen(("gzip -dc '" + path + "'").c_str(), "r");
  if (pipe == nullptr) return;
  std::string word;
  words text;
  for (int c = 0; (c = std::fgetc(pipe)) != EOF;) {
    if (c == ' ' || c == '\t' || c == '\n') {
      if (!word.empty()) text.push_back(embit::hash_bytes(word));
      word.clear();
      if (c != '\n') continue;
      if (text.size() > 20) texts.push_back(text);
      text.clear();
    } else {
      word.push_back(static_cast<char>(c));
    }
  }
  ::pclose(pipe);
}

struct collection {
  std::size_t originals = 0;
  embit::code_store<> codes;
  std::vector<embit::row_id> original_of;  // of a row, itself for an original
};

/// Rows after the originals are copies of them, in which a share of the words was replaced by words of other texts.
const collection& edited_texts(std::size_t rows) {
  static collection made;
  if (made.codes.size() == rows) return made;
  std::vector<words> texts;
  if (const char* const folder = std::getenv("EMBIT_DATA_DIR"))
    for (const char* const file :
         {"er_dblp_acm/dblp.tsv.gz", "er_dblp_acm/acm.tsv.gz", "news20/train.tsv.gz", "news20/test.tsv.gz"})
      read_texts(std::string(folder) + '/' + file, texts);
  made = {};
  if (texts.empty()) return made;
  texts.resize((std::min)(texts.size(), rows));
  made = {texts.size(), embit::code_store<>(rows, hashes * bits_per_hash), {}};
  const embit::min_hash hash({hashes, bits_per_hash}, 1);
  embit::rng rng{9};
  words pairs;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t original = row % texts.size(), step = row % steps + 1;
    words text = texts[original];
    if (row >= texts.size())
      for (std::size_t i = text.size() * step / (5 * steps); i-- != 0;) {
        const words& other = texts[embit::uniform_index(rng, texts.size())];
        text[embit::uniform_index(rng, text.size())] = other[embit::uniform_index(rng, other.size())];
      }
    pairs.clear();
    for (std::size_t i = 0; i + 1 < text.size(); ++i) pairs.push_back(text[i] * 3 + text[i + 1]);
    hash.encode_into(pairs, made.codes.row(row));
    made.original_of.push_back(static_cast<embit::row_id>(original));
  }
  return made;
}

void similar(benchmark::State& state, std::size_t rows, std::size_t threads) {
  const collection& data = edited_texts(rows);
  if (data.originals == 0) {
    state.SkipWithError("no texts: EMBIT_DATA_DIR is not set");
    return;
  }
  constexpr double least = .45;  // about what a copy has with a fifth of its words replaced
  const embit::min_hash hash({hashes, bits_per_hash}, 1);
  const embit::band_join_options options{
      .bits_per_hash = bits_per_hash,
      .bands = embit::plan_bands({.hashes = hashes, .bits_per_hash = bits_per_hash, .similarity = least}),
      .similarity = least - .1};  // the estimate's error
  std::atomic<std::size_t> compared{0};
  const auto estimate = [&](embit::code_span<> a, embit::code_span<> b) {
    compared.fetch_add(1, std::memory_order_relaxed);
    return hash.jaccard(a, b);
  };
  const embit::thread_pool pool(threads);
  const auto timer = threads == 1 ? support::timer::thread : support::timer::wall;
  std::vector<std::size_t> found(steps), copies(steps);
  std::size_t pairs = 0, groups = 0;
  for (std::size_t row = data.originals; row < rows; ++row) ++copies[row % steps];
  const auto count = [&](embit::row_id a, embit::row_id b, double) {
    ++pairs;
    if (data.original_of[b] == a) ++found[b % steps];
  };
  std::size_t bytes = 0;
  for (auto _ : state) {
    double seconds = 0;
    bytes = support::peak_memory_of([&] {
      seconds = support::seconds_of(timer, [&] {
        if (threads == 1)
          embit::similar_pairs(data.codes, options, estimate, count);
        else
          embit::similar_pairs(data.codes, options, estimate, count, pool);
      });
    });
    state.SetIterationTime(seconds);
  }
  state.counters["bytes_a_row"] = static_cast<double>(bytes) / static_cast<double>(rows);
  state.counters["compared"] = static_cast<double>(compared);
  state.counters["groups_s"] = support::seconds_of(timer, [&] {
    groups = threads == 1 ? embit::group_duplicates(data.codes, options, estimate).size()
                          : embit::group_duplicates(data.codes, options, estimate, pool).size();
  });
  state.counters["groups"] = static_cast<double>(groups);
  state.counters["pairs"] = static_cast<double>(pairs);
  state.counters["bands"] = static_cast<double>(options.bands.bands);
  std::size_t all_found = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    all_found += found[step];
    const std::string name = "found_" + std::to_string(5 * (step + 1)) + "%";
    state.counters[name] =
        static_cast<double>(found[step]) / static_cast<double>((std::max)(copies[step], std::size_t{1}));
  }
  state.counters["found"] = static_cast<double>(all_found) / static_cast<double>(rows - data.originals);
}

}  // namespace

int main(int argc, char** argv) {
  for (const std::size_t rows : {std::size_t{100'000}, std::size_t{1'000'000}})
    for (const std::size_t threads : {std::size_t{1}, std::size_t{2}})
      benchmark::RegisterBenchmark((std::to_string(rows) + "/" + std::to_string(threads)).c_str(),
                                   [=](auto& state) { similar(state, rows, threads); })
          ->UseManualTime()
          ->Iterations(1)
          ->Unit(benchmark::kMillisecond);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
