// NaN and infinity at every door of indexes, rerankers and stores, and scores of finite rows that are no numbers.
#include <embit/codes/pack.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/plan_lsh.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/linalg/mean.hpp>
#include <embit/linalg/symmetric_eigen.hpp>
#include <embit/multivector/ball_carving.hpp>
#include <embit/multivector/fde_store.hpp>
#include <embit/retrieve/chamfer_rerank.hpp>
#include <embit/retrieve/float_rerank.hpp>
#include <embit/store/mapped_token_store.hpp>
#include <embit/store/token_store.hpp>

#include <support/catch.hpp>
#include <support/container_bytes.hpp>
#include <support/normal_rows.hpp>
#include <support/numbers.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace {

using embit::matrix;
using embit::matrix_view;
using support::normal_rows;
using support::refusal;
using tokens_view = embit::ragged_view<const float>;

constexpr std::size_t rows = 100, dim = 16;
const std::vector<std::size_t> offsets{0, 40, 100};

tokens_view tokens_of(const matrix<float>& x, std::span<const std::uint8_t> mask = {}) {
  return {x.view(), offsets, mask};
}

// All rows are in one bucket of the one table.
matrix<std::uint32_t> keys() { return {rows, 1, 0u}; }

struct door {
  const char* name;
  std::function<void(const matrix<float>& bad, float number)> enter;
};

// `bad` has one number that is not finite, in row 50; `number` is that number.
std::vector<door> doors() {
  const auto good = std::make_shared<const matrix<float>>(normal_rows(rows, dim, 1));
  const auto l2 = std::make_shared<const embit::flat_index<matrix<float>, embit::l2>>(*good, embit::l2{});
  const auto table = std::make_shared<const embit::lsh_table<matrix<float>, embit::l2>>(
      *good, keys(), embit::lsh_table_options{.tables = 1, .bits = 1}, embit::l2{});
  const auto kept = std::make_shared<const embit::token_store<float>>(tokens_of(*good));
  const auto documents =
      std::make_shared<const embit::flat_index<embit::token_store<float>, embit::chamfer>>(*kept, embit::chamfer{});
  return {
      {"flat_index, rows", [](const matrix<float>& bad, float) { embit::flat_index(bad, embit::l2{}); }},
      {"flat_index, a view",
       [](const matrix<float>& bad, float) { embit::flat_index(bad.view(), embit::inner_product{}); }},
      {"flat_index, queries", [=](const matrix<float>& bad, float) { l2->search(bad, 3); }},
      {"flat_index, range queries", [=](const matrix<float>& bad, float) { l2->range_search(bad, 1); }},
      {"flat_index, distances_to",
       [=](const matrix<float>& bad, float) { l2->distances_to(bad, std::vector<embit::row_id>{1}); }},
      {"flat_index, sets",
       [](const matrix<float>& bad, float) { embit::flat_index(tokens_of(bad), embit::chamfer{}); }},
      {"flat_index, sets as queries", [=](const matrix<float>& bad, float) { documents->search(tokens_of(bad), 2); }},
      {"lsh_table, rows",
       [](const matrix<float>& bad, float) { embit::lsh_table(bad, keys(), {.tables = 1, .bits = 1}, embit::l2{}); }},
      {"lsh_table, queries",
       [=](const matrix<float>& bad, float) {
         table->search({bad.view(), keys()}, 3);
       }},
      {"lsh_table, margins",
       [=](const matrix<float>& bad, float) {
         const auto one = matrix_view<const float>(bad.data() + 3, rows, 1, dim);
         table->search({good->view(), keys(), one}, 3);
       }},
      {"float_rerank, rows", [](const matrix<float>& bad, float) { embit::float_rerank{bad}; }},
      {"float_rerank, a query", [=](const matrix<float>& bad, float) { embit::float_rerank{*good}(bad[50], 0); }},
      {"float_rerank, many rows",
       [=](const matrix<float>& bad, float) {
         std::vector<float> scores(1);
         embit::float_rerank{*good}.rerank(bad[50], std::vector<embit::row_id>{1}, scores);
       }},
      {"chamfer_rerank, documents", [](const matrix<float>& bad, float) { embit::chamfer_rerank{tokens_of(bad)}; }},
      {"chamfer_rerank, a query",
       [=](const matrix<float>& bad, float) { embit::chamfer_rerank{tokens_of(*good)}(bad.view(), 0); }},
      {"chamfer_rerank, balls",
       [=](const matrix<float>& bad, float) {
         embit::chamfer_rerank(tokens_of(*good), {.ball_tau = .7f})(bad.view(), 0);
       }},
      {"token_store, float", [](const matrix<float>& bad, float) { embit::token_store<float>{tokens_of(bad)}; }},
      {"token_store, half", [](const matrix<float>& bad, float) { embit::token_store<embit::half>{tokens_of(bad)}; }},
      {"token_store, bytes", [](const matrix<float>& bad, float) { embit::token_store<std::int8_t>{tokens_of(bad)}; }},
      {"token_store, signs",
       [](const matrix<float>& bad, float) { embit::token_store<embit::sign_token>{tokens_of(bad)}; }},
      {"fde_store", [](const matrix<float>& bad, float) { embit::fde_store(bad, std::vector<std::uint8_t>(rows), 1); }},
      {"carve_balls", [](const matrix<float>& bad, float) { embit::carve_balls(bad.view(), .5f); }},
      {"pack_signs",
       [](const matrix<float>& bad, float) {
         std::vector<embit::word> codes(rows);
         embit::pack_signs(bad, codes);
       }},
      {"pack_signs, thresholds",
       [=](const matrix<float>& bad, float) {
         std::vector<embit::word> codes(rows);
         embit::pack_signs(*good, codes, bad[50]);
       }},
      {"ground_truth, rows", [=](const matrix<float>& bad, float) { embit::ground_truth(bad, *good, 3); }},
      {"ground_truth, queries", [=](const matrix<float>& bad, float) { embit::ground_truth(*good, bad, 3); }},
      {"mean_row", [](const matrix<float>& bad, float) { embit::mean_row(bad); }},
      {"symmetric_eigen",
       [](const matrix<float>&, float x) {
         matrix<double> s(2, 2, 1.);
         s[1][0] = double{x};
         embit::symmetric_eigen(s.view());
       }},
      {"ball_tau", [=](const matrix<float>&, float x) { embit::chamfer_rerank(tokens_of(*good), {.ball_tau = x}); }},
      {"carve_balls, tau", [=](const matrix<float>&, float x) { embit::carve_balls(good->view(), x); }},
      {"tversky", [](const matrix<float>&, float x) { embit::tversky({.alpha = x}); }},
      {"plan_lsh, recall",
       [](const matrix<float>&, float x) { embit::plan_lsh({.rows = 1000, .target_recall = double{x}, .angle = .5}); }},
      {"plan_lsh, angle", [](const matrix<float>&, float x) { embit::plan_lsh({.rows = 1000, .angle = double{x}}); }},
      {"plan_lsh, cosine", [](const matrix<float>&, float x) { embit::plan_lsh({.rows = 1000, .cosine = double{x}}); }},
      {"plan_lsh, cost",
       [](const matrix<float>&, float x) { embit::plan_lsh({.rows = 1000, .angle = .5, .lookup_cost = double{x}}); }},
      {"lsh_recall", [](const matrix<float>&, float x) { embit::lsh_recall(4, 8, 1, double{x}); }},
  };
}

}  // namespace

