// SPDX-License-Identifier: MIT
#include <embit/core/thread_pool.hpp>
#include <embit/index/flat.hpp>
#include <embit/multivector/fit_center.hpp>
#include <embit/multivector/muvera.hpp>

#include <support/catch.hpp>
#include <support/refusal.hpp>
#include <support/token_sets.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace {

using embit::muvera;
using support::contains, support::random_sets, support::refusal;

constexpr std::size_t sizes[] = {20, 5, 0, 33, 1, 70, 12};

muvera encoder_for(std::uint64_t seed, std::size_t final_dim = 0) {
  embit::rng rng{seed};
  return muvera({.dim = 40, .repetitions = 6, .simhash_bits = 4, .projected_dim = 10, .final_dim = final_dim}, rng);
}

}  // namespace

TEST_CASE("levels stand for the numbers of an encoding, nearer with every bit", "[threads]") {
  const auto sets = random_sets(sizes, 40, 1, .3f);
  for (const std::size_t final_dim : {0u, 333u}) {
    const auto fde = encoder_for(2, final_dim);
    const auto rows = fde.encode(sets.view());
    std::vector<double> last(rows.size(), 0);
    for (const std::size_t bits : {1u, 2u, 4u, 8u}) {
      const auto codes = fde.encode_levels(sets.view(), bits);
      REQUIRE(codes.size() == rows.size());
      REQUIRE(codes.dims() == fde.encoded_dim());
      const auto threaded = fde.encode_levels(sets.view(), bits, embit::thread_pool{3});
      std::vector<float> values(codes.dims()), same(codes.dims());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        codes[i].decode(values);
        threaded[i].decode(same);
        REQUIRE(values == same);
        if (i == 2) continue;  // no tokens
        for (std::size_t j = 0; bits == 1 && j < values.size(); ++j) REQUIRE((values[j] > 0) == (rows[i][j] > 0));
        const double cosine = support::product(values, rows[i]) /
                              std::sqrt(support::product(values, values) * support::product(rows[i], rows[i]));
        CHECK(cosine > last[i]);
        last[i] = cosine;
      }
    }
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (i != 2) CHECK(last[i] > .999);
  }
}

TEST_CASE("the estimator is minus the inner product with what the levels stand for") {
  const auto sets = random_sets(sizes, 40, 3);
  const auto fde = encoder_for(4).with_centers({.hash = embit::fit_center(sets.view())});
  const auto queries = fde.encode_queries(sets.view());
  for (const std::size_t bits : {1u, 4u}) {
    const auto codes = fde.encode_levels(sets.view(), bits);
    const embit::flat_index index{codes, fde.estimator(bits)};
    const auto found = index.search(queries, std::size(sizes));
    std::vector<float> values(codes.dims());
    for (std::size_t q = 0; q < queries.rows(); ++q)
      for (const auto& hit : found[q]) {
        codes[hit.id].decode(values);
        const double scale = std::sqrt(support::product(queries[q], queries[q]) * support::product(values, values));
        CHECK(std::abs(double{hit.distance} + support::product(queries[q], values)) <= .01 * scale + 1e-6);
        // A document without tokens is next to nothing to every query.
        if (hit.id == 2) CHECK(std::abs(double{hit.distance}) <= .15 * scale);
      }
    for (const std::size_t q : {0u, 1u, 3u, 4u, 5u, 6u}) CHECK(found[q][0].id == q);
  }
}

TEST_CASE("sparse queries find what whole ones find") {
  const auto sets = random_sets(sizes, 40, 5);
  const auto fde = encoder_for(6);
  const embit::flat_index whole{fde.encode(sets.view()), embit::inner_product{}};
  const embit::flat_index sparse{fde.encode(sets.view()), embit::sparse_inner_product{}};
  const auto a = whole.search(fde.encode_queries(sets.view()), 5);
  const auto b = sparse.search(fde.encode_queries_sparse(sets.view()), 5);
  for (const std::size_t q : {0u, 1u, 3u, 4u, 5u, 6u})
    for (std::size_t i = 0; i < 5; ++i) {
      CHECK(a[q][i].id == b[q][i].id);
      CHECK(double{a[q][i].distance} == Approx(b[q][i].distance).margin(1e-4));
    }
  CHECK(contains(refusal([&] { (void)encoder_for(6, 100).encode_queries_sparse(sets.view()); }), "100"));
}

TEST_CASE("what cannot be scored in levels is refused") {
  const auto sets = random_sets(sizes, 40, 7);
  const auto fde = encoder_for(8);
  CHECK(contains(refusal([&] { (void)fde.encode_levels(sets.view(), 9); }), "9 bits"));
  CHECK(contains(refusal([&] { (void)fde.estimator(0); }), "0 bits"));
  CHECK(contains(refusal([&] {
                   (void)embit::flat_index{fde.encode_levels(sets.view(), 2), fde.estimator()};
                 }),
                 "shape: "));
  auto queries = fde.encode_queries(sets.view());
  const embit::flat_index index{fde.encode_levels(sets.view(), 1), fde.estimator()};
  queries[3][5] = std::numeric_limits<float>::quiet_NaN();
  CHECK(contains(refusal([&] { (void)index.search(queries, 3); }), "not_finite: "));
  CHECK(contains(refusal([&] { (void)index.search(embit::matrix<float>(1, 7, 0.f), 3); }), "7"));
}
