// SPDX-License-Identifier: MIT
#include <embit/core/isa.hpp>
#include <embit/core/random.hpp>
#include <embit/kernel/hamming.hpp>
#include <support/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace {

using embit::word;
constexpr std::uint32_t everything = std::numeric_limits<std::uint32_t>::max();

std::vector<word> random_codes(std::size_t n, std::size_t bits, embit::rng& rng) {
  const std::size_t words = embit::words_for(bits);
  std::vector<word> codes(n * words);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    codes[i] = rng();
    if (i % words == words - 1) codes[i] &= embit::tail_mask(bits);
  }
  return codes;
}

/// Rows in interleaved blocks, lanes beyond the last row zero.
embit::aligned_vector<word> interleave(const std::vector<word>& codes, std::size_t n, std::size_t words) {
  const std::size_t blocks = (n + embit::block_rows - 1) / embit::block_rows;
  embit::aligned_vector<word> out(blocks * words * embit::block_rows, 0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t w = 0; w < words; ++w)
      out[(i / embit::block_rows * words + w) * embit::block_rows + i % embit::block_rows] = codes[i * words + w];
  return out;
}

struct taken_row {
  std::uint32_t row, distance;
  friend bool operator==(const taken_row&, const taken_row&) = default;
};

/// Keeps what is below the threshold of its query; a threshold may fall by one with every offer it takes.
struct collector {
  std::vector<std::uint32_t> thresholds;
  std::uint32_t fall = 0;
  std::vector<std::vector<taken_row>> taken{};
  bool ascending = true;

  std::uint32_t threshold(std::size_t query) const { return thresholds[query]; }
  void offer(std::size_t query, embit::row_id row, std::uint32_t distance) {
    if (distance >= thresholds[query]) return;
    auto& mine = taken[query];
    ascending = ascending && (mine.empty() || mine.back().row < row);
    mine.push_back({row, distance});
    thresholds[query] -= std::min(fall, thresholds[query]);
  }
};

struct problem {
  std::size_t bits, queries, rows;
  std::vector<word> query_codes, codes;
  std::vector<std::uint32_t> distances{};  // queries × rows

  void measure() {
    const std::size_t words = embit::words_for(bits);
    for (std::size_t q = 0; q < queries; ++q)
      for (std::size_t r = 0; r < rows; ++r)
        distances.push_back(embit::hamming{}(std::span(query_codes).subspan(q * words, words),
                                             std::span(codes).subspan(r * words, words)));
  }
};

collector expected(const problem& p, std::vector<std::uint32_t> thresholds, std::uint32_t fall, embit::row_id first) {
  collector sink{std::move(thresholds), fall, std::vector<std::vector<taken_row>>(p.queries)};
  for (std::size_t q = 0; q < p.queries; ++q)
    for (std::size_t r = 0; r < p.rows; ++r)
      sink.offer(q, static_cast<embit::row_id>(first + r), p.distances[q * p.rows + r]);
  return sink;
}

/// One for each level, shared by problems on purpose: each must serve batches of any shape.
using scratches = std::vector<embit::hamming_batch::scratch>;

/// Holds every level against the scalar reference, which is slow, so that it is asked once for all.
void check(const problem& p, scratches& of_level) {
  const std::size_t words = embit::words_for(p.bits);
  const auto blocks = interleave(p.codes, p.rows, words);
  constexpr embit::row_id first = 1536;
  const embit::block_run run{blocks.data(), words, first, p.rows};

  const auto most = static_cast<std::uint32_t>(p.bits);
  std::uint32_t nearest = most;
  for (const auto d : p.distances) nearest = std::min(nearest, d);
  const struct {
    std::uint32_t threshold, fall;
  } cases[] = {{0, 0},        {nearest + 2, 0}, {most / 2, 0},  {most / 2 + 1, 1},
               {most + 1, 0}, {everything, 0},  {everything, 1}};
  const auto levels = embit::supported_isas();
  of_level.resize(levels.size());
  std::vector<embit::hamming_batch> batches;
  std::vector<embit::aligned_vector<word>> planes;
  for (const auto level : levels) {
    batches.emplace_back(embit::code_view<>(p.query_codes.data(), p.queries, p.bits), p.rows, level);
    REQUIRE(batches.back().size() == p.queries);
    planes.emplace_back(embit::hamming_batch::plane_words(run));
    embit::hamming_batch::build_planes(run, planes.back().data(), level);
  }
  for (const auto& c : cases) {
    std::vector<std::uint32_t> thresholds(p.queries, c.threshold);
    for (std::size_t q = 0; q < p.queries; q += 3)  // queries of one batch differ in their thresholds
      if (c.threshold < everything) thresholds[q] += static_cast<std::uint32_t>(q % 5);
    const auto want = expected(p, thresholds, c.fall, first);
    for (std::size_t l = 0; l < levels.size(); ++l)
      for (const word* kept : {static_cast<const word*>(nullptr), static_cast<const word*>(planes[l].data())}) {
        collector sink{thresholds, c.fall, std::vector<std::vector<taken_row>>(p.queries)};
        batches[l].scan(run, kept, of_level[l], sink);
        INFO(name_of(levels[l]) << ", " << p.bits << " bits, " << p.queries << " queries, " << p.rows
                                << " rows, threshold " << c.threshold << ", fall " << c.fall
                                << (kept != nullptr ? ", planes" : ""));
        REQUIRE(sink.ascending);
        REQUIRE((sink.taken == want.taken));
      }
  }
}

