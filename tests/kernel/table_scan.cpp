#include <embit/kernel/table_scan.hpp>

#include <embit/core/isa.hpp>
#include <embit/core/random.hpp>
#include <embit/store/level_store.hpp>

#include "support/catch.hpp"
#include "support/levels.hpp"
#include "support/list_sink.hpp"
#include "support/refusal.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace {

using support::found_row;
using support::list_sink;

embit::level_store random_bytes(std::size_t rows, std::size_t bytes, embit::rng& rng) {
  embit::level_store codes(embit::byte_format(bytes), rows);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t p = 0; p < bytes; ++p)
      codes.row_data(i)[p * embit::level_block_rows] = static_cast<std::uint8_t>(rng() >> 56);
  return codes;
}

std::size_t number(const embit::level_row& row, std::size_t bits, std::size_t m) {
  return bits == 8 ? row.byte(m) : std::size_t{row.byte(m / 2)} >> m % 2 * 4 & 15;
}

double exact(std::span<const float> entries, std::size_t bits, const embit::level_row& row) {
  double sum = 0;
  const std::size_t size = std::size_t{1} << bits;
  for (std::size_t m = 0; m < entries.size() / size; ++m) sum += double{entries[m * size + number(row, bits, m)]};
  return sum;
}

}  // namespace

TEST_CASE("sums of entries are those of plain additions, but for their rounding, at every level to the bit") {
  embit::rng rng{1};
  for (const std::size_t bits : {4u, 8u})
    for (const std::size_t bytes : {1u, 2u, 7u, 33u, 127u, 200u})
      for (const std::size_t rows : {0u, 1u, 31u, 65u, 513u}) {
        const auto codes = random_bytes(rows, bytes, rng);
        const std::size_t numbers = bytes * 8 / bits, size = std::size_t{1} << bits;
        for (const std::size_t query_bits : {4u, 8u, 9u, 14u}) {
          INFO(bits << " bits, " << bytes << " bytes, " << rows << " rows, query bits " << query_bits);
          constexpr std::size_t queries = 3;
          std::vector<std::vector<float>> entries;
          std::vector<std::vector<found_row>> expected(queries), nearer(queries);
          float limit = 0;
          for (std::size_t q = 0; q < queries; ++q) {
            entries.push_back(support::random_floats(numbers * size, -1.f, q == 2 ? -1.f : 3.f, rng));
            embit::table_query query;
            query.assign(bits, entries[q], 10, query_bits);
            const double steps = bits == 8 ? 65535 : static_cast<double>((1u << query_bits) - 1);
            const double tolerance = 4 / steps / 2 * static_cast<double>(numbers) * 1.01 + 1e-3;
            for (std::size_t i = 0; i < rows; ++i) {
              const float distance = query(codes[i]);
              const double wanted = 10 + exact(entries[q], bits, codes[i]);
              if (!(std::abs(double{distance} - wanted) <= tolerance)) FAIL(distance << " for " << wanted);
              expected[q].push_back({static_cast<embit::row_id>(i), distance});
              if (i == rows / 2 && q == 0) limit = distance;
            }
          }
          for (std::size_t q = 0; q < queries; ++q)
            std::ranges::copy_if(expected[q], std::back_inserter(nearer[q]),
                                 [&](const found_row& f) { return f.distance <= limit; });
          for (const embit::isa level : embit::supported_isas()) {
            embit::table_batch batch;
            batch.reset(bits, queries, level);
            for (std::size_t q = 0; q < queries; ++q) batch.assign(q, bits, entries[q], 10, query_bits);
            for (const bool limited : {false, true}) {
              list_sink sink{limited ? std::optional(limit) : std::nullopt,
                             std::vector<std::vector<found_row>>(queries)};
              embit::table_batch::scratch memory;
              for (std::size_t r = 0; r < codes.runs(); ++r) batch.scan(codes.run(r), memory, sink);
              CHECK((sink.lists == (limited ? nearer : expected)));
            }
          }
        }
      }
}

TEST_CASE("entries far apart are told apart, and equal ones cost nothing") {
  embit::rng rng{2};
  const auto codes = random_bytes(40, 3, rng);
  for (const std::size_t bits : {4u, 8u}) {
    const std::size_t size = std::size_t{1} << bits, numbers = 24 / bits;
    embit::table_query query;
    query.assign(bits, std::vector<float>(numbers * size, -2.5f), 1, 8);
    for (std::size_t i = 0; i < codes.size(); ++i) CHECK(query(codes[i]) == 1 - 2.5f * static_cast<float>(numbers));
    std::vector<float> large(numbers * size, 0.f);
    for (std::size_t e = 0; e < size; ++e) large[e] = 1e30f * static_cast<float>(e);
    query.assign(bits, large, 0, 8);
    for (std::size_t i = 0; i < codes.size(); ++i)
      CHECK(query(codes[i]) == Approx(exact(large, bits, codes[i])).epsilon(1e-4));
  }
}

TEST_CASE("what no table can have is refused") {
  using support::contains;
  using support::refusal;
  for (const std::size_t bits : {4u, 8u}) {
    std::vector<float> entries(std::size_t{8 / bits} << bits, 1.f);
    embit::table_query query;
    for (const float x : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      entries[5] = x;
      CHECK(contains(refusal([&] { query.assign(bits, entries, 0, 8); }), "not_finite"));
    }
  }
  const std::vector<float> entries(32, 1.f);
  embit::table_query query;
  CHECK(contains(refusal([&] { query.assign(4, entries, 0, 3); }), "query bits: 3 where 4 to 14 are possible"));
  CHECK(contains(refusal([&] { query.assign(4, entries, 0, 15); }), "query bits: 15"));
  CHECK(contains(refusal([&] { query.assign(5, entries, 0, 8); }), "numbers of 5 bits where 4 or 8 are possible"));
}
