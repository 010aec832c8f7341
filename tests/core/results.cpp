#include <embit/core/results.hpp>

#include <support/catch.hpp>
#include <support/matchers.hpp>

#include <algorithm>
#include <functional>
#include <vector>

using neighbor = embit::neighbor<int>;

TEST_CASE("neighbours are ordered by distance, ties by row", "[results]") {
  std::vector<neighbor> list{{3, 5}, {1, 5}, {2, 4}, {0, 6}};
  std::sort(list.begin(), list.end(), embit::neighbor_order<std::less<>>());
  CHECK(list == std::vector<neighbor>{{2, 4}, {1, 5}, {3, 5}, {0, 6}});
  std::sort(list.begin(), list.end(), embit::neighbor_order<std::greater<>>());  // a similarity: ties still by row
  CHECK(list == std::vector<neighbor>{{0, 6}, {1, 5}, {3, 5}, {2, 4}});
}

TEST_CASE("a knn_result gives what was found, not what was asked", "[results]") {
  embit::knn_result<int> result;
  CHECK(result.queries() == 0);
  result.reset(3, 4);
  CHECK(result.queries() == 3);
  CHECK(result.k() == 4);
  for (std::size_t q = 0; q < 3; ++q) CHECK(result[q].empty());

  result.assign(1, std::vector<neighbor>{{7, 1}, {9, 2}});
  CHECK(result[1].size() == 2);
  CHECK(result[1][1] == neighbor{9, 2});
  CHECK(result[0].empty());
  CHECK(result[2].empty());
}

TEST_CASE("a knn_result is reused without a trace of the last search", "[results]") {
  embit::knn_result<int> result;
  result.reset(2, 3);
  const std::vector<neighbor> one{{1, 1}};
  result.assign(0, one);
  const auto* memory = result[0].data();
  result.reset(3, 2);
  CHECK(result[0].empty());
  CHECK(result[0].data() == memory);
  result.reset(5, 0);
  CHECK(result.queries() == 5);
  CHECK(result[4].empty());
}

TEST_CASE("lists of any length that was asked for are what was assigned", "[results]") {
  constexpr std::size_t most = embit::knn_result<int>::most_in_place;
  embit::knn_result<int> result;
  for (const std::size_t k : {most, most + 1, std::size_t{1} << 40, std::size_t{3}}) {
    std::vector<neighbor> full(std::min<std::size_t>(k, 2 * most), {5, 6});
    full.back() = {7, 8};
    result.reset(3, k);
    result.assign(2, full);
    result.assign(0, std::vector<neighbor>{{1, 2}});
    CHECK(result.k() == k);
    CHECK(result[0].size() == 1);
    CHECK(result[1].empty());
    CHECK(std::ranges::equal(result[2], full));
    const embit::knn_result<int> copy = result;
    CHECK(std::ranges::equal(copy[2], full));
  }
}

TEST_CASE("more results than memory has bytes are refused", "[results]") {
  embit::knn_result<int> result;
  result.reset(2, 3);
  CHECK_THROWS_WITH(result.reset(std::size_t{1} << 40, std::size_t{1} << 40),
                    Catch::Matchers::ContainsSubstring("do not fit"));
  CHECK(result.queries() == 2);  // unchanged
  CHECK(result.k() == 3);
}

TEST_CASE("a range_result keeps lists of any length", "[results]") {
  embit::range_result<int> result;
  CHECK(result.queries() == 0);
  const std::vector<neighbor> first{{1, 1}, {2, 2}};
  const std::vector<neighbor> third{{3, 3}};
  result.append(first);
  result.append({});
  result.append(third);
  CHECK(result.queries() == 3);
  CHECK(result.total() == 3);
  CHECK(std::ranges::equal(result[0], first));
  CHECK(result[1].empty());
  CHECK(std::ranges::equal(result[2], third));
  result.clear();
  CHECK(result.queries() == 0);
  CHECK(result.total() == 0);
}
