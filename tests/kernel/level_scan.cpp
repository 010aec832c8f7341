#include <embit/kernel/level_scan.hpp>

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
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using embit::isa;
using embit::level_batch;
using embit::level_format;
using embit::level_query;
using embit::level_query_terms;
using embit::level_segment;
using embit::level_store;
using embit::row_factor;
using support::uniform_format;
using support::with_factors;

using support::found_row;
using support::list_sink;

std::vector<std::vector<found_row>> scan(const level_batch& batch, const embit::level_run& run,
                                         std::optional<float> limit) {
  list_sink sink{limit, std::vector<std::vector<found_row>>(batch.size())};
  level_batch::scratch memory;
  batch.scan(run, memory, sink);
  return sink.lists;
}

// ⟨z, values⟩ and the magnitude of its terms.
std::pair<double, double> product(std::span<const float> z, const embit::level_row& row) {
  std::vector<float> values(z.size());
  row.decode(values);
  double sum = 0, magnitude = 0;
  for (std::size_t j = 0; j < z.size(); ++j) {
    sum += double{z[j]} * values[j];
    magnitude += std::abs(double{z[j]} * values[j]);
  }
  return {sum, magnitude};
}

// Every level, alone and in batches, finds what scoring row by row finds; so it does within a limit that about half of
// the rows keep.
void check_levels(const level_store& store, const std::vector<level_query>& queries) {
  std::vector<std::vector<found_row>> expected(queries.size());
  std::vector<float> all;
  for (std::size_t q = 0; q < queries.size(); ++q)
    for (std::size_t row = 0; row < store.size(); ++row) {
      expected[q].push_back({static_cast<embit::row_id>(row), queries[q](store[row])});
      REQUIRE(std::isfinite(expected[q].back().distance));
      all.push_back(expected[q].back().distance);
    }
  std::vector<std::optional<float>> limits{std::nullopt, std::numeric_limits<float>::infinity()};
  if (!all.empty()) {
    std::sort(all.begin(), all.end());
    limits.insert(limits.end(), {all[all.size() / 2], all.front(), std::nextafter(all.front(), -1e30f)});
  }
  for (const isa level : embit::supported_isas())
    for (const auto limit : limits)
      for (const bool alone : {false, true}) {
        level_batch batch;
        auto wanted = expected;
        for (auto& list : wanted)
          if (limit) std::erase_if(list, [&](const found_row& f) { return !(f.distance <= *limit); });
        if (alone) wanted.resize(std::min<std::size_t>(wanted.size(), 1));
        batch.reset(wanted.size(), level);
        for (std::size_t q = 0; q < wanted.size(); ++q) batch[q] = queries[q];
        INFO("level " << embit::name_of(level) << ", limit " << limit.value_or(-1));
        CHECK((scan(batch, store.run(0), limit) == wanted));
      }
}

std::vector<level_query> make_queries(const level_format& format, std::size_t bits, embit::rng& rng,
                                      level_query_terms terms = {.base = .5f, .scale = -.75f}) {
  std::vector<level_query> queries(3);
  for (auto& q : queries) q.assign(format, support::random_floats(format.dims(), -1, 1, rng), bits, terms);
  return queries;
}

}  // namespace

TEST_CASE("every level scores codes of any width as one row alone", "[level_scan]") {
  embit::rng rng{1};
  for (const std::size_t dims : {1u, 7u, 8u, 9u, 63u, 64u, 65u, 127u, 1000u})
    for (std::size_t bits = 1; bits <= 8; ++bits) {
      const auto format = uniform_format(dims, bits, .3f);
      const auto store = support::random_store(format, dims == 1000 ? 33 : 65, rng);
      for (const std::size_t query_bits : {4u, 7u, 8u, 14u}) {
        INFO(dims << " dimensions of " << bits << " bits, queries of " << query_bits);
        check_levels(store, make_queries(format, query_bits, rng));
      }
    }
}

TEST_CASE("every level scores any number of rows", "[level_scan]") {
  embit::rng rng{2};
  for (const std::size_t rows : {0u, 1u, 31u, 32u, 33u, 127u, 128u, 129u, 513u, 3000u}) {
    const auto format = uniform_format(24, 2);
    INFO(rows << " rows");
    check_levels(support::random_store(format, rows, rng), make_queries(format, 6, rng));
  }
}

