#include <embit/codes/code_view.hpp>
#include <embit/codes/plan_bands.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/search/band_join.hpp>
#include <embit/search/similar_groups.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <stdexcept>
#include <tuple>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

using embit::code_store;
using embit::code_view;
using embit::duplicate_groups;
using embit::row_id;
using pair_list = std::vector<std::tuple<row_id, row_id, double>>;

namespace {

/// Bit by bit, whether two codes agree in one of the bands.
bool agree_in_a_band(code_view<> codes, row_id a, row_id b, const embit::band_join_options& options) {
  const std::size_t width = options.bits_per_hash * options.bands.hashes;
  const auto bit = [&](row_id row, std::size_t i) { return codes[row][i / 64] >> i % 64 & 1; };
  for (std::size_t band = 0; band < options.bands.bands; ++band) {
    bool equal = true;
    for (std::size_t i = band * width; i < (band + 1) * width; ++i) equal &= bit(a, i) == bit(b, i);
    if (equal) return true;
  }
  return false;
}

template <class Similarity>
pair_list brute_pairs(code_view<> codes, const embit::band_join_options& options, Similarity&& similarity) {
  pair_list pairs;
  for (row_id a = 0; a < codes.size(); ++a)
    for (row_id b = a + 1; b < codes.size(); ++b)
      if (agree_in_a_band(codes, a, b, options) && similarity(a, b) >= options.similarity)
        pairs.emplace_back(a, b, similarity(a, b));
  return pairs;
}

/// The smallest row that is connected to each, the slow way.
std::vector<row_id> roots_of(std::size_t rows, const pair_list& pairs) {
  std::vector<row_id> roots(rows);
  for (row_id row = 0; row < rows; ++row) roots[row] = row;
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& pair : pairs) {
      const row_id a = std::get<0>(pair), b = std::get<1>(pair), least = std::min(roots[a], roots[b]);
      changed |= roots[a] != roots[b];
      roots[a] = roots[b] = least;
    }
  }
  return roots;
}

void require_groups(const duplicate_groups& groups, const std::vector<row_id>& roots) {
  REQUIRE(groups.rows() == roots.size());
  for (row_id row = 0; row < roots.size(); ++row) REQUIRE(groups.representative(groups.group_of(row)) == roots[row]);
}

/// The share of bits that agree, but that some rows resemble no other, whatever their codes say.
auto agreement_of(const code_store<>& codes) {
  return [&codes](row_id a, row_id b) {
    const auto distance = support::hamming_distance(codes[a], codes[b]);
    return a % 7 == 3 || b % 7 == 3 ? -1. : 1 - static_cast<double>(distance) / static_cast<double>(codes.bits());
  };
}

}  // namespace

TEST_CASE("similar pairs and their groups are those of brute force", "[band_join][threads]") {
  embit::rng rng{71};
  const embit::thread_pool three(3);
  using options = embit::band_join_options;
  for (const std::size_t bits : std::initializer_list<std::size_t>{1, 33, 64, 100, 1000})
    for (const auto kind : {support::code_kind::uniform, support::code_kind::clustered, support::code_kind::two_valued,
                            support::code_kind::all_equal})
      for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{150}}) {
        const code_store<> codes = support::make_codes(n, bits, kind, rng);
        const auto similarity = agreement_of(codes);
        for (const options& o :
             {options{1, {1, 1}, 0}, options{1, {bits, 1}, .7}, options{3, {bits / 6, 2}, .5},
              options{8, {bits / 40, 5}, .9}, options{1, {1, bits}, .5}, options{2, {bits / 130, 65}, -1}}) {
          if (o.bands.bands == 0 || o.bands.bands > bits / o.bits_per_hash / o.bands.hashes) continue;
          const pair_list expected = brute_pairs(codes, o, similarity);
          const auto require_all = [&](const auto& executor) {
            pair_list pairs;
            embit::similar_pairs(
                codes, o, similarity, [&](row_id a, row_id b, double s) { pairs.emplace_back(a, b, s); }, executor);
            std::sort(pairs.begin(), pairs.end());
            REQUIRE(pairs == expected);
            require_groups(embit::group_duplicates(codes, o, similarity, executor), roots_of(n, expected));
            for (const std::size_t cut : {std::size_t{0}, n / 3, n}) {
              const code_view<> all(codes), a = all.middle_rows(0, cut), b = all.middle_rows(cut, n - cut);
              const auto place = static_cast<row_id>(cut);
              pair_list between, crossing;
              for (const auto& pair : expected)
                if (std::get<0>(pair) < cut && std::get<1>(pair) >= cut) crossing.push_back(pair);
              embit::similar_pairs(
                  a, b, o, [&](row_id x, row_id y) { return similarity(x, y + place); },
                  [&](row_id x, row_id y, double s) { between.emplace_back(x, y + place, s); }, executor);
              std::sort(between.begin(), between.end());
              REQUIRE(between == crossing);
            }
          };
          require_all(embit::inline_executor{});
          if (bits == 100) require_all(three);
        }
      }
}

