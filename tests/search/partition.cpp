#include <embit/search/partition.hpp>

#include <vector>

#include <support/catch.hpp>

using embit::detail::cut, embit::detail::partition, embit::detail::piece;

TEST_CASE("cuts cover everything once, on grain borders", "[partition]") {
  const std::size_t n = GENERATE(as<std::size_t>{}, 0, 1, 7, 512, 513, 100000),
                    pieces = GENERATE(as<std::size_t>{}, 1, 2, 3, 7), grain = GENERATE(as<std::size_t>{}, 1, 8, 512);
  std::size_t next = 0;
  for (std::size_t i = 0; i < pieces; ++i) {
    const piece p = cut(n, pieces, i, grain);
    CHECK(p.first == next);
    CHECK((p.first % grain == 0 || p.first == n));
    CHECK(p.last >= p.first);
    next = p.last;
  }
  CHECK(next == n);
}

TEST_CASE("every (query, row) pair belongs to exactly one item", "[partition]") {
  const std::size_t queries = GENERATE(as<std::size_t>{}, 0, 1, 5, 63, 128, 1000, 5000),
                    rows = GENERATE(as<std::size_t>{}, 0, 1, 511, 513, 100000);
  const std::size_t workers = GENERATE(as<std::size_t>{}, 1, 2, 3, 16);
  const partition parts(queries, rows, workers);
  std::size_t pairs = 0;
  for (std::size_t item = 0; item < parts.items(); ++item)
    pairs += parts.queries_of(item, queries).size() * parts.rows_of(item, rows).size();
  CHECK(pairs == queries * rows);
  if (rows > 100 * 512 && queries != 0) CHECK(parts.items() >= workers);
}
