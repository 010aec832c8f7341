// What must hold of an executor over somebody else's threads: `make(n)` makes one of n workers.
#include <embit/core/executor.hpp>
#include <embit/core/random.hpp>
#include <embit/index/flat.hpp>

#include <support/catch.hpp>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace support {

/// Every item once, workers below the number, no worker in two items at once, also with a call inside each item.
template <class Exec>
void check_items(const Exec& executor) {
  for (const std::size_t items : {0u, 1u, 7u, 513u}) {
    std::vector<std::atomic<int>> seen(items), busy(executor.concurrency());
    std::atomic<int> wrong{0};
    std::atomic<std::size_t> inner{0};
    executor.bulk(items, [&](std::size_t item, std::size_t worker) noexcept {
      if (worker >= busy.size() || busy[worker].exchange(1) != 0) return void(++wrong);
      ++seen[item];
      executor.bulk(5, [&](std::size_t, std::size_t) noexcept { ++inner; });
      busy[worker] = 0;
    });
    CHECK(wrong == 0);
    CHECK(inner == 5 * items);
    for (const auto& times : seen) REQUIRE(times == 1);
  }
}

template <class Make>
void check_executor(const Make& make) {
  for (const std::size_t workers : {1u, 2u, 5u}) {
    const auto executor = make(workers);
    static_assert(embit::Executor<std::remove_const_t<decltype(executor)>>);
    CHECK(executor.concurrency() == workers);
    check_items(executor);
    CHECK_THROWS_WITH(embit::run_bulk(executor, 100,
                                      [](std::size_t item, std::size_t) {
                                        if (item % 8 == 3) throw std::runtime_error("thrown");
                                      }),
                      "thrown");
  }
  CHECK(make(0).concurrency() >= 1);

  embit::rng rng{5};
  embit::code_store<> codes(3000, 100);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    codes.row(i)[0] = rng() & 0xff;  // many ties
    codes.row(i)[1] = rng() & embit::tail_mask(100);
  }
  const auto queries = codes.view().middle_rows(7, 20);
  const auto expected = embit::flat_index{codes}.search(queries, 50);
  const auto found = embit::flat_index{codes, embit::hamming{}, make(3)}.search(queries, 50);
  for (std::size_t q = 0; q < expected.queries(); ++q)
    CHECK(std::vector(found[q].begin(), found[q].end()) == std::vector(expected[q].begin(), expected[q].end()));
}

}  // namespace support
