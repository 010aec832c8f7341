// An index with versions finds what the index alone finds, and its column follows the rows.
#include <embit/core/random.hpp>
#include <embit/index/concurrent.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/versioned.hpp>
#include <embit/io/save.hpp>

#include "support/catch.hpp"
#include "support/codes.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <map>
#include <vector>

namespace {

using flat = embit::flat_index<>;
static_assert(embit::MutableIndex<embit::versioned_index<flat>>);
static_assert(embit::RangeIndex<embit::versioned_index<flat>>);

embit::code_store<> word_codes(embit::rng& rng, std::size_t n) {
  return support::make_codes(n, 64, support::code_kind::uniform, rng);
}

template <class Result>
bool same(const Result& a, const Result& b) {
  if (a.queries() != b.queries()) return false;
  for (std::size_t q = 0; q < a.queries(); ++q)
    if (!std::ranges::equal(a[q], b[q])) return false;
  return true;
}

}  // namespace

TEST_CASE("the column follows any history of the rows, and files hold both") {
  embit::rng rng{1};
  const support::temp_dir dir;
  embit::versioned_index index{embit::flat_index{embit::block_store<>{64}}, 4};
  CHECK(index.current() == 4);
  std::map<embit::word, std::uint32_t> expected;  // by the code, which is drawn anew for every row
  std::vector<embit::word> codes_of;
  for (int step = 0; step < 200; ++step) {
    const auto action = embit::uniform_index(rng, 10);
    if (action < 5) {
      const auto codes = word_codes(rng, 1 + embit::uniform_index(rng, 40));
      const auto version = static_cast<std::uint32_t>(embit::uniform_index(rng, 3));
      const bool silent = embit::uniform_index(rng, 2) == 0;
      const auto first = silent ? index.add(codes) : index.add(codes, version);
      CHECK(first == codes_of.size());
      if (!silent) CHECK(index.current() == version);
      for (std::size_t i = 0; i < codes.size(); ++i) {
        codes_of.push_back(codes[i][0]);
        expected[codes[i][0]] = index.current();
      }
    } else if (action < 9 && !codes_of.empty()) {
      const auto row = static_cast<embit::row_id>(embit::uniform_index(rng, codes_of.size()));
      CHECK(index.remove(row) == (expected.erase(codes_of[row]) == 1));
    } else {
      const auto renumbered = index.compact();
      std::vector<embit::word> kept(index.rows());
      for (std::size_t row = 0; row < renumbered.size(); ++row)
        if (renumbered[row] != embit::no_row) kept[renumbered[row]] = codes_of[row];
      codes_of = kept;
    }
    REQUIRE(index.versions().size() == index.rows());
    REQUIRE(index.size() == expected.size());
  }
  embit::save(dir / "index", index);
  const auto loaded = embit::load<embit::versioned_index<flat>>(dir / "index");
  CHECK(loaded.versions() == index.versions());
  CHECK(loaded.current() == index.current());

  const auto queries = word_codes(rng, 5);
  for (const std::uint32_t v : {0u, 1u, 2u, 4u, 9u}) {
    const auto found = index.search(queries, 10000, index.only(v));
    const auto members = std::ranges::count_if(expected, [v](const auto& item) { return item.second == v; });
    for (std::size_t q = 0; q < 5; ++q) {
      CHECK(found[q].size() == static_cast<std::size_t>(members));
      CHECK(std::ranges::all_of(found[q], [&](const auto& hit) { return expected.at(codes_of[hit.id]) == v; }));
    }
    CHECK(same(loaded.search(queries, 10000, loaded.only(v)), found));
    CHECK(index.range_search(queries, 64, index.only(v))[4].size() == static_cast<std::size_t>(members));
  }
  const auto all = index.index().search(queries, 10);
  CHECK(same(index.search(queries, 10), all));
  embit::knn_result<embit::flat_index<>::distance_type> into;
  index.search_into(queries, 10, into, index.from(0));
  CHECK(same(into, all));
}

TEST_CASE("rows that the index refuses have no version either") {
  embit::rng rng{2};
  embit::versioned_index index{embit::flat_index{word_codes(rng, 9)}, 1};
  const auto wide = support::make_codes(3, 65, support::code_kind::uniform, rng);
  CHECK(support::contains(support::refusal([&] { index.add(wide, 2); }), "shape: "));
  CHECK(index.versions() == embit::version_column(9, 1));
  CHECK(index.current() == 1);
  CHECK(index.rows() == 9);
}

TEST_CASE("versions are kept beneath labels and in snapshots") {
  embit::rng rng{3};
  const auto codes = word_codes(rng, 20);
  embit::concurrent_index shared{embit::versioned_index{embit::flat_index{codes}, 1}};
  shared.add(word_codes(rng, 10), 2u);
  const auto before = shared.snapshot();
  shared.update([](auto& index) {
    for (embit::row_id row = 0; row < 20; ++row) index.remove(row);
    index.compact();
  });
  CHECK(before->search(codes, 30, before->only(2))[0].size() == 10);
  CHECK(before->versions().count(1) == 20);
  CHECK(shared.snapshot()->versions() == embit::version_column(10, 2));

  std::vector<embit::row_label> labels(20);
  for (std::size_t i = 0; i < 20; ++i) labels[i] = 100 + i;
  embit::versioned_index two{embit::flat_index{codes.view().middle_rows(0, 12)}, 1};
  two.add(codes.view().middle_rows(12, 8), 2);
  embit::labelled_index index{std::move(two), labels};
  index.remove(115);
  index.compact();
  const auto only_new = index.index().only(2);
  const auto found = index.search(codes, 20, [&](embit::row_label label) { return only_new(*index.row_of(label)); });
  CHECK(found[0].size() == 7);
  CHECK(std::ranges::all_of(found[0], [](const auto& hit) { return hit.id >= 112 && hit.id != 115; }));
}
