#include <embit/search/row_choice.hpp>

#include <embit/core/random.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <functional>
#include <vector>

using embit::row_bitset, embit::row_choice, embit::row_id, embit::word;

namespace {

bool is_odd(row_id row) { return row % 2 == 1; }

row_bitset every(std::size_t step, std::size_t size) {
  row_bitset rows(size);
  for (std::size_t row = 0; row < size; row += step) rows.set(row);
  return rows;
}

/// Row by row, 64 at a time and in order, a choice says what `expected` does.
template <class Expected>
void check(const row_choice& choice, std::size_t rows, Expected&& expected) {
  std::vector<std::size_t> wanted, visited;
  for (std::size_t row = 0; row < rows; ++row) {
    REQUIRE(choice(static_cast<row_id>(row)) == expected(row));
    if (expected(row)) wanted.push_back(row);
  }
  choice.for_each(0, rows, [&](std::size_t row) { visited.push_back(row); });
  CHECK(visited == wanted);
  for (std::size_t first = 0; first < rows; first += 64) {
    const std::size_t last = std::min(first + 64, rows);
    const word accepted = choice.accepted(first, last);
    for (std::size_t i = 0; i < 64; ++i)
      REQUIRE((accepted >> i & 1) == static_cast<word>(first + i < last && expected(first + i)));
  }
}

}  // namespace

TEST_CASE("a choice of rows says the same row by row and 64 at a time, whatever the filter is", "[row_choice]") {
  for (const std::size_t rows : {0u, 1u, 7u, 63u, 64u, 65u, 127u, 513u, 1000u}) {
    const row_bitset live = every(3, rows), fives = every(5, rows);
    const auto lambda = [](row_id row) { return row % 4 != 0; };
    const std::function<bool(row_id)> function = [](row_id row) { return row > 100; };
    check(row_choice(), rows, [](std::size_t) { return true; });
    check(row_choice(embit::accept_all{}), rows, [](std::size_t) { return true; });
    check(row_choice(embit::accept_all{}, &live), rows, [](std::size_t row) { return row % 3 == 0; });
    check(row_choice(fives), rows, [](std::size_t row) { return row % 5 == 0; });
    check(row_choice(fives, &live), rows, [](std::size_t row) { return row % 15 == 0; });
    check(row_choice(lambda), rows, [](std::size_t row) { return row % 4 != 0; });
    check(row_choice(lambda, &live), rows, [](std::size_t row) { return row % 4 != 0 && row % 3 == 0; });
    check(row_choice(function), rows, [](std::size_t row) { return row > 100; });
    check(row_choice(is_odd), rows, [](std::size_t row) { return row % 2 == 1; });
    check(row_choice(&is_odd, &live), rows, [](std::size_t row) { return row % 2 == 1 && row % 3 == 0; });
    check(row_choice(row_choice(is_odd), &live), rows, [](std::size_t row) { return row % 2 == 1 && row % 3 == 0; });
  }
}

TEST_CASE("a predicate is asked once for each row that was not removed, in ascending order", "[row_choice]") {
  const row_bitset live = every(3, 513);
  std::vector<row_id> asked;
  const auto predicate = [&](row_id row) {
    asked.push_back(row);
    return row % 2 == 0;
  };
  std::size_t found = 0;
  row_choice(predicate, &live).for_each(64, 513, [&](std::size_t row) { found += row % 6 == 0; });
  CHECK(found == 75);
  CHECK(std::is_sorted(asked.begin(), asked.end()));
  CHECK(asked.size() == 149);
}

TEST_CASE("a choice knows the rows outside of which a search need not look", "[row_choice]") {
  const row_bitset live = every(3, 100), chosen = every(5, 100);
  CHECK(row_choice().all());
  CHECK(row_choice().members() == nullptr);
  CHECK(row_choice(embit::accept_all{}, &live).members() == &live);
  CHECK(row_choice(chosen, &live).members() == &chosen);
  CHECK(row_choice(chosen).bitset() == &chosen);
  CHECK(row_choice(is_odd, &live).members() == &live);
  CHECK_FALSE(row_choice(is_odd).all());
}