TEST_CASE("every door refuses NaN and infinity, and lets the largest numbers in") {
  for (const auto& d : doors()) {
    INFO(d.name);
    for (const std::uint32_t bits : {0x7fc00000u, 0x7f800001u, 0xffc12345u, 0x7f800000u, 0xff800000u}) {
      auto bad = normal_rows(rows, dim, 1);
      bad[50][3] = support::number_of(bits);
      const auto said = refusal([&] { d.enter(bad, bad[50][3]); });
      CHECK((said.starts_with("not_finite: ") || said.starts_with("argument: ")));
    }
    const auto good = normal_rows(rows, dim, 1);
    CHECK(refusal([&] { d.enter(good, .5f); }) == "accepted");
  }
}

TEST_CASE("a radius or a threshold is finite") {
  const auto x = normal_rows(rows, dim, 1);
  const embit::flat_index index{x, embit::l2{}};
  const embit::lsh_table table{x, keys(), {.tables = 1, .bits = 1}, embit::l2{}};
  const auto one = x.view().middle_rows(0, 1);
  const matrix<std::uint32_t> key(1, 1, 0u);
  embit::code_store<> codes(3, 64);
  codes.row(1)[0] = 7;
  const embit::flat_index sets{codes, embit::jaccard{}};
  for (const float bad : {support::quiet_nan(), support::infinity(), -support::infinity()}) {
    CHECK(refusal([&] { index.range_search(one, bad); }).starts_with("not_finite: radius"));
    CHECK(refusal([&] { table.range_search({one, key}, bad); }).starts_with("not_finite: radius"));
    CHECK(refusal([&] { sets.range_search(codes, bad); }).starts_with("not_finite: threshold"));
    CHECK(refusal([&] { sets.pairs_within(bad, [](auto, auto, float) {}); }).starts_with("not_finite: threshold"));
  }
  CHECK(refusal([&] { index.range_search(one, 1e300); }).starts_with("not_finite: radius: 1e+300"));
  CHECK(index.range_search(one, (std::numeric_limits<float>::max)())[0].size() == rows);
}

