// SPDX-License-Identifier: MIT
#include <embit/core/thread_pool.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/save.hpp>
#include <embit/multivector/fit_center.hpp>
#include <embit/multivector/muvera.hpp>
#include <embit/retrieve/chamfer_rerank.hpp>
#include <embit/retrieve/retriever.hpp>

#include <support/catch.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>
#include <support/token_sets.hpp>

#include <algorithm>
#include <functional>
#include <type_traits>
#include <vector>

namespace {

using support::contains, support::refusal;

support::token_sets many_sets() {
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < 120; ++i) sizes.push_back(i == 50 ? 0 : 1 + i * 11 % 40);
  return support::random_sets(sizes, 48, 1, .3f);
}

embit::muvera encoder_for(const support::token_sets& sets) {
  embit::rng rng{2};
  return embit::muvera({.dim = 48, .repetitions = 10, .simhash_bits = 4, .projected_dim = 8}, rng)
      .with_centers({.hash = embit::fit_center(sets.view())});
}

// Scores of all documents by the definition, best first.
void require_exact(const embit::knn_result<float>& found, embit::ragged_view<const float> queries,
                   embit::ragged_view<const float> documents) {
  for (std::size_t q = 0; q < queries.size(); ++q) {
    std::vector<double> scores;
    for (std::size_t d = 0; d < documents.size(); ++d) scores.push_back(support::chamfer(queries[q], documents[d]));
    std::ranges::sort(scores, std::greater<>{});
    for (std::size_t i = 0; i < found[q].size(); ++i) {
      REQUIRE(double{found[q][i].distance} == Approx(scores[i]).margin(1e-4));
      REQUIRE(support::chamfer(queries[q], documents[found[q][i].id]) == Approx(scores[i]).margin(1e-4));
    }
  }
}

}  // namespace

TEST_CASE("reranking all candidates is exact MaxSim search", "[threads]") {
  const auto sets = many_sets();
  const auto fde = encoder_for(sets);
  const auto queries = sets.view().middle_rows(60, 7);
  const embit::retriever floats{
      fde, embit::flat_index{fde.encode(sets.view()), embit::inner_product{}, embit::thread_pool{2}},
      embit::chamfer_rerank{sets.view()}};
  require_exact(floats.search(queries, 10, {.candidates = 120}), queries, sets.view());

  const embit::retriever bits{fde, embit::flat_index{fde.encode_levels(sets.view(), 1), fde.estimator()},
                              embit::chamfer_rerank{sets.view()}};
  require_exact(bits.search(queries, 10, {.candidates = 120}), queries, sets.view());
  CHECK(bits.search(queries, 1, {.candidates = 20})[3][0].id == 63);
}

TEST_CASE("documents are reranked from any store of tokens") {
  const auto sets = many_sets();
  const auto fde = encoder_for(sets);
  const auto queries = sets.view().middle_rows(60, 7);
  const embit::flat_index index{fde.encode_levels(sets.view(), 4), fde.estimator(4)};
  const auto finds_themselves = [&](const auto& rerank) {
    const auto found = embit::retriever{fde, index, rerank}.search(queries, 5, {.candidates = 40});
    for (std::size_t q = 0; q < queries.size(); ++q) CHECK(found[q][0].id == 60 + q);
  };
  const embit::token_store<embit::half> halves(sets.view());
  const embit::token_store<std::int8_t> bytes(sets.view());
  const embit::token_store<embit::sign_token> signs(sets.view());
  finds_themselves(embit::chamfer_rerank{halves});
  finds_themselves(embit::chamfer_rerank{bytes});
  finds_themselves(embit::chamfer_rerank{signs});
  finds_themselves(embit::chamfer_rerank{bytes.view()});
  const support::temp_dir dir;
  embit::save(dir / "tokens.embit", bytes);
  finds_themselves(embit::chamfer_rerank{embit::mapped_token_store<std::int8_t>(dir / "tokens.embit")});
}