TEST_CASE("every level scores segments of different widths", "[level_scan]") {
  embit::rng rng{3};
  level_format format{.segments = {level_segment::uniform(9, 8, .01f),
                                   level_segment::uniform(64, 4, .2f),
                                   {.dims = 65, .bits = 2, .step = .07f, .weights = {13, 7}},
                                   level_segment::uniform(1, 1, 3),
                                   level_segment::uniform(301, 1)}};
  for (int round = 0; round < 2; ++round) {
    const auto store = support::random_store(format, 97, rng);
    for (const std::size_t bits : {2u, 5u, 8u, 9u, 12u}) check_levels(store, make_queries(format, bits, rng));
    std::reverse(format.segments.begin(), format.segments.end());
  }
}

TEST_CASE("every level scores segments of which rows have scales of their own", "[level_scan]") {
  embit::rng rng{31};
  level_format format{.segments = {{.dims = 16, .bits = 1, .step = .7f, .weights = {1}, .scaled = true},
                                   {.dims = 9, .bits = 3, .step = .2f, .weights = {4, 2, 1}, .scaled = true},
                                   level_segment::uniform(65, 2, .3f),
                                   {.dims = 301, .bits = 1, .step = 1, .weights = {1}, .scaled = true},
                                   {.dims = 1, .bits = 8, .step = .01f, .weights = {128, 64, 32, 16, 8, 4, 2, 1}}}};
  for (int round = 0; round < 4; ++round) {
    format.factors[0] = round % 2 != 0;
    format.half_factors = round == 3;
    for (const std::size_t rows : {1u, 32u, 97u, 300u}) {
      const auto store = support::random_store(format, rows, rng);
      for (const std::size_t bits : {4u, 8u, 9u, 14u}) check_levels(store, make_queries(format, bits, rng));
    }
    std::reverse(format.segments.begin(), format.segments.end());
  }
  // One alone.
  const level_format one{.segments = {format.segments[0]}};
  check_levels(support::random_store(one, 65, rng), make_queries(one, 8, rng));
}

TEST_CASE("products of scaled segments are those of what rows stand for", "[level_scan]") {
  embit::rng rng{32};
  level_format format{.segments = {{.dims = 40, .bits = 2, .step = .4f, .weights = {2, 1}, .scaled = true},
                                   level_segment::uniform(65, 1, .3f),
                                   {.dims = 24, .bits = 4, .step = .1f, .weights = {8, 4, 2, 1}, .scaled = true}}};
  format.factors[0] = true;
  const auto store = support::random_store(format, 70, rng);
  const auto z = support::random_floats(format.dims(), -1, 1, rng);
  level_query query;
  query.assign(format, z, 14, {.base = .5f, .scale = -2});
  for (std::size_t i = 0; i < store.size(); ++i) {
    const auto [sum, magnitude] = product(z, store[i]);
    const double wanted = .5 + double{store.factor(i, row_factor::offset)} - 2 * sum;
    CHECK(std::abs(double{query(store[i])} - wanted) < 3e-4 * magnitude + 1e-5);
  }
  // A scale of 1 changes nothing but the sums' rounding; one of 2 doubles.
  level_store equal(format, 1), twice(format, 1);
  for (level_store* s : {&equal, &twice}) {
    s->set_levels(0, support::random_levels(format, rng));
    for (const std::size_t segment : {0u, 2u}) s->set_segment_scale(0, segment, s == &equal ? 1.f : 2.f);
  }
  std::vector<float> values(format.dims()), doubled(format.dims());
  std::vector<std::uint8_t> levels(format.dims());
  equal[0].copy_levels(levels);
  twice.set_levels(0, levels);
  equal[0].decode(values);
  twice[0].decode(doubled);
  for (std::size_t j = 0; j < values.size(); ++j) CHECK(doubled[j] == (j < 40 || j >= 105 ? 2 : 1) * values[j]);
}

TEST_CASE("scales of segments are kept to within a 33rd", "[level_scan]") {
  for (std::size_t code = 0; code < 256; ++code) {
    const float scale = embit::segment_scale(static_cast<std::uint8_t>(code));
    CHECK(embit::segment_scale_code(scale) == code);
    CHECK((code == 0 || embit::segment_scale(static_cast<std::uint8_t>(code - 1)) < scale));
  }
  CHECK(embit::segment_scale(0) == 0x1p-8f);
  CHECK(embit::segment_scale(128) == 1);
  CHECK(embit::segment_scale(255) == 248);
  for (float x = .004f; x < 240; x *= 1.0173f)
    CHECK(std::abs(embit::segment_scale(embit::segment_scale_code(x)) / x - 1) <= 1.f / 32);
  for (const float x : {0.f, 1e-30f}) CHECK(embit::segment_scale_code(x) == 0);
  for (const float x : {248.f, 1e30f, std::numeric_limits<float>::infinity()})
    CHECK(embit::segment_scale_code(x) == 255);
}

