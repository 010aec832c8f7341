// A prefix_index is held against its definition: exact searches against a flat_index, funnels against sorting all rows
// by each width in turn.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/index/concurrent.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/prefix_index.hpp>
#include <embit/search/row_list.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <tuple>
#include <vector>

#include "lists.hpp"

namespace {

using embit::code_store, embit::code_view, embit::funnel_step, embit::prefix_index, embit::row_id, embit::word;
using support::code_kind, support::code_of, support::make_codes, support::refusal, support::same;
using neighbors = std::vector<embit::neighbor<std::uint32_t>>;
using funnel = std::vector<funnel_step>;

std::uint32_t prefix_distance(std::span<const word> a, std::span<const word> b, std::size_t width) {
  std::uint32_t distance = 0;
  for (std::size_t bit = 0; bit < width; ++bit)
    distance += static_cast<std::uint32_t>((a[bit / 64] ^ b[bit / 64]) >> bit % 64 & 1);
  return distance;
}

/// The definition of a funnel.
neighbors by_funnel(code_view<> codes, std::span<const word> query, funnel steps, std::size_t k,
                    const std::function<bool(row_id)>& accepts) {
  steps.push_back({codes.bits(), k});
  neighbors left;
  for (std::size_t row = 0; row < codes.size(); ++row)
    if (accepts(static_cast<row_id>(row))) left.push_back({static_cast<row_id>(row), 0});
  for (const auto& [width, keep] : steps) {
    for (auto& n : left) n.distance = prefix_distance(codes[n.id], query, width);
    std::sort(left.begin(), left.end(), embit::neighbor_order<std::less<>>{});
    left.resize(std::min(left.size(), keep));
  }
  return left;
}

template <class Index>
void check_funnel(const Index& index, code_view<> codes, code_view<> queries, const funnel& steps, std::size_t k) {
  const auto odd = [](row_id id) { return id % 2 == 1; };
  const auto found = index.search(queries, k, steps), of_odd = index.search(queries, k, steps, odd);
  for (std::size_t q = 0; q < queries.size(); ++q) {
    CAPTURE(q);
    const auto wanted = by_funnel(codes, queries[q], steps, k, [](row_id) { return true; });
    REQUIRE(std::ranges::equal(found[q], wanted));
    REQUIRE(std::ranges::equal(of_odd[q], by_funnel(codes, queries[q], steps, k, odd)));
  }
}

code_store<> some_codes(std::size_t n, std::size_t bits, std::uint64_t seed, code_kind kind = code_kind::clustered) {
  embit::rng rng{seed};
  return make_codes(n, bits, kind, rng);
}

}  // namespace

TEST_CASE("a funnel finds what its definition says", "[prefix]") {
  const std::vector<std::vector<std::size_t>> cuts{{}, {1}, {5, 64}, {32, 63, 64, 65}, {63, 128, 200}, {31, 127, 512}};
  for (const std::size_t bits : {1u, 63u, 64u, 65u, 127u, 200u, 1000u})
    for (const std::size_t n : {0u, 1u, 7u, 513u, 1300u})
      for (auto widths : cuts) {
        std::erase_if(widths, [&](std::size_t w) { return w > bits; });
        const auto kind = static_cast<code_kind>((bits + n) % 4);
        CAPTURE(bits, n, widths, static_cast<int>(kind));
        const auto codes = some_codes(n, bits, bits, kind), queries = some_codes(9, bits, bits + 1, kind);
        const prefix_index index{codes, widths};
        if (widths.empty() || widths.back() != bits) widths.push_back(bits);
        REQUIRE(std::ranges::equal(index.widths(), widths));
        funnel steps;
        std::size_t keep = 300;
        for (const std::size_t width : widths) {
          steps.push_back({width, keep});
          check_funnel(index, codes, queries, steps, 5);
          check_funnel(index, codes, queries, {{width, 11}}, 11);
          keep = keep * 2 / 3;
        }
        check_funnel(index, codes, queries, steps, std::min<std::size_t>(steps.back().keep, 40));
      }
}

TEST_CASE("batches, threads and chunks of a funnel make no difference", "[prefix][threads]") {
  const auto codes = some_codes(5000, 130, 1), queries = some_codes(150, 130, 2);
  prefix_index grown{codes.view().middle_rows(0, 700), {32, 64, 128}};
  for (std::size_t first = 700; first < 5000; first += 43)
    grown.add(codes.view().middle_rows(first, std::min<std::size_t>(43, 5000 - first)));
  const prefix_index index{codes, {32, 64, 128}};
  const prefix_index threads{codes, {32, 64, 128}, embit::thread_pool{3}};
  const funnel steps{{32, 2500}, {64, 60}, {128, 20}};
  embit::funnel_statistics did;
  const auto found = index.search(queries, 10, steps, embit::accept_all{}, &did);
  CHECK(did.candidates == 150 * 2500);
  CHECK(did.rows_scanned == 150 * 5000);
  REQUIRE(same(found, threads.search(queries, 10, steps)));
  REQUIRE(same(found, grown.search(queries, 10, steps)));
  check_funnel(index, codes, queries.view().middle_rows(0, 20), steps, 10);
  for (std::size_t q = 0; q < queries.size(); ++q)
    REQUIRE(std::ranges::equal(index.search(queries.view().middle_rows(q, 1), 10, steps)[0], found[q]));
  REQUIRE(same(index.search(queries, 10), threads.search(queries, 10)));
  REQUIRE(same(index.search(queries, 10), grown.search(queries, 10)));
}

