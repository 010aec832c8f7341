// One table of encoders: what they cost and what they find. For each set, method and number of bits a dimension: bytes
// a row, rows encoded a second, GB of codes scanned a second by one query, and the share of the true ten nearest rows
// among the first ten found by codes against codes, by float queries against codes, and by the latter's first hundred
// scored again with the floats. One thread, no -march.
//
//   EMBIT_DATA_DIR=<folder> bench_encoders [<set>...]
//
// Sets: anisotropic (generated) and, where EMBIT_DATA_DIR names the data, sift, minilm, clip, usps (rows of unit
// length) and movie (as it is, by inner product). 300 rows, or a tenth of few, are queries, the others are searched.
// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/hadamard_lsh.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/encode/super_bit.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/fit/fit_itq.hpp>
#include <embit/fit/fit_pca_sign.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/fit/fit_transform_coder.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/linalg/fht_kac.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/embedding_sets.hpp"
#include "support/measure.hpp"

namespace {

using embit::matrix;

struct data_set {
  std::string name;
  matrix<float> rows, queries;
  embit::metric metric = embit::metric::cosine;
  embit::knn_result<float> truth;
};

void normalize(matrix<float>& rows) {
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    double square = 0;
    for (const float x : rows[i]) square += double{x} * x;
    for (float& x : rows[i]) x = square > 0 ? static_cast<float>(x / std::sqrt(square)) : 0.f;
  }
}

data_set split(std::string name, matrix<float> all, embit::metric metric) {
  if (metric == embit::metric::cosine) normalize(all);
  embit::rng rng{1};
  std::vector<std::size_t> order(all.rows());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  embit::shuffle(std::span(order), rng);
  const std::size_t count = std::min<std::size_t>(300, all.rows() / 10);
  data_set set{
      std::move(name), matrix<float>(all.rows() - count, all.cols()), matrix<float>(count, all.cols()), metric, {}};
  for (std::size_t i = 0; i < order.size(); ++i)
    std::ranges::copy(all[order[i]], (i < count ? set.queries[i] : set.rows[i - count]).begin());
  set.truth = embit::flat_index{set.rows.view(), embit::inner_product{}}.search(set.queries, 10);
  return set;
}

