// Inverted lists of codes, held against a scan of all.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/ivf.hpp>
#include <embit/search/row_bitset.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "lists.hpp"

namespace {

using embit::code_store, embit::errc, embit::ivf_index, embit::row_id;
using support::code_kind, support::code_of, support::same;

code_store<> make(std::size_t n, std::size_t bits, code_kind kind, std::uint64_t seed) {
  embit::rng rng{seed};
  return support::make_codes(n, bits, kind, rng);
}

ivf_index<> lists_of(const code_store<>& codes, embit::ivf_options options, std::uint64_t seed = 3) {
  embit::rng rng{seed};
  return ivf_index{codes, options, rng};
}

/// With all lists probed the answers are those of a scan, whatever is asked.
template <class Flat>
void require_exact(const ivf_index<>& index, const Flat& flat, const code_store<>& queries) {
  const ivf_index<>::query_view all(queries, std::max<std::size_t>(index.list_count(), 1));
  embit::row_bitset third(flat.rows()), few(flat.rows());
  for (std::size_t row = 0; row < flat.rows(); ++row) {
    third.set(row, row % 3 == 0);
    few.set(row, row % 301 == 5);
  }
  const auto odd = [](row_id row) { return row % 2 == 1; };
  const auto radius = static_cast<std::uint32_t>(flat.width() / 4);
  for (const std::size_t k : {1u, 10u, 100u, 2000u}) {
    REQUIRE(same(index.search(all, k), flat.search(queries, k)));
    REQUIRE(same(index.search(all, k, odd), flat.search(queries, k, odd)));
    REQUIRE(same(index.search(all, k, third), flat.search(queries, k, third)));
    REQUIRE(same(index.search(queries, k, few), flat.search(queries, k, few)));  // read one by one
  }
  REQUIRE(same(index.range_search(all, radius), flat.range_search(queries, radius)));
  REQUIRE(same(index.range_search(all, radius, third), flat.range_search(queries, radius, third)));
}

}  // namespace

TEST_CASE("with all lists probed an ivf_index finds what a scan finds") {
  for (const std::size_t bits : {1u, 63u, 64u, 65u, 127u, 256u, 1000u})
    for (const std::size_t n : {0u, 1u, 7u, 513u}) {
      CAPTURE(bits, n);
      const auto codes = make(n, bits, code_kind::clustered, 1), queries = make(5, bits, code_kind::clustered, 1);
      require_exact(lists_of(codes, {.lists = std::min<std::size_t>(n, 9)}), embit::flat_index{codes}, queries);
    }
  for (const code_kind kind : {code_kind::uniform, code_kind::two_valued, code_kind::all_equal}) {
    const auto codes = make(1500, 100, kind, 2), queries = make(3, 100, kind, 2);
    require_exact(lists_of(codes, {.lists = 20}), embit::flat_index{codes}, queries);
  }
}

TEST_CASE("rows of an ivf_index come and go as those of a scan do") {
  const auto codes = make(400, 127, code_kind::clustered, 1), more = make(1500, 127, code_kind::clustered, 7);
  const auto queries = make(5, 127, code_kind::clustered, 7);
  embit::rng rng{5};
  auto index = lists_of(codes, {.lists = 10});
  embit::flat_index flat{codes};
  const auto before = index;
  for (std::size_t at = 0; at < more.size();) {
    const std::size_t count = std::min<std::size_t>(embit::uniform_index(rng, 200), more.size() - at);
    const auto added = more.view().middle_rows(at, count);
    REQUIRE(index.add(added) == flat.add(added));
    at += count;
    for (int i = 0; i < 20; ++i) {
      const auto row = static_cast<row_id>(embit::uniform_index(rng, flat.rows()));
      REQUIRE(index.remove(row) == flat.remove(row));
    }
  }
  require_exact(index, flat, queries);
  require_exact(before, embit::flat_index{codes}, queries);  // a copy shares codes, and is not changed
  std::size_t in_lists = 0;
  for (std::size_t list = 0; list < index.list_count(); ++list) in_lists += index.list_size(list);
  CHECK(in_lists == index.rows());
  CHECK(index.compact() == flat.compact());
  require_exact(index, flat, queries);
  embit::rng again{6};
  index.retrain(again);
  CHECK(index.drift() == 1);
  require_exact(index, flat, queries);
}