TEST_CASE("every level applies every choice of factors alike", "[level_scan]") {
  embit::rng rng{4};
  for (unsigned mask = 0; mask < 32; ++mask)
    for (const bool halves : {false, true}) {
      auto format = with_factors(uniform_format(40, 3), {}, halves);
      if (halves) format.units = {1.5f, .01f, .25f, .125f, .01f};
      for (std::size_t f = 0; f < embit::row_factors; ++f) format.factors[f] = (mask >> f & 1) != 0;
      INFO("factors " << mask << ", halves " << halves);
      const auto store = support::random_store(format, 161, rng);
      check_levels(store, make_queries(format, 8, rng));
      check_levels(store, make_queries(format, 12, rng, {.base = 3, .error = .5f, .scale = -1}));
      std::vector<level_query> cosine(1);
      cosine[0].assign(format, support::random_floats(40, -1, 1, rng), 8, {}, row_factor::inverse_norm);
      check_levels(store, cosine);
    }
}

// By how much the distance of each row is off in units of its scale, and the magnitude of the terms of its product.
std::vector<std::pair<double, double>> rounding_errors(const level_store& store, std::span<const float> z,
                                                       std::size_t bits) {
  level_query query;
  query.assign(store.format(), z, bits, {.base = .25f, .scale = -2});
  std::vector<std::pair<double, double>> errors;
  for (std::size_t row = 0; row < store.size(); ++row) {
    const auto [sum, magnitude] = product(z, store[row]);
    const double scale = -2. * store[row].factor(row_factor::scale);
    const double expected = .25 + store[row].factor(row_factor::offset) + scale * sum;
    errors.emplace_back(std::abs((query(store[row]) - expected) / scale), magnitude);
  }
  return errors;
}

TEST_CASE("distances are those of the definition, within the rounding of the query", "[level_scan]") {
  embit::rng rng{5};
  for (const std::size_t width : {1u, 3u, 8u}) {
    const auto store = support::random_store(
        with_factors(uniform_format(130, width), {row_factor::offset, row_factor::scale}), 50, rng);
    for (const auto& [bits, tolerance] : {std::pair<std::size_t, double>{6, .04}, {8, .012}, {14, 2e-4}}) {
      const auto z = support::random_floats(130, -2, 2, rng);
      for (const auto& [error, magnitude] : rounding_errors(store, z, bits)) CHECK(error <= tolerance * magnitude);
    }
  }
}

TEST_CASE("of several segments, rounding adds to the error of the codes as much as is said", "[level_scan]") {
  embit::rng rng{5};
  level_format format{.segments = {level_segment::uniform(20, 8, .01f), level_segment::uniform(50, 3, .2f),
                                   level_segment::uniform(58, 1)}};
  const auto store = support::random_store(with_factors(format, {row_factor::offset, row_factor::scale}), 200, rng);
  for (const std::size_t bits : {6u, 8u, 10u, 14u}) {
    const auto z = support::random_floats(format.dims(), -2, 2, rng);
    double of_codes = 0, of_rounding = 0;
    std::size_t first = 0;
    for (const level_segment& s : format.segments)
      for (const std::size_t end = first + s.dims; first < end; ++first)
        of_codes += double{s.step} * s.step / 3 * double{z[first]} * z[first];
    for (const auto& [error, magnitude] : rounding_errors(store, z, bits)) {
      of_rounding += error * error / 200;
      if (bits == 14) CHECK(error <= 2e-4 * magnitude);
    }
    INFO(bits << " bits: " << of_rounding / of_codes);
    CHECK(of_rounding <= 1.3 / 8 * std::exp2(2 * (8. - static_cast<double>(bits))) * of_codes);
  }
}

TEST_CASE("queries of values of the codes are not rounded", "[level_scan]") {
  embit::rng rng{6};
  for (const auto& [dims, bits] : {std::pair<std::size_t, std::size_t>{1000, 8}, {127, 4}, {513, 2}, {65, 1}}) {
    const auto format = uniform_format(dims, bits);
    const auto store = support::random_store(format, 40, rng);
    std::vector<level_query> queries(2);
    for (std::size_t q = 0; q < 2; ++q) {
      std::vector<float> z(dims);
      store[q].decode(z);
      queries[q].assign_values(format, z);
      // Whole numbers below 2^24 are exact in floats, those above are rounded once.
      for (std::size_t row = 0; row < store.size(); ++row)
        CHECK(queries[q](store[row]) == static_cast<float>(product(z, store[row]).first));
    }
    check_levels(store, queries);
  }
}