/// λ_i = i^(-1/2), a common offset, a random rotation: 20,000 rows of 128.
matrix<float> anisotropic() {
  constexpr std::size_t dim = 128;
  embit::rng rng{1};
  matrix<float> rows(20'300, dim);
  std::vector<float> offset(dim);
  for (float& x : offset) x = .4f * embit::normal(rng);
  for (std::size_t i = 0; i < rows.rows(); ++i)
    for (std::size_t j = 0; j < dim; ++j)
      rows[i][j] = (embit::normal(rng) + offset[j]) / std::sqrt(static_cast<float>(j + 1));
  return embit::fht_kac(dim, rng).apply(rows);
}

std::optional<data_set> load(const std::string& name) {
  if (name == "anisotropic") return split(name, anisotropic(), embit::metric::cosine);
  if (auto real = support::load_embeddings(name)) return split(name, std::move(real->rows), real->metric);
  return std::nullopt;
}

/// Rows a second of `work`, the best of three.
template <class Work>
double rate(std::size_t rows, const Work& work) {
  double best = 1e300;
  for (int i = 0; i < 3; ++i) best = std::min(best, support::seconds_of(support::timer::thread, work));
  return static_cast<double>(rows) / best;
}

template <class Index, class Queries>
double scanned(const Index& index, const Queries& queries, std::size_t bytes) {
  std::vector<double> seconds;
  for (std::size_t q = 0; q < std::min<std::size_t>(queries.size(), 30); ++q)
    seconds.push_back(
        support::seconds_of(support::timer::thread, [&] { index.search(queries.middle_rows(q, 1), 10); }));
  return static_cast<double>(bytes) / support::median(seconds) / 1e9;
}

template <class Found>
double recall(const data_set& set, const Found& found) {
  return embit::mean_recall(set.truth, found, 10, 10);
}

template <class Index>
double reranked(const data_set& set, const Index& index) {
  const auto first = index.search(set.queries, 100);
  double sum = 0;
  for (std::size_t q = 0; q < set.queries.rows(); ++q) {
    std::size_t hits = 0;  // a true neighbour among the candidates is found by the floats
    for (const auto& hit : first[q])
      hits += std::ranges::any_of(set.truth[q], [&](const auto& n) { return n.id == hit.id; });
    sum += static_cast<double>(hits) / 10;
  }
  return sum / static_cast<double>(set.queries.rows());
}

void print(const data_set& set, const char* method, double bits, std::size_t bytes, double encoded, double speed,
           double symmetric, double asymmetric, double again) {
  std::printf("%-12s %-16s %5.1f %6zu %9.0f %8.1f   %.3f      %.3f      %.3f\n", set.name.c_str(), method, bits, bytes,
              encoded, speed, symmetric, asymmetric, again);
  std::fflush(stdout);
}

template <class Encoder, class Kernel>
void row_of_signs(const data_set& set, const char* method, const Encoder& encoder, const Kernel& kernel) {
  const auto codes = encoder.encode(set.rows);
  const embit::flat_index hamming{codes};
  const embit::flat_index asymmetric{codes, kernel};
  const std::size_t bytes = (encoder.bits() + 7) / 8;
  print(set, method, static_cast<double>(encoder.bits()) / static_cast<double>(set.rows.cols()), bytes,
        rate(set.rows.rows(), [&] { (void)encoder.encode(set.rows).size(); }),
        scanned(asymmetric, set.queries.view(), bytes * set.rows.rows()),
        recall(set, hamming.search(encoder.encode(set.queries), 10)), recall(set, asymmetric.search(set.queries, 10)),
        reranked(set, asymmetric));
}

template <class Encoder, class Symmetric>
void row_of_levels(const data_set& set, const char* method, double bits, const Encoder& encoder,
                   const Symmetric& symmetric) {
  const auto codes = encoder.encode(set.rows);
  const embit::flat_index both{codes, symmetric};
  const embit::flat_index estimated{codes, encoder.estimator()};
  print(set, method, bits, codes.bytes_per_row(), rate(set.rows.rows(), [&] { (void)encoder.encode(set.rows).size(); }),
        scanned(estimated, set.queries.view(), codes.bytes_per_row() * set.rows.rows()),
        recall(set, both.search(encoder.encode(set.queries), 10)), recall(set, estimated.search(set.queries, 10)),
        reranked(set, estimated));
}

void table_of(const data_set& set) {
  const std::size_t dim = set.rows.cols();
  embit::rng rng{7};
  const auto signs = [&](const char* name, const embit::sign_projection& encoder) {
    row_of_signs(set, name, encoder, encoder.asymmetric());
  };
  signs("sign_lsh", embit::sign_lsh({.dim = dim, .bits = dim}, rng));
  signs("super_bit", embit::super_bit({.dim = dim, .bits = dim}, rng));
  const auto structured = embit::hadamard_lsh({.dim = dim, .bits = dim}, rng);
  row_of_signs(set, "hadamard_lsh", structured, embit::sign_projection(structured.planes()).asymmetric());
  signs("pca_sign", embit::fit_pca_sign(set.rows, {.bits = dim}));
  signs("itq", embit::fit_itq(set.rows, {.bits = dim}, rng));
  for (const std::size_t bits : {1u, 2u, 4u}) {
    const auto encoder = embit::fit_rabitq(set.rows, {.bits_per_dim = bits, .metric = set.metric}, rng);
    row_of_levels(set, "rabitq", static_cast<double>(bits), encoder, encoder.symmetric());
  }
  for (const double bits : {.5, 1., 2.}) {
    const auto encoder = embit::fit_transform_coder(
        set.rows,
        {.bits = static_cast<std::size_t>(bits * static_cast<double>(dim)), .metric = set.metric, .symmetric = true},
        rng);
    row_of_levels(set, "transform_coder", bits, encoder, encoder.symmetric());
  }
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::string> names(arguments + 1, arguments + count);
  if (names.empty()) names = {"anisotropic", "sift", "minilm", "clip", "usps", "movie"};
  std::printf("%-12s %-16s %5s %6s %9s %8s   %s\n", "set", "method", "bits", "bytes", "rows/s", "GB/s",
              "symmetric  asymmetric reranked");
  for (const std::string& name : names) {
    const auto set = load(name);
    if (!set)
      std::printf("%-12s skipped: EMBIT_DATA_DIR is not set\n", name.c_str());
    else
      table_of(*set);
  }
}