TEST_CASE("one by one added to nothing, rows are found") {
  const auto codes = make(700, 70, code_kind::uniform, 4), queries = make(3, 70, code_kind::uniform, 5);
  auto index = lists_of(code_store<>(0, 70), {});
  embit::flat_index flat{code_store<>(0, 70)};
  for (std::size_t row = 0; row < codes.size(); ++row) {
    index.add(codes.view().middle_rows(row, 1));
    flat.add(codes.view().middle_rows(row, 1));
  }
  require_exact(index, flat, queries);
  CHECK(index.list_count() == 1);
  embit::rng again{1};
  index.retrain({.lists = 12}, again);
  CHECK(index.list_count() == 12);
  require_exact(index, flat, queries);
}

TEST_CASE("probes are planned for a recall, which fresh queries have") {
  const auto all = make(9000, 32, code_kind::uniform, 11);
  const code_store<> codes(all.view().middle_rows(0, 8000)), queries(all.view().middle_rows(8000, 1000));
  const embit::flat_index flat{codes};
  const auto exact = flat.search(queries, 10);
  const auto recall = [&](const auto& found) {
    std::size_t good = 0;
    for (std::size_t q = 0; q < exact.queries(); ++q)
      for (const auto& n : found[q]) good += n.distance <= exact[q].back().distance;
    return static_cast<double>(good) / static_cast<double>(10 * exact.queries());
  };
  auto index = lists_of(codes, {.lists = 100, .target_recall = .9});
  CHECK(index.probes() < index.list_count());
  CHECK(recall(index.search(queries, 10)) == Approx(.9).margin(.06));
  const auto& curve = index.recall_at_probes();
  REQUIRE(curve.size() > 3);
  CHECK(curve.back().recall == 1);
  for (std::size_t i = 1; i < curve.size(); ++i) CHECK(curve[i].recall >= curve[i - 1].recall);
  for (const auto& point : curve)
    CHECK(recall(index.search({queries, point.probes}, 10)) == Approx(point.recall).margin(.06));
  // Measured by the queries themselves it is exact, but for more rows equally near than are looked at.
  index.calibrate(queries, .97);
  for (const auto& point : index.recall_at_probes())
    CHECK(recall(index.search({queries, point.probes}, 10)) == Approx(point.recall).margin(1e-9));
  CHECK(recall(index.search(queries, 10)) >= .97);
}

TEST_CASE("fewer probes find some of the nearest rows, in order, and never fewer than there are") {
  const auto codes = make(3000, 64, code_kind::clustered, 1), queries = make(20, 64, code_kind::clustered, 1);
  auto index = lists_of(codes, {.lists = 40});
  index.set_probes(1);
  for (const std::size_t k : {1u, 10u, 500u}) {
    embit::ivf_statistics did;
    const auto found = index.search(queries, k, embit::accept_all{}, &did);
    for (std::size_t q = 0; q < found.queries(); ++q) {
      REQUIRE(found[q].size() == k);
      CHECK(std::is_sorted(found[q].begin(), found[q].end(), embit::neighbor_order<std::less<>>{}));
      for (const auto& n : found[q]) CHECK(n.distance == support::hamming_distance(queries[q], codes[n.id]));
    }
    CHECK(did.lists >= queries.size());
    CHECK(did.rows_scanned >= k * queries.size());
    CHECK(did.offers >= k * queries.size());
  }
}

TEST_CASE("answers do not depend on threads and batches", "[threads]") {
  const auto codes = make(3000, 96, code_kind::clustered, 1), queries = make(33, 96, code_kind::clustered, 1);
  const auto one = lists_of(codes, {.lists = 40, .target_recall = .8}, 9);
  const embit::thread_pool pool(3);
  embit::rng rng{9};
  const ivf_index many{codes, {.lists = 40, .target_recall = .8}, rng, pool};
  CHECK(many.probes() == one.probes());
  CHECK(many.recall_at_probes() == one.recall_at_probes());
  const auto found = one.search(queries, 10);
  REQUIRE(same(many.search(queries, 10), found));
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const auto alone = one.search(queries.view().middle_rows(q, 1), 10);
    REQUIRE(std::ranges::equal(alone[0], found[q]));
  }
}

