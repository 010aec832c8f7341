// Numbers of neighbours and radii: what is no such number is refused, or does not compile, on every index.
#include <embit/core/random.hpp>
#include <embit/core/search_arguments.hpp>
#include <embit/index/any_index.hpp>
#include <embit/index/concurrent.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/index/versioned.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/search/join.hpp>

#include <cstdint>
#include <limits>
#include <numeric>
#include <type_traits>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

namespace {

using support::refusal;

template <class Index, class Bound>
concept RangesWithin = requires(const Index& index, typename Index::query_view queries, Bound bound) {
  index.range_search(queries, bound);
};
template <class Index, class Count>
concept SearchesFor = requires(const Index& index, typename Index::query_view queries, Count k) {
  index.search(queries, k);
};

// Whole numbers alone, of whatever type.
template <class Index>
constexpr bool takes_whole_numbers_alone =
    RangesWithin<Index, int>&& RangesWithin<Index, std::size_t>&& RangesWithin<Index, std::uint8_t> &&
    !RangesWithin<Index, double> && !RangesWithin<Index, float> && !RangesWithin<Index, bool> &&
    SearchesFor<Index, int> && SearchesFor<Index, std::size_t> && SearchesFor<Index, std::uint8_t> &&
    !SearchesFor<Index, double> && !SearchesFor<Index, bool>;

using flat = embit::flat_index<>;
static_assert(takes_whole_numbers_alone<flat>);
static_assert(takes_whole_numbers_alone<embit::multi_index<>>);
static_assert(takes_whole_numbers_alone<embit::lsh_table<>>);
static_assert(takes_whole_numbers_alone<embit::labelled_index<flat>>);
static_assert(takes_whole_numbers_alone<embit::versioned_index<flat>>);
static_assert(takes_whole_numbers_alone<embit::concurrent_index<flat>>);
static_assert(takes_whole_numbers_alone<embit::any_index<embit::code_view<>, std::uint32_t>>);

// A similarity is a fraction: any number of floating point is a threshold, and a whole number.
using similar = decltype(embit::flat_index{std::declval<embit::code_store<>>(), embit::jaccard{}});
static_assert(RangesWithin<similar, double> && RangesWithin<similar, float> && RangesWithin<similar, int>);
static_assert(!RangesWithin<similar, bool>);

template <class Index>
void check_refusals(const Index& index, embit::code_view<> queries) {
  CHECK(refusal([&] { index.search(queries, -1); }).starts_with("argument: k: -1, "));
  CHECK(refusal([&] { index.search(queries, std::int64_t{-7}); }).starts_with("argument: k: -7, "));
  CHECK(refusal([&] { index.search(queries, 0); }).starts_with("argument: k: 0, "));
  CHECK(refusal([&] { index.range_search(queries, -1); }) == "argument: radius: -1, not 0 to 4294967295");
  CHECK(refusal([&] { index.range_search(queries, std::size_t{1} << 32); }) ==
        "argument: radius: 4294967296, not 0 to 4294967295");
  CHECK(index.search(queries, 2)[0].size() == 2);
  CHECK(index.search(queries, std::uint8_t{2})[0].size() == 2);
  CHECK(index.range_search(queries, 0)[0].size() == 1);
  CHECK(index.range_search(queries, std::size_t{0})[0].size() == 1);
}

}  // namespace

TEST_CASE("a number that is no number of neighbours, or no distance, is refused by every index") {
  embit::rng rng{3};
  const auto codes = support::make_codes(70, 64, support::code_kind::uniform, rng);
  const auto queries = codes.view().middle_rows(5, 1);
  std::vector<embit::row_label> labels(codes.size());
  std::iota(labels.begin(), labels.end(), embit::row_label{1000});
  const embit::flat_index index{codes};
  check_refusals(index, queries);
  check_refusals(embit::multi_index{codes}, queries);
  check_refusals(embit::lsh_table{codes, {.tables = 2, .bits = 4, .probes = 16}}, queries);
  check_refusals(embit::labelled_index{index, labels}, queries);
  check_refusals(embit::versioned_index{index}, queries);
  check_refusals(embit::concurrent_index{index}, queries);
  check_refusals(embit::any_index<embit::code_view<>, std::uint32_t>{index}, queries);
}

TEST_CASE("pairs are asked for within a whole number, too") {
  embit::rng rng{3};
  const auto codes = support::make_codes(70, 64, support::code_kind::uniform, rng);
  const auto none = [](embit::row_id, embit::row_id, std::uint32_t) {};
  CHECK(refusal([&] { embit::flat_index{codes}.pairs_within(-1, none); }).starts_with("argument: radius: -1"));
  CHECK(refusal([&] { embit::multi_index{codes}.pairs_within(-1, none); }).starts_with("argument: radius: -1"));
  CHECK(refusal([&] { embit::pairs_within(codes, -1, none); }).starts_with("argument: radius: -1"));
  CHECK(refusal([&] { embit::pairs_between(codes, codes, -1, none); }).starts_with("argument: radius: -1"));
  CHECK(refusal([&] { embit::pairs_within(codes, 1, none); }) == "accepted");
}

TEST_CASE("bounds are exact at both ends of their type") {
  using bytes = embit::search_bound<std::int8_t>;
  CHECK(std::int8_t{bytes(-128)} == -128);
  CHECK(std::int8_t{bytes(127)} == 127);
  CHECK(refusal([] { bytes(128); }) == "argument: radius: 128, not -128 to 127");
  CHECK(refusal([] { bytes(~std::uint64_t{0}); }) == "argument: radius: 18446744073709551615, not -128 to 127");
  using whole = embit::search_bound<std::uint64_t>;
  CHECK(std::uint64_t{whole(~std::uint64_t{0})} == ~std::uint64_t{0});
  CHECK(refusal([] {
          static_cast<void>(whole{(std::numeric_limits<std::int64_t>::min)()});
        }).starts_with("argument: radius: -9223372"));
  using threshold = embit::search_bound<float, std::greater<>>;
  CHECK(float{threshold(.5)} == .5f);
  CHECK(float{threshold(-1)} == -1.f);
  CHECK(std::size_t{embit::neighbor_count(~std::size_t{0})} == ~std::size_t{0});
}
