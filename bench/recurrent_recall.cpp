// What recurrent codes find beside other codes of as many bits: the share of the true ten nearest rows among the first
// ten, the mean over seeds. One thread, no -march.
//
//   EMBIT_DATA_DIR=<folder> bench_recurrent_recall [--splits] [--pairs] [--seeds=3] [--steps=400] [--bits=1] [<set>...]
//
// Sets: anisotropic, clustered (generated: 20,000 rows, trained on 40,000 others, 300 queries) and, where
// EMBIT_DATA_DIR names the data, sift, minilm, clip, usps, news20 (300 queries, or a tenth of few; the others are
// searched and trained on). Rows are of unit length. --splits trains every split of the bits into dims and loops
// instead. --pairs learns the labels of usps instead: mean average precision of queries among rows, none of which were
// trained on.
// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/encode/super_bit.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/fit/fit_itq.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/fit/fit_recurrent.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/read_matrix.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../tests/support/anisotropic.hpp"
#include "support/measure.hpp"

namespace {

using embit::matrix;

struct data_set {
  std::string name;
  matrix<float> rows, queries, training;
  embit::knn_result<float> truth;
};

matrix<float> part(const matrix<float>& all, std::size_t first, std::size_t count) {
  return matrix<float>(all.view().middle_rows(first, count));
}

data_set generated(std::string name, std::size_t centers) {
  const auto all = support::anisotropic_rows(60'300, 128, 1, centers);
  return {std::move(name), part(all, 0, 20'000), part(all, 20'000, 300), part(all, 20'300, 40'000), {}};
}

data_set real(std::string name, const std::string& file) {
  const auto all = embit::detail::unit_copy(embit::read_matrix<float>(file));
  std::vector<std::size_t> order(all.rows());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  embit::rng rng{1};
  embit::shuffle(std::span(order), rng);
  matrix<float> mixed(all.rows(), all.cols());
  for (std::size_t i = 0; i < order.size(); ++i) std::ranges::copy(all[order[i]], mixed[i].begin());
  const std::size_t count = std::min<std::size_t>(300, all.rows() / 10);
  auto rows = part(mixed, count, all.rows() - count);
  return {std::move(name), rows, part(mixed, 0, count), rows, {}};
}

std::optional<data_set> load(const std::string& name) {
  const auto with_truth = [](data_set set) {
    set.truth = embit::ground_truth(set.rows, set.queries, 10, {.metric = embit::metric::cosine});
    return set;
  };
  if (name == "anisotropic") return with_truth(generated(name, 0));
  if (name == "clustered") return with_truth(generated(name, 500));
  const char* folder = std::getenv("EMBIT_DATA_DIR");
  if (folder == nullptr) return std::nullopt;
  const char* file = name == "sift"     ? "sift5k/base_u8.npy"
                     : name == "minilm" ? "minilm_squad2k/emb_f32.npy"
                     : name == "clip"   ? "clip_text_detic/emb_f16.npy"
                     : name == "usps"   ? "usps_11k/images_u8.npy"
                                        : "news20/lsa256_train_f16.npy";
  return with_truth(real(name, std::string(folder) + "/" + file));
}

template <class Index, class Queries>
double recall(const data_set& set, const Index& index, const Queries& queries) {
  return embit::mean_recall(set.truth, index.search(queries, 10), 10, 10);
}

/// Codes of both sides.
template <class Encoder>
double recall_of_codes(const data_set& set, const Encoder& encoder) {
  return recall(set, embit::flat_index{encoder.encode(set.rows)}, encoder.encode(set.queries));
}

struct settings {
  std::size_t seeds = 3, steps = 400;
  double bits = 0;
};

struct trained_recall {
  double start = 0, trained = 0, seconds = 0;
  std::string shape;
};

trained_recall train(const data_set& set, embit::recurrent_options options, const settings& how) {
  const std::size_t seeds = how.seeds;
  trained_recall mean;
  for (std::size_t seed = 1; seed <= seeds; ++seed) {
    embit::rng first{seed}, again{seed};
    options.steps = 0;
    const auto start = embit::fit_recurrent(set.training, options, first);
    mean.start += recall_of_codes(set, start) / static_cast<double>(seeds);
    options.steps = how.steps;
    std::optional<embit::recurrent> encoder;
    mean.seconds += support::seconds_of(support::timer::thread,
                                        [&] { encoder = embit::fit_recurrent(set.training, options, again); }) /
                    static_cast<double>(seeds);
    mean.trained += recall_of_codes(set, *encoder) / static_cast<double>(seeds);
    const auto shape = std::to_string(encoder->dims()) + "x" + std::to_string(encoder->bits_per_dim());
    if (mean.shape.find(shape) == std::string::npos) mean.shape += (mean.shape.empty() ? "" : ",") + shape;
  }
  return mean;
}

void print(double value) {
  if (value < 0)
    std::printf("     -");
  else
    std::printf("  %.3f", value);
}

void table_row(const data_set& set, std::size_t bits, const settings& how) {
  const std::size_t dim = set.rows.cols();
  const auto mean = [&](const auto& of_seed) {
    double sum = 0;
    for (std::size_t seed = 1; seed <= how.seeds; ++seed) {
      embit::rng rng{seed};
      sum += of_seed(rng);
    }
    return sum / static_cast<double>(how.seeds);
  };
  const auto trained = train(set, {.bits = bits}, how);
  std::printf("%-12s %5.2f  %-12s", set.name.c_str(), static_cast<double>(bits) / static_cast<double>(dim),
              trained.shape.c_str());
  print(trained.start);
  print(trained.trained);
  std::printf("  %5.1f s", trained.seconds);
  if (bits % dim == 0) {
    double asymmetric = 0;
    print(mean([&](embit::rng& rng) {
      const auto encoder =
          embit::fit_rabitq(set.training, {.bits_per_dim = bits / dim, .metric = embit::metric::cosine}, rng);
      const auto codes = encoder.encode(set.rows);
      asymmetric +=
          recall(set, embit::flat_index{codes, encoder.estimator()}, set.queries) / static_cast<double>(how.seeds);
      return recall(set, embit::flat_index{codes, encoder.symmetric()}, encoder.encode(set.queries));
    }));
    print(asymmetric);
  } else {
    print(-1);
    print(-1);
  }
  print(bits <= dim ? mean([&](embit::rng& rng) {
    return recall_of_codes(set, embit::fit_itq(set.training, {.bits = bits}, rng));
  })
                    : -1);
  print(mean([&](embit::rng& rng) { return recall_of_codes(set, embit::super_bit({.dim = dim, .bits = bits}, rng)); }));
  print(mean([&](embit::rng& rng) { return recall_of_codes(set, embit::sign_lsh({.dim = dim, .bits = bits}, rng)); }));
  std::printf("\n");
  std::fflush(stdout);
}

/// Trains the splits that start within .08 of the best.
void splits(const data_set& set, std::size_t bits, const settings& how) {
  std::vector<std::pair<embit::recurrent_options, double>> starts;
  double best = 0;
  for (std::size_t loops = 0; loops < 8; ++loops) {
    const std::size_t dims = bits / (loops + 1);
    if (dims == 0 || dims > set.rows.cols()) continue;
    embit::rng rng{1};
    const embit::recurrent_options options{.dims = dims, .loops = loops, .steps = 0};
    starts.emplace_back(options, recall_of_codes(set, embit::fit_recurrent(set.training, options, rng)));
    best = std::max(best, starts.back().second);
  }
  for (const auto& [options, start] : starts) {
    std::printf("%-12s %5.2f  ", set.name.c_str(), static_cast<double>(bits) / static_cast<double>(set.rows.cols()));
    const auto shape = std::to_string(*options.dims) + "x" + std::to_string(*options.loops + 1);
    const auto found = start < best - .08 ? trained_recall{start, -1, 0, shape} : train(set, options, how);
    std::printf("%-12s", found.shape.c_str());
    print(found.start);
    print(found.trained);
    std::printf("  %5.1f s\n", found.seconds);
    std::fflush(stdout);
  }
}

/// Labelled rows: the first thousand ask, the next five thousand are searched, the others are learned from.
void learn_pairs(const settings& how) {
  const std::string folder = std::getenv("EMBIT_DATA_DIR");
  const auto images = embit::detail::unit_copy(embit::read_matrix<float>(folder + "/usps_11k/images_u8.npy"));
  const auto labels = embit::read_matrix<int>(folder + "/usps_11k/labels_u8.npy");
  const auto queries = part(images, 0, 1000), rows = part(images, 1000, 5000),
             training = part(images, 6000, images.rows() - 6000);
  const std::span<const int> all = labels.values(), of_queries = all.first(1000), of_rows = all.subspan(1000, 5000),
                             of_training = all.subspan(6000);
  const auto precision = [&](const auto& encoder) {
    const embit::flat_index index{encoder.encode(rows)};
    return embit::mean_average_precision(index.search(encoder.encode(queries), rows.rows()), of_rows, of_queries);
  };
  const auto line = [&](const std::string& name, const auto& fit) {
    double sum = 0;
    for (std::size_t seed = 1; seed <= how.seeds; ++seed) {
      embit::rng rng{seed};
      sum += precision(fit(rng));
    }
    std::printf("%-56s %.3f\n", name.c_str(), sum / static_cast<double>(how.seeds));
    std::fflush(stdout);
  };
  const auto learned = [&](const std::string& name, const embit::recurrent_options& options) {
    line(name, [&](embit::rng& rng) {
      const auto pairs = embit::pairs_of_labels(of_training, 2, rng);
      return embit::fit_recurrent(training, pairs, options, rng);
    });
  };
  for (const std::size_t bits : {64u, 256u}) {
    std::printf("usps, labels as pairs, %zu bits: mAP\n", bits);
    line("ITQ", [&](embit::rng& rng) { return embit::fit_itq(training, {.bits = bits}, rng); });
    line("recurrent, from the rows alone",
         [&](embit::rng& rng) { return embit::fit_recurrent(training, {.bits = bits, .steps = how.steps}, rng); });
    embit::recurrent_options options{.bits = bits, .steps = how.steps};
    for (const std::size_t batch : {768u, 64u})
      for (const std::size_t hard_negatives : {5u, 0u})
        for (const std::size_t queue : {0u, 2048u}) {
          options.batch = batch;
          options.hard_negatives = hard_negatives;
          options.queue = queue;
          learned("pairs, batches of " + std::to_string(batch) + ", " +
                      (hard_negatives == 0 ? "all" : std::to_string(hard_negatives) + " hard") + " negatives, " +
                      std::to_string(queue) + " queued",
                  options);
        }
  }
}

}  // namespace

int main(int count, char** arguments) {
  settings how;
  bool all_splits = false, pairs = false;
  std::vector<std::string> names;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const auto number = [&](std::string_view option) {
      return argument.starts_with(option) ? std::atof(argument.c_str() + option.size()) : 0.;
    };
    if (argument == "--splits")
      all_splits = true;
    else if (argument == "--pairs")
      pairs = true;
    else if (const double seeds = number("--seeds="); seeds > 0)
      how.seeds = static_cast<std::size_t>(seeds);
    else if (const double steps = number("--steps="); steps > 0)
      how.steps = static_cast<std::size_t>(steps);
    else if (const double bits = number("--bits="); bits > 0)
      how.bits = bits;
    else
      names.push_back(argument);
  }
  if (pairs) {
    if (std::getenv("EMBIT_DATA_DIR") == nullptr)
      std::printf("skipped: EMBIT_DATA_DIR is not set\n");
    else
      learn_pairs(how);
    return 0;
  }
  if (names.empty()) names = {"anisotropic", "clustered", "sift", "minilm", "clip", "usps", "news20"};
  std::printf("%-12s %5s  %-12s %6s%9s  %7s%s\n", "set", "bits", "dims x bits", "start", "trained", "time",
              all_splits ? "" : "  RaBitQ symm., asymm., ITQ, super-bit, sign LSH");
  for (const std::string& name : names) {
    const auto set = load(name);
    if (!set) {
      std::printf("%-12s skipped: EMBIT_DATA_DIR is not set\n", name.c_str());
      continue;
    }
    for (const double bits : {.5, 1., 2.}) {
      if (how.bits > 0 && how.bits != bits) continue;
      const auto whole = static_cast<std::size_t>(bits * static_cast<double>(set->rows.cols()));
      if (all_splits)
        splits(*set, whole, how);
      else
        table_row(*set, whole, how);
    }
  }
}
