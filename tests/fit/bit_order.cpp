// Orders of bits: what they leave alone, and what fitted ones are worth on codes that they were not learned from.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/encode/bit_permutation.hpp>
#include <embit/fit/fit_bit_order.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/save.hpp>
#include <embit/store/code_store.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace {

using embit::bit_permutation, embit::code_store, embit::word;
using support::code_kind, support::code_of, support::refusal;

code_store<> some_codes(std::size_t n, std::size_t bits, code_kind kind, std::uint64_t seed) {
  embit::rng rng{seed};
  return support::make_codes(n, bits, kind, rng);
}

bool bit_of(std::span<const word> code, std::size_t bit) { return (code[bit / 64] >> bit % 64 & 1) != 0; }

/// Clusters that only every fourth bit tells apart; the others are drawn anew for each code.
code_store<> told_by_few_bits(std::size_t n, std::size_t bits, std::uint64_t seed) {
  embit::rng rng{seed};
  code_store<> centers = some_codes(40, bits, code_kind::uniform, 99), codes(n, bits);
  for (std::size_t i = 0; i < n; ++i) {
    const auto center = centers[embit::uniform_index(rng, 40)];
    for (std::size_t bit = 0; bit < bits; ++bit) {
      const bool flip = embit::uniform_index(rng, 20) == 0;
      const bool set = bit % 4 == 3 ? bit_of(center, bit) != flip : (rng() & 1) != 0;
      codes.row(i)[bit / 64] |= word{set} << bit % 64;
    }
  }
  return codes;
}

}  // namespace

TEST_CASE("another order of the bits leaves distances alone", "[bit_order]") {
  for (const std::size_t bits : {1u, 63u, 64u, 65u, 127u, 1000u}) {
    CAPTURE(bits);
    embit::rng rng{bits};
    std::vector<std::uint32_t> order(bits);
    std::iota(order.begin(), order.end(), 0u);
    for (std::size_t i = bits; i > 1; --i) std::swap(order[i - 1], order[embit::uniform_index(rng, i)]);
    const bit_permutation permutation(order);
    auto codes = some_codes(50, bits, code_kind::uniform, 1);
    const code_store<> ordered = permutation(codes);
    for (std::size_t i = 0; i < 50; ++i)
      for (std::size_t bit = 0; bit < bits; ++bit) REQUIRE(bit_of(ordered[i], bit) == bit_of(codes[i], order[bit]));
    const auto before = embit::flat_index{codes}.search(codes, 50),
               after = embit::flat_index{ordered}.search(ordered, 50);
    for (std::size_t q = 0; q < 50; ++q) REQUIRE(std::ranges::equal(before[q], after[q]));
    CHECK(std::ranges::equal(bit_permutation::identity(bits)(codes)[49], codes[49]));

    CHECK(ordered.fingerprint() == 0);
    codes.set_fingerprint(7);
    CHECK(permutation(codes).fingerprint() == permutation(codes).fingerprint());
    CHECK(permutation(codes).fingerprint() != 7);
    CHECK(permutation(codes).fingerprint() != 0);
    const support::temp_dir dir;
    embit::save(dir / "x", permutation);
    CHECK(embit::load<bit_permutation>(dir / "x") == permutation);
  }
  CHECK(bit_permutation()(code_store<>()).size() == 0);
}

TEST_CASE("a fitted order puts the bits first that tell codes apart", "[bit_order]") {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    CAPTURE(seed);
    embit::rng rng{seed}, same_rng{seed};
    const auto codes = told_by_few_bits(3000, 128, seed);
    const auto fitted = embit::fit_bit_order(codes, {.widths = {16, 32}}, rng);
    CHECK(fitted.recall > fitted.recall_as_given + .1);
    std::size_t telling = 0;
    for (std::size_t i = 0; i < 32; ++i) telling += fitted.order.order()[i] % 4 == 3;
    CHECK(telling >= 24);  // 8 by chance; the others have a part in who is whose neighbour, too
    CHECK(embit::fit_bit_order(codes, {.widths = {16, 32}}, same_rng).order == fitted.order);
  }
}

TEST_CASE("where bits are alike an order loses nothing, and few codes keep theirs", "[bit_order]") {
  embit::rng rng{4};
  const auto uniform = some_codes(2000, 64, code_kind::uniform, 5);
  const auto fitted = embit::fit_bit_order(uniform, {}, rng);
  CHECK(fitted.recall >= fitted.recall_as_given - .03);  // of 200 queries
  for (const std::size_t bits : {1u, 2u, 65u})
    for (const std::size_t n : {0u, 1u, 29u, 30u, 31u, 100u})
      for (const auto kind : {code_kind::uniform, code_kind::all_equal}) {
        CAPTURE(bits, n, static_cast<int>(kind));
        const auto codes = some_codes(n, bits, kind, 6);
        const auto order = embit::fit_bit_order(codes, {.k = 50}, rng).order;
        CHECK(order.bits() == bits);
        CHECK((n >= 30 || order == bit_permutation::identity(bits)));
      }
  std::size_t told = 0;
  embit::fit_bit_order(uniform, {.progress = [&](const embit::progress_report& p) { return told = p.done, false; }},
                       rng);
  CHECK(told == 1);
}

TEST_CASE("orders and fits that cannot be are refused", "[bit_order]") {
  const auto codes = some_codes(100, 64, code_kind::uniform, 5);
  embit::rng rng{1};
  CHECK(refusal([] { bit_permutation({0, 2}); }) == "argument: order: bit 2 of 2, beyond them or there before");
  CHECK(refusal([] { bit_permutation({1, 0, 1}); }) == "argument: order: bit 1 of 3, beyond them or there before");
  CHECK(refusal([&] { bit_permutation::identity(65)(codes); }) ==
        "shape: codes: 64 bits, where the order is one of 65");
  const auto fitted = [&](const embit::fit_bit_order_options& options) {
    return refusal([&] { embit::fit_bit_order(codes, options, rng); });
  };
  CHECK(fitted({.widths = {0}}) == "argument: widths: 0, not 1 to the 64 bits of codes");
  CHECK(fitted({.widths = {65}}) == "argument: widths: 65, not 1 to the 64 bits of codes");
  for (const auto& options : {embit::fit_bit_order_options{.k = 0}, {.queries = 0}, {.rows = 0}})
    CHECK(support::contains(fitted(options), "each of which must be at least 1"));
}
