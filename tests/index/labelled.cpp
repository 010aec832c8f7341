// An index in labels gives what the index in rows gives, called by other names.
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/io/save.hpp>
#include <embit/store/code_store.hpp>

#include "support/catch.hpp"
#include "support/codes.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

#include <map>
#include <vector>

using support::code_kind;

namespace {

std::vector<embit::row_label> labels_for(std::size_t n, embit::row_label first = 1000) {
  std::vector<embit::row_label> labels(n);
  for (std::size_t i = 0; i < n; ++i) labels[i] = (first + i) * 0x100000001u;
  return labels;
}

}  // namespace

TEST_CASE("searches return labels in the order of the rows, and filters see labels") {
  embit::rng rng{1};
  const auto codes = support::make_codes(513, 127, code_kind::clustered, rng);
  const auto labels = labels_for(codes.size());
  const embit::flat_index rows{codes};
  const embit::labelled_index index{embit::flat_index{codes}, labels};
  const auto queries = codes.view().middle_rows(3, 9);
  const auto odd = [](embit::row_label label) { return label % 2 == 1; };
  const auto odd_rows = [&](embit::row_id row) { return odd(labels[row]); };

  const auto same = [&](const auto& named, const auto& plain) {
    for (std::size_t q = 0; q < plain.queries(); ++q) {
      REQUIRE(named[q].size() == plain[q].size());
      for (std::size_t i = 0; i < plain[q].size(); ++i) {
        CHECK(named[q][i].id == labels[plain[q][i].id]);
        CHECK(named[q][i].distance == plain[q][i].distance);
      }
    }
  };
  same(index.search(queries, 10), rows.search(queries, 10));
  same(index.search(queries, 600, odd), rows.search(queries, 600, odd_rows));
  same(index.range_search(queries, 40, odd), rows.range_search(queries, 40, odd_rows));
}

TEST_CASE("a history of additions, replacements, removals and compactions agrees with a map of codes") {
  embit::rng rng{2};
  embit::labelled_index index{embit::flat_index{embit::block_store<>{64}}};
  std::map<embit::row_label, embit::word> expected;
  for (int step = 0; step < 300; ++step) {
    const auto action = embit::uniform_index(rng, 10);
    if (action < 6) {
      embit::code_store<> codes(1 + embit::uniform_index(rng, 5), 64);
      std::vector<embit::row_label> labels(codes.size());
      for (std::size_t i = 0; i < codes.size(); ++i) {
        codes.row(i)[0] = rng();
        labels[i] = embit::uniform_index(rng, 60);
        expected[labels[i]] = codes[i][0];
      }
      index.add(codes, labels, embit::duplicate_labels::replace);
    } else if (action < 9) {
      const embit::row_label label = embit::uniform_index(rng, 60);
      CHECK(index.remove(label) == (expected.erase(label) == 1));
    } else {
      index.compact();
      CHECK(index.index().rows() == expected.size());
    }
    REQUIRE(index.size() == expected.size());
  }
  REQUIRE_FALSE(expected.empty());
  for (const auto& [label, code] : expected) {
    const auto found = index.search(embit::code_view<>(&code, 1, 64), 1);
    CHECK(found[0][0].id == label);
    CHECK(found[0][0].distance == 0);
  }
}

TEST_CASE("refused labels change nothing") {
  embit::rng rng{3};
  const auto codes = support::make_codes(5, 65, code_kind::uniform, rng);
  const auto labels = labels_for(5);
  embit::labelled_index index{embit::flat_index{codes}, labels};
  const std::vector<embit::row_label> taken{1, labels[2]}, twice{7, 7}, three{1, 2, 3};
  const auto two = codes.view().middle_rows(0, 2);
  CHECK(support::contains(support::refusal([&] { index.add(two, taken); }),
                          "argument: label: " + std::to_string(labels[2]) + " is in use"));
  CHECK(support::contains(support::refusal([&] { index.add(two, twice); }), "argument: label: 7"));
  CHECK(support::contains(support::refusal([&] { index.add(two, three); }), "shape: labels: 3 for 2"));
  CHECK(support::contains(support::refusal([&] { embit::labelled_index bad(embit::flat_index{codes}, twice); }),
                          "shape: labels: 2 for 5"));
  CHECK(index.size() == 5);
  CHECK_FALSE(index.contains(1));
  CHECK_FALSE(index.contains(7));
  const auto other = support::make_codes(1, 64, code_kind::uniform, rng);
  CHECK(support::contains(support::refusal([&] { index.add(other, std::vector<embit::row_label>{9}); }), "shape: "));
  CHECK_FALSE(index.contains(9));
}

TEST_CASE("saved, loaded and saved again an index in labels is the same, removed rows included") {
  embit::rng rng{4};
  const support::temp_dir dir;
  for (const std::size_t n : {0u, 1u, 513u}) {
    const auto codes = support::make_codes(n, 100, code_kind::uniform, rng);
    const auto labels = labels_for(n);
    embit::labelled_index index{embit::flat_index{codes}, labels};
    for (std::size_t i = 0; i < n; i += 3) index.remove(labels[i]);
    if (n > 1) index.add(codes.view().middle_rows(0, 1), std::vector<embit::row_label>{labels[0]});
    embit::save(dir / "a", index);
    auto loaded = embit::load<decltype(index)>(dir / "a");
    embit::save(dir / "b", loaded);
    CHECK(support::slurp(dir / "a") == support::slurp(dir / "b"));
    CHECK(loaded.size() == index.size());
    const auto found = loaded.search(codes, 5), expected = index.search(codes, 5);
    for (std::size_t q = 0; q < n; ++q)
      CHECK(std::equal(found[q].begin(), found[q].end(), expected[q].begin(), expected[q].end()));
  }
  CHECK(support::contains(support::refusal([&] { (void)embit::load<embit::flat_index<>>(dir / "a"); }), "kind: "));
}