problem random_problem(std::size_t bits, std::size_t queries, std::size_t rows, embit::rng& rng) {
  problem p{bits, queries, rows, random_codes(queries, bits, rng), random_codes(rows, bits, rng)};
  const std::size_t words = embit::words_for(bits);
  for (std::size_t r = 0; r < rows; r += 7)  // near duplicates of queries, so that tight thresholds find something
    std::copy_n(p.query_codes.data() + r % queries * words, words, p.codes.data() + r * words);
  p.measure();
  return p;
}

constexpr std::size_t widths[] = {1, 63, 64, 65, 127, 128, 192, 256, 320, 512, 1000, 1024, 1100};

}  // namespace

TEST_CASE("every level, width, batch and number of rows finds what the scalar reference finds", "[kernel]") {
  embit::rng rng(1);
  scratches shared;
  for (const std::size_t bits : widths)
    for (const std::size_t queries : {1u, 3u, 8u, 16u, 33u, 130u, 300u})
      for (const std::size_t rows : {0u, 1u, 7u, 8u, 513u, 1024u + 9u}) {  // more than there is room for hits
        if (queries * rows * bits > 130u * 1033u * 1100u) continue;        // 300 queries meet all widths with 513 rows
        check(random_problem(bits, queries, rows, rng), shared);
      }
}

TEST_CASE("codes so wide that byte counts overflow, and slabs of every size behind others", "[kernel]") {
  embit::rng rng(2);
  scratches shared;
  for (const std::size_t bits : {2100u, 2112u, 4160u, 8192u}) check(random_problem(bits, 50, 520, rng), shared);
}

TEST_CASE("bit planes are where the documentation says", "[kernel]") {
  embit::rng rng(3);
  constexpr std::size_t bits = 200, rows = 1024 + 300;
  const auto codes = random_codes(rows, bits, rng);
  const std::size_t words = embit::words_for(bits);
  const auto blocks = interleave(codes, rows, words);
  const embit::block_run run{blocks.data(), words, 0, rows};
  REQUIRE(embit::hamming_batch::plane_words(run) == 1024 * words);
  for (const auto level : embit::supported_isas()) {
    embit::aligned_vector<word> planes(embit::hamming_batch::plane_words(run));
    embit::hamming_batch::build_planes(run, planes.data(), level);
    std::size_t wrong = 0;
    for (std::size_t row = 0; row < 1024; ++row)
      for (std::size_t d = 0; d < words * 64; ++d) {
        const word plane = planes[(row / 512 * words * 64 + d) * 8 + row % 512 / 64];
        wrong += ((plane >> (row % 64)) & 1) != ((codes[row * words + d / 64] >> (d % 64)) & 1);
      }
    INFO(name_of(level));
    REQUIRE(wrong == 0);
  }
}

TEST_CASE("codes that are all equal are found in order, all or none", "[kernel]") {
  scratches shared;
  for (const word pattern : {word{0}, ~word{0}})
    for (const std::size_t bits : {64u, 256u, 1000u}) {
      const std::size_t words = embit::words_for(bits), rows = 1030;
      std::vector<word> code(words, pattern);
      code.back() &= embit::tail_mask(bits);
      problem p{bits, 300, rows, {}, {}};
      for (std::size_t q = 0; q < p.queries; ++q) p.query_codes.insert(p.query_codes.end(), code.begin(), code.end());
      for (std::size_t r = 0; r < rows; ++r) p.codes.insert(p.codes.end(), code.begin(), code.end());
      p.measure();
      check(p, shared);
    }
}

TEST_CASE("a level that cannot run here is refused by name", "[kernel]") {
  const std::vector<word> query{1};
  const auto absent = embit::supports(embit::isa::neon) ? embit::isa::avx2 : embit::isa::neon;
  REQUIRE_THROWS_AS(embit::hamming_batch(embit::code_view<>(query.data(), 1, 64), 1, absent), embit::error);
}

TEST_CASE("no queries is a batch that offers nothing", "[kernel]") {
  const embit::hamming_batch batch({nullptr, 0, 256}, 100);
  embit::hamming_batch::scratch scratch;
  collector sink{{}, 0, {}};
  const embit::aligned_vector<word> block(4 * embit::block_rows, 0);
  batch.scan({block.data(), 4, 0, 8}, scratch, sink);
  REQUIRE(batch.size() == 0);
}