TEST_CASE("without a funnel, and with one that keeps all, a prefix_index is a flat_index", "[prefix]") {
  for (const std::size_t bits : {1u, 63u, 64u, 65u, 127u, 1000u})
    for (const std::size_t n : {0u, 1u, 7u, 513u, 1100u})
      for (const auto kind : {code_kind::clustered, code_kind::all_equal}) {
        CAPTURE(bits, n, static_cast<int>(kind));
        const auto codes = some_codes(n, bits, bits, kind), queries = some_codes(70, bits, bits + 1, kind);
        prefix_index index{codes, bits < 3 ? std::vector<std::size_t>() : std::vector{bits / 3, bits / 2 + 1}};
        embit::flat_index flat{codes};
        const auto check = [&] {
          REQUIRE(index.size() == flat.size());
          const std::size_t rows = index.rows();
          const auto third = [](row_id id) { return id % 3 == 0; };
          const auto own = [](std::size_t query, row_id id) { return id % 5 == query % 7; };
          embit::row_bitset members(rows);
          for (std::size_t row = 0; row < rows; row += 2) members.set(row);
          const embit::row_list listed(rows == 0 ? std::vector<row_id>() : std::vector<row_id>{0, row_id(rows - 1)});
          const std::vector<std::uint32_t> radii(queries.size(), static_cast<std::uint32_t>(bits / 3));
          const auto compare = [&](const auto& filter) {
            REQUIRE(same(index.search(queries, 10, filter), flat.search(queries, 10, filter)));
            REQUIRE(same(index.range_search(queries, 9, filter), flat.range_search(queries, 9, filter)));
            REQUIRE(same(index.search(queries, 10, funnel{{index.widths()[0], rows + 10}}, filter),
                         flat.search(queries, 10, filter)));
          };
          compare(embit::accept_all{});
          compare(third);
          compare(own);
          compare(members);
          compare(listed);
          REQUIRE(same(index.search(queries, 3000), flat.search(queries, 3000)));
          REQUIRE(same(index.range_search(queries, std::span<const std::uint32_t>(radii)),
                       flat.range_search(queries, std::span<const std::uint32_t>(radii))));
          for (std::size_t q = 0; q < 3; ++q)
            REQUIRE(std::ranges::equal(index.search(queries[q], 5), flat.search(queries[q], 5)));
        };
        check();
        const auto more = some_codes(130, bits, 7, kind);
        CHECK(index.add(more) == flat.add(more));
        for (row_id row = 0; row < index.rows(); row += 3) REQUIRE(index.remove(row) == flat.remove(row));
        check();
        REQUIRE(index.compact() == flat.compact());
        check();
      }
}

TEST_CASE("pairs, stored rows and their codes are those of a flat_index", "[prefix]") {
  const auto codes = some_codes(900, 100, 3);
  prefix_index index{codes, {40, 70}};
  embit::flat_index flat{codes};
  const auto pairs_of = [](const auto& from) {
    std::vector<std::tuple<row_id, row_id, std::uint32_t>> pairs;
    from.pairs_within(20, [&](row_id a, row_id b, std::uint32_t d) { pairs.emplace_back(a, b, d); });
    std::ranges::sort(pairs);
    return pairs;
  };
  REQUIRE(!pairs_of(flat).empty());
  REQUIRE(pairs_of(index) == pairs_of(flat));
  const std::vector<row_id> rows{5, 899, 5, 0};
  REQUIRE(same(index.search_rows(rows, 4), flat.search_rows(rows, 4)));
  REQUIRE(std::ranges::equal(index.codes_of(rows)[1], codes[899]));
  CHECK(index.append(flat) == 900);
  index.clear();
  CHECK(index.rows() == 0);
  CHECK(index.widths().size() == 3);
}

TEST_CASE("a funnel finds more the more it keeps, and filters come before it", "[prefix]") {
  const auto codes = some_codes(3000, 256, 5), queries = some_codes(100, 256, 6);
  const prefix_index index{codes, {32, 64}};
  const auto truth = index.search(queries, 10);
  std::size_t before = 0;
  for (const std::size_t keep : {10u, 40u, 160u, 640u, 3000u}) {
    const auto found = index.search(queries, 10, {{32, keep}});
    std::size_t good = 0;
    for (std::size_t q = 0; q < 100; ++q)
      for (const auto& n : found[q]) good += std::ranges::count(truth[q], n) != 0;
    CHECK(good >= before);
    before = good;
  }
  CHECK(before == 1000);
  // Every step keeps rows of the filter alone, for each query its own.
  const auto own = [](std::size_t query, row_id id) { return id % 100 == query; };
  const auto found = index.search(queries, 10, {{32, 20}, {64, 10}}, own);
  for (std::size_t q = 0; q < 100; ++q) {
    const auto accepts = [&](row_id id) { return own(q, id); };
    REQUIRE(std::ranges::equal(found[q], by_funnel(codes, queries[q], {{32, 20}, {64, 10}}, 10, accepts)));
  }
}

