// What product quantizers find of the true ten nearest rows (R10@10) at equal bytes, float queries against codes: ours
// and transform codes against FAISS's with its learned rotation (OPQ, of 50 rounds as it has them), 8 and 4 bits a
// number. Seconds of fitting
// and microseconds of encoding a row, in one thread.
//
//   EMBIT_DATA_DIR=<folder> bench_peer_quality_faiss [--seeds=1] [--split=1] [--bits=.5,1] [<set>...]
//
// The sets are those of bench_quality. Where FAISS cannot share out the dimensions equally, it is left out.
// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/fit/fit_product_quantizer.hpp>
#include <embit/fit/fit_transform_coder.hpp>
#include <embit/index/flat.hpp>

#include <faiss/IndexPQ.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/VectorTransform.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../support/measure.hpp"
#include "../support/quality_sets.hpp"

namespace {

using support::data_set;

struct figures {
  double recall = 0, fit = 0, encode = 0;  ///< means; seconds
};

embit::matrix<float> as_scored(const embit::matrix<float>& rows, embit::metric metric) {
  embit::matrix<float> out = rows;
  if (metric != embit::metric::cosine) return out;
  for (std::size_t i = 0; i < out.rows(); ++i) {
    double square = 0;
    for (const float x : out[i]) square += double{x} * double{x};
    for (float& x : out[i]) x = static_cast<float>(double{x} / std::sqrt(square));
  }
  return out;
}

template <class Fit>
figures ours(const data_set& set, const Fit& fit) {
  figures found;
  std::optional<decltype(fit())> encoder;
  found.fit = support::seconds_of(support::timer::thread, [&] { encoder.emplace(fit()); });
  embit::level_store codes;
  found.encode = support::seconds_of(support::timer::thread, [&] { codes = encoder->encode(set.rows); });
  const embit::flat_index index{std::move(codes), encoder->estimator()};
  found.recall = embit::mean_recall(set.truth, index.search(set.queries, 10), 10, 10);
  return found;
}

figures of_faiss(const data_set& set, std::size_t bytes, std::size_t bits, std::uint64_t seed) {
  const auto rows = as_scored(set.rows, set.metric), queries = as_scored(set.queries, set.metric);
  const int dim = static_cast<int>(rows.cols()), numbers = static_cast<int>(bytes * 8 / bits);
  const auto metric = set.metric == embit::metric::l2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT;
  faiss::OPQMatrix rotation(dim, numbers);
  faiss::IndexPQ codes(dim, static_cast<std::size_t>(numbers), bits, metric);
  codes.pq.cp.seed = static_cast<int>(seed);
  faiss::ProductQuantizer in_training(static_cast<std::size_t>(dim), static_cast<std::size_t>(numbers), bits);
  rotation.pq = &in_training;
  for (auto* const clustering : {&codes.pq.cp, &in_training.cp})
    clustering->min_points_per_centroid = 1;  // no warnings
  faiss::IndexPreTransform index(&rotation, &codes);
  const auto n = static_cast<faiss::Index::idx_t>(rows.rows()), nq = static_cast<faiss::Index::idx_t>(queries.rows());
  figures found;
  found.fit = support::seconds_of(support::timer::thread, [&] { index.train(n, rows.data()); });
  found.encode = support::seconds_of(support::timer::thread, [&] { index.add(n, rows.data()); });
  std::vector<float> distances(queries.rows() * 10);
  std::vector<faiss::Index::idx_t> ids(distances.size());
  index.search(nq, queries.data(), 10, distances.data(), ids.data());
  std::size_t hits = 0;
  for (std::size_t q = 0; q < queries.rows(); ++q)
    for (const auto& hit : set.truth[q])
      hits += std::find(ids.begin() + static_cast<std::ptrdiff_t>(10 * q),
                        ids.begin() + static_cast<std::ptrdiff_t>(10 * q + 10),
                        hit.id) != ids.begin() + static_cast<std::ptrdiff_t>(10 * q + 10);
  found.recall = static_cast<double>(hits) / static_cast<double>(10 * queries.rows());
  return found;
}

template <class OfSeed>
void print(const data_set& set, const char* method, std::size_t bytes, std::uint64_t seeds, const OfSeed& of_seed) {
  figures sum;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const figures one = of_seed(seed);
    sum.recall += one.recall / static_cast<double>(seeds);
    sum.fit += one.fit / static_cast<double>(seeds);
    sum.encode += one.encode / static_cast<double>(seeds);
  }
  std::printf("%-12s %-22s %5zu  %.3f  %7.2f  %8.1f\n", set.name.c_str(), method, bytes, sum.recall, sum.fit,
              1e6 * sum.encode / static_cast<double>(set.rows.rows()));
  std::fflush(stdout);
}

void table_of(const data_set& set, std::uint64_t seeds, double bits) {
  const std::size_t dim = set.rows.cols(), bytes = static_cast<std::size_t>(bits * static_cast<double>(dim)) / 8;
  if (bytes == 0) return;
  for (const std::size_t of_number : {8u, 4u}) {
    const std::string suffix = of_number == 8 ? ", 8 bits" : ", 4 bits";
    print(set, ("product" + suffix).c_str(), bytes, seeds, [&](std::uint64_t seed) {
      return ours(set, [&] {
        embit::rng rng{seed};
        return embit::fit_product_quantizer(
            set.rows, {.bytes_per_row = bytes, .bits_per_number = of_number, .metric = set.metric}, rng);
      });
    });
    if (dim % (bytes * 8 / of_number) == 0)
      print(set, ("faiss OPQ" + suffix).c_str(), bytes, seeds,
            [&](std::uint64_t seed) { return of_faiss(set, bytes, of_number, seed); });
  }
  const std::size_t least = set.metric == embit::metric::l2 ? 3 : 1;
  if (bytes >= least)
    print(set, "transform_coder", bytes, seeds, [&](std::uint64_t seed) {
      return ours(set, [&] {
        embit::rng rng{seed};
        return embit::fit_transform_coder(set.rows, {.bytes_per_row = bytes, .metric = set.metric}, rng);
      });
    });
}

}  // namespace

int main(int count, char** arguments) {
  omp_set_num_threads(1);
  std::uint64_t seeds = 1, split = 1;
  std::vector<double> bits{.5, 1};
  std::vector<std::string> names;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    const char* const value = word.c_str() + word.find('=') + 1;
    if (word.starts_with("--seeds="))
      seeds = std::strtoull(value, nullptr, 10);
    else if (word.starts_with("--split="))
      split = std::strtoull(value, nullptr, 10);
    else if (word.starts_with("--bits="))
      bits = support::numbers(value);
    else
      names.push_back(word);
  }
  if (names.empty()) names = support::quality_sets();
  std::printf("%-12s %-22s %5s  %5s  %7s  %8s\n", "set", "method", "bytes", "R10", "fit s", "us a row");
  for (const std::string& name : names) {
    const auto set = support::load_split(name, split);
    if (!set) std::printf("%-12s skipped: EMBIT_DATA_DIR is not set\n", name.c_str());
    for (const double b : bits)
      if (set) table_of(*set, seeds, b);
  }
}
