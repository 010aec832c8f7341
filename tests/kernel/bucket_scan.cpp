// SPDX-License-Identifier: MIT
#include <embit/core/isa.hpp>
#include <embit/core/random.hpp>
#include <embit/kernel/bucket_scan.hpp>
#include <embit/kernel/hamming.hpp>
#include <support/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace {

using embit::word;
using embit::detail::bucket_scan, embit::detail::code_range;
using hit_list = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

struct sink {
  std::uint32_t limit;
  hit_list hits = {};
  std::uint32_t threshold() const { return limit; }
  void offer(std::uint32_t position, std::uint32_t distance) { hits.emplace_back(position, distance); }
};

hit_list expected(const std::vector<word>& codes, const std::vector<word>& query, const std::vector<code_range>& ranges,
                  std::uint32_t threshold) {
  hit_list hits;
  for (const code_range range : ranges)
    for (std::uint32_t i = range.first; i < range.first + range.count; ++i) {
      const auto distance =
          embit::hamming{}(query, std::span(codes).subspan(std::size_t{i} * query.size(), query.size()));
      if (distance < threshold) hits.emplace_back(i, distance);
    }
  std::sort(hits.begin(), hits.end());
  return hits;
}

}  // namespace

TEST_CASE("bucket_scan finds every code below the threshold, at every level and width") {
  embit::rng rng{5};
  for (std::size_t words = 1; words <= 8; ++words) {
    const std::uint32_t n = 1000;
    std::vector<word> codes(n * words), query(words);
    for (auto& w : codes) w = rng();
    for (auto& w : query) w = rng();
    for (std::size_t i = 0; i < codes.size(); i += 37 * words)
      std::copy_n(query.begin(), words, codes.begin() + static_cast<std::ptrdiff_t>(i));
    std::vector<code_range> ranges{{0, 0}, {990, 10}, {3, 1}, {100, 333}};
    for (std::uint32_t count = 0; count < 20; ++count) ranges.push_back({500 + 20 * count, count});
    for (const embit::isa level : embit::supported_isas()) {
      const bucket_scan scan(words, level);
      bucket_scan::scratch scratch;
      for (const std::uint32_t threshold :
           {0u, 1u, static_cast<unsigned>(30 * words), std::numeric_limits<unsigned>::max()}) {
        CAPTURE(words, threshold, embit::name_of(level));
        sink to{threshold};
        scan(codes.data(), ranges, query.data(), scratch, to);
        std::sort(to.hits.begin(), to.hits.end());
        REQUIRE(to.hits == expected(codes, query, ranges, threshold));
      }
    }
  }
}

TEST_CASE("bucket_scan reads no code beyond its ranges") {
  // The codes end where the vector ends: a sanitizer sees reads past it.
  for (std::size_t words = 1; words <= 8; ++words)
    for (std::uint32_t n = 1; n < 20; ++n)
      for (const embit::isa level : embit::supported_isas()) {
        const std::vector<word> codes(n * words, 7), query(words, 7);
        bucket_scan::scratch scratch;
        sink to{1};
        const code_range all{0, n};
        bucket_scan(words, level)(codes.data(), {&all, 1}, query.data(), scratch, to);
        REQUIRE(to.hits.size() == n);
      }
}

TEST_CASE("bucket_scan refuses widths and levels it has no kernel for") {
  REQUIRE_THROWS_AS(bucket_scan(0), embit::error);
  REQUIRE_THROWS_AS(bucket_scan(9), embit::error);
  for (const embit::isa level : {embit::isa::avx2, embit::isa::vpopcnt, embit::isa::neon})
    if (!embit::supports(level)) REQUIRE_THROWS_AS(bucket_scan(1, level), embit::error);
}
