// Filters of rows and of labels: what takes fewer bits than there are is refused when it is compiled.
#include <embit/index/concurrent.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/store/code_store.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_set>
#include <vector>

#include <support/catch.hpp>

namespace {

using flat = embit::flat_index<>;
using labelled = embit::labelled_index<flat>;
using embit::row_id;
using embit::row_label;

template <class Index, class Filter>
concept SearchedWith = requires(const Index& index, embit::code_view<> codes, const Filter& filter) {
  index.search(codes, 3, filter);
  index.range_search(codes, 3, filter);
};

template <class P>
struct takes {
  bool operator()(P) const noexcept { return true; }
};
struct strong_label {
  strong_label(std::uint64_t) {}
};
struct short_label {
  short_label(std::uint32_t) {}
};
[[maybe_unused]] bool free_label(row_label) { return true; }
[[maybe_unused]] bool free_row(row_id) { return true; }
struct two_parameters {
  bool operator()(std::uint32_t, int = 0) const { return true; }
};
struct overloaded {
  bool operator()(row_label) const { return true; }
  bool operator()(row_id) const { return false; }
};

// Labels: 64 bits, signed or not, by value or by reference, named or hidden.
static_assert(SearchedWith<labelled, takes<row_label>> && SearchedWith<labelled, takes<const row_label&>>);
static_assert(SearchedWith<labelled, takes<row_label&>> && SearchedWith<labelled, takes<std::uint64_t>>);
static_assert(SearchedWith<labelled, takes<unsigned long>> && SearchedWith<labelled, takes<unsigned long long>>);
static_assert(SearchedWith<labelled, takes<std::int64_t>> && SearchedWith<labelled, takes<long long>>);
static_assert(SearchedWith<labelled, takes<strong_label>> && SearchedWith<labelled, overloaded>);
static_assert(SearchedWith<labelled, std::function<bool(row_label)>> && SearchedWith<labelled, decltype(&free_label)>);
static_assert(SearchedWith<labelled, decltype([](auto label) { return label % 2 == 0; })>);
static_assert(SearchedWith<labelled, decltype([](const auto& label) { return label % 2 == 0; })>);
static_assert(SearchedWith<labelled, embit::accept_all>);
static_assert(SearchedWith<labelled, embit::by_row<embit::row_bitset>>);
static_assert(SearchedWith<labelled, embit::by_row<takes<row_id>>>);

static_assert(!SearchedWith<labelled, takes<row_id>> && !SearchedWith<labelled, takes<const row_id&>>);
static_assert(!SearchedWith<labelled, takes<int>> && !SearchedWith<labelled, takes<std::uint16_t>>);
static_assert(!SearchedWith<labelled, takes<double>> && !SearchedWith<labelled, takes<bool>>);
static_assert(!SearchedWith<labelled, takes<short_label>> && !SearchedWith<labelled, two_parameters>);
static_assert(!SearchedWith<labelled, std::function<bool(row_id)>> && !SearchedWith<labelled, decltype(&free_row)>);
static_assert(!SearchedWith<labelled, decltype([](row_id id) { return id == 5; })>);
static_assert(!SearchedWith<labelled, embit::row_bitset>);
static_assert(!SearchedWith<labelled, std::reference_wrapper<const embit::row_bitset>>);

// Rows: 32 bits or more.
static_assert(SearchedWith<flat, takes<row_id>> && SearchedWith<flat, takes<int>> &&
              SearchedWith<flat, takes<std::size_t>>);
static_assert(SearchedWith<flat, embit::row_bitset> && SearchedWith<flat, decltype(&free_row)>);
static_assert(SearchedWith<flat, decltype([](auto id) { return id % 2 == 0; })>);
static_assert(!SearchedWith<flat, takes<std::uint8_t>> && !SearchedWith<flat, takes<std::uint16_t>>);
static_assert(!SearchedWith<flat, takes<short>> && !SearchedWith<flat, takes<float>> &&
              !SearchedWith<flat, takes<bool>>);
static_assert(!SearchedWith<flat, std::function<bool(std::uint16_t)>>);
static_assert(SearchedWith<embit::multi_index<>, takes<row_id>> && !SearchedWith<embit::multi_index<>, takes<short>>);

struct fixture {
  embit::code_store<> codes{100, 64};
  std::vector<row_label> labels;
  fixture() {
    for (std::size_t row = 0; row < 100; ++row) labels.push_back((row << 32) + 5);  // the low halves are alike
  }
  labelled index() const { return labelled{flat{codes}, labels}; }
  embit::code_view<> query() const { return codes.view().middle_rows(0, 1); }
};

}  // namespace

TEST_CASE("a filter of labels is asked about all their bits", "[labelled]") {
  const fixture f;
  const auto index = f.index();
  const std::unordered_set<row_label> wanted{(7ull << 32) + 5, (99ull << 32) + 5, 5, 6};
  const auto contains = [&](row_label label) { return wanted.contains(label); };
  REQUIRE(index.search(f.query(), 100, contains)[0].size() == 3);
  CHECK(index.search(f.query(), 100, contains)[0][1].id == (7ull << 32) + 5);
  CHECK(index.range_search(f.query(), 64, contains)[0].size() == 3);
  CHECK(index.search(f.query(), 100, [](auto label) { return label == 5; })[0].size() == 1);
  CHECK(index.search(f.query(), 100, [](std::int64_t label) { return label > (40ll << 32); })[0].size() == 60);
  CHECK(index.search(f.query(), 100, overloaded{})[0].size() == 100);
  const embit::concurrent_index shared{f.index()};
  CHECK(shared.search(f.query(), 100, contains)[0].size() == 3);
}

TEST_CASE("an index with labels filters by row where it is told so", "[labelled]") {
  const fixture f;
  auto index = f.index();
  embit::row_bitset rows(100);
  rows.set(3);
  rows.set(64);
  rows.set(98);
  index.remove((64ull << 32) + 5);
  const auto found = index.search(f.query(), 100, embit::by_row{rows});
  REQUIRE(found[0].size() == 2);
  CHECK(found[0][0].id == (3ull << 32) + 5);
  CHECK(found[0][1].id == (98ull << 32) + 5);
  CHECK(index.range_search(f.query(), 0, embit::by_row{rows})[0].size() == 2);
  CHECK(index.search(f.query(), 100, embit::by_row{embit::row_bitset(100)})[0].empty());
  CHECK(index.search(f.query(), 100, embit::by_row{[](row_id row) { return row < 10; }})[0].size() == 10);
  CHECK_THROWS_AS(index.search(f.query(), 1, embit::by_row{embit::row_bitset(99)}), embit::error);
}
