// SPDX-License-Identifier: MIT
#include <embit/core/thread_pool.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/io/npy.hpp>
#include <embit/retrieve/code_rerank.hpp>
#include <embit/retrieve/file_rerank.hpp>
#include <embit/retrieve/float_rerank.hpp>
#include <embit/retrieve/rerank_stages.hpp>
#include <embit/retrieve/retriever.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <vector>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

using embit::code_rerank;
using embit::file_rerank;
using embit::float_rerank;
using embit::matrix;
using embit::rerank_stages;
using support::contains;
using support::normal_rows;
using support::refusal;

namespace {

constexpr std::size_t n = 1500, dim = 48;

struct set_up {
  matrix<float> x = normal_rows(n, dim, 1), q = normal_rows(12, dim, 2);
  embit::rng rng{7};
  embit::sign_projection lsh = embit::sign_lsh({.dim = dim, .bits = 96}, rng);
  embit::flat_index<> index{lsh.encode(x)};
  embit::rabitq coder = embit::fit_rabitq(x, {.bits_per_dim = 4}, rng);
  embit::level_store codes = coder.encode(x);

  code_rerank<embit::level_store, embit::rabitq::estimator_type> by_codes() const {
    return code_rerank{codes, coder.estimator()};
  }
};

/// Notes which rows it is asked about.
struct noting_rerank {
  using query_view = embit::matrix_view<const float>;
  using score_type = std::uint32_t;
  using compare = std::greater<>;
  std::vector<std::vector<embit::row_id>>* asked;
  score_type operator()(std::span<const float>, embit::row_id row) const { return row; }
  void rerank_batch(query_view queries, std::span<const std::span<const embit::row_id>> lists,
                    std::span<const std::span<std::uint32_t>> scores) const {
    CHECK((lists.size() == queries.rows() && scores.size() == queries.rows()));
    for (std::size_t i = 0; i < lists.size(); ++i) {
      asked->emplace_back(lists[i].begin(), lists[i].end());
      std::ranges::copy(lists[i], scores[i].begin());
    }
  }
};
static_assert(embit::BatchReranker<noting_rerank> && embit::Reranker<rerank_stages<noting_rerank, float_rerank<>>>);

template <class Result>
bool same(const Result& a, const Result& b) {
  if (a.queries() != b.queries()) return false;
  for (std::size_t i = 0; i < a.queries(); ++i)
    if (!std::ranges::equal(a[i], b[i])) return false;
  return true;
}

}  // namespace

TEST_CASE("a stage scores what the one before has kept, best first", "[rerank_stages]") {
  const set_up s;
  std::vector<std::vector<embit::row_id>> asked;
  const embit::retriever staged{s.lsh, s.index, rerank_stages{s.by_codes(), 40, noting_rerank{&asked}}};
  const embit::retriever codes_alone{s.lsh, s.index, s.by_codes()};
  const auto found = staged.search(s.q, 5, {.candidates = 300});
  const auto expected = codes_alone.search(s.q, 40, {.candidates = 300});
  REQUIRE(asked.size() == s.q.rows());
  for (std::size_t i = 0; i < s.q.rows(); ++i) {
    REQUIRE(asked[i].size() == 40);
    for (std::size_t j = 0; j < 40; ++j) CHECK(asked[i][j] == expected[i][j].id);
    std::ranges::sort(asked[i], std::greater<>());
    REQUIRE(found[i].size() == 5);
    for (std::size_t j = 0; j < 5; ++j) CHECK((found[i][j].id == asked[i][j] && found[i][j].distance == asked[i][j]));
  }
  asked.clear();
  CHECK(staged.search(s.q, 60, {.candidates = 300})[3].size() == 60);  // never fewer than are asked for
  CHECK(asked[3].size() == 60);
  asked.clear();
  CHECK(staged.search(s.q, 60, {.candidates = 20})[3].size() == 60);
}

TEST_CASE("stages that keep all are the last one alone, and all rows an exact search", "[rerank_stages]") {
  const set_up s;
  const support::temp_dir dir;
  embit::write_npy(dir / "x.npy", s.x);
  const file_rerank on_disk(dir / "x.npy");
  const embit::retriever alone{s.lsh, s.index, float_rerank{s.x}};
  const embit::retriever staged{s.lsh, s.index, rerank_stages{s.by_codes(), n, on_disk}};
  CHECK(same(staged.search(s.q, 10, {.candidates = 77}), alone.search(s.q, 10, {.candidates = 77})));
  CHECK(same(staged.search(s.q, 10, {.candidates = n}), embit::ground_truth(s.x, s.q, 10)));

  // Two ways to say three stages, and what they must come to: an index, codes, floats.
  const embit::retriever first{s.lsh, s.index,
                               rerank_stages{rerank_stages{float_rerank{s.x}, 300, s.by_codes()}, 30, on_disk}};
  const embit::retriever last{s.lsh, s.index,
                              rerank_stages{float_rerank{s.x}, 300, rerank_stages{s.by_codes(), 30, on_disk}}};
  const auto a = first.search(s.q, 10, {.candidates = 900});
  CHECK(same(a, last.search(s.q, 10, {.candidates = 900})));
  const auto best = alone.search(s.q, 300, {.candidates = 900});
  for (std::size_t i = 0; i < s.q.rows(); ++i) {
    std::vector<embit::neighbor<float>> by_codes;
    for (const auto& hit : best[i]) by_codes.push_back({hit.id, s.by_codes()(s.q[i], hit.id)});
    std::ranges::sort(by_codes, embit::neighbor_order<std::less<>>());
    std::set<embit::row_id> kept;
    for (std::size_t j = 0; j < 30; ++j) kept.insert(by_codes[j].id);
    for (const auto& hit : a[i]) CHECK(kept.count(hit.id) == 1);
  }
}

