// What codes of levels find of the true ten nearest rows (R10@10), by bits a dimension: codes against codes and float
// queries against codes, transform codes beside RaBitQ's, up to a bit product quantizers' and, where asked for,
// recurrent ones; means over seeds.
//
//   EMBIT_DATA_DIR=<folder> bench_quality [--seeds=3] [--split=1] [--bits=.5,1,2,4] [--bytes] [--choose]
//     [--recurrent] [<set>...]
//
// --split=<n> draws other queries; --bytes gives transform codes the bytes of a row that RaBitQ's codes take with
// their factors; --choose lets choose_encoder have as many, and prints what it tried in the first seed. Sets: mean (96
// dimensions, deviations (1 + j/4)^-1/2, means of 1.5 normal deviations), uneven (blocks of 16 dimensions whose energy
// varies from row to row), few (400 rows of 768 dimensions) and anisotropic are generated; with EMBIT_DATA_DIR also
// sift, minilm, clip, usps, news20 (cosine), sift_l2 and movie (inner product). 500 rows, or a tenth of few, are
// queries, the others are learned from and searched. SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/fit/choose_encoder.hpp>
#include <embit/fit/fit_product_quantizer.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/fit/fit_recurrent.hpp>
#include <embit/fit/fit_transform_coder.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/levels.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "support/quality_sets.hpp"

