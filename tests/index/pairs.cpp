#include <embit/codes/code_view.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/search/row_bitset.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <tuple>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

using embit::row_id;
using embit::row_label;

namespace {

constexpr std::uint32_t radius = 14;
using pair_list = std::vector<std::tuple<row_label, row_label, std::uint32_t>>;

pair_list brute(const embit::code_store<>& codes, const std::function<bool(row_id)>& chosen, row_label first_label) {
  pair_list pairs;
  for (row_id a = 0; a < codes.size(); ++a)
    for (row_id b = a + 1; b < codes.size(); ++b)
      if (const auto d = support::hamming_distance(codes[a], codes[b]); d <= radius && chosen(a) && chosen(b))
        pairs.emplace_back(first_label + a, first_label + b, d);
  return pairs;
}

template <class Index, class... Filter>
pair_list pairs_of(const Index& index, const Filter&... filter) {
  pair_list pairs;
  index.pairs_within(
      radius, [&](auto a, auto b, std::uint32_t d) { pairs.emplace_back(a, b, d); }, filter...);
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

template <class Index>
void require_pairs(Index index, const embit::code_store<>& codes) {
  REQUIRE(pairs_of(index) == brute(
                                 codes, [](row_id) { return true; }, 0));
  for (row_id row = 1; row < codes.size(); row += 5) index.remove(row);
  const auto live = [](row_id row) { return row % 5 != 1; };
  REQUIRE(!pairs_of(index).empty());
  REQUIRE(pairs_of(index) == brute(codes, live, 0));
  const auto third = [](row_id row) { return row % 3 == 0; };
  const pair_list both = brute(
      codes, [&](row_id row) { return live(row) && third(row); }, 0);
  REQUIRE(pairs_of(index, third) == both);
  embit::row_bitset members(codes.size());
  for (row_id row = 0; row < codes.size(); row += 3) members.set(row);
  REQUIRE(pairs_of(index, members) == both);
  CHECK(support::refusal([&] { pairs_of(index, embit::row_bitset(7)); }).starts_with("shape: filter"));
}

}  // namespace

TEST_CASE("the pairs of an index are those of its rows that were not removed and that a filter accepts", "[pairs]") {
  embit::rng rng{41};
  const auto codes = support::make_codes(1300, 64, support::code_kind::clustered, rng);
  require_pairs(embit::flat_index{codes}, codes);
  require_pairs(embit::flat_index{codes, embit::hamming{}, embit::thread_pool(3)}, codes);
  require_pairs(embit::multi_index{codes, {.substrings = 4}}, codes);

  std::vector<row_label> labels(codes.size());
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = (row_label{1} << 40) + i;
  embit::labelled_index named{embit::flat_index{codes}, labels};
  named.remove(labels[3]);
  const auto live = [](row_id row) { return row != 3; };
  CHECK(pairs_of(named) == brute(codes, live, labels[0]));
  CHECK(pairs_of(named, [](row_label label) { return label % 2 == 0; }) ==
        brute(
            codes, [&](row_id row) { return live(row) && row % 2 == 0; }, labels[0]));

  // Labels have 64 bits: what takes row numbers would be told of other labels.
  constexpr auto takes = [](const auto& index, auto found) {
    return requires { index.pairs_within(radius, found); };
  };
  CHECK(takes(named, [](row_label, row_label, std::uint32_t) {}));
  CHECK(!takes(named, [](row_id, row_id, std::uint32_t) {}));
}
