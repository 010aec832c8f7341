// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/chamfer.hpp>
#include <embit/multivector/plan_muvera.hpp>

#include <support/catch.hpp>
#include <support/late_interaction.hpp>
#include <support/real_data.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace {

using support::contains;
using support::refusal;

// Documents of 3 to 9 tokens around topics, and queries of some tokens of one, disturbed.
struct topics {
  support::token_file documents, queries;
};

topics make_topics(std::size_t count, std::size_t asking, std::size_t dim, std::uint64_t seed) {
  embit::rng rng{seed};
  topics made;
  std::vector<std::vector<float>> tokens;
  made.documents.offsets.assign(1, 0);
  made.queries.offsets.assign(1, 0);
  for (std::size_t d = 0; d < count; ++d) {
    std::vector<float> center(dim);
    for (float& x : center) x = embit::normal(rng);
    for (std::size_t t = 0; t < 3 + d % 7; ++t) {
      tokens.emplace_back(dim);
      double square = 0;
      for (std::size_t j = 0; j < dim; ++j) {
        tokens.back()[j] = center[j] + embit::normal(rng);
        square += double{tokens.back()[j]} * double{tokens.back()[j]};
      }
      for (float& x : tokens.back()) x = static_cast<float>(double{x} / std::sqrt(square));
    }
    made.documents.offsets.push_back(tokens.size());
  }
  made.documents.values = embit::matrix<float>(tokens.size(), dim);
  for (std::size_t t = 0; t < tokens.size(); ++t) std::ranges::copy(tokens[t], made.documents.values[t].begin());
  made.queries.values = embit::matrix<float>(asking * 3, dim);
  for (std::size_t q = 0; q < asking; ++q) {
    const std::size_t first = made.documents.offsets[q * count / asking];
    for (std::size_t t = 0; t < 3; ++t)
      for (std::size_t j = 0; j < dim; ++j)
        made.queries.values[3 * q + t][j] = tokens[first + t][j] + .1f * embit::normal(rng);
    made.queries.offsets.push_back(3 * (q + 1));
  }
  return made;
}

double recall_of(const embit::muvera_plan& plan, embit::ragged_view<const float> documents,
                 embit::ragged_view<const float> queries, std::size_t candidates) {
  const auto truth = embit::flat_index{documents, embit::chamfer{}}.search(queries, 10);
  const embit::flat_index index{plan.encoder.encode_levels(documents, plan.bits), plan.encoder.estimator(plan.bits)};
  return embit::mean_recall(truth, index.search(plan.encoder.encode_queries(queries), candidates), 10, candidates);
}

}  // namespace

TEST_CASE("a plan of encodings keeps its promises, with the fewest bytes that do", "[threads]") {
  const auto sets = make_topics(700, 60, 24, 1);
  std::size_t before = 0;
  for (const double target : {.3, .6, .8}) {
    embit::rng rng{2}, same{2};
    const embit::plan_muvera_options options{.target_recall = target, .candidates = 50};
    const auto plan = embit::plan_muvera(sets.documents.view(), sets.queries.view(), options, rng);
    INFO("target " << target << ", recall " << plan.recall << ", bytes " << plan.bytes_per_document);
    CHECK(plan.recall > target - .1);
    CHECK(plan.bytes_per_document <= 5120);
    CHECK(plan.bytes_per_document >= before);
    before = plan.bytes_per_document;
    CHECK(plan.encoder.encode_levels(sets.documents.view(), plan.bits).bytes_per_row() == plan.bytes_per_document);
    const double found = recall_of(plan, sets.documents.view(), sets.queries.view(), 50);
    CHECK(std::abs(found - plan.recall) < .1);
    double best = 0;
    for (const auto& trial : plan.tried) {
      CHECK(trial.bytes <= 5120);
      best = std::max(best, trial.recall);
    }
    CHECK(best >= target);
    const embit::thread_pool threads(2);
    const auto again = embit::plan_muvera(sets.documents.view(), sets.queries.view(), options, same, {}, threads);
    CHECK(again.encoder.fingerprint() == plan.encoder.fingerprint());
    CHECK(again.recall == plan.recall);
  }
  // A budget that is too small gives what finds most within it.
  embit::rng rng{3};
  const auto small_plan = embit::plan_muvera(sets.documents.view(), sets.queries.view(),
                                             {.target_recall = 1, .bytes_per_document = 60}, rng);
  CHECK(small_plan.bytes_per_document <= 60);
  CHECK(small_plan.recall > 0);
}

