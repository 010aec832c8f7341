#include <embit/core/ragged_view.hpp>

#include <support/catch.hpp>
#include <support/matchers.hpp>

#include <cstdint>
#include <utility>
#include <vector>

using Catch::Matchers::ContainsSubstring;

TEST_CASE("sets of different sizes, an empty one among them", "[ragged_view]") {
  std::vector<float> numbers(5 * 2);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  const embit::matrix_view<float> values(numbers.data(), 5, 2);
  const std::vector<std::size_t> offsets{0, 2, 2, 5};
  const embit::ragged_view sets(values, std::span<const std::size_t>(offsets));
  CHECK(sets.size() == 3);
  CHECK(sets.cols() == 2);
  CHECK(sets[0].rows() == 2);
  CHECK(sets[1].empty());
  CHECK(sets[2].rows() == 3);
  CHECK(sets[2][0][1] == 5.0f);

  const embit::ragged_view<const float> readable = sets;
  CHECK(readable[2].data() == sets[2].data());
}

TEST_CASE("no sets at all", "[ragged_view]") {
  CHECK(embit::ragged_view<const float>().size() == 0);
  const std::vector<std::size_t> offsets{0};
  CHECK(embit::ragged_view<const float>({}, offsets).size() == 0);
}

TEST_CASE("offsets that do not describe the rows are refused", "[ragged_view]") {
  const std::vector<float> numbers(10);
  const embit::matrix_view<const float> values(numbers.data(), 5, 2);
  const auto make = [&](std::vector<std::size_t> offsets) { embit::ragged_view<const float>(values, offsets); };
  CHECK_THROWS_WITH(make({}), ContainsSubstring("no offsets"));
  CHECK_THROWS_WITH(make({1, 5}), ContainsSubstring("offset 0 is 1"));
  CHECK_THROWS_WITH(make({0, 3, 2, 5}), ContainsSubstring("offset 2 is 2") && ContainsSubstring("3"));
  CHECK_THROWS_WITH(make({0, 4}), ContainsSubstring("last offset is 4") && ContainsSubstring("5 rows"));
  CHECK_THROWS_AS(make({0, 6}), embit::error);
}

TEST_CASE("a mask leaves rows out, run by run", "[ragged_view]") {
  std::vector<float> numbers(9 * 2);
  const embit::matrix_view<const float> values(numbers.data(), 9, 2);
  const std::vector<std::size_t> offsets{0, 4, 4, 9};
  const std::vector<std::uint8_t> mask{1, 0, 1, 1, 0, 1, 1, 1, 0};
  const embit::ragged_view<const float> sets(values, offsets, mask);
  using runs = std::vector<std::pair<std::size_t, std::size_t>>;
  const auto runs_of = [](embit::row_set<const float> set) {
    runs found;
    set.for_each_run([&](std::size_t first, std::size_t count) { found.emplace_back(first, count); });
    return found;
  };
  CHECK(runs_of(sets[0]) == runs{{0, 1}, {2, 2}});
  CHECK(runs_of(sets[1]).empty());
  CHECK(runs_of(sets[2]) == runs{{1, 3}});
  CHECK_FALSE(sets[0].counts(1));
  CHECK(sets[2].counts(3));
  CHECK(runs_of(values) == runs{{0, 9}});  // rows without a mask all count

  const auto part = sets.middle_rows(1, 2);
  CHECK(part.size() == 2);
  CHECK(part[1].data() == sets[2].data());
  CHECK(runs_of(part[1]) == runs_of(sets[2]));
  CHECK(sets.middle_rows(3, 0).size() == 0);
  CHECK_THROWS_WITH(sets.middle_rows(2, 2), ContainsSubstring("2 + 2 of 3"));
  CHECK_THROWS_WITH((embit::ragged_view<const float>(values, offsets, std::span(mask).first(8))),
                    ContainsSubstring("a mask of 8 for 9 rows"));
}