TEST_CASE("queries that are answered together find what each finds alone") {
  const auto codes = make(3000, 96, code_kind::clustered, 3), queries = make(90, 96, code_kind::clustered, 3);
  auto index = lists_of(codes, {.lists = 60});
  for (row_id row = 0; row < 3000; row += 7) index.remove(row);
  embit::row_bitset third(codes.size());
  for (std::size_t row = 0; row < codes.size(); ++row) third.set(row, row % 3 == 0);
  const auto odd = [](row_id row) { return row % 2 == 1; };
  const auto of_query = [](std::size_t query, row_id row) { return (query + row) % 3 == 1; };
  const auto require_same = [&](std::size_t k, std::size_t probes, const auto& filter, const auto& filter_of) {
    embit::ivf_statistics together, alone;
    const auto found = index.search({queries, probes}, k, filter, &together);
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const auto one = index.search({queries.view().middle_rows(q, 1), probes}, k, filter_of(q), &alone);
      REQUIRE(std::ranges::equal(one[0], found[q]));
    }
    CHECK(together.lists == alone.lists);
    CHECK(together.rows_scanned == alone.rows_scanned);
  };
  for (const std::size_t k : {1u, 10u, 300u})
    for (const std::size_t probes : {1u, 4u, 60u}) {
      CAPTURE(k, probes);
      require_same(k, probes, embit::accept_all{}, [](std::size_t) { return embit::accept_all{}; });
      require_same(k, probes, third, [&](std::size_t) -> const embit::row_bitset& { return third; });
      require_same(k, probes, odd, [&](std::size_t) { return odd; });
      require_same(k, probes, of_query, [&](std::size_t q) { return [=](row_id row) { return of_query(q, row); }; });
    }
}

TEST_CASE("equal codes share a list and are found by number") {
  code_store<> codes = make(5000, 64, code_kind::all_equal, 1);
  codes.append(make(2000, 64, code_kind::uniform, 2));
  const auto index = lists_of(codes, {.lists = 30});
  const auto found = index.search(codes.view().middle_rows(4000, 1), 20);
  for (std::size_t i = 0; i < 20; ++i) CHECK(found[0][i] == embit::neighbor<std::uint32_t>{row_id(i), 0});
  std::size_t longest = 0;
  for (std::size_t list = 0; list < index.list_count(); ++list) longest = std::max(longest, index.list_size(list));
  CHECK(longest >= 5000);
}

TEST_CASE("drift tells that added codes are unlike those that lists were made of") {
  const auto codes = make(4000, 128, code_kind::clustered, 1);
  auto alike = lists_of(code_store<>(codes.view().middle_rows(0, 3000)), {.lists = 80});
  auto unlike = alike;
  CHECK(alike.drift() == 1);
  alike.add(codes.view().middle_rows(3000, 1000));
  CHECK(alike.drift() < 1.1);
  unlike.add(make(1000, 128, code_kind::clustered, 99));
  CHECK(unlike.drift() > 1.2);
}

TEST_CASE("what an ivf_index cannot do is refused") {
  const auto codes = make(100, 64, code_kind::uniform, 1), wide = make(3, 65, code_kind::uniform, 1);
  CHECK(code_of([&] { lists_of(codes, {.lists = 101}); }) == errc::argument);
  CHECK(code_of([&] { lists_of(codes, {.target_recall = 0}); }) == errc::argument);
  CHECK(code_of([&] { lists_of(codes, {.target_recall = 1.5}); }) == errc::argument);
  CHECK(code_of([&] { lists_of(codes, {.typical_k = 0}); }) == errc::argument);
  CHECK(code_of([&] { ivf_index<>(codes, embit::code_partition()); }) == errc::argument);
  CHECK(code_of([&] { ivf_index<>(codes, embit::code_partition(wide)); }) == errc::shape);
  auto index = lists_of(codes, {.lists = 100});
  CHECK(index.list_count() == 100);
  CHECK(code_of([&] { index.search(wide, 1); }) == errc::shape);
  CHECK(code_of([&] { index.search(codes, 0); }) == errc::argument);
  CHECK(code_of([&] { index.add(wide); }) == errc::shape);
  CHECK(code_of([&] { index.set_probes(0); }) == errc::argument);
  CHECK(code_of([&] { index.calibrate(wide); }) == errc::shape);
  CHECK(code_of([&] { index.calibrate(codes, 0); }) == errc::argument);
  CHECK(code_of([&] { index.list_size(100); }) == errc::out_of_range);
  const embit::word unclean = ~embit::word{0};
  auto narrow = lists_of(make(20, 60, code_kind::uniform, 1), {});
  CHECK(code_of([&] { narrow.add(embit::code_view<>(&unclean, 1, 60)); }) == errc::argument);
  CHECK(narrow.rows() == 20);
  index.set_probes(1000);
  CHECK(index.probes() == 100);
  REQUIRE(same(index.search({codes, 1000}, 5), embit::flat_index{codes}.search(codes, 5)));
}