TEST_CASE("sums of the widest codes stay within 31 bits", "[level_scan]") {
  for (const std::size_t dims : {9000u, 70000u}) {
    const auto format = uniform_format(dims, 8);
    level_store store(format, 3);
    store.set_levels(0, std::vector<std::uint8_t>(dims, 255));
    store.set_levels(1, std::vector<std::uint8_t>(dims, 0));
    store.set_levels(2, std::vector<std::uint8_t>(dims, 255));
    std::vector<level_query> queries(2);
    queries[0].assign_values(format, std::vector<float>(dims, 255));
    queries[1].assign(format, std::vector<float>(dims, -255), 14);
    const auto largest = static_cast<float>(dims) * 255 * 255;
    for (std::size_t row = 0; row < 3; ++row) {
      const float sign = row == 1 ? -1.f : 1.f;
      CHECK(std::abs(queries[0](store[row]) - sign * largest) <= 2e-2f * largest);
      CHECK(std::abs(queries[1](store[row]) + sign * largest) <= 2e-2f * largest);
    }
    check_levels(store, queries);
  }
}

TEST_CASE("numbers of any magnitude are queries", "[level_scan]") {
  embit::rng rng{7};
  const level_format format{.segments = {level_segment::uniform(16, 4), level_segment::uniform(16, 2, 1e-3f)}};
  const auto store = support::random_store(format, 33, rng);
  for (const float magnitude : {0.f, 1e-42f, 1e-30f, 1.f, 1e30f}) {
    std::vector<level_query> queries(1);
    auto z = support::random_floats(32, -magnitude, magnitude, rng);
    queries[0].assign(format, z, 8);
    check_levels(store, queries);
    std::fill(z.begin(), z.begin() + 16, 0.f);
    queries[0].assign(format, z, 8);
    check_levels(store, queries);
  }
}

TEST_CASE("no row is lost whose bound and distance are within the limit", "[level_scan]") {
  embit::rng rng{8};
  const auto format = with_factors(
      uniform_format(64, 4, .1f), {row_factor::offset, row_factor::scale, row_factor::coarse_scale, row_factor::error});
  const auto store = support::random_store(format, 1000, rng);
  const auto z = support::random_floats(64, -1, 1, rng);
  level_query plain, bounded;
  plain.assign(format, z, 8, {.scale = -1});
  bounded.assign(format, z, 8, {.error = .3f, .scale = -1});
  std::size_t raised = 0, skippable = 0;
  for (std::size_t row = 0; row < store.size(); ++row) {
    double signs = 0;
    std::vector<std::uint8_t> levels(64);
    store[row].copy_levels(levels);
    for (std::size_t j = 0; j < 64; ++j) signs += levels[j] >= 8 ? z[j] : -z[j];
    const auto factor = [&](row_factor f) { return double{store[row].factor(f)}; };
    const double bound =
        factor(row_factor::offset) - factor(row_factor::coarse_scale) * signs - .3 * factor(row_factor::error);
    const double expected = std::max(bound, double{plain(store[row])});
    CHECK(bounded(store[row]) == Approx(expected).margin(.25));
    CHECK(bounded(store[row]) >= plain(store[row]));
    raised += bounded(store[row]) > plain(store[row]);
    skippable += bound > 0;
  }
  CHECK(raised > 0);
  CHECK(skippable > 0);
  check_levels(store, {plain, bounded});
}

TEST_CASE("queries that cannot be are refused", "[level_scan]") {
  const auto format = uniform_format(3, 2);
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  level_query query;
  const auto refusal = [&](std::vector<float> z, std::size_t bits) {
    return support::refusal([&] { query.assign(format, z, bits); });
  };
  CHECK(support::contains(refusal({1, 2, 3}, 15), "argument: query bits: 15"));
  CHECK(support::contains(refusal({1, 2, 3}, 1), "argument: query bits: 1"));
  CHECK(support::contains(refusal({1, nan, 3}, 8), "not_finite"));
  CHECK(support::contains(refusal({1, -inf, 3}, 8), "not_finite"));
}
