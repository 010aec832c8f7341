// SPDX-License-Identifier: MIT
#include <embit/core/buffer.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/random.hpp>
#include <embit/kernel/bucket_scan.hpp>
#include <embit/kernel/line_scan.hpp>
#include <support/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace {

using embit::word;
using embit::detail::bucket_scan, embit::detail::line_scan, embit::detail::code_line, embit::detail::code_range;
using hit_list = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

struct sink {
  std::uint32_t limit;
  hit_list hits = {};
  std::uint32_t threshold() const { return limit; }
  void offer(std::uint32_t position, std::uint32_t distance) { hits.emplace_back(position, distance); }
};

std::vector<code_line> all_lines_of(const word* codes, std::size_t words, const std::vector<code_range>& ranges) {
  std::vector<code_line> lines;
  for (const code_range range : ranges) {
    std::vector<code_line> more(range.count + embit::detail::listed_step + 1);
    more.resize(lines_of(codes, words, range, more.data()));
    lines.insert(lines.end(), more.begin(), more.end());
  }
  return lines;
}

}  // namespace

TEST_CASE("line_scan finds what bucket_scan finds, at every level and width", "[line_scan]") {
  embit::rng rng{5};
  for (const std::size_t words : {1u, 2u, 4u}) {
    const std::uint32_t n = 1000;
    embit::aligned_vector<word> codes(n * words);
    std::vector<word> query(words);
    for (auto& w : codes) w = rng();
    for (auto& w : query) w = rng();
    for (std::size_t i = 0; i < codes.size(); i += 37 * words)
      std::copy_n(query.begin(), words, codes.begin() + static_cast<std::ptrdiff_t>(i));
    std::vector<code_range> ranges{{0, 0}, {990, 10}, {3, 1}, {100, 333}};
    for (std::uint32_t count = 0; count < 30; ++count) ranges.push_back({200 + 25 * count, count});
    const auto lines = all_lines_of(codes.data(), words, ranges);
    for (const embit::isa level : embit::supported_isas()) {
      const bucket_scan by_bucket(words, level);
      const line_scan by_line(words, level);
      bucket_scan::scratch scratch;
      for (const std::uint32_t threshold :
           {0u, 1u, static_cast<unsigned>(30 * words), std::numeric_limits<unsigned>::max()})
        for (const std::size_t ahead : {std::size_t{0}, std::size_t{5}, lines.size()}) {
          CAPTURE(words, threshold, ahead, embit::name_of(level));
          sink expected{threshold}, found{threshold};
          by_bucket(codes.data(), ranges, query.data(), scratch, expected);
          by_line(codes.data(), lines, std::span(lines).first(ahead), query.data(), scratch, found);
          std::sort(expected.hits.begin(), expected.hits.end());
          std::sort(found.hits.begin(), found.hits.end());
          REQUIRE(found.hits == expected.hits);
        }
    }
  }
}

TEST_CASE("a line knows its address and which of its codes count", "[line_scan]") {
  embit::aligned_vector<word> codes(32);
  const auto lines = all_lines_of(codes.data(), 1, {{5, 14}, {24, 3}});
  REQUIRE(lines.size() == 4);
  const std::array<std::array<std::uint32_t, 3>, 4> expected{{{0, 5, 7}, {1, 0, 7}, {2, 0, 2}, {3, 0, 2}}};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(lines[i].words() == codes.data() + 8 * expected[i][0]);
    CHECK(lines[i].first() == expected[i][1]);
    CHECK(lines[i].last() == expected[i][2]);
  }
}
