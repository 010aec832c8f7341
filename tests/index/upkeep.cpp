// Rows that were removed: how many they are, and when to be rid of them; rows of floats that come and go as codes do.
#include <embit/core/random.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/index/versioned.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/kernel/set_similarity.hpp>

#include <algorithm>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/normal_rows.hpp>
#include <support/numbers.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

using embit::row_id, embit::row_label;
using support::refusal;

namespace {

template <class Index>
void check_upkeep(Index index) {
  CHECK(index.removed_share() == 0);
  CHECK(index.compact_if(0).empty());
  for (row_id row = 0; row < 30; ++row) index.remove(row);
  CHECK(index.removed_share() == .3);
  const auto bytes = index.memory();
  CHECK(bytes.removed > bytes.codes / 4);
  CHECK(bytes.removed < bytes.codes / 3);
  CHECK(index.compact_if(.3).empty());
  CHECK(index.rows() == 100);
  for (const double bad : {-.1, 1.5, static_cast<double>(support::quiet_nan())})
    CHECK(refusal([&] { index.compact_if(bad); }).starts_with("argument: share: "));
  const auto renumbered = index.compact_if(.25);
  REQUIRE(renumbered.size() == 100);
  CHECK(renumbered[30] == 0);
  CHECK(index.rows() == 70);
  CHECK(index.memory().removed == 0);
}

}  // namespace

TEST_CASE("an index tells the share of its rows that were removed, and is rid of them beyond one") {
  embit::rng rng{6};
  const auto codes = support::make_codes(100, 64, support::code_kind::uniform, rng);
  check_upkeep(embit::flat_index{codes});
  check_upkeep(embit::multi_index{codes});
  check_upkeep(embit::lsh_table{codes, {.tables = 2, .bits = 8}});
  embit::versioned_index versions{embit::flat_index{codes}, 3};
  versions.remove(0);
  CHECK(versions.compact_if(.5).empty());
  CHECK(versions.compact_if(0).size() == 100);
  CHECK(versions.versions().size() == 99);
  CHECK(embit::flat_index<>().removed_share() == 0);
}

TEST_CASE("labels that are replaced again and again keep an index of the size of what it holds") {
  embit::rng rng{6};
  embit::labelled_index<embit::multi_index<>> index;
  std::vector<row_label> labels(50);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = 7 * i;
  std::size_t most = 0, compacted = 0;
  embit::code_store<> last;
  for (int round = 0; round < 40; ++round) {
    last = support::make_codes(50, 64, support::code_kind::uniform, rng);
    index.add(last, labels, embit::duplicate_labels::replace);
    compacted += index.compact_if(.5);
    most = std::max(most, index.index().rows());
  }
  CHECK(most == 100);
  CHECK(compacted == 19);
  CHECK(index.memory().total() > 0);
  const auto found = index.search(last, 1);
  for (std::size_t i = 0; i < labels.size(); ++i) CHECK(found[i][0].id == labels[i]);
}

TEST_CASE("rows of floats are added, removed, numbered anew and saved") {
  const support::temp_dir dir;
  const auto x = support::normal_rows(90, 7, 1), more = support::normal_rows(20, 7, 2);
  embit::flat_index index{x, embit::l2{}};
  CHECK(index.add(more) == 90);
  CHECK(index.add(index.store().view().middle_rows(0, 30)) == 110);
  CHECK(index.search(x[3], 2)[1] == embit::neighbor<float>{113, 0});
  CHECK(index.search(more[19], 1)[0] == embit::neighbor<float>{109, 0});
  CHECK(refusal([&] { index.add(support::normal_rows(2, 6, 1)); }).starts_with("shape: "));
  auto bad = more;
  bad[1][2] = support::infinity();
  CHECK(refusal([&] { index.add(bad); }).starts_with("not_finite: "));
  CHECK(index.rows() == 140);
  index.remove(3);
  index.compact();
  CHECK(index.search(x[3], 1)[0] == embit::neighbor<float>{112, 0});

  embit::flat_index<embit::matrix<float>, embit::l2> empty;
  CHECK(empty.append(index) == 0);
  CHECK(empty.width() == 7);

  index.remove(0);
  embit::save(dir / "floats.embit", index);
  const auto loaded = embit::load<embit::flat_index<embit::matrix<float>, embit::l2>>(dir / "floats.embit");
  CHECK(loaded.size() == index.size());
  const auto found = loaded.search(x, 4), expected = index.search(x, 4);
  for (std::size_t q = 0; q < x.size(); ++q) REQUIRE(std::ranges::equal(found[q], expected[q]));
  using products = embit::flat_index<embit::matrix<float>>;
  CHECK(refusal([&] { embit::load<products>(dir / "floats.embit"); }).starts_with("kind: "));

  embit::labelled_index<embit::flat_index<embit::matrix<float>, embit::l2>> labelled;
  labelled.add(more, std::vector<row_label>(20), embit::duplicate_labels::replace);
  CHECK(labelled.size() == 1);
}

TEST_CASE("an index by the similarity of sets is saved as any other") {
  const support::temp_dir dir;
  embit::rng rng{6};
  const auto codes = support::make_codes(100, 70, support::code_kind::clustered, rng);
  const embit::flat_index index{codes, embit::jaccard{}};
  embit::save(dir / "sets.embit", index);
  const auto loaded = embit::load<std::remove_cv_t<decltype(index)>>(dir / "sets.embit");
  const auto found = loaded.search(codes, 4), expected = index.search(codes, 4);
  for (std::size_t q = 0; q < codes.size(); ++q) REQUIRE(std::ranges::equal(found[q], expected[q]));
}
