#include <embit/codes/code_view.hpp>
#include <embit/core/error.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/search/detail/join/equal_codes.hpp>
#include <embit/search/detail/join/plan.hpp>
#include <embit/search/join.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <tuple>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

using embit::code_store;
using embit::code_view;
using embit::row_id;
using pair_list = std::vector<std::tuple<row_id, row_id, std::uint32_t>>;

namespace {

using embit::detail::equal_codes, embit::detail::join_between, embit::detail::join_tuning, embit::detail::join_within,
    embit::detail::masks_within, embit::detail::pair_report;

pair_list brute_within(code_view<> codes, std::uint32_t radius) {
  pair_list pairs;
  for (row_id a = 0; a < codes.size(); ++a)
    for (row_id b = a + 1; b < codes.size(); ++b)
      if (const auto d = support::hamming_distance(codes[a], codes[b]); d <= radius) pairs.emplace_back(a, b, d);
  return pairs;
}

pair_list brute_between(code_view<> x, code_view<> y, std::uint32_t radius) {
  pair_list pairs;
  for (row_id a = 0; a < x.size(); ++a)
    for (row_id b = 0; b < y.size(); ++b)
      if (const auto d = support::hamming_distance(x[a], y[b]); d <= radius) pairs.emplace_back(a, b, d);
  return pairs;
}

template <class Join>
pair_list sorted(Join&& join) {
  pair_list pairs;
  auto found = [&](row_id a, row_id b, std::uint32_t d) { pairs.emplace_back(a, b, d); };
  pair_report<std::uint32_t> report(found);
  join(report);
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

/// Every way a join can be done: as costs say, compared, by so many substrings, and with large buckets joined again.
std::vector<join_tuning> tunings() {
  return {{}, {0, true}, {1}, {2, false, 5000}, {3}, {4, false, 2000}, {7, false, 3000}, {100}};
}

template <class... Exec>
void require_pairs(code_view<> codes, std::uint32_t radius, const Exec&... executors) {
  const pair_list expected = brute_within(codes, radius);
  const auto require_with = [&](const auto& executor) {
    for (const auto& tuning : tunings())
      REQUIRE(sorted([&](auto& report) { join_within(codes, nullptr, radius, executor, report, tuning); }) == expected);
  };
  (require_with(executors), ...);
}

/// Codes of a few shapes: half of them in one bucket of the first substring, bits that never vary, near copies.
code_store<> skewed_codes(std::size_t n, std::size_t bits, embit::rng& rng) {
  code_store<> codes = support::make_codes(n, bits, support::code_kind::uniform, rng);
  for (std::size_t i = 0; i < n; ++i) {
    const auto row = codes.row(i);
    if (i % 2 == 0) row[0] &= ~embit::word{0xff};
    row[0] |= bits > 20 ? embit::word{0x5} << 12 : 0;
    if (i > 4 && i % 3 == 0) {
      codes.copy_row(embit::uniform_index(rng, i), row);
      for (std::size_t flips = embit::uniform_index(rng, 4); flips > 0; --flips) {
        const std::size_t bit = embit::uniform_index(rng, bits);
        row[bit / embit::word_bits] ^= embit::word{1} << bit % embit::word_bits;
      }
    }
  }
  return codes;
}

}  // namespace

TEST_CASE("pairs of one set are those of brute force, whatever the data, the width, the radius and the way", "[join]") {
  embit::rng rng{31};
  const embit::thread_pool three(3);
  for (const std::size_t bits : std::initializer_list<std::size_t>{7, 16, 33, 64, 100, 1000}) {
    for (const auto kind : {support::code_kind::uniform, support::code_kind::clustered, support::code_kind::two_valued,
                            support::code_kind::all_equal}) {
      const code_store<> codes = support::make_codes(kind == support::code_kind::uniform ? 150 : 60, bits, kind, rng);
      for (const std::uint32_t radius :
           {0u, 1u, 3u, 8u, 20u, static_cast<std::uint32_t>(bits) - 1, static_cast<std::uint32_t>(bits), 5000u})
        require_pairs(codes, radius, embit::inline_executor{});
    }
    const code_store<> skewed = skewed_codes(260, bits, rng);
    for (const std::uint32_t radius : {0u, 2u, 5u, 9u}) require_pairs(skewed, radius, embit::inline_executor{}, three);
  }
}

TEST_CASE("pairs between two sets are those of brute force", "[join]") {
  embit::rng rng{32};
  const embit::thread_pool three(3);
  for (const std::size_t bits : std::initializer_list<std::size_t>{5, 16, 33, 64, 100, 1000}) {
    code_store<> a = skewed_codes(250, bits, rng);
    code_store<> b = skewed_codes(300, bits, rng);
    for (std::size_t i = 0; i < b.size(); i += 3) {  // some rows of the other set, some of them changed
      a.copy_row(i * 7 % a.size(), b.row(i));
      if (i % 2 == 0) b.row(i)[0] ^= 0x12;
    }
    for (const std::uint32_t radius : {0u, 1u, 4u, 9u}) {
      const pair_list expected = brute_between(a, b, radius);
      REQUIRE(!expected.empty());
      for (const auto& tuning : tunings()) {
        REQUIRE(sorted([&](auto& report) {
                  join_between(code_view<>(a), code_view<>(b), radius, three, report, tuning);
                }) == expected);
      }
    }
    // Sets that agree in some bits and differ in others throughout.
    for (std::size_t i = 0; i < a.size(); ++i) {
      a.row(i)[0] |= 3;
      if (i < b.size()) b.row(i)[0] &= ~embit::word{3};
    }
    REQUIRE(sorted([&](auto& report) {
              join_between(code_view<>(a), code_view<>(b).middle_rows(0, 250), 3, three, report, {2});
            }) == brute_between(a, code_view<>(b).middle_rows(0, 250), 3));
  }
}

TEST_CASE("a join of many rows takes tables by itself, and splits a bucket that holds a tenth of them", "[join]") {
  embit::rng rng{33};
  code_store<> codes = support::make_codes(60'000, 64, support::code_kind::uniform, rng);
  for (std::size_t i = 0; i < codes.size(); ++i)
    if (i % 10 == 0) codes.row(i)[0] &= ~embit::word{0xffff};
  for (std::size_t i = 1; i < 600; ++i) {
    codes.copy_row(i * 100, codes.row(i * 100 - 1));
    codes.row(i * 100)[0] ^= embit::word{1} << i % 64 | embit::word{1} << i * 5 % 64;
  }
  const pair_list scanned = sorted([&](auto& report) {
    join_within(code_view<>(codes), nullptr, 3, embit::inline_executor{}, report, {0, true});
  });
  REQUIRE(scanned.size() >= 599);
  pair_list joined;
  embit::pairs_within(
      codes, 3, [&](row_id a, row_id b, std::uint32_t d) { joined.emplace_back(a, b, d); }, embit::thread_pool(2));
  std::sort(joined.begin(), joined.end());
  CHECK(joined == scanned);
  const pair_list again = sorted([&](auto& report) {
    join_within(code_view<>(codes), nullptr, 3, embit::inline_executor{}, report, {4, false, 1e5});
  });
  CHECK(again == scanned);
}

TEST_CASE("the number of masks within a radius is the sum of the binomials, each mask once", "[join]") {
  for (const std::size_t bits : std::initializer_list<std::size_t>{1, 5, 12})
    for (std::uint32_t radius = 0; radius <= bits; ++radius) {
      auto masks = masks_within(bits, radius);
      std::size_t expected = 0;
      for (std::uint32_t m = 0; m < 1u << bits; ++m) expected += static_cast<std::uint32_t>(std::popcount(m)) <= radius;
      REQUIRE(masks.size() == expected);
      CHECK(masks.front() == 0);
      std::sort(masks.begin(), masks.end());
      CHECK(std::adjacent_find(masks.begin(), masks.end()) == masks.end());
    }
}

TEST_CASE("equal codes are chained in the order of their rows", "[join]") {
  embit::rng rng{34};
  const std::size_t n = GENERATE(as<std::size_t>{}, 0, 1, 2, 100, 40'000);
  const code_store<> codes = support::make_codes(n, 70, support::code_kind::clustered, rng);
  code_store<> folded(n, 70);
  for (std::size_t i = 0; i < n; ++i) codes.copy_row(i % 7 == 0 ? i / 2 : i, folded.row(i));
  const equal_codes equal(folded, {}, embit::thread_pool(2));
  std::vector<bool> seen(n, false);
  std::size_t chained = 0;
  for (const row_id head : equal.heads()) {
    for (row_id row = head; row != equal_codes::none; row = equal.next(row)) {
      REQUIRE(!seen[row]);
      REQUIRE(support::hamming_distance(folded[row], folded[head]) == 0);
      REQUIRE((equal.next(row) > row));
      seen[row] = true;
      ++chained;
    }
  }
  CHECK(chained == (equal.any() ? n : 0));
  CHECK(equal.any() == (n > 2));
  CHECK(std::is_sorted(equal.heads().begin(), equal.heads().end()));
}

TEST_CASE("equal codes as groups are told once each, and their neighbours once for all of them", "[join][threads]") {
  embit::rng rng{37};
  for (const std::size_t bits : std::initializer_list<std::size_t>{16, 33, 64, 100, 1000}) {
    code_store<> codes = skewed_codes(260, bits, rng);
    for (std::size_t i = 100; i < 200; ++i) codes.copy_row(i % 7, codes.row(i));
    for (const std::uint32_t radius : {0u, 2u, 6u, 5000u}) {
      pair_list expected;
      std::vector<bool> first(codes.size(), true);
      for (const auto& [a, b, d] : brute_within(codes, radius)) {
        if (!first[a]) continue;
        if (d == 0) first[b] = false;
        expected.emplace_back(a, b, d);
      }
      std::erase_if(expected, [&](const auto& pair) { return !first[std::get<1>(pair)] && std::get<2>(pair) != 0; });
      pair_list found;
      embit::pairs_within(
          codes, {.radius = radius, .equal = embit::equal_rows::as_groups},
          [&](row_id a, row_id b, std::uint32_t d) { found.emplace_back(a, b, d); }, embit::thread_pool(3));
      std::sort(found.begin(), found.end());
      REQUIRE(found == expected);
    }
  }
}

TEST_CASE("a hundred thousand equal codes are a hundred thousand pairs as groups, and told as long as wanted",
          "[join]") {
  const code_store<> codes(100'000, 64);
  std::size_t calls = 0;
  const auto as_groups = [&](std::uint32_t radius) {
    return embit::pair_options{.radius = radius, .equal = embit::equal_rows::as_groups};
  };
  embit::pairs_within(codes, as_groups(3), [&](row_id a, row_id, std::uint32_t d) { calls += a == 0 && d == 0; });
  CHECK(calls == codes.size() - 1);
  calls = 0;
  embit::pairs_within(codes, as_groups(64), [&](row_id, row_id, std::uint32_t) { return ++calls < 3; });
  CHECK(calls == 3);
  calls = 0;
  embit::pairs_within(codes, {.radius = 0}, [&](row_id, row_id, std::uint32_t) { return ++calls < 200'000; });
  CHECK(calls == 200'000);
}

TEST_CASE("a callback that has enough or throws is not called again", "[join][threads]") {
  embit::rng rng{35};
  const embit::thread_pool three(3);
  const code_store<> equal = support::make_codes(3000, 64, support::code_kind::all_equal, rng),
                     uniform = support::make_codes(3000, 64, support::code_kind::uniform, rng);
  for (const code_view<> codes : {code_view<>(equal), code_view<>(uniform)})
    for (const std::uint32_t radius : {0u, 30u, 64u, 4'000'000'000u}) {
      if (radius == 0 && codes.data() == uniform.data()) continue;
      std::size_t calls = 0;
      embit::pairs_within(
          codes, radius, [&](row_id, row_id, std::uint32_t) { return ++calls < 3; }, three);
      CHECK(calls == 3);
      calls = 0;
      embit::pairs_between(
          codes, codes, radius, [&](row_id, row_id, std::uint32_t) { return ++calls < 3; }, three);
      CHECK(calls == 3);
      calls = 0;
      const auto throwing = [&](row_id, row_id, std::uint32_t) {
        if (++calls == 2) throw std::runtime_error("enough");
      };
      CHECK_THROWS_WITH(embit::pairs_within(codes, radius, throwing, three), "enough");
      CHECK(calls == 2);
      calls = 0;
      CHECK_THROWS_WITH(embit::pairs_between(codes, codes, radius, throwing, three), "enough");
      CHECK(calls == 2);
    }
}

TEST_CASE("joins refuse what does not fit, and nothing comes of nothing", "[join]") {
  const auto never = [](row_id, row_id, std::uint32_t) { FAIL("a pair of nothing"); };
  embit::rng rng{36};
  const code_store<> one = support::make_codes(1, 64, support::code_kind::uniform, rng),
                     other = support::make_codes(1, 65, support::code_kind::uniform, rng);
  embit::pairs_within(code_view<>(), 3, never);
  embit::pairs_within(one, 64, never);
  embit::pairs_between(one, code_view<>(), 64, never);
  embit::pairs_between(code_view<>(), other, 64, never);
  CHECK(support::refusal([&] {
          embit::pairs_between(one, other, 3, never);
        }).starts_with("shape: b: codes of 65 bits, a has codes of 64"));
  const embit::word unclean = 0x10;
  CHECK(support::refusal([&] {
          embit::pairs_within(code_view<>(&unclean, 1, 4), 3, never);
        }).starts_with("argument: codes: code 0 has bits set beyond its width of 4"));
  CHECK(support::refusal([&] {
          embit::pairs_between(code_view<>(&unclean, 1, 5), code_view<>(&unclean, 1, 4), 3, never);
        }).starts_with("shape"));
}