namespace {

using support::data_set;

struct settings {
  std::uint64_t seeds = 3, split = 1;
  std::vector<double> bits{.5, 1, 2, 4};
  bool equal_bytes = false, choose = false, recurrent = false;
};

struct figures {
  double bytes = 0, codes = 0, floats = 0;  ///< a row; recall of codes, of float queries
};

/// The mean over seeds of what `of_seed(rng)` finds.
template <class OfSeed>
figures mean(const settings& how, const OfSeed& of_seed) {
  figures sum;
  for (std::uint64_t seed = 1; seed <= how.seeds; ++seed) {
    embit::rng rng{seed};
    const figures one = of_seed(rng);
    sum.bytes += one.bytes / static_cast<double>(how.seeds);
    sum.codes += one.codes / static_cast<double>(how.seeds);
    sum.floats += one.floats / static_cast<double>(how.seeds);
  }
  return sum;
}

template <class Encoder, class Kernel>
double recall_of_codes(const data_set& set, const Encoder& encoder, const Kernel& kernel) {
  const embit::flat_index index{encoder.encode(set.rows), kernel};
  return embit::mean_recall(set.truth, index.search(encoder.encode(set.queries), 10), 10, 10);
}

template <class Encoder>
double recall_of_floats(const data_set& set, const Encoder& encoder) {
  const embit::flat_index index{encoder.encode(set.rows), encoder.estimator()};
  return embit::mean_recall(set.truth, index.search(set.queries, 10), 10, 10);
}

void print(const data_set& set, const char* method, double bits, const figures& found) {
  std::printf("%-12s %-16s %4.1f %7.1f", set.name.c_str(), method, bits, found.bytes);
  for (const double recall : {found.codes, found.floats})
    if (recall > 0)
      std::printf("  %.3f", recall);
    else
      std::printf("      -");
  std::printf("\n");
  std::fflush(stdout);
}

std::string tried(const embit::chosen_encoder& encoder) {
  std::string table;
  for (const embit::encoder_trial& trial : encoder.tried()) {
    std::array<char, 96> line;
    std::snprintf(line.data(), line.size(), "    %-36s %4zu         %.3f\n", trial.encoder.c_str(), trial.bytes_per_row,
                  trial.recall.value_or(0));
    table += line.data();
  }
  return table;
}

void table_of(const data_set& set, const settings& how) {
  const std::size_t dim = set.rows.cols();
  for (const double bits : how.bits) {
    const auto all_bits = static_cast<std::size_t>(bits * static_cast<double>(dim));
    std::size_t bytes = 0;
    if (bits >= 1) {
      const figures found = mean(how, [&](embit::rng& rng) {
        const auto encoder =
            embit::fit_rabitq(set.rows, {.bits_per_dim = static_cast<std::size_t>(bits), .metric = set.metric}, rng);
        return figures{static_cast<double>(encoder.encode(set.queries).bytes_per_row()),
                       recall_of_codes(set, encoder, encoder.symmetric()), recall_of_floats(set, encoder)};
      });
      print(set, "rabitq", bits, found);
      bytes = static_cast<std::size_t>(found.bytes);
    }
    print(set, "transform_coder", bits, mean(how, [&](embit::rng& rng) {
            embit::transform_coder_options options{.bits = all_bits, .metric = set.metric};
            if (how.equal_bytes) {
              options.bits = 0;
              options.bytes_per_row = bytes != 0 ? bytes : all_bits / 8;
            }
            const embit::rng same = rng;
            const auto asked = embit::fit_transform_coder(set.rows, options, rng);
            options.symmetric = true;
            embit::rng again = same;
            const auto coded = embit::fit_transform_coder(set.rows, options, again);
            return figures{static_cast<double>(asked.encode(set.queries).bytes_per_row()),
                           recall_of_codes(set, coded, coded.symmetric()), recall_of_floats(set, asked)};
          }));
    for (const std::size_t of_number : {4u, 8u})
      if (bits <= 1 && all_bits >= 8)
        print(set, of_number == 4 ? "product, 4 bits" : "product, 8 bits", bits, mean(how, [&](embit::rng& rng) {
                const auto encoder = embit::fit_product_quantizer(
                    set.rows, {.bytes_per_row = all_bits / 8, .bits_per_number = of_number, .metric = set.metric}, rng);
                return figures{static_cast<double>(encoder.bytes_per_row()),
                               recall_of_codes(set, encoder, encoder.symmetric()), recall_of_floats(set, encoder)};
              }));
    if (how.choose) {
      std::string table;
      const figures found = mean(how, [&](embit::rng& rng) {
        const auto encoder = embit::choose_encoder(
            set.rows, {.metric = set.metric, .bytes_per_row = bytes != 0 ? bytes : all_bits / 8}, rng);
        if (table.empty()) table = tried(encoder);
        return figures{static_cast<double>(encoder.bytes_per_row()), 0, recall_of_floats(set, encoder)};
      });
      print(set, "choose_encoder", bits, found);
      std::printf("%s", table.c_str());
    }
    if (how.recurrent && bits <= 2)
      print(set, "recurrent", bits, mean(how, [&](embit::rng& rng) {
              const auto encoder = embit::fit_recurrent(set.rows, {.bits = all_bits}, rng);
              return figures{static_cast<double>(encoder.encode(set.queries).bytes_per_row()),
                             recall_of_codes(set, encoder, embit::symmetric{}), 0};
            }));
  }
}

}  // namespace

int main(int count, char** arguments) {
  settings how;
  std::vector<std::string> names;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    const auto value = [&] { return word.c_str() + word.find('=') + 1; };
    if (word.starts_with("--seeds="))
      how.seeds = std::strtoull(value(), nullptr, 10);
    else if (word.starts_with("--split="))
      how.split = std::strtoull(value(), nullptr, 10);
    else if (word.starts_with("--bits="))
      how.bits = support::numbers(value());
    else if (word == "--bytes")
      how.equal_bytes = true;
    else if (word == "--choose")
      how.choose = true;
    else if (word == "--recurrent")
      how.recurrent = true;
    else
      names.push_back(word);
  }
  if (names.empty()) names = support::quality_sets();
  std::printf("%-12s %-16s %4s %7s  codes  floats\n", "set", "method", "bits", "bytes");
  for (const std::string& name : names) {
    if (const auto set = support::load_split(name, how.split))
      table_of(*set, how);
    else
      std::printf("%-12s skipped: EMBIT_DATA_DIR is not set\n", name.c_str());
  }
}
