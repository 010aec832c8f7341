// Indexes in everyday programs: members that are filled later, maps, one query, results that are gone through.
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/index/versioned.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/store/mapped_store.hpp>

#include <algorithm>
#include <concepts>
#include <iterator>
#include <map>
#include <ranges>
#include <string>
#include <type_traits>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/normal_rows.hpp>
#include <support/refusal.hpp>

using embit::row_id, embit::row_label;
using support::refusal;

namespace {

// A class as users write it: no constructor, filled when there is something to put in.
struct service {
  embit::flat_index<> flat;
  embit::multi_index<> multi;
  embit::lsh_table<> lsh;
  embit::labelled_index<embit::flat_index<>> labelled;
  embit::versioned_index<embit::multi_index<>> versioned;
  std::map<std::string, embit::flat_index<>> named;
};

template <class Index>
void check_empty(Index& index, embit::code_view<> codes) {
  CHECK(index.size() == 0);
  const Index copy = index;
  CHECK(copy.search(embit::code_view<>(), 3).queries() == 0);
  CHECK(refusal([&] {
          copy.search(codes, 3);
        }).starts_with("shape: queries: width 100, the index holds rows of width 0"));
}

template <class Result>
void check_range(const Result& result) {
  STATIC_REQUIRE(std::ranges::random_access_range<const Result>);
  STATIC_REQUIRE(std::ranges::sized_range<const Result>);
  std::size_t q = 0;
  for (const auto list : result) {
    CHECK(std::ranges::equal(list, result[q]));
    ++q;
  }
  CHECK(q == result.queries());
  const auto most = std::ranges::max_element(result, {}, [](auto list) { return list.size(); });
  CHECK((*most).data() == result[static_cast<std::size_t>(most - result.begin())].data());
}

}  // namespace

TEST_CASE("an index without rows is a member, and takes the width of the first") {
  embit::rng rng{2};
  const auto codes = support::make_codes(50, 100, support::code_kind::uniform, rng);
  service s;
  check_empty(s.flat, codes);
  check_empty(s.multi, codes);
  check_empty(s.lsh, codes);
  check_empty(s.labelled, codes);
  check_empty(s.versioned, codes);

  CHECK(s.flat.add(codes) == 0);
  CHECK(s.multi.add(codes) == 0);
  CHECK(s.versioned.add(codes, 4) == 0);
  CHECK(s.named["a"].add(codes) == 0);
  const std::vector<row_label> labels = [] {
    std::vector<row_label> some;
    for (row_label label = 900; label < 950; ++label) some.push_back(label);
    return some;
  }();
  s.labelled.add(codes, labels);
  s.lsh = embit::lsh_table{codes, {.tables = 4, .bits = 10}};
  CHECK(s.flat.add(codes) == 50);
  CHECK(refusal([&] { s.flat.add(embit::code_store<>(1, 99)); }).starts_with("shape: "));
  CHECK(s.flat.search(codes, 1)[7][0].id == 7);
  CHECK(s.multi.search(codes, 1)[7][0].id == 7);
  CHECK(s.lsh.search(codes, 1)[7][0].id == 7);
  CHECK(s.versioned.search(codes, 1, s.versioned.only(4))[7][0].id == 7);
  CHECK(s.named.at("a").search(codes, 1)[7][0].id == 7);
  CHECK(s.labelled.search(codes, 1)[7][0].id == 907);
  CHECK(refusal([] { embit::lsh_table<>().add(embit::code_store<>(1, 64)); }).starts_with("shape: "));
  CHECK(refusal([] { embit::multi_index<>().add(embit::code_store<>(1, 31)); }).starts_with("shape: "));
}

TEST_CASE("an executor alone is the executor", "[threads]") {
  embit::rng rng{2};
  const auto codes = support::make_codes(600, 64, support::code_kind::uniform, rng);
  const embit::flat_index flat{codes, embit::thread_pool{2}};
  const embit::multi_index multi{codes, embit::thread_pool{2}};
  const embit::lsh_table lsh{codes, {.tables = 4, .bits = 8}, embit::thread_pool{2}};
  STATIC_REQUIRE(
      std::same_as<decltype(flat), const embit::flat_index<embit::block_store<>, embit::hamming, embit::thread_pool>>);
  CHECK(flat.executor().concurrency() == 2);
  CHECK(multi.executor().concurrency() == 2);
  CHECK(lsh.executor().concurrency() == 2);
  const auto expected = embit::flat_index{codes}.search(codes, 3);
  const auto found = flat.search(codes, 3), tables = multi.search(codes, 3);
  for (std::size_t q = 0; q < codes.size(); ++q) {
    REQUIRE(std::ranges::equal(found[q], expected[q]));
    REQUIRE(std::ranges::equal(tables[q], expected[q]));
  }
  const auto x = support::normal_rows(20, 4, 1);
  const embit::flat_index floats{x, embit::thread_pool{2}};
  STATIC_REQUIRE(std::same_as<decltype(floats)::kernel_type, embit::inner_product>);
}

TEST_CASE("results are ranges of lists") {
  embit::rng rng{2};
  const auto codes = support::make_codes(60, 64, support::code_kind::clustered, rng);
  const embit::flat_index index{codes};
  check_range(index.search(codes, 7));
  check_range(index.range_search(codes, 20));
  check_range(index.search(codes.view().middle_rows(0, 1), 2000));
  std::size_t hits = 0;
  for (const auto list : index.search(codes, 3)) hits += list.size();  // the temporary lives as long as the loop
  CHECK(hits == 180);
  const auto none = index.search(codes.view().middle_rows(0, 0), 3);
  CHECK(none.begin() == none.end());
}

TEST_CASE("one query gives its neighbours") {
  embit::rng rng{2};
  const auto x = support::normal_rows(200, 16, 1);
  const auto hasher = embit::sign_lsh({.dim = 16, .bits = 130}, rng);
  const std::vector<float> row(x[5].begin(), x[5].end());
  const auto codes = hasher.encode(x);
  const auto code = hasher.encode(row);
  REQUIRE(code.size() == 1);
  CHECK(std::ranges::equal(code[0], codes[5]));
  CHECK(std::ranges::equal(hasher.encode(x[5])[0], codes[5]));
  const auto check = [&](const auto& index) {
    CHECK(std::ranges::equal(index.search(code[0], 4), index.search(code, 4)[0]));
    CHECK(std::ranges::equal(index.range_search(code[0], 60), index.range_search(code, 60)[0]));
    const auto even = [](auto id) { return id % 2 == 0; };
    CHECK(std::ranges::equal(index.search(codes[5], 4, even), index.search(code, 4, even)[0]));
    CHECK(refusal([&] { index.search(codes[5].first(1), 4); }) ==
          "shape: query: a code of 1 words, the index holds rows of width 130");
  };
  check(embit::flat_index{codes});
  check(embit::multi_index{codes});
  check(embit::lsh_table{codes, {.tables = 4, .bits = 8, .probes = 20}});
  std::vector<row_label> labels(200);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = 1000 + i;
  check(embit::labelled_index{embit::flat_index{codes}, labels});
  const embit::flat_index floats{x, embit::l2{}};
  CHECK(floats.search(row, 1)[0].id == 5);
  CHECK(floats.search(x[9], 3)[0] == embit::neighbor<float>{9, 0});
  CHECK(floats.range_search(x[9], 0)[0].id == 9);
}