TEST_CASE("more candidates find no less", "[rerank_stages]") {
  const set_up s;
  const auto truth = embit::ground_truth(s.x, s.q, 10);
  const auto recall = [&](std::size_t candidates, std::size_t keep) {
    const embit::retriever two{s.lsh, s.index, rerank_stages{s.by_codes(), keep, float_rerank{s.x}}};
    const auto found = two.search(s.q, 10, {.candidates = candidates});
    std::size_t hits = 0;
    for (std::size_t i = 0; i < s.q.rows(); ++i)
      for (const auto& t : truth[i]) hits += std::ranges::any_of(found[i], [&](const auto& f) { return f.id == t.id; });
    return hits;
  };
  std::size_t before = 0;
  for (const std::size_t candidates : {10u, 50u, 200u, 700u, 1500u}) {
    const std::size_t hits = recall(candidates, n);
    CHECK(hits >= before);
    before = hits;
  }
  CHECK(before == 120);
  CHECK(recall(n, 10) < recall(n, 40));
  CHECK(recall(n, 40) >= 110);  // codes of four bits know the neighbours
}

TEST_CASE("stages work over labels, filters and threads", "[rerank_stages][threads]") {
  const set_up s;
  const embit::flat_index pool{s.lsh.encode(s.x), embit::hamming{}, embit::thread_pool{2}};
  const embit::retriever one{s.lsh, s.index, rerank_stages{s.by_codes(), 40, float_rerank{s.x}}};
  const embit::retriever two{s.lsh, pool, rerank_stages{s.by_codes(), 40, float_rerank{s.x}}};
  CHECK(same(one.search(s.q, 10, {.candidates = 200}), two.search(s.q, 10, {.candidates = 200})));
  const auto third = [](embit::row_id row) { return row % 3 == 0; };
  for (const auto& hit : one.search(s.q, 10, {.candidates = 200}, third)[0]) CHECK(hit.id % 3 == 0);
  std::vector<embit::row_label> labels(n);
  for (std::size_t i = 0; i < n; ++i) labels[i] = 10'000 + i;
  const embit::retriever named{s.lsh, embit::labelled_index{s.index, labels},
                               rerank_stages{s.by_codes(), 40, float_rerank{s.x}}};
  CHECK(named.search(s.x, 1)[77][0].id == 10'077);
}

TEST_CASE("every stage is held against the index", "[rerank_stages]") {
  set_up s;
  const auto fewer = normal_rows(n - 1, dim, 3), narrow = normal_rows(n, dim - 1, 3);
  const auto why = [&](const auto& reranker) {
    return refusal([&] { embit::retriever(s.lsh, s.index, reranker).search(s.q, 3); });
  };
  CHECK(contains(why(rerank_stages{s.by_codes(), 40, float_rerank{fewer}}), "shape: reranker: 1499 rows"));
  CHECK(contains(why(rerank_stages{float_rerank{fewer}, 40, float_rerank{s.x}}), "shape: reranker: 1499 rows"));
  CHECK(contains(why(rerank_stages{float_rerank{narrow}, 40, float_rerank{s.x}}), "shape: queries: dimension 48"));
  CHECK(contains(why(rerank_stages{code_rerank{s.coder.encode(fewer), s.coder.estimator()}, 40, float_rerank{s.x}}),
                 "shape: reranker: 1499 rows"));
  CHECK(
      contains(refusal([&] { rerank_stages(s.by_codes(), 0, float_rerank{s.x}); }), "argument: rerank_stages: keep 0"));
  const auto other = embit::fit_rabitq(s.x, {.bits_per_dim = 2}, s.rng);
  CHECK(contains(refusal([&] { code_rerank(s.codes, other.estimator()); }), "shape: "));
  const auto wider = embit::sign_lsh({.dim = dim, .bits = 97}, s.rng);
  CHECK(contains(refusal([&] { code_rerank(s.lsh.encode(s.x), wider.asymmetric()); }), "shape: codes: 96 bits"));
}