TEST_CASE("labels and snapshots pass a funnel on", "[prefix]") {
  const auto codes = some_codes(500, 96, 1), more = some_codes(100, 96, 2);
  const funnel steps{{32, 60}, {64, 20}};
  std::vector<embit::row_label> labels(500), new_labels(100);
  std::iota(labels.begin(), labels.end(), 1000u);
  std::iota(new_labels.begin(), new_labels.end(), 5000u);
  embit::labelled_index labelled{prefix_index{codes, {32, 64}}, labels};
  labelled.add(more, new_labels);
  CHECK(labelled.search({more, steps}, 1)[7][0].id == 5007);
  CHECK(labelled.remove(5007));
  labelled.compact();
  CHECK(labelled.search({more, steps}, 1)[8][0].id == 5008);

  embit::concurrent_index shared{prefix_index{codes, {32, 64}}};
  const auto before = shared.snapshot();
  shared.add(more);
  CHECK(before->rows() == 500);
  CHECK(shared.search({more, steps}, 1)[99][0].distance == 0);
  REQUIRE(same(before->search({codes, steps}, 5), prefix_index{codes, {32, 64}}.search(codes, 5, steps)));
}

TEST_CASE("an empty prefix_index takes the width of its first rows", "[prefix]") {
  prefix_index index;
  CHECK(index.size() == 0);
  const auto codes = some_codes(40, 70, 1);
  CHECK(index.search(code_view<>(), 3).queries() == 0);
  index.add(codes);
  CHECK(index.width() == 70);
  CHECK(index.search(codes, 1)[39][0].id == 39);
  prefix_index moved = std::move(index);
  CHECK(moved.size() == 40);
  CHECK(index.size() == 0);  // NOLINT: it is empty, and can be used
  index.add(codes);
  CHECK(index.search(codes, 1)[39][0].id == 39);
}

TEST_CASE("what cannot be is refused, and says why", "[prefix]") {
  const auto codes = some_codes(40, 128, 1);
  const auto made = [&](std::vector<std::size_t> widths) { return refusal([&] { prefix_index{codes, widths}; }); };
  CHECK(made({0, 64}) == "argument: widths: 0, but a step has at least 1 bit");
  CHECK(made({64, 64}) == "argument: widths: 64 after 64, but they must ascend");
  CHECK(made({64, 32}) == "argument: widths: 32 after 64, but they must ascend");
  CHECK(made({64, 129}) == "argument: widths: 129, beyond the 128 bits of the codes");
  CHECK(refusal([] { prefix_index{code_store<>(), {}}; }) == "shape: prefix_store: codes of 0 bits");
  code_store<> unclean(1, 70);
  unclean.row(0)[1] = ~word{0};
  CHECK(code_of([&] { prefix_index{unclean, {32}}; }) == embit::errc::argument);

  prefix_index index{codes, {32, 64}};
  const auto searched = [&](const funnel& steps) { return refusal([&] { index.search(codes, 10, steps); }); };
  CHECK(searched({{32, 30}, {64, 20}, {128, 10}}) == "accepted");
  CHECK(searched({{48, 30}}) == "argument: funnel: no step of the index has 48 bits");
  CHECK(searched({{0, 30}}) == "argument: funnel: no step of the index has 0 bits");
  CHECK(searched({{256, 30}}) == "argument: funnel: no step of the index has 256 bits");
  CHECK(searched({{64, 30}, {32, 20}}) == "argument: funnel: 32 bits after 64 bits");
  CHECK(searched({{64, 30}, {64, 20}}) == "argument: funnel: 64 bits after 64 bits");
  CHECK(searched({{32, 0}}) == "argument: funnel: keeps 0 rows at 32 bits");
  CHECK(searched({{32, 20}, {64, 30}}) == "argument: funnel: keeps 30 rows at 64 bits, of the 20 that are left");
  CHECK(searched({{32, 30}, {64, 9}}) ==
        "argument: funnel: keeps 9 rows at 64 bits, fewer than the 10 neighbours asked for");
  const auto other = some_codes(3, 96, 1);
  CHECK(refusal([&] {
          index.search(other, 10, {{32, 30}});
        }) == "shape: queries: width 96, the index holds rows of width 128");
  CHECK(refusal([&] { index.add(other); }) == "shape: codes: 96 bits, the store holds codes of 128");
  CHECK(code_of([&] { index.range_search(other, 3); }) == embit::errc::shape);
  CHECK(code_of([&] { index.search(codes, 0, {{32, 30}}); }) == embit::errc::argument);
  // What is refused leaves the result as it was.
  embit::knn_result<std::uint32_t> result = index.search(codes, 3);
  CHECK(code_of([&] { index.search_into({codes, funnel{{32, 4}}}, 5, result); }) == embit::errc::argument);
  CHECK(result.k() == 3);
  CHECK(index.size() == 40);
}
