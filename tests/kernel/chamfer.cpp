// SPDX-License-Identifier: MIT
#include <embit/codes/pack.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/chamfer.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/numbers.hpp>
#include <support/token_sets.hpp>

#include <cmath>
#include <cstdint>
#include <vector>

namespace {

using support::random_sets, support::token_sets;

constexpr std::uint32_t minus_infinity = 0xff800000;  // as bits: compilers fold comparisons with it where they may

double chamfer_of(const embit::matrix<float>& query, const embit::matrix<float>& document) {
  return support::chamfer(embit::row_set<const float>(query), embit::row_set<const float>(document));
}

}  // namespace

TEST_CASE("Chamfer similarity agrees with a double reference for floats, halves and bytes") {
  embit::rng rng{1};
  const embit::chamfer kernel;
  for (const std::size_t dim : {1u, 3u, 8u, 31u, 64u, 128u, 700u})
    for (const std::size_t nq : {1u, 15u, 16u, 17u, 32u, 33u, 70u})
      for (const std::size_t nd : {1u, 2u, 5u, 6u, 11u, 12u, 13u, 25u, 100u}) {
        const auto query = support::unit_tokens(nq, dim, 0, rng), document = support::unit_tokens(nd, dim, 0, rng);
        const auto prepared = kernel.prepare(embit::row_set<const float>(query));
        const double tolerance = 1e-6 * static_cast<double>(nq);
        REQUIRE(std::abs(double{kernel(prepared, document.view())} - chamfer_of(query, document)) <= tolerance);

        embit::matrix<embit::half> halves(nd, dim);
        embit::matrix<std::int8_t> bytes(nd, dim);
        embit::matrix<float> from_halves(nd, dim), from_bytes(nd, dim);
        std::vector<float> scales(nd);
        for (std::size_t i = 0; i < nd; ++i) {
          scales[i] = .01f + embit::uniform(rng) * .01f;
          for (std::size_t j = 0; j < dim; ++j) {
            from_halves[i][j] = halves[i][j] = embit::half(document[i][j]);
            bytes[i][j] = static_cast<std::int8_t>(std::lround(document[i][j] * 100));
            from_bytes[i][j] = static_cast<float>(bytes[i][j]) * scales[i];
          }
        }
        const embit::matrix_view<const embit::half> half_view = halves;
        REQUIRE(std::abs(double{kernel(prepared, half_view)} - chamfer_of(query, from_halves)) <= tolerance);
        const embit::scaled_rows scaled{bytes, scales};
        REQUIRE(std::abs(double{kernel(prepared, scaled)} - chamfer_of(query, from_bytes)) <= 3 * tolerance);
      }
}

TEST_CASE("signs score as vectors of plus and minus one of unit length") {
  embit::rng rng{2};
  const embit::chamfer_signs kernel;
  for (const std::size_t dim : {1u, 3u, 4u, 5u, 63u, 64u, 65u, 127u, 128u, 200u, 1000u})
    for (const std::size_t nq : {1u, 16u, 19u, 32u, 70u})
      for (const std::size_t nd : {1u, 7u, 40u}) {
        const auto query = support::unit_tokens(nq, dim, 0, rng), document = support::unit_tokens(nd, dim, 0, rng);
        std::vector<embit::word> words(nd * embit::words_for(dim));
        embit::matrix<float> signs(nd, dim);
        for (std::size_t i = 0; i < nd; ++i)
          for (std::size_t j = 0; j < dim; ++j) {
            const bool set = document[i][j] > 0;
            signs[i][j] = (set ? 1.f : -1.f) / std::sqrt(static_cast<float>(dim));
            words[i * embit::words_for(dim) + j / 64] |= embit::word{set} << j % 64;
          }
        const auto prepared = kernel.prepare(embit::row_set<const float>(query));
        const double found = double{kernel(prepared, embit::code_view<>(words.data(), nd, dim))};
        REQUIRE(std::abs(found - chamfer_of(query, signs)) <= 2e-6 * static_cast<double>(nq));
      }
}

TEST_CASE("masked tokens are as if they were not there, and nothing scores lowest") {
  const std::size_t sizes[] = {20, 9, 0, 33, 4};
  auto sets = random_sets(sizes, 40, 3);
  sets.mask.assign(sets.values.rows(), 1);
  for (std::size_t t = 0; t < sets.mask.size(); ++t) sets.mask[t] = t % 4 != 1 && (t < 62 || t > 64);
  for (std::size_t t = sets.offsets[4]; t < sets.offsets[5]; ++t) sets.mask[t] = 0;
  const auto view = sets.view();
  const embit::chamfer kernel;
  for (std::size_t q = 0; q < view.size(); ++q)
    for (std::size_t d = 0; d < view.size(); ++d) {
      const float found = kernel(kernel.prepare(view[q]), view[d]);
      if (q == 2 || q == 4)
        CHECK(found == 0);  // no query tokens
      else if (d == 2 || d == 4)
        CHECK(support::bits_of(found) == minus_infinity);
      else
        CHECK(double{found} == Approx(support::chamfer(view[q], view[d])).margin(1e-5));
    }
  const embit::chamfer_signs signs;
  CHECK(support::bits_of(signs(signs.prepare(view[0]), embit::code_view<>(nullptr, 0, 40))) == minus_infinity);
  const embit::word code = 5;
  CHECK(signs(signs.prepare(view[4]), embit::code_view<>(&code, 1, 40)) == 0);
}

TEST_CASE("a flat index of sets is exact MaxSim search", "[threads]") {
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < 150; ++i) sizes.push_back(1 + i * 7 % 30);
  const auto sets = random_sets(sizes, 24, 4);
  const auto view = sets.view();
  const embit::flat_index index{view, embit::chamfer{}};
  const auto queries = view.middle_rows(20, 5);
  const auto found = index.search(queries, 150);
  for (std::size_t q = 0; q < 5; ++q) {
    REQUIRE(found[q].size() == 150);
    CHECK(found[q][0].id == 20 + q);
    for (const auto& hit : found[q])
      REQUIRE(double{hit.distance} == Approx(support::chamfer(queries[q], view[hit.id])).margin(1e-5));
  }
}
