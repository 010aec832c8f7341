// Cells of binary codes, and the centroids that majorities give.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/search/code_partition.hpp>
#include <embit/search/k_majority.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

using embit::code_partition, embit::code_store, embit::errc;
using support::code_kind, support::code_of, support::hamming_distance;

namespace {

code_store<> make(std::size_t n, std::size_t bits, code_kind kind, std::uint64_t seed) {
  embit::rng rng{seed};
  return support::make_codes(n, bits, kind, rng);
}

double mean_distance(const code_partition& cells, const code_store<>& codes) {
  double sum = 0;
  for (const auto& c : cells.assign(codes)) sum += c.distance;
  return sum / static_cast<double>(codes.size());
}

code_store<> centroids_of(const code_partition& cells) {
  code_store<> all(cells.size(), cells.width());
  for (std::size_t i = 0; i < all.size(); ++i) cells.centroids().copy_row(i, all.row(i));
  return all;
}

}  // namespace

TEST_CASE("the nearest cells are those of a sort of all, ties by the smaller") {
  for (const std::size_t bits : {1u, 63u, 64u, 65u, 127u, 1000u})
    for (const std::size_t cells : {0u, 1u, 7u, 513u})
      for (const code_kind kind : {code_kind::uniform, code_kind::two_valued}) {
        CAPTURE(bits, cells);
        const auto centroids = make(cells, bits, kind, 1), codes = make(40, bits, kind, 1);
        const code_partition partition(centroids);
        code_partition::workspace memory;
        const auto nearest = partition.assign(codes);
        for (std::size_t i = 0; i < codes.size(); ++i) {
          const auto all = support::sort_all<std::uint32_t, std::less<>>(
              cells, [&](std::size_t c) { return hamming_distance(codes[i], centroids[c]); }, embit::accept_all{});
          for (const std::size_t n : {0u, 1u, 5u, 600u}) {
            const auto found = partition.nearest(codes[i], n, memory);
            REQUIRE(found.size() == std::min(n, cells));
            REQUIRE(std::equal(found.begin(), found.end(), all.begin()));
          }
          if (cells != 0) REQUIRE(nearest[i] == all[0]);
        }
      }
}

TEST_CASE("each of many codes is assigned to its nearest cell, also those far from all") {
  for (const std::size_t bits : {1u, 64u, 100u, 256u})
    for (const std::size_t cells : {3u, 600u}) {
      CAPTURE(bits, cells);
      // What is learned from near codes does not hold for the far ones that follow, one here and there, then all.
      auto codes = make(3000, bits, code_kind::clustered, 1);
      const code_store<> centroids(codes.view().middle_rows(0, cells));
      const auto far_ones = make(3000, bits, code_kind::uniform, 2);
      for (std::size_t i = 1100; i < codes.size(); ++i)
        if (i % 97 == 0 || i > 2500) std::ranges::copy(far_ones[i], codes.row(i).begin());
      const auto nearest = code_partition(centroids).assign(codes);
      for (std::size_t i = 0; i < codes.size(); ++i) {
        embit::neighbor<std::uint32_t> best{0, 2000};
        for (std::size_t c = 0; c < cells; ++c)
          if (const std::uint32_t d = hamming_distance(codes[i], centroids[c]); d < best.distance)
            best = {static_cast<embit::row_id>(c), d};
        REQUIRE(nearest[i] == best);
      }
    }
}

TEST_CASE("votes are counted by bit, and half of them leave what there was") {
  embit::rng rng{1};
  for (const std::size_t n : {1u, 2u, 3u, 64u, 65u, 200u}) {
    // One cell: its centroid is the majority of all codes. Two rounds, so that ties look at a majority before.
    const auto codes = make(n, 70, code_kind::uniform, n);
    const auto first = embit::fit_k_majority(codes, {.clusters = 1, .rows_per_cluster = 0, .iterations = 1}, rng);
    const auto centroid = centroids_of(first);
    for (std::size_t bit = 0; bit < 70; ++bit) {
      std::size_t votes = 0;
      for (std::size_t i = 0; i < n; ++i) votes += codes[i][bit / 64] >> bit % 64 & 1;
      if (2 * votes != n) REQUIRE((centroid[0][bit / 64] >> bit % 64 & 1) == (2 * votes > n));
    }
  }
}

