#include <embit/core/executor.hpp>
#include <embit/core/thread_pool.hpp>

#include <support/catch.hpp>

#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace {

/// Hands out its items last first, and always says how many calls it got.
struct backwards {
  std::size_t workers = 3;
  std::size_t concurrency() const { return workers; }
  template <class F>
  void bulk(std::size_t items, F&& f) const {
    for (std::size_t i = items; i-- > 0;) f(i, i % workers);
  }
};

}  // namespace

TEST_CASE("the inline executor runs every item once, in order, here", "[executor][threads]") {
  const auto here = std::this_thread::get_id();
  std::vector<std::size_t> seen;
  embit::inline_executor{}.bulk(513, [&](std::size_t item, std::size_t worker) {
    seen.push_back(item);
    CHECK(worker == 0);
    CHECK(std::this_thread::get_id() == here);
  });
  REQUIRE(seen.size() == 513);
  for (std::size_t i = 0; i < 513; ++i) REQUIRE(seen[i] == i);
}

TEST_CASE("no items, no call", "[executor]") {
  embit::run_bulk(backwards{}, 0, [](std::size_t, std::size_t) { FAIL("called"); });
  embit::run_ranges(backwards{}, 0, 8, 4, [](std::size_t, std::size_t, std::size_t) { FAIL("called"); });
}

TEST_CASE("a view of an executor runs what the executor would, in its order", "[executor]") {
  STATIC_REQUIRE(embit::Executor<embit::executor_ref>);
  const backwards real;
  const embit::executor_ref erased = real, twice = erased;
  REQUIRE(twice.concurrency() == 3);
  std::vector<std::size_t> seen, workers;
  twice.bulk(7, [&](std::size_t item, std::size_t worker) {
    seen.push_back(item);
    workers.push_back(worker);
  });
  REQUIRE(seen == std::vector<std::size_t>{6, 5, 4, 3, 2, 1, 0});
  REQUIRE(workers == std::vector<std::size_t>{0, 2, 1, 0, 2, 1, 0});
  CHECK_THROWS_WITH(embit::run_bulk(erased, 9,
                                    [](std::size_t item, std::size_t) {
                                      if (item == 5) throw std::out_of_range("item 5");
                                    }),
                    "item 5");
}

TEST_CASE("the first exception is carried to the caller and later items are skipped", "[executor]") {
  std::size_t calls = 0;
  const auto throws_at_100 = [&](std::size_t item, std::size_t) {
    ++calls;
    if (item == 100) throw std::out_of_range("item 100");
  };
  CHECK_THROWS_WITH(embit::run_bulk(embit::inline_executor{}, 513, throws_at_100), "item 100");
  CHECK(calls == 101);
  calls = 0;
  CHECK_THROWS_AS(embit::run_bulk(backwards{}, 513, throws_at_100), std::out_of_range);
  CHECK(calls == 413);
}

TEST_CASE("what is thrown in a pool reaches the caller, and the pool lives on", "[executor][threads]") {
  const embit::thread_pool pool(4);
  for (int round = 0; round < 50; ++round) {
    CHECK_THROWS_WITH(embit::run_bulk(pool, 64,
                                      [](std::size_t item, std::size_t) {
                                        if (item % 8 == 3) throw std::runtime_error("thrown");
                                      }),
                      "thrown");
  }
  std::vector<int> done(64);
  embit::run_bulk(pool, 64, [&](std::size_t item, std::size_t) { done[item] = 1; });
  CHECK(done == std::vector<int>(64, 1));
}

TEST_CASE("ranges cover everything once, cut at whole grains", "[executor]") {
  for (const std::size_t n : {1u, 7u, 8u, 63u, 64u, 65u, 513u, 1000u}) {
    for (const std::size_t grain : {1u, 8u, 512u, 2000u}) {
      for (const std::size_t pieces : {0u, 1u, 2u, 3u, 64u, 5000u}) {
        CAPTURE(n, grain, pieces);
        std::vector<std::pair<std::size_t, std::size_t>> ranges;
        embit::run_ranges(embit::inline_executor{}, n, grain, pieces,
                          [&](std::size_t first, std::size_t last, std::size_t) { ranges.emplace_back(first, last); });
        REQUIRE_FALSE(ranges.empty());
        CHECK(ranges.size() <= std::max<std::size_t>(pieces, 1));
        std::size_t expected = 0, smallest = n, largest = 0;
        for (const auto& [first, last] : ranges) {
          REQUIRE(first == expected);
          REQUIRE(first < last);
          REQUIRE(first % grain == 0);
          expected = last;
          const std::size_t grains = (last - first + grain - 1) / grain;
          smallest = std::min(smallest, grains);
          largest = std::max(largest, grains);
        }
        REQUIRE(expected == n);
        CHECK(largest - smallest <= 1);  // fair shares
      }
    }
  }
}
