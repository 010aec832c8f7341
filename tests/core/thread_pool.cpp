#include <embit/core/executor.hpp>
#include <embit/core/thread_pool.hpp>

#include <support/catch.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

TEST_CASE("a pool runs every item once, with workers below its concurrency", "[threads]") {
  for (const std::size_t threads : {1u, 2u, 3u, 8u}) {
    const embit::thread_pool pool(threads);
    CHECK(pool.concurrency() == threads);
    for (const std::size_t items : {0u, 1u, 2u, 7u, 513u}) {
      std::vector<std::atomic<int>> runs(items);
      std::atomic<bool> stranger{false};
      pool.bulk(items, [&](std::size_t item, std::size_t worker) {
        runs[item].fetch_add(1);
        if (worker >= threads) stranger = true;
      });
      CAPTURE(threads, items);
      CHECK_FALSE(stranger.load());
      for (const auto& r : runs) REQUIRE(r.load() == 1);
    }
  }
}

TEST_CASE("no two threads are the same worker at once", "[threads]") {
  const embit::thread_pool pool(4);
  std::vector<std::atomic<int>> inside(4);
  std::atomic<bool> clash{false};
  for (int round = 0; round < 20; ++round)
    pool.bulk(200, [&](std::size_t, std::size_t worker) {
      if (inside[worker].fetch_add(1) != 0) clash = true;
      std::this_thread::yield();
      inside[worker].fetch_sub(1);
    });
  CHECK_FALSE(clash.load());
}

TEST_CASE("a worker's own memory needs no lock", "[threads]") {
  const embit::thread_pool pool(3);
  std::vector<std::size_t> sums(pool.concurrency());  // plain numbers: a race here is what a sanitizer would see
  pool.bulk(1000, [&](std::size_t item, std::size_t worker) { sums[worker] += item; });
  CHECK(std::accumulate(sums.begin(), sums.end(), std::size_t{0}) == 999 * 1000 / 2);
}

TEST_CASE("work inside work finishes, however deep", "[threads]") {
  const embit::thread_pool pool(3);
  std::atomic<std::size_t> leaves{0};
  embit::run_bulk(pool, 6, [&](std::size_t, std::size_t) {
    embit::run_bulk(pool, 5, [&](std::size_t, std::size_t) {
      embit::run_bulk(pool, 4, [&](std::size_t, std::size_t) { leaves.fetch_add(1); });
    });
  });
  CHECK(leaves.load() == 6 * 5 * 4);
}

TEST_CASE("an exception from work inside work reaches the outermost caller", "[threads]") {
  const embit::thread_pool pool(3);
  CHECK_THROWS_WITH(embit::run_bulk(pool, 6,
                                    [&](std::size_t outer, std::size_t) {
                                      embit::run_bulk(pool, 5, [&](std::size_t inner, std::size_t) {
                                        if (outer == 4 && inner == 2) embit::raise(embit::errc::argument, "deep");
                                      });
                                    }),
                    "deep");
}

TEST_CASE("several threads may use one pool at once", "[threads]") {
  const embit::thread_pool pool(2);
  std::vector<std::size_t> sums(4);
  std::vector<std::thread> callers;
  for (std::size_t caller = 0; caller < sums.size(); ++caller)
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 50; ++round) {
        std::atomic<std::size_t> sum{0};
        pool.bulk(20, [&](std::size_t item, std::size_t) { sum.fetch_add(item); });
        sums[caller] += sum.load();
      }
    });
  for (auto& t : callers) t.join();
  for (const std::size_t sum : sums) CHECK(sum == 50 * 190);
}

TEST_CASE("copies share the threads and keep them alive", "[threads]") {
  auto pool = std::make_unique<embit::thread_pool>(3);
  const embit::thread_pool copy = *pool;
  pool.reset();
  CHECK(copy.concurrency() == 3);
  std::atomic<int> count{0};
  copy.bulk(100, [&](std::size_t, std::size_t) { count.fetch_add(1); });
  CHECK(count.load() == 100);
}

TEST_CASE("pools come and go quickly", "[threads]") {
  std::atomic<int> count{0};
  for (int i = 0; i < 100; ++i) {
    const embit::thread_pool pool(3);
    if (i % 2 == 0) pool.bulk(4, [&](std::size_t, std::size_t) { count.fetch_add(1); });
  }
  CHECK(count.load() == 200);
}

TEST_CASE("0 threads means one a processor", "[threads]") {
  CHECK(embit::thread_pool().concurrency() == std::max(1u, std::thread::hardware_concurrency()));
}

// The thread sanitizer does not follow a program with threads through a fork.
#ifndef __SANITIZE_THREAD__
TEST_CASE("a pool works and ends in a forked child, which has none of its threads", "[threads]") {
  auto pool = std::make_unique<embit::thread_pool>(3);
  pool->bulk(8, [](std::size_t, std::size_t) {});
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(10);  // where it would wait for threads that are not there
    std::size_t sum = 0;
    pool->bulk(8, [&](std::size_t item, std::size_t worker) { sum += item + 100 * worker; });
    const embit::thread_pool own(2);
    std::atomic<std::size_t> count{0};
    own.bulk(8, [&](std::size_t, std::size_t) { count.fetch_add(1); });
    pool.reset();
    ::_exit(sum == 28 && count.load() == 8 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  std::atomic<std::size_t> count{0};
  pool->bulk(8, [&](std::size_t, std::size_t) { count.fetch_add(1); });  // the parent has them still
  CHECK(count.load() == 8);
}
#endif
