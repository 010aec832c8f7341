// SPDX-License-Identifier: MIT
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/kernel/hadamard.hpp>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>
#include <support/refusal.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

namespace {

using support::normal_rows;

// To the bit: -0 is not 0.
bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

// The stages in the order of their strides, the smallest first: the one order that every level keeps to.
void transform_one_by_one(std::span<float> x) {
  for (std::size_t half = 1; half < x.size(); half *= 2)
    for (std::size_t i = 0; i < x.size(); ++i)
      if ((i & half) == 0) {
        const float a = x[i], b = x[i + half];
        x[i] = a + b;
        x[i + half] = a - b;
      }
}

}  // namespace

TEST_CASE("the Walsh-Hadamard transform is the product with the Hadamard matrix") {
  for (std::size_t n = 1; n <= 2048; n *= 2) {
    const auto x = normal_rows(1, n, n);
    auto y = x;
    embit::walsh_hadamard(y);
    double size = 0;
    for (const float v : x.values()) size += std::abs(double{v});
    for (std::size_t i = 0; i < n; i += 1 + n / 64) {
      double exact = 0;
      for (std::size_t j = 0; j < n; ++j) exact += std::popcount(i & j) % 2 == 0 ? double{x[0][j]} : -double{x[0][j]};
      if (!(std::abs(double{y[0][i]} - exact) <= 1e-6 * size)) FAIL("n " << n << ", row " << i);
    }
  }
}

TEST_CASE("twice is n times, to the bit for whole numbers") {
  for (const std::size_t n : {1u, 2u, 16u, 256u, 4096u, 16384u}) {
    embit::rng rng{n};
    embit::matrix<float> x(3, n);
    for (auto& v : x.values()) v = static_cast<float>(embit::uniform_index(rng, 9)) - 4;
    auto y = x;
    embit::walsh_hadamard(y);
    embit::walsh_hadamard(y);
    for (std::size_t i = 0; i < x.values().size(); ++i)
      if (y.values()[i] != static_cast<float>(n) * x.values()[i]) FAIL("n " << n << ", element " << i);
  }
}

TEST_CASE("all levels give the same floats") {
  for (std::size_t n = 1; n <= 32768; n *= 2) {
    auto x = normal_rows(1, n, 7 + n);
    if (n >= 4) x[0][1] = -0.f, x[0][3] = 0.f;
    auto expected = x;
    transform_one_by_one(expected[0]);
    for (const auto level : embit::supported_isas()) {
      auto y = x;
      embit::walsh_hadamard(y, {}, level);
      CAPTURE(n, embit::name_of(level));
      REQUIRE(same_bits(y.values(), expected.values()));
    }
  }
}

TEST_CASE("rows are transformed one by one, wherever they lie and on any number of threads", "[threads]") {
  auto rows = normal_rows(33, 64, 3);
  auto alone = rows, wide = normal_rows(33, 70, 4);
  const embit::matrix_view<float> inside(wide.data() + 3, 33, 64, 70);
  for (std::size_t i = 0; i < 33; ++i) std::ranges::copy(rows[i], inside[i].begin());
  const auto before = wide;
  embit::walsh_hadamard(rows, embit::thread_pool{2});
  embit::walsh_hadamard(inside);
  for (std::size_t i = 0; i < 33; ++i) {
    embit::walsh_hadamard(alone.view().middle_rows(i, 1));
    REQUIRE(same_bits(alone[i], rows[i]));
    REQUIRE(same_bits(inside[i], rows[i]));
    REQUIRE(wide[i][2] == before[i][2]);
    REQUIRE(wide[i][67] == before[i][67]);
  }
}

TEST_CASE("other numbers of columns are refused, and can be padded") {
  for (const std::size_t n : {0u, 3u, 96u, 1000u}) {
    auto rows = normal_rows(2, n, 1);
    REQUIRE(support::contains(support::refusal([&] { embit::walsh_hadamard(rows); }), std::to_string(n) + " columns"));
    const auto padded = embit::padded_for_hadamard(rows);
    REQUIRE(padded.cols() == std::bit_ceil(n));
    for (std::size_t j = 0; j < padded.cols(); ++j) REQUIRE(padded[1][j] == (j < n ? rows[1][j] : 0.f));
  }
}
