// Columns that share their chunks, held against vectors.
#include <embit/core/random.hpp>
#include <embit/store/shared_column.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <support/catch.hpp>

namespace {

using column = embit::shared_column<std::uint32_t>;

bool same(const column& held, const std::vector<std::uint32_t>& expected) {
  std::vector<std::uint32_t> pieces;
  held.for_each_piece(
      [&](std::span<const std::uint32_t> piece) { pieces.insert(pieces.end(), piece.begin(), piece.end()); });
  return held.size() == expected.size() && std::ranges::equal(held, expected) && pieces == expected;
}

}  // namespace

TEST_CASE("a column of any length holds what it was given") {
  for (const std::size_t n : {0u, 1u, 15u, 16u, 17u, 1023u, 1024u, 1025u, 2048u, 5000u}) {
    std::vector<std::uint32_t> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<std::uint32_t>(i * i);
    column held{std::span<const std::uint32_t>(values)};
    CHECK(same(held, values));
    held.append(1030, 7);
    values.insert(values.end(), 1030, 7);
    CHECK(same(held, values));
    const column moved = std::move(held);
    CHECK(same(moved, values));
  }
}

TEST_CASE("copies of a column go their own ways") {
  embit::rng rng{1};
  std::vector<std::pair<column, std::vector<std::uint32_t>>> columns(1);
  for (int step = 0; step < 4000; ++step) {
    auto& [held, expected] = columns[embit::uniform_index(rng, columns.size())];
    const auto value = static_cast<std::uint32_t>(rng());
    const auto choice = embit::uniform_index(rng, 10);
    if (choice < 4 && !expected.empty()) {
      const std::size_t row = embit::uniform_index(rng, expected.size());
      held.set(row, value);
      expected[row] = value;
    } else if (choice < 8) {
      held.push_back(value);
      expected.push_back(value);
    } else {
      const std::size_t count = embit::uniform_index(rng, 40);
      held.reserve(2 * count);
      held.append(count, value);
      expected.insert(expected.end(), count, value);
    }
    if (step % 400 == 0) columns.emplace_back(columns[embit::uniform_index(rng, columns.size())]);
  }
  for (const auto& [held, expected] : columns) CHECK(same(held, expected));
}