TEST_CASE("tokens that a mask leaves out are not looked at") {
  auto x = normal_rows(rows, dim, 1);
  x[50][3] = support::quiet_nan();
  std::vector<std::uint8_t> mask(rows, 1);
  mask[50] = 0;
  const auto documents = tokens_of(x, mask);
  const embit::chamfer_rerank rerank{documents};
  const embit::token_store<float> store{documents};
  CHECK(support::is_finite(rerank(documents[1], 1)));
  CHECK(refusal([&] { embit::flat_index(store, embit::chamfer{}).search(documents, 2); }) == "accepted");
}

TEST_CASE("tokens of a file are refused when they are read, and where they are mapped when asked for", "[threads]") {
  const support::temp_dir dir;
  const auto x = normal_rows(rows, dim, 1);
  const auto damage = [&](const std::string& path, const std::string& section, auto number) {
    std::string bytes = support::slurp(path);
    for (std::size_t i = 0; i < support::sections_of(bytes); ++i)
      if (bytes.compare(64 + 64 * i, section.size(), section) == 0)
        support::put(bytes, support::get<std::uint64_t>(bytes, 64 + 64 * i + 32) + 50 * sizeof number, number);
    support::repair_checksums(bytes);
    support::spill(path, bytes);
  };
  const auto check = [&]<class T>(T, const std::string& section, auto number) {
    const std::string path = dir / "tokens";
    embit::save(path, embit::token_store<T>(tokens_of(x)));
    damage(path, section, number);
    CHECK(refusal([&] { embit::load<embit::token_store<T>>(path); }).starts_with("format: "));
    const embit::mapped_token_store<T> mapped(path);
    CHECK(refusal([&] { mapped.verify(); }).starts_with("format: "));
    // Not verified it can be searched, and says the same on any number of threads.
    const auto query = tokens_of(x);
    const embit::flat_index alone{mapped, embit::chamfer{}};
    const embit::flat_index shared{mapped, embit::chamfer{}, embit::thread_pool(3)};
    const auto a = alone.search(query, 2), b = shared.search(query, 2);
    for (std::size_t q = 0; q < 2; ++q) {
      REQUIRE(a[q].size() == 2);
      for (std::size_t i = 0; i < 2; ++i) CHECK(a[q][i].id == b[q][i].id);
    }
  };
  check(float{}, "tokens", std::uint32_t{0x7fc00000u});
  check(embit::half{}, "tokens", std::uint16_t{0x7c00u});
  check(std::int8_t{}, "scales", std::uint32_t{0x7fc00000u});
}

TEST_CASE("scores of finite rows that overflow have a place, the same on any number of threads", "[threads]") {
  constexpr std::size_t many = 3000;
  auto x = normal_rows(many, 4, 2);
  embit::rng rng{3};
  for (std::size_t i = 0; i < many; i += 7)
    for (float& v : x[i]) v = (embit::uniform_index(rng, 2) == 0 ? 1.f : -1.f) * 3e38f;
  matrix<float> queries = normal_rows(4, 4, 4);
  for (float& v : queries.values()) v *= 10;
  const auto check = [&](const auto& kernel) {
    using K = std::remove_cvref_t<decltype(kernel)>;
    const embit::flat_index alone{x, kernel};
    const embit::flat_index shared{x, kernel, embit::thread_pool(3)};
    std::size_t not_numbers = 0;
    for (const std::size_t k : {std::size_t{10}, std::size_t{40}, std::size_t{2900}, many}) {
      const auto a = alone.search(queries, k), b = shared.search(queries, k);
      std::size_t wrong = 0;
      for (std::size_t q = 0; q < queries.rows(); ++q) {
        REQUIRE((a[q].size() == k && b[q].size() == k));
        for (std::size_t i = 0; i < k; ++i) {
          wrong += a[q][i].id != b[q][i].id;
          const bool none = support::is_nan(a[q][i].distance);
          not_numbers += none;
          if (i == 0) continue;
          wrong += embit::neighbor_order<typename K::compare>{}(a[q][i], a[q][i - 1]);
          wrong += !none && support::is_nan(a[q][i - 1].distance);
        }
      }
      CHECK(wrong == 0);
    }
    return not_numbers;
  };
  CHECK(check(embit::inner_product{}) > 0);
  check(embit::l2{});
}

TEST_CASE("rows that are said to be right are taken as they are, and what is no number comes last") {
  auto x = normal_rows(rows, dim, 1);
  x[50][3] = support::quiet_nan();
  const embit::float_rerank rerank(x, embit::l2{}, embit::unchecked);
  CHECK(rerank.size() == rows);
  CHECK(support::is_finite(rerank(x[0], 1)));
  const embit::chamfer_rerank chamfer(tokens_of(x), {}, embit::unchecked);
  CHECK(chamfer.size() == 2);
}
