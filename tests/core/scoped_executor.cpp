#include <embit/core/executor.hpp>
#include <embit/core/scoped_executor.hpp>
#include <embit/core/thread_pool.hpp>

#include <atomic>
#include <cstddef>
#include <thread>
#include <type_traits>
#include <vector>

#include <support/catch.hpp>
#include <support/refusal.hpp>

using embit::executor_scope;
using embit::limited_executor;
using embit::scoped_executor;
using embit::thread_pool;

static_assert(embit::Executor<scoped_executor>);
static_assert(embit::Executor<limited_executor<thread_pool>>);
static_assert(!std::is_constructible_v<executor_scope, thread_pool>);
static_assert(!std::is_copy_constructible_v<executor_scope>);

namespace {

// Each item is run once, by a worker below the concurrency that no other thread is at the same time.
template <class Exec>
void require_all_run(const Exec& executor, std::size_t items) {
  std::vector<std::atomic<int>> runs(items), busy(executor.concurrency());
  std::atomic<bool> alone{true};
  embit::run_bulk(executor, items, [&](std::size_t item, std::size_t worker) {
    if (busy[worker].fetch_add(1) != 0) alone = false;
    ++runs[item];
    busy[worker].fetch_sub(1);
  });
  CHECK(alone);
  for (const auto& count : runs) CHECK(count == 1);
}

}  // namespace

TEST_CASE("work runs on the executor in scope, and in the caller without one", "[threads]") {
  const scoped_executor executor;
  const thread_pool three(3), two(2);
  CHECK(executor.concurrency() == 1);
  {
    const executor_scope outer(three);
    CHECK(executor.concurrency() == 3);
    {
      const executor_scope inner(two);
      CHECK(executor.concurrency() == 2);
      std::size_t elsewhere = 0;
      std::thread([&] { elsewhere = executor.concurrency(); }).join();
      CHECK(elsewhere == 1);
    }
    CHECK(executor.concurrency() == 3);
    for (const std::size_t items : {0u, 1u, 2u, 100u}) require_all_run(executor, items);
  }
  CHECK(executor.concurrency() == 1);
  require_all_run(executor, 7);
}

TEST_CASE("a scope ends when what it holds throws", "[threads]") {
  const scoped_executor executor;
  const thread_pool pool(2);
  try {
    const executor_scope threads(pool);
    embit::run_bulk(executor, 10, [](std::size_t item, std::size_t) {
      if (item == 5) throw 5;
    });
    FAIL("nothing was thrown");
  } catch (int) {
  }
  CHECK(executor.concurrency() == 1);
}

TEST_CASE("an executor is limited to some of its threads", "[threads]") {
  const thread_pool pool(4);
  for (const std::size_t most : {1u, 2u, 4u, 9u}) {
    const limited_executor some(pool, most);
    CHECK(some.concurrency() == (most < 4 ? most : 4));
    for (const std::size_t items : {0u, 1u, 3u, 200u}) require_all_run(some, items);
    const executor_scope threads(some);
    require_all_run(scoped_executor{}, 50);
  }
  CHECK(support::refusal([&] { limited_executor(pool, 0); }) == "argument: threads: 0, but at least 1 is needed");
}
