// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/search/counting_top_k.hpp>
#include <embit/search/top_k.hpp>

#include <support/catch.hpp>

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace {

using found_list = std::vector<embit::neighbor<float>>;

found_list expected(found_list offers, std::size_t k) {
  const auto best = embit::select_top_k<std::less<>>(offers, k);
  return {best.begin(), best.end()};
}

// Offers what is within the bound alone, as a kernel does, which reads it from time to time.
found_list collected(embit::counting_top_k& top, const found_list& offers, std::size_t k, std::size_t every) {
  top.reset(k);
  float bound = top.bound();
  for (std::size_t i = 0; i < offers.size(); ++i) {
    if (i % every == 0) bound = top.bound();
    if (!(offers[i].distance > bound)) top.offer(offers[i].id, offers[i].distance);
  }
  const auto best = top.sorted();
  return {best.begin(), best.end()};
}

}  // namespace

TEST_CASE("a counting collector keeps the k nearest, whatever comes in whatever order", "[top_k]") {
  embit::rng rng{1};
  embit::counting_top_k top;
  for (const std::size_t n : {0u, 1u, 7u, 30u, 513u, 5000u})
    for (const int kind : {0, 1, 2, 3, 4, 5}) {
      found_list offers;
      for (std::size_t i = 0; i < n; ++i) {
        float distance = 100 + embit::normal(rng);
        if (kind == 1) distance = static_cast<float>(embit::uniform_index(rng, 5));  // ties
        if (kind == 2) distance = 7;
        if (kind == 3) distance = 1e9f - static_cast<float>(i) * 1e5f;  // each nearer than all before
        if (kind == 4) distance = static_cast<float>(i);
        if (kind == 5 && i % 3 == 0) distance = std::numeric_limits<float>::infinity();
        offers.push_back({static_cast<embit::row_id>(embit::uniform_index(rng, 1u << 30)), distance});
      }
      for (const std::size_t k : {1u, 2u, 10u, 63u, 1000u})
        for (const std::size_t every : {1u, 40u}) REQUIRE(collected(top, offers, k, every) == expected(offers, k));
    }
}

TEST_CASE("a distance that is not a number comes last", "[top_k]") {
  embit::counting_top_k top;
  top.reset(3);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (embit::row_id i = 0; i < 50; ++i) top.offer(i, i % 2 == 0 ? nan : static_cast<float>(50 - i));
  const auto best = top.sorted();
  REQUIRE(best.size() == 3);
  REQUIRE(best[0] == embit::neighbor<float>{49, 1});
  REQUIRE(best[2] == embit::neighbor<float>{45, 5});
  top.reset(40);
  for (embit::row_id i = 0; i < 9; ++i) top.offer(i, nan);
  REQUIRE(top.sorted().size() == 9);
}
