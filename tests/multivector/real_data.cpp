// Known figures of real token vectors, through encoding, search and exact scores.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/chamfer.hpp>
#include <embit/multivector/fit_center.hpp>
#include <embit/multivector/muvera.hpp>
#include <embit/store/token_store.hpp>

#include <support/catch.hpp>
#include <support/late_interaction.hpp>
#include <support/real_data.hpp>

#include <cmath>
#include <cstddef>
#include <vector>

namespace {

using embit::fde_partitions, embit::fde_planes, embit::muvera, embit::muvera_options;

constexpr std::size_t seeds = 4;

support::collection cacm() {
  return support::mv_cacm(support::real_data("mv_cacm"), support::real_data("ir_cacm/qrels.tsv.gz"));
}

// The share of the exact top 10 among the first 100, in floats, 4 bits and 1 bit; means over the seeds.
struct shares {
  double floats = 0, four_bits = 0, one_bit = 0;
};

shares measure(const support::collection& c, const embit::knn_result<float>& truth, const muvera_options& options,
               const std::vector<float>& center, bool in_bits) {
  shares sum;
  for (std::size_t seed = 1; seed <= seeds; ++seed) {
    embit::rng rng{seed};
    const auto fde = muvera(options, rng).with_centers({.hash = center});
    const auto queries = fde.encode_queries(c.queries.view());
    const auto share = [&](const auto& index) {
      return embit::mean_recall(truth, index.search(queries, 100), 10, 100) / seeds;
    };
    sum.floats += share(embit::flat_index{fde.encode(c.documents.view()), embit::inner_product{}});
    if (!in_bits) continue;
    sum.four_bits += share(embit::flat_index{fde.encode_levels(c.documents.view(), 4), fde.estimator(4)});
    sum.one_bit += share(embit::flat_index{fde.encode_levels(c.documents.view(), 1), fde.estimator()});
  }
  return sum;
}

}  // namespace

TEST_CASE("ColBERT tokens rank as they are known to, in floats and in one bit a dimension") {
  EMBIT_NEEDS_REAL_DATA();
  const auto c = support::colbert_nanofiqa(support::real_data("colbert_nanofiqa"));
  const auto queries = c.queries.view();
  const embit::token_store<embit::sign_token> signs(c.documents.view());
  auto sign_queries = c.queries;
  for (float& x : sign_queries.values.values()) x = x > 0 ? 1.f : -1.f;
  const double floats = mean_ndcg(embit::flat_index{c.documents.view(), embit::chamfer{}}.search(queries, 35), c);
  const embit::flat_index in_signs{signs, embit::chamfer_signs{}};
  const double asymmetric = mean_ndcg(in_signs.search(queries, 35), c);
  const double symmetric = mean_ndcg(in_signs.search(sign_queries.view(), 35), c);
  WARN("colbert_nanofiqa, MaxSim nDCG@10: floats " << floats << ", signs " << symmetric << ", float query on signs "
                                                   << asymmetric);
  REQUIRE(std::abs(floats - .936) <= .005);
  REQUIRE(std::abs(symmetric - .906) <= .005);
  REQUIRE(asymmetric >= symmetric);
}

TEST_CASE("candidates by fixed dimensional encodings hold the best documents of exact MaxSim") {
  EMBIT_NEEDS_REAL_DATA();
  const auto c = cacm();
  const embit::flat_index exact{c.documents.view(), embit::chamfer{}};
  const auto truth = exact.search(c.queries.view(), 10);
  const double ndcg = mean_ndcg(truth, c);
  REQUIRE(std::abs(ndcg - .327) <= .005);
  const auto center = embit::fit_center(c.documents.view());
  const embit::flat_index means{support::mean_vectors(c.documents.view()), embit::inner_product{}};
  const double baseline =
      embit::mean_recall(truth, means.search(support::mean_vectors(c.queries.view()), 100), 10, 100);

  muvera_options large{.dim = 128, .repetitions = 20, .simhash_bits = 5, .projected_dim = 16};
  muvera_options small{.dim = 128, .repetitions = 20, .simhash_bits = 4, .projected_dim = 8};
  const shares of_large = measure(c, truth, large, center, true), of_small = measure(c, truth, small, center, true);
  large.planes = small.planes = fde_planes::structured;
  const shares structured_large = measure(c, truth, large, center, false);
  const shares structured_small = measure(c, truth, small, center, false);
  small.planes = fde_planes::gaussian;
  small.partitions = fde_partitions::mean;
  const shares of_means = measure(c, truth, small, center, false);
  WARN("mv_cacm, R10@100: mean vector " << baseline << "; (20,5,16) float " << of_large.floats << ", 4 bits "
                                        << of_large.four_bits << ", 1 bit " << of_large.one_bit << ", structured "
                                        << structured_large.floats << "; (20,4,8) float " << of_small.floats
                                        << ", 4 bits " << of_small.four_bits << ", 1 bit " << of_small.one_bit
                                        << ", structured " << structured_small.floats << ", mean partitions "
                                        << of_means.floats);
  CHECK(of_large.floats >= .94);
  CHECK(of_large.four_bits >= .94);
  CHECK(of_large.one_bit >= .91);
  CHECK(of_small.floats >= .92);
  CHECK(of_small.one_bit >= .85);
  CHECK(std::abs(structured_large.floats - of_large.floats) <= .03);
  CHECK(std::abs(structured_small.floats - of_small.floats) <= .03);
  CHECK(of_small.floats > baseline);
  CHECK(of_small.floats > of_means.floats);
}