TEST_CASE("rounds bring codes nearer to their centroids, on any number of threads", "[threads]") {
  const auto codes = make(4000, 128, code_kind::clustered, 3);
  double before = 129;
  for (const std::size_t iterations : {0u, 1u, 6u}) {
    embit::rng rng{4};
    const auto cells = embit::fit_k_majority(codes, {.clusters = 60, .iterations = iterations}, rng);
    CHECK(cells.size() == 60);
    const double mean = mean_distance(cells, codes);
    CHECK(mean < before);
    before = mean;
  }
  const embit::thread_pool pool(3);
  for (const std::size_t clusters : {60u, 300u}) {  // of one level, and of two
    embit::rng one{5}, many{5};
    const embit::k_majority_options options{.clusters = clusters, .rows_per_cluster = 12};
    const auto a = centroids_of(embit::fit_k_majority(codes, options, one));
    const auto b = centroids_of(embit::fit_k_majority(codes, options, many, pool));
    CHECK(a.size() == clusters);
    CHECK(std::equal(a.data(), a.data() + a.size() * a.words(), b.data()));
  }
}

TEST_CASE("two levels find centroids as near as one level does") {
  const auto codes = make(12000, 128, code_kind::clustered, 3);
  embit::rng rng{4};
  const auto two = embit::fit_k_majority(codes, {.clusters = 300, .rows_per_cluster = 0}, rng);
  code_store<> one(codes.view().middle_rows(0, 300));
  embit::detail::majority_rounds(codes, one, 6, rng, embit::executor_ref(embit::inline_executor{}), {});
  CHECK(mean_distance(two, codes) < 1.02 * mean_distance(code_partition(one), codes));
  // As many clusters as codes, codes that are all equal, and a stop in either level.
  embit::rng again{4};
  const code_store<> few(codes.view().middle_rows(0, 300));
  CHECK(embit::fit_k_majority(few, {.clusters = 300}, again).size() == 300);
  const auto equal = make(1000, 65, code_kind::all_equal, 3);
  for (const auto& c : embit::fit_k_majority(equal, {.clusters = 400}, again).assign(equal))
    CHECK(c == embit::neighbor<std::uint32_t>{0, 0});
  for (const std::size_t rounds : {2u, 7u}) {
    std::size_t told = 0;
    const auto stopped = embit::fit_k_majority(codes,
                                               {.clusters = 300,
                                                .progress =
                                                    [&](const embit::progress_report& report) {
                                                      CHECK(report.total == 8);
                                                      return ++told < rounds;
                                                    }},
                                               again);
    CHECK(told == rounds);
    CHECK(stopped.size() == 300);
  }
}

TEST_CASE("as many centroids as codes, equal codes, and a stop") {
  embit::rng rng{1};
  const auto codes = make(30, 65, code_kind::uniform, 3);
  CHECK(mean_distance(embit::fit_k_majority(codes, {.clusters = 30, .iterations = 0}, rng), codes) == 0);
  const auto equal = make(500, 65, code_kind::all_equal, 3);
  const auto cells = embit::fit_k_majority(equal, {.clusters = 10}, rng);
  for (const auto& c : cells.assign(equal)) CHECK(c == embit::neighbor<std::uint32_t>{0, 0});
  std::size_t told = 0;
  embit::fit_k_majority(codes,
                        {.clusters = 5,
                         .progress =
                             [&](const embit::progress_report& report) {
                               CHECK(report.total == 6);
                               return ++told < 2;
                             }},
                        rng);
  CHECK(told == 2);
  CHECK(code_of([&] { embit::fit_k_majority(codes, {}, rng); }) == errc::argument);
  CHECK(code_of([&] { embit::fit_k_majority(codes, {.clusters = 31}, rng); }) == errc::argument);
  CHECK(code_of([&] { code_partition(codes).assign(make(1, 64, code_kind::uniform, 1)); }) == errc::shape);
}

TEST_CASE("k nearest offered in any order are those of a sort, however many are equally far") {
  embit::rng rng{9};
  for (const std::size_t k : {1u, 5u, 40u, 300u})
    for (const std::uint32_t farthest : {0u, 3u, 200u})
      for (int round = 0; round < 3; ++round) {
        std::vector<embit::neighbor<std::uint32_t>> all(2000);
        for (std::size_t i = 0; i < all.size(); ++i)
          all[i] = {static_cast<embit::row_id>(i), static_cast<std::uint32_t>(embit::uniform_index(rng, farthest + 1))};
        embit::shuffle(std::span(all), rng);
        embit::unordered_histogram_top_k top;
        top.reset(k, farthest);
        for (const auto& n : all) top.offer(n.id, n.distance);
        const auto kept = top.kept();
        std::vector<embit::neighbor<std::uint32_t>> found(kept.begin(), kept.end());
        std::sort(all.begin(), all.end(), embit::neighbor_order<std::less<>>{});
        const auto first = embit::select_top_k<std::less<>>(found, k);
        REQUIRE(std::equal(first.begin(), first.end(), all.begin(), all.begin() + static_cast<std::ptrdiff_t>(k)));
        CHECK(top.bound() == all[k - 1].distance);
      }
}
