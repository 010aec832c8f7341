// SPDX-License-Identifier: MIT
#include <embit/core/thread_pool.hpp>
#include <embit/index/flat.hpp>
#include <embit/store/popcount_store.hpp>

#include <cstdint>
#include <functional>
#include <type_traits>
#include <vector>

#include "../support/catch.hpp"
#include "sets.hpp"

namespace {

using namespace support::sets;

// Search, range search, filters, removal, additions and compaction of one index.
template <class K>
void check_index(const K& kernel, const embit::thread_pool& pool, kind what, std::size_t n, std::size_t bits) {
  CAPTURE(static_cast<int>(what), n, bits);
  code_store<> codes = make_sets(what, n, bits, 77 + bits + n);
  const code_store<> queries = make_queries(codes, n + 1);
  embit::flat_index index{codes.view().middle_rows(0, n - n / 4), kernel, pool};
  static_assert(std::is_same_v<typename decltype(index)::store_type, embit::popcount_store<>>);
  for (std::size_t i = n - n / 4; i < n;) {  // added in pieces of growing size
    const std::size_t count = std::min(n - i, 1 + i % 37);
    CHECK(index.add(codes.view().middle_rows(i, count)) == i);
    i += count;
  }

  const auto check = [&](const std::function<bool(row_id)>& accepts, const auto& filter) {
    for (const std::size_t k : {std::size_t{1}, std::size_t{10}, n + 5}) {
      const auto found = index.search(queries, k, filter);
      for (std::size_t q = 0; q < queries.size(); ++q) {
        const list<K> expected = reference(kernel, queries[q], codes, accepts);
        REQUIRE(equal<K>(first<K>(expected, k), found[q]));
        if (k != 10 || expected.empty()) continue;
        for (const auto radius : {expected[expected.size() / 3].distance, expected.front().distance}) {
          const auto in_range = index.range_search(queries.view().middle_rows(q, 1), radius, filter);
          REQUIRE(equal<K>(within<K>(expected, radius), in_range[0]));
        }
      }
    }
  };
  check({}, embit::accept_all{});
  const std::function<bool(row_id)> third = [](row_id row) { return row % 3 == 0; };
  check(third, third);
  embit::row_bitset many(n), few(n);
  for (std::size_t i = 0; i < n; ++i) many.set(i, i % 7 != 0), few.set(i, i % 97 == 1);
  check([&](row_id row) { return many.test(row); }, many);
  check([&](row_id row) { return few.test(row); }, few);

  std::vector<bool> removed(n, false);
  for (std::size_t i = 0; i < n; i += 5) removed[i] = index.remove(static_cast<row_id>(i));
  const auto live = [&](row_id row) { return !removed[row]; };
  check(live, embit::accept_all{});
  check([&](row_id row) { return live(row) && few.test(row); }, few);

  const auto renumbered = index.compact();
  code_store<> left(0, bits);
  for (std::size_t i = 0; i < n; ++i) {
    CHECK((renumbered[i] == embit::no_row) == removed[i]);
    if (!removed[i]) left.append(codes.view().middle_rows(i, 1));
  }
  codes = left;
  check({}, embit::accept_all{});
}

}  // namespace

TEST_CASE("an index of sets agrees with the reference through its whole life", "[threads]") {
  const embit::thread_pool alone{1}, pool{2};
  for (const std::size_t bits : {1u, 65u, 167u, 1000u})
    for (const std::size_t n : {0u, 1u, 8u, 513u, 1200u})
      for (const kind what : kinds) {
        check_index(embit::jaccard{}, alone, what, n, bits);
        check_index(embit::jaccard{}, pool, what, n, bits);
      }
  for (const kind what : kinds) {
    check_index(embit::tversky{{.alpha = 1, .beta = 0}}, pool, what, 600, 127);
    check_index(embit::tversky{{.alpha = 0, .beta = .5f}}, pool, what, 600, 127);
    check_index(embit::and_count{}, pool, what, 600, 127);
  }
}