TEST_CASE("a plan of encodings stops when it is told to, and measures on samples") {
  const auto sets = make_topics(300, 20, 8, 4);
  std::size_t calls = 0;
  embit::rng rng{5};
  const auto plan = embit::plan_muvera(sets.documents.view(), sets.queries.view(),
                                       {.target_recall = 1, .most_documents = 100, .most_queries = 10}, rng,
                                       [&](const embit::progress_report& report) {
                                         CHECK((report.objective >= 0 && report.objective <= 1));
                                         return ++calls < 3;
                                       });
  CHECK(calls == 3);
  CHECK(plan.tried.size() == 3);
  CHECK(plan.encoder.dim() == 8);
}

TEST_CASE("what no encoding can be planned for is refused") {
  const auto sets = make_topics(30, 6, 8, 6);
  const auto outcome = [&](embit::ragged_view<const float> documents, embit::ragged_view<const float> queries,
                           const embit::plan_muvera_options& options) {
    embit::rng rng{1};
    return refusal([&] { embit::plan_muvera(documents, queries, options, rng); });
  };
  const auto documents = sets.documents.view(), queries = sets.queries.view();
  CHECK(contains(outcome(documents.middle_rows(0, 0), queries, {}), "argument: plan_muvera: 0 documents"));
  CHECK(contains(outcome(documents, queries.middle_rows(0, 1), {}), "1 queries"));
  for (const double target : {0., 1.1, -1., std::numeric_limits<double>::quiet_NaN()})
    CHECK(contains(outcome(documents, queries, {.target_recall = target}), "a recall of"));
  CHECK(contains(outcome(documents, queries, {.k = 0}), "the best 0"));
  CHECK(contains(outcome(documents, queries, {.k = 20, .candidates = 10}), "the best 20 among 10"));
  CHECK(contains(outcome(documents, queries, {.bytes_per_document = 19}), "19 bytes a document where 20"));
  CHECK(contains(outcome(documents, queries, {.most_queries = 1}), "measured on"));
  const auto other = make_topics(3, 3, 9, 1);
  CHECK(contains(outcome(documents, other.queries.view(), {}), "shape: queries: tokens of dimension 9"));
  auto broken = sets;
  broken.documents.values[7][2] = std::numeric_limits<float>::infinity();
  CHECK(contains(outcome(broken.documents.view(), queries, {}), "not_finite: documents"));
}

TEST_CASE("a plan for real tokens finds what it says") {
  EMBIT_NEEDS_REAL_DATA();
  const auto folder = support::real_data("colbert_passages");
  const auto documents =
      support::read_token_file(folder + "/documents_tokens_f16.npy", folder + "/documents_offsets_i32.npy");
  const auto queries =
      support::read_token_file(folder + "/queries_tokens_f16.npy", folder + "/queries_offsets_i32.npy");
  embit::rng rng{1};
  const auto plan = embit::plan_muvera(documents.view(), queries.view(),
                                       {.target_recall = .9, .candidates = 20, .bytes_per_document = 1280}, rng);
  INFO("recall " << plan.recall << ", bytes " << plan.bytes_per_document);
  CHECK(plan.bytes_per_document <= 1280);
  CHECK(recall_of(plan, documents.view(), queries.view(), 20) > .88);
}
