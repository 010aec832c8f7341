// What users of such indexes do with them, in a few lines each.
#include <embit/core/thread_pool.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/temp_dir.hpp>

using namespace embit;

namespace {

code_store<> codes_of(std::size_t n, std::size_t bits, std::uint64_t seed = 1) {
  rng generator{seed};
  return support::make_codes(n, bits, support::code_kind::uniform, generator);
}

std::vector<row_label> labels_from(row_label first, std::size_t n) {
  std::vector<row_label> labels(n);
  std::iota(labels.begin(), labels.end(), first);
  return labels;
}

}  // namespace

TEST_CASE("a filter that fails ends the search with its exception, on any number of threads", "[threads]") {
  const auto codes = codes_of(3000, 128);
  const labelled_index index{flat_index{codes}, labels_from(10, 3000)};
  const std::function<bool(row_label)> none;
  CHECK_THROWS_AS(index.range_search(codes, 20, none), std::bad_function_call);
  const flat_index pooled{codes, hamming{}, thread_pool{2}};
  const auto fails = [](row_id row) -> bool { return row > 0 ? throw std::runtime_error("gone") : true; };
  CHECK_THROWS_WITH(pooled.search(codes, 5, fails), "gone");
  CHECK(pooled.search(codes, 1)[7][0].id == 7);  // and the next one is a search
}

TEST_CASE("where every row is within the radius, all are found", "[threads]") {
  const code_store<> zeros(70'000, 256), queries(5, 256);
  for (const std::size_t threads : {1u, 2u, 5u}) {
    const auto found = flat_index{zeros, hamming{}, thread_pool{threads}}.range_search(queries, 0);
    REQUIRE(found.total() == 5 * zeros.size());
    for (std::size_t row = 0; row < zeros.size(); ++row)
      if (found[3][row].id != row) FAIL("row " << row << " is " << found[3][row].id);
  }
}

TEMPLATE_TEST_CASE("what is found can be read, removed and asked for", "", flat_index<>, multi_index<>, lsh_table<>) {
  constexpr std::size_t bits = 77;
  const auto make = [](const code_store<>& codes) {
    if constexpr (std::same_as<TestType, lsh_table<>>)
      return TestType(codes, {.tables = 7, .bits = 8, .probes = 256});
    else
      return TestType(codes);
  };
  const auto codes = codes_of(100, bits);
  auto index = make(codes);

  SECTION("the codes of hits") {
    const auto found = index.search(codes.view().middle_rows(7, 1), 5);
    std::vector<row_id> rows;
    for (const auto& hit : found[0]) rows.push_back(hit.id);
    const code_store<> hits(index.store(), rows);
    REQUIRE(hits.size() == 5);
    for (std::size_t i = 0; i < 5; ++i) CHECK(std::ranges::equal(hits[i], codes[rows[i]]));
  }
  SECTION("an index that lost rows is, on disk too, one that never had them") {
    const support::temp_dir dir;
    std::vector<row_id> kept(100);
    std::iota(kept.begin(), kept.end(), row_id{0});
    kept.erase(kept.begin() + 1, kept.begin() + 3);
    index.remove(1);
    index.remove(2);
    const auto renumbered = index.compact();
    CHECK(renumbered[1] == no_row);
    CHECK(renumbered[3] == 1);
    save(dir / "a", index);
    const auto loaded = load<TestType>(dir / "a");
    CHECK(loaded.generation() == 1);  // all that tells them apart
    const code_store<> left(codes, kept);
    const auto never = make(left);
    std::vector<row_id> rows(98);
    std::iota(rows.begin(), rows.end(), row_id{0});
    const code_store<> read(loaded.store(), rows);
    const auto found = loaded.search(codes, 98), expected = never.search(codes, 98);
    for (std::size_t i = 0; i < 98; ++i) CHECK(std::ranges::equal(read[i], left[i]));
    for (std::size_t q = 0; q < codes.size(); ++q) CHECK(std::ranges::equal(found[q], expected[q]));
  }
  SECTION("labels that are added, replaced, removed and used again lead to their codes") {
    labelled_index labelled{make(code_store<>(0, bits))};
    rng generator{7};
    std::map<row_label, std::array<word, 2>> truth;
    for (int round = 0; round < 1200; ++round) {
      const row_label label = generator() % 100 * 0x100000001u + (row_label{1} << 63);
      if (generator() % 3 == 0) {
        REQUIRE(labelled.remove(label) == (truth.erase(label) == 1));
      } else {
        code_store<> code(1, bits);
        code.row(0)[0] = generator();
        code.row(0)[1] = generator() & tail_mask(bits);
        labelled.add(code, std::span(&label, 1), duplicate_labels::replace);
        truth[label] = {code[0][0], code[0][1]};
      }
      if (generator() % 300 == 0) labelled.compact();
    }
    REQUIRE(labelled.size() == truth.size());
    for (const auto& [label, code] : truth) {
      const auto found = labelled.search(code_view<>(code.data(), 1, bits), 3);
      REQUIRE(found[0][0].id == label);
      REQUIRE(found[0][0].distance == 0);
    }
  }
  SECTION("the neighbours of a row that is there, without itself") {
    const labelled_index labelled{std::move(index), labels_from(5000, 100)};
    const row_id row = *labelled.row_of(5042);
    const code_store<> query(labelled.index().store(), std::span(&row, 1));
    const auto found = labelled.search(query, 3, [](row_label label) { return label != 5042; });
    REQUIRE(found[0].size() == 3);
    for (const auto& hit : found[0]) CHECK(hit.id != 5042);
  }
}

TEST_CASE("a list of labels as a filter: by predicate, by rows, or the distances alone") {
  const auto codes = codes_of(20'000, 128);
  const labelled_index index{flat_index{codes}, labels_from(row_label{1} << 40, 20'000)};
  std::vector<row_label> allowed{7, row_label{1} << 62};  // which no row has
  for (row_label i = 0; i < 50; ++i) allowed.push_back((row_label{1} << 40) + i * 397);
  const auto query = codes.view().middle_rows(11, 1);
  const auto by_label =
      index.search(query, 200, [&](row_label label) { return std::ranges::find(allowed, label) != allowed.end(); });
  row_bitset rows(20'000);
  std::vector<row_id> ids;
  for (const row_label label : allowed)
    if (const auto row = index.row_of(label)) {
      rows.set(*row);
      ids.push_back(*row);
    }
  const auto by_row = index.index().search(query, 200, rows);
  const auto distances = index.index().distances_to(query, ids);
  REQUIRE(by_label[0].size() == 50);
  REQUIRE(by_row[0].size() == 50);
  REQUIRE(distances.size() == 50);
  for (std::size_t i = 0; i < 50; ++i) {
    CHECK(index.labels().label_of(by_row[0][i].id) == by_label[0][i].id);
    CHECK(distances[static_cast<std::size_t>(std::ranges::find(ids, by_row[0][i].id) - ids.begin())] ==
          by_row[0][i].distance);
  }
  CHECK_THROWS_AS(index.index().search(query, 1, row_bitset(10)), error);
}
