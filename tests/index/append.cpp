// Rows that come from another index, all rows that go at once, and copies of rows that were found.
#include <embit/core/random.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/index/versioned.hpp>
#include <embit/kernel/set_similarity.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

using embit::row_id, embit::row_label;
using support::refusal;

namespace {

template <class A, class B>
void check_equal(const A& a, const B& b, embit::code_view<> queries) {
  REQUIRE(a.size() == b.size());
  REQUIRE(a.rows() == b.rows());
  const auto of_a = a.search(queries, 7), of_b = b.search(queries, 7);
  for (std::size_t q = 0; q < queries.size(); ++q) REQUIRE(std::ranges::equal(of_a[q], of_b[q]));
}

/// @param make  an index of codes
template <class Make>
void check_index(Make&& make, const embit::code_store<>& codes) {
  const auto view = codes.view();
  const std::size_t half = view.size() / 2;
  auto index = make(view.middle_rows(0, half)), other = make(view.middle_rows(half, view.size() - half));
  const auto whole = make(view);
  CHECK(index.append(other) == half);
  check_equal(index, whole, view);

  // Removed rows stay behind.
  for (row_id row = 0; row < other.rows(); row += 2) other.remove(row);
  auto again = make(view.middle_rows(0, 0));
  CHECK(again.append(other) == 0);
  CHECK(again.size() == other.size());
  auto compacted = other;
  compacted.compact();
  check_equal(again, compacted, view);

  // An index may be appended to itself.
  const std::size_t before = again.rows();
  CHECK(again.append(again) == before);
  CHECK(again.size() == 2 * before);

  const auto found = whole.search(view, 3);
  for (std::size_t q = 0; q < view.size(); q += 17) {
    const auto hits = whole.codes_of(found[q]);
    REQUIRE(hits.size() == found[q].size());
    for (std::size_t i = 0; i < hits.size(); ++i) CHECK(std::ranges::equal(hits[i], codes[found[q][i].id]));
  }
  CHECK(refusal([&] { whole.codes_of(std::vector<row_id>{row_id(view.size())}); }).starts_with("out_of_range: row: "));

  index.clear();
  CHECK(index.size() == 0);
  CHECK(index.rows() == 0);
  CHECK(index.search(view, 3)[0].empty());
  CHECK(index.add(view) == 0);
  check_equal(index, whole, view);
}

}  // namespace

TEST_CASE("the rows of one index are added to another, and all of them go at once") {
  embit::rng rng{4};
  for (const std::size_t rows : {1u, 7u, 513u}) {
    const auto codes = support::make_codes(rows, 65, support::code_kind::clustered, rng);
    check_index([](embit::code_view<> c) { return embit::flat_index{c}; }, codes);
    check_index([](embit::code_view<> c) { return embit::flat_index{c, embit::jaccard{}}; }, codes);
    check_index([](embit::code_view<> c) { return embit::multi_index{c, {.substrings = 4}}; }, codes);
    check_index([](embit::code_view<> c) { return embit::lsh_table{c, {.tables = 4, .bits = 9, .probes = 8}}; }, codes);
  }
}

TEST_CASE("an index of another layout, or of another width") {
  embit::rng rng{4};
  const auto codes = support::make_codes(100, 64, support::code_kind::clustered, rng);
  embit::flat_index flat{codes};
  CHECK(flat.append(embit::multi_index{codes}) == 100);
  CHECK(flat.append(embit::lsh_table{codes, {.tables = 2, .bits = 9}}) == 200);
  CHECK(refusal([&] { flat.append(embit::flat_index{embit::code_store<>(1, 63)}); }).starts_with("shape: "));
  CHECK(flat.size() == 300);
}

TEST_CASE("labels go with their rows") {
  embit::rng rng{4};
  const auto codes = support::make_codes(40, 64, support::code_kind::uniform, rng);
  const auto labels_from = [](row_label first) {
    std::vector<row_label> labels(20);
    for (auto& label : labels) label = first++;
    return labels;
  };
  const auto view = codes.view();
  using index_type = embit::labelled_index<embit::flat_index<>>;
  index_type a{embit::flat_index{view.middle_rows(0, 20)}, labels_from(100)};
  index_type b{embit::flat_index{view.middle_rows(20, 20)}, labels_from(115)};
  b.remove(134);
  CHECK(refusal([&] { a.append(b); }) == "argument: label: 115 is in use already");
  CHECK(a.size() == 20);
  a.append(b, embit::duplicate_labels::replace);
  CHECK(a.size() == 34);
  for (row_label label = 100; label < 134; ++label) {
    const std::size_t row = label < 115 ? label - 100 : label - 95;
    CHECK(a.search(view.middle_rows(row, 1), 1)[0][0] == embit::neighbor<std::uint32_t, row_label>{label, 0});
  }
  a.clear();
  CHECK(a.size() == 0);
  CHECK_FALSE(a.contains(100));
  a.append(b);
  CHECK(a.size() == 19);

  embit::versioned_index versions{embit::flat_index{codes}, 3};
  versions.clear();
  CHECK(versions.versions().size() == 0);
  versions.add(codes, 4);
  CHECK(versions.search(codes, 1, versions.only(4))[39][0].id == 39);
}
