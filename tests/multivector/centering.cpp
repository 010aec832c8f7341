// SPDX-License-Identifier: MIT
#include <embit/multivector/fit_center.hpp>
#include <embit/multivector/muvera.hpp>

#include <support/catch.hpp>
#include <support/refusal.hpp>
#include <support/token_sets.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace {

constexpr std::size_t documents = 150, document_tokens = 24, queries = 25, query_tokens = 16, dim = 64;

// Sets of unit tokens, each around a topic of its own; the common part makes the mean cosine of all pairs `cosine`.
support::token_sets topics(std::size_t sets, std::size_t tokens, float cosine, std::span<const float> common,
                           embit::rng rng) {
  support::token_sets out;
  out.values = embit::matrix<float>(sets * tokens, dim);
  std::vector<float> topic(dim);
  for (std::size_t i = 0; i < sets; ++i) {
    for (float& x : topic) x = .7f * embit::normal(rng);
    for (std::size_t t = i * tokens; t < (i + 1) * tokens; ++t) {
      for (std::size_t j = 0; j < dim; ++j) out.values[t][j] = topic[j] + embit::normal(rng);
      support::normalize(out.values[t]);
      for (std::size_t j = 0; j < dim; ++j)
        out.values[t][j] = std::sqrt(cosine) * common[j] + std::sqrt(1 - cosine) * out.values[t][j];
      support::normalize(out.values[t]);
    }
    out.offsets.push_back((i + 1) * tokens);
  }
  return out;
}

std::vector<double> ranks(const std::vector<double>& scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return scores[i]; });
  std::vector<double> rank(scores.size());
  for (std::size_t r = 0; r < order.size(); ++r) rank[order[r]] = static_cast<double>(r);
  return rank;
}

// Spearman's correlation of scores by encodings with exact ones, the mean over the queries.
double rank_correlation(float cosine, bool centered, std::uint64_t seed) {
  std::vector<float> common(dim);
  embit::rng rng{seed};
  for (float& x : common) x = embit::normal(rng);
  support::normalize(common);
  const auto d = topics(documents, document_tokens, cosine, common, rng.split(1));
  const auto q = topics(queries, query_tokens, cosine, common, rng.split(2));
  embit::muvera encoder({.dim = dim, .repetitions = 20, .simhash_bits = 5, .projected_dim = 0}, rng);
  if (centered) encoder = encoder.with_centers({.hash = embit::fit_center(d.view())});
  const auto rows = encoder.encode(d.view());
  const auto query_rows = encoder.encode_queries(q.view());
  double sum = 0;
  for (std::size_t i = 0; i < queries; ++i) {
    std::vector<double> exact, encoded;
    for (std::size_t j = 0; j < documents; ++j) {
      exact.push_back(support::chamfer(q.view()[i], d.view()[j]));
      encoded.push_back(support::product(query_rows[i], rows[j]));
    }
    const auto a = ranks(exact), b = ranks(encoded);
    const double middle = (documents - 1) / 2.;
    double product = 0, square = 0;
    for (std::size_t j = 0; j < documents; ++j) {
      product += (a[j] - middle) * (b[j] - middle);
      square += (a[j] - middle) * (a[j] - middle);
    }
    sum += product / square / queries;
  }
  return sum;
}

}  // namespace

TEST_CASE("a hash center makes up for tokens that all point one way") {
  double isotropic = 0, narrow = 0, centered = 0;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    isotropic += rank_correlation(0, false, seed) / 3;
    narrow += rank_correlation(.9f, false, seed) / 3;
    centered += rank_correlation(.9f, true, seed) / 3;
  }
  CAPTURE(isotropic, narrow, centered);
  CHECK(narrow < centered - .02);
  CHECK(centered >= isotropic - .03);
}

TEST_CASE("the center is the mean direction of the tokens that count") {
  support::token_sets sets;
  sets.values = embit::matrix<float>(4, 2);
  const float numbers[] = {3, 0, 0, 5, 0, 0, -7, -7};
  std::ranges::copy(numbers, sets.values.values().begin());
  sets.offsets = {0, 3, 4};
  sets.mask = {1, 1, 1, 0};
  const auto center = embit::fit_center(sets.view());  // a token of zeros has no direction, but counts
  CHECK(center[0] == Approx(1. / 3));
  CHECK(center[1] == Approx(1. / 3));
  sets.values[1][0] = std::numeric_limits<float>::quiet_NaN();
  CHECK(support::contains(support::refusal([&] { (void)embit::fit_center(sets.view()); }), "document 0, token 1"));
}