TEST_CASE("masks reach every part") {
  auto sets = many_sets();
  const auto fde = encoder_for(sets);
  sets.mask.assign(sets.values.rows(), 1);
  for (std::size_t t = 0; t < sets.mask.size(); t += 3) sets.mask[t] = 0;
  const auto queries = sets.view().middle_rows(61, 6);
  const embit::retriever late{fde, embit::flat_index{fde.encode(sets.view()), embit::inner_product{}},
                              embit::chamfer_rerank{sets.view()}};
  require_exact(late.search(queries, 10, {.candidates = 120}), queries, sets.view());
}

TEST_CASE("ball carving scores the sums of the balls") {
  const auto sets = many_sets();
  const embit::chamfer_rerank exact{sets.view()}, carved{sets.view(), {.ball_tau = .5f}};
  const auto query = sets.view()[70];
  const auto balls = embit::carve_balls(query, .5f);
  REQUIRE(balls.rows() < query.rows());
  for (const embit::row_id document : {3u, 70u, 90u}) {
    CHECK(carved(query, document) == exact(embit::row_set<const float>(balls), document));
    CHECK(carved(query, document) <= exact(query, document) + 1e-4f);
  }
  CHECK(contains(refusal([&] { embit::chamfer_rerank{sets.view(), {.ball_tau = 1.5f}}; }), "ball_tau"));
}

TEST_CASE("sets of another dimension, or too few documents, are refused") {
  const auto sets = many_sets();
  const auto fde = encoder_for(sets);
  const embit::flat_index index{fde.encode(sets.view()), embit::inner_product{}};
  CHECK(contains(refusal([&] {
                   (void)embit::retriever{fde, index, embit::chamfer_rerank{sets.view().middle_rows(0, 9)}};
                 }),
                 "9 rows, the index has 120"));
  const std::size_t sizes[] = {4};
  const auto narrow = support::random_sets(sizes, 47, 3);
  const embit::retriever late{fde, index, embit::chamfer_rerank{sets.view()}};
  CHECK(contains(refusal([&] { (void)late.search(narrow.view(), 3); }), "47"));
}

TEST_CASE("late interaction is saved and loaded, and encodings of another encoder are refused") {
  const auto sets = many_sets();
  const auto fde = encoder_for(sets);
  const support::temp_dir dir;
  const auto check = [&](const auto& late) {
    embit::save(dir / "late", late);
    using loaded_type = std::remove_cvref_t<decltype(late)>;
    const auto loaded = [&] {
      if constexpr (requires { embit::load<loaded_type>(dir / "late", embit::chamfer_rerank{sets.view()}); })
        return embit::load<loaded_type>(dir / "late", embit::chamfer_rerank{sets.view()});
      else
        return embit::load<loaded_type>(dir / "late", embit::chamfer_rerank{sets.view()}, fde.estimator());
    }();
    const auto queries = sets.view().middle_rows(60, 7);
    const auto expected = late.search(queries, 5, {.candidates = 30}),
               found = loaded.search(queries, 5, {.candidates = 30});
    for (std::size_t q = 0; q < 7; ++q) CHECK(std::ranges::equal(found[q], expected[q]));
  };
  check(embit::retriever{fde, embit::flat_index{fde.encode(sets.view()), embit::inner_product{}},
                         embit::chamfer_rerank{sets.view()}});
  check(embit::retriever{fde, embit::flat_index{fde.encode_levels(sets.view(), 1), fde.estimator()},
                         embit::chamfer_rerank{sets.view()}});

  embit::rng rng{99};
  const embit::muvera other({.dim = 48, .repetitions = 10, .simhash_bits = 4, .projected_dim = 8}, rng);
  CHECK(contains(refusal([&] {
                   (void)embit::retriever{other, embit::flat_index{fde.encode(sets.view()), embit::inner_product{}}};
                 }),
                 "argument: encoder: of another encoder"));
}
