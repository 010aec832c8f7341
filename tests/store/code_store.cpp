// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/store/code_store.hpp>

#include <support/catch.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

template <class S>
concept CanViewTemporary = requires {
  std::declval<S>().view();
};
static_assert(!CanViewTemporary<embit::code_store<>>);
static_assert(CanViewTemporary<const embit::code_store<>&>);
static_assert(std::is_convertible_v<embit::code_store<>, embit::code_view<>>);
static_assert(std::is_convertible_v<embit::code_store<256>, embit::code_view<>>);
static_assert(std::is_nothrow_move_constructible_v<embit::code_store<>>);

embit::code_store<> random_codes(std::size_t n, std::size_t bits, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::code_store<> codes(n, bits);
  for (std::size_t i = 0; i < n; ++i) {
    for (auto& w : codes.row(i)) w = rng();
    codes.row(i).back() &= embit::tail_mask(bits);
  }
  return codes;
}

std::size_t size_of(embit::code_view<> codes) { return codes.size(); }

bool same(embit::code_view<> a, embit::code_view<> b) {
  if (a.size() != b.size() || a.bits() != b.bits()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t w = 0; w < a.words(); ++w)
      if (a[i][w] != b[i][w]) return false;
  return true;
}

}  // namespace

TEST_CASE("code_store keeps what is written into it") {
  for (const std::size_t bits : {1u, 63u, 64u, 65u, 127u, 1000u}) {
    for (const std::size_t n : {0u, 1u, 7u, 513u}) {
      const embit::code_store<> zero(n, bits);
      REQUIRE(zero.size() == n);
      REQUIRE(zero.bits() == bits);
      REQUIRE(zero.words() == embit::words_for(bits));
      for (std::size_t i = 0; i < n; ++i)
        for (const auto w : zero[i]) REQUIRE(w == 0);

      const auto codes = random_codes(n, bits, bits + n);
      std::vector<embit::word> row(codes.words());
      for (std::size_t i = 0; i < n; ++i) {
        codes.copy_row(i, row);
        REQUIRE(std::equal(row.begin(), row.end(), codes[i].begin(), codes[i].end()));
        REQUIRE(codes[i].data() == codes.data() + i * codes.words());
      }
      REQUIRE(same(embit::code_store{codes.view()}, codes));
    }
  }
}

TEST_CASE("code_store appends, itself included") {
  for (const std::size_t bits : {1u, 65u, 256u}) {
    const auto a = random_codes(7, bits, 1), b = random_codes(513, bits, 2);
    embit::code_store<> joined{a.view()};
    joined.append(b);
    joined.append(embit::code_store<>(0, bits));
    REQUIRE(joined.size() == 520);
    REQUIRE(same(joined.view().middle_rows(0, 7), a));
    REQUIRE(same(joined.view().middle_rows(7, 513), b));
    joined.append(joined.view().middle_rows(3, 500));
    REQUIRE(joined.size() == 1020);
    REQUIRE(same(joined.view().middle_rows(520, 500), joined.view().middle_rows(3, 500)));
    REQUIRE(same(joined.view().middle_rows(0, 7), a));
  }
}

TEST_CASE("code_store of static width and temporaries") {
  embit::code_store<128> fixed(5, 128);
  static_assert(decltype(fixed[0])::extent == 2);
  fixed.row(4)[1] = 9;
  fixed.append(fixed.view());
  REQUIRE(fixed.size() == 10);
  REQUIRE(fixed[9][1] == 9);
  REQUIRE(size_of(fixed) == 10);
  REQUIRE(size_of(random_codes(3, 65, 1)) == 3);
  static_assert(std::is_same_v<decltype(embit::code_store{fixed.view()}), embit::code_store<128>>);
}

TEST_CASE("a moved-from code_store is empty") {
  auto a = random_codes(9, 65, 1);
  const auto copy = a;
  auto b = std::move(a);
  REQUIRE(same(b, copy));
  REQUIRE(a.size() == 0);  // NOLINT: what a moved-from store is, is the question
  a = std::move(b);
  REQUIRE(same(a, copy));
  REQUIRE(b.size() == 0);  // NOLINT
  REQUIRE(b.view().empty());
}

TEST_CASE("code_store refuses what does not fit and stays as it was") {
  auto codes = random_codes(3, 256, 1);
  const auto before = codes;
  try {
    codes.append(random_codes(2, 64, 2));
    FAIL("widths differ");
  } catch (const embit::error& e) {
    REQUIRE(e.code() == embit::errc::shape);
    REQUIRE(std::string(e.what()).find("256") != std::string::npos);
    REQUIRE(std::string(e.what()).find("64") != std::string::npos);
  }
  REQUIRE(same(codes, before));

  const std::array<embit::word, 2> dirty{1, 2};
  const embit::code_view<> foreign(dirty.data(), 2, 1);
  REQUIRE_THROWS_AS(embit::code_store<>(foreign), embit::error);
  embit::code_store<> narrow(1, 1);
  REQUIRE_THROWS_AS(narrow.append(foreign), embit::error);
  REQUIRE(narrow.size() == 1);

  REQUIRE_THROWS_AS(embit::code_store<>(4, 0), embit::error);
  REQUIRE_THROWS_AS(embit::code_store<64>(4, 65), embit::error);
  REQUIRE_THROWS_AS(embit::code_store<>(std::numeric_limits<std::size_t>::max() / 8, 1000), embit::error);
}