TEST_CASE("by codes, pairs and groups are those of rows, and a code is compared once whatever its rows",
          "[band_join][similar_groups][threads]") {
  embit::rng rng{75};
  const embit::thread_pool three(3);
  constexpr std::size_t n = 400, bits = 100, cut = 150;
  code_store<> codes = support::make_codes(n, bits, support::code_kind::clustered, rng);
  for (std::size_t row = 1; row < n; ++row)
    if (row % 3 != 0) codes.copy_row(embit::uniform_index(rng, row), codes.row(row));
  const code_view<> all(codes), a = all.middle_rows(0, cut), b = all.middle_rows(cut, n - cut);
  std::atomic<std::size_t> compared{0};
  const auto of_codes = [&](embit::code_span<> x, embit::code_span<> y) {
    ++compared;
    return 1 - static_cast<double>(support::hamming_distance(x, y)) / bits;
  };
  // One of these resembles others only, one nothing at all.
  const auto of_others = [&](embit::code_span<> x, embit::code_span<> y) {
    return std::equal(x.begin(), x.end(), y.begin()) ? 0. : of_codes(x, y);
  };
  const auto never = [](embit::code_span<>, embit::code_span<>) { return std::nan(""); };
  const auto require_as_rows = [&](const auto& similarity, const embit::band_join_options& o, const auto& executor) {
    const pair_list expected = brute_pairs(codes, o, [&](row_id x, row_id y) { return similarity(all[x], all[y]); });
    pair_list pairs, between, crossing;
    embit::similar_pairs(
        codes, o, similarity, [&](row_id x, row_id y, double s) { pairs.emplace_back(x, y, s); }, executor);
    std::sort(pairs.begin(), pairs.end());
    REQUIRE(pairs == expected);
    require_groups(embit::group_duplicates(codes, o, similarity, executor), roots_of(n, expected));
    for (const auto& pair : expected)
      if (std::get<0>(pair) < cut && std::get<1>(pair) >= cut) crossing.push_back(pair);
    embit::similar_pairs(
        a, b, o, similarity,
        [&](row_id x, row_id y, double s) { between.emplace_back(x, y + static_cast<row_id>(cut), s); }, executor);
    std::sort(between.begin(), between.end());
    REQUIRE(between == crossing);
  };
  for (const embit::band_join_options& o : std::initializer_list<embit::band_join_options>{
           {1, {1, 1}, .9}, {5, {2, 10}, .8}, {1, {bits, 1}, .5}, {4, {1, 25}, 0}}) {
    require_as_rows(of_codes, o, embit::inline_executor{});
    require_as_rows(of_codes, o, three);
    require_as_rows(of_others, o, three);
    require_as_rows(never, o, three);
  }
  // A hundred thousand rows of three codes, that meet in every band.
  code_store<> few(100'000, 64);
  for (std::size_t row = 0; row < few.size(); ++row) few.row(row)[0] = row % 3 << 60;
  compared = 0;
  const embit::band_join_options o{1, {4, 15}, .1};
  CHECK(embit::group_duplicates(few, o, of_codes, three).size() == 1);
  CHECK(compared <= 6);
  compared = 0;
  std::size_t calls = 0;
  embit::similar_pairs(
      few, o, of_codes, [&](row_id, row_id, double) { return ++calls < 10'000; }, three);
  CHECK(calls == 10'000);
  CHECK(compared <= 6);
}

TEST_CASE("rows of many buckets meet within them", "[band_join][threads]") {
  embit::rng rng{72};
  constexpr std::size_t n = 20'000;
  code_store<> codes = support::make_codes(n, 128, support::code_kind::uniform, rng);
  pair_list expected;
  for (row_id row = 1; row < n; row += 2) {  // each a copy of another half
    codes.copy_row(row - 1, codes.row(row));
    codes.row(row)[row / 2 % 2] = rng();
    expected.emplace_back(row - 1, row, 1.);
  }
  const embit::band_join_options options{8, {2, 8}, .5};
  pair_list pairs;
  std::atomic<std::size_t> compared{0};
  embit::similar_pairs(
      codes, options, [&](row_id, row_id) { return ++compared, 1.f; },
      [&](row_id a, row_id b, double s) { pairs.emplace_back(a, b, s); }, embit::thread_pool(2));
  std::sort(pairs.begin(), pairs.end());
  CHECK(pairs == expected);
  CHECK(compared == n / 2);  // once each
}

namespace {

/// One worker that notes how much it is given at once.
struct noting_executor {
  std::size_t* most;
  std::size_t concurrency() const noexcept { return 1; }
  template <class F>
  void bulk(std::size_t items, F&& f) const {
    *most = std::max(*most, items);
    for (std::size_t i = 0; i < items; ++i) f(i, std::size_t{0});
  }
};

}  // namespace

TEST_CASE("a run of thousands of rows is shared among the workers, each pair found once", "[band_join][threads]") {
  constexpr std::size_t n = 3000;
  embit::rng rng{73};
  code_store<> codes = support::make_codes(n, 128, support::code_kind::uniform, rng);
  for (row_id row = 0; row < n; ++row) codes.row(row)[0] = 5;  // one run in the first band, none in the second
  const embit::band_join_options options{8, {8, 2}, .5};
  const auto seldom = [](row_id a, row_id b) { return (a + b) % 501 == 0 ? 1. : 0.; };
  const auto pairs_of = [&](const auto& executor) {
    pair_list pairs;
    embit::similar_pairs(
        codes, options, seldom, [&](row_id a, row_id b, double s) { pairs.emplace_back(a, b, s); }, executor);
    std::sort(pairs.begin(), pairs.end());
    return pairs;
  };
  pair_list expected;
  for (row_id a = 0; a < n; ++a)
    for (row_id b = a + 1; b < n; ++b)
      if (seldom(a, b) == 1) expected.emplace_back(a, b, 1.);
  std::size_t most = 0;
  CHECK(pairs_of(noting_executor{&most}) == expected);
  CHECK(most >= n / 64);  // sorting into its few buckets is no such number
  CHECK(pairs_of(embit::thread_pool(3)) == expected);
  pair_list between;
  embit::similar_pairs(
      code_view<>(codes).middle_rows(0, 1000), code_view<>(codes).middle_rows(1000, n - 1000), options,
      [&](row_id a, row_id b) { return seldom(a, b + 1000); },
      [&](row_id a, row_id b, double s) { between.emplace_back(a, b + 1000, s); }, embit::thread_pool(3));
  std::sort(between.begin(), between.end());
  std::erase_if(expected, [](const auto& pair) { return std::get<0>(pair) >= 1000 || std::get<1>(pair) < 1000; });
  CHECK(between == expected);
  std::size_t calls = 0;
  embit::similar_pairs(
      codes, options, [](row_id, row_id) { return 1.; }, [&](row_id, row_id, double) { return ++calls < 5; },
      embit::thread_pool(3));
  CHECK(calls == 5);
}

TEST_CASE("equal signatures are compared once a row, not once a pair, to be grouped", "[similar_groups]") {
  constexpr std::size_t n = 50'000;
  const code_store<> codes(n, 64);
  std::size_t compared = 0;
  const auto groups = embit::group_duplicates(codes, {1, {4, 16}, .8}, [&](row_id a, row_id b) {
    REQUIRE(a < b);
    return ++compared, 1.;
  });
  CHECK(groups.size() == 1);
  CHECK(compared == n - 1);
}

TEST_CASE("a run of thousands of rows is shared among the workers to be grouped", "[similar_groups][threads]") {
  constexpr std::size_t n = 2500;
  embit::rng rng{76};
  code_store<> codes = support::make_codes(n, 128, support::code_kind::uniform, rng);
  for (row_id row = 0; row < n; ++row) codes.row(row)[0] = 5;
  std::vector<row_id> of(n);
  for (row_id& group : of) group = static_cast<row_id>(embit::uniform_index(rng, 40));
  const embit::band_join_options options{8, {8, 2}, .5};
  const auto chained = [&](row_id a, row_id b) { return of[a] == of[b] && (b - a) % 3 != 0 ? 1. : 0.; };
  pair_list pairs;
  for (row_id a = 0; a < n; ++a)
    for (row_id b = a + 1; b < n; ++b)
      if (chained(a, b) == 1) pairs.emplace_back(a, b, 1.);
  const auto roots = roots_of(n, pairs);
  std::size_t most = 0;
  require_groups(embit::group_duplicates(codes, options, chained, noting_executor{&most}), roots);
  CHECK(most == 64);
  require_groups(embit::group_duplicates(codes, options, chained, embit::thread_pool(3)), roots);
}

TEST_CASE("a search for similar pairs ends when it is told to, or the caller throws", "[band_join][threads]") {
  const code_store<> codes(300, 64);
  const embit::band_join_options options{1, {2, 32}, 0};
  const auto one = [](row_id, row_id) { return 1.; };
  const embit::thread_pool two(2);
  std::size_t calls = 0;
  embit::similar_pairs(
      codes, options, one, [&](row_id, row_id, double) { return ++calls < 5; }, two);
  CHECK(calls == 5);
  calls = 0;
  CHECK_THROWS_AS(
      embit::similar_pairs(
          codes, options, one, [&](row_id, row_id, double) { ++calls, throw std::runtime_error("enough"); }, two),
      std::runtime_error);
  CHECK(calls == 1);
  const auto never = [](row_id, row_id) -> double { throw std::runtime_error("no similarity"); };
  CHECK_THROWS_AS(embit::similar_pairs(
                      codes, options, never, [](row_id, row_id, double) {}, two),
                  std::runtime_error);
  CHECK_THROWS_AS(embit::group_duplicates(codes, options, never, two), std::runtime_error);
}

TEST_CASE("bands that codes do not have are refused", "[band_join]") {
  const code_store<> codes(3, 64);
  const auto why = [&](const embit::band_join_options& options) {
    return support::refusal([&] { embit::group_duplicates(codes, options, [](row_id, row_id) { return 1.; }); });
  };
  CHECK(why({1, {4, 16}, .8}) == "accepted");
  CHECK(support::contains(why({1, {5, 13}, .8}), "argument: bands: 5 of 13 hashes of 1 bits, a code has 64"));
  CHECK(support::contains(why({8, {3, 3}, .8}), "bands: 3 of 3"));
  CHECK(support::contains(why({8, {}, .8}), "bands: 0 of 0"));
  CHECK(support::contains(why({0, {1, 1}, .8}), "of 0 bits"));
  CHECK(support::contains(why({1, {~std::size_t{0}, ~std::size_t{0}}, .8}), "argument: bands"));
  CHECK(support::contains(why({1, {1, 1}, std::nan("")}), "not_finite: similarity"));
  const auto both = [&](code_view<> a, code_view<> b, const embit::band_join_options& options) {
    return support::refusal([&] {
      embit::similar_pairs(
          a, b, options, [](row_id, row_id) { return 1.; }, [](row_id, row_id, double) {});
    });
  };
  const code_store<> wide(2, 65), empty(0, 65);
  CHECK(both(codes, codes, {1, {4, 16}, .8}) == "accepted");
  CHECK(both(codes, empty, {1, {4, 16}, .8}) == "accepted");
  CHECK(support::contains(both(codes, wide, {1, {4, 16}, .8}), "shape: b: codes of 65 bits, a has codes of 64"));
  CHECK(support::contains(both(empty, codes, {1, {5, 13}, .8}), "argument: bands: 5 of 13"));
}

TEST_CASE("groups of sets by Jaccard similarity are those of brute force", "[similar_groups][threads]") {
  embit::rng rng{73};
  const embit::thread_pool three(3);
  for (const std::size_t bits : std::initializer_list<std::size_t>{1, 63, 65, 1000})
    for (const auto kind : {support::code_kind::uniform, support::code_kind::clustered, support::code_kind::two_valued})
      for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{200}}) {
        code_store<> codes = support::make_codes(n, bits, kind, rng);
        for (row_id row = 0; row < n; row += 9) codes.row(row)[0] = 0;  // some of them empty at 63 bits
        const embit::jaccard kernel;
        for (const float least : {-1.f, .2f, .5f, .7f, 1.f, 1.5f}) {
          pair_list pairs;
          for (row_id a = 0; a < n; ++a)
            for (row_id b = a + 1; b < n; ++b)
              if (kernel(kernel.prepare(codes[a]), codes[b]) >= least) pairs.emplace_back(a, b, 0.);
          require_groups(embit::group_duplicates(codes, kernel, least), roots_of(n, pairs));
          require_groups(embit::group_duplicates(codes, kernel, least, three), roots_of(n, pairs));
        }
      }
  const code_store<> codes(3, 64);
  CHECK(support::code_of([&] { embit::group_duplicates(codes, embit::jaccard{}, std::nanf("")); }) ==
        embit::errc::not_finite);
}
