#include <embit/core/random.hpp>
#include <embit/search/top_k.hpp>

#include <functional>
#include <vector>

#include <support/catch.hpp>

namespace {

using hit = embit::neighbor<std::uint32_t>;

std::vector<hit> first_k(std::vector<hit> all, std::size_t k) {
  const auto first = embit::select_top_k<std::less<>>(all, k);
  return {first.begin(), first.end()};
}

}  // namespace

TEST_CASE("a histogram keeps the k nearest, ties by the smaller row", "[top_k]") {
  embit::rng rng{1};
  const std::size_t n = GENERATE(as<std::size_t>{}, 0, 1, 7, 513, 20000),
                    k = GENERATE(as<std::size_t>{}, 1, 10, 100, 600);
  const std::uint32_t spread = GENERATE(1u, 3u, 64u, 1000u);
  embit::histogram_top_k top;
  top.reset(k, spread + 1);
  std::vector<hit> all;
  for (std::size_t i = 0; i < n; ++i) {
    const auto d = static_cast<std::uint32_t>(embit::uniform_index(rng, spread + 1));
    all.push_back({static_cast<embit::row_id>(i), d});
    top.offer(static_cast<embit::row_id>(i), d);
  }
  const auto kept = top.kept();
  CHECK(kept.size() < 2 * k);
  CHECK(first_k({kept.begin(), kept.end()}, k) == first_k(all, k));
  if (n >= k && k > 0) CHECK(top.threshold() <= first_k(all, k).back().distance);
}

TEST_CASE("a histogram copes with falling distances, its worst order", "[top_k]") {
  embit::histogram_top_k top;
  top.reset(5, 1001);
  for (std::uint32_t i = 0; i <= 1000; ++i) top.offer(i, 1000 - i);
  const auto kept = top.kept();
  CHECK(first_k({kept.begin(), kept.end()}, 5) == std::vector<hit>{{1000, 0}, {999, 1}, {998, 2}, {997, 3}, {996, 4}});
  CHECK(top.threshold() == 4);
}

TEST_CASE("a histogram with a first bound keeps the k nearest below it, and says when there are fewer", "[top_k]") {
  embit::rng rng{4};
  const std::size_t k = GENERATE(as<std::size_t>{}, 1, 10, 100);
  const std::uint32_t below = GENERATE(0u, 1u, 20u, 64u);
  embit::histogram_top_k top;
  top.reset(k, below);
  std::vector<hit> all;
  for (embit::row_id i = 0; i < 300; ++i) {
    const auto d = static_cast<std::uint32_t>(embit::uniform_index(rng, 64));
    if (d < below) all.push_back({i, d});
    top.offer(i, d);
  }
  const auto kept = top.kept();
  CHECK(first_k({kept.begin(), kept.end()}, k) == first_k(all, k));
  CHECK(top.full() == (all.size() >= k));
  CHECK(top.bound() <= below);
  if (top.full()) CHECK(top.bound() == first_k(all, k).back().distance + 1);
}

TEST_CASE("a counting sort is a sort where equal distances come in the order of their rows", "[top_k]") {
  embit::rng rng{5};
  const std::size_t n = GENERATE(as<std::size_t>{}, 0, 1, 7, 24, 25, 513), k = GENERATE(as<std::size_t>{}, 1, 10, 600);
  const std::uint32_t nearest = GENERATE(0u, 4'000'000'000u), spread = GENERATE(1u, 3u, 1000u);
  std::vector<hit> all;
  for (std::size_t i = 0; i < n; ++i)
    all.push_back(
        {static_cast<embit::row_id>(i), nearest + static_cast<std::uint32_t>(embit::uniform_index(rng, spread))});
  const auto expected = first_k(all, k);
  embit::counting_sort sort;
  for (int again = 0; again < 2; ++again) {
    auto candidates = all;
    CHECK(std::ranges::equal(sort.select(candidates, k), expected));
  }
}

TEST_CASE("the k best with a first bound are those no worse, and it is told when there are fewer", "[top_k]") {
  const std::size_t k = GENERATE(as<std::size_t>{}, 1, 10, 32, 33, 100);
  const float bound = GENERATE(-1.f, 0.f, 20.f, 49.f);
  embit::rng rng{6};
  embit::best_top_k<float, std::less<>> top;
  top.reset(k, bound);
  std::vector<embit::neighbor<float>> all;
  for (embit::row_id i = 0; i < 300; ++i) {
    const auto d = static_cast<float>(embit::uniform_index(rng, 50));
    if (d <= bound) all.push_back({i, d});
    top.offer(i, d);
  }
  std::vector<embit::neighbor<float>> kept(top.kept().begin(), top.kept().end());
  CHECK(std::ranges::equal(embit::select_top_k<std::less<>>(kept, k), embit::select_top_k<std::less<>>(all, k)));
  CHECK(top.full() == (all.size() >= k));
  CHECK(top.bounded());
}

TEST_CASE("the k best are kept in any order of offers", "[top_k]") {
  embit::rng rng{2};
  const std::size_t n = GENERATE(as<std::size_t>{}, 0, 1, 7, 513, 5000),
                    k = GENERATE(as<std::size_t>{}, 1, 10, 32, 33, 600);
  std::vector<embit::neighbor<float>> all;
  for (std::size_t i = 0; i < n; ++i)
    all.push_back({static_cast<embit::row_id>(i), static_cast<float>(embit::uniform_index(rng, 50))});
  embit::shuffle(std::span(all), rng);
  embit::best_top_k<float, std::greater<>> top;
  top.reset(k);
  for (const auto& a : all) top.offer(a.id, a.distance);
  std::vector<embit::neighbor<float>> kept(top.kept().begin(), top.kept().end());
  CHECK(std::ranges::equal(embit::select_top_k<std::greater<>>(kept, k), embit::select_top_k<std::greater<>>(all, k)));
}
