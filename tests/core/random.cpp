#include <embit/core/random.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <random>
#include <set>
#include <vector>

using embit::rng;

namespace {

/// Share of a chi-square sum's excess over its mean, in standard deviations (fair for many cells).
double chi_square_sigmas(const std::vector<std::size_t>& counts, double expected) {
  double sum = 0;
  for (const std::size_t c : counts) {
    const double d = static_cast<double>(c) - expected;
    sum += d * d / expected;
  }
  const auto freedom = static_cast<double>(counts.size() - 1);
  return (sum - freedom) / std::sqrt(2 * freedom);
}

/// An engine of the standard library with 31 bits in an odd range: [1, 2147483646].
using odd_engine = std::minstd_rand;

}  // namespace

TEST_CASE("generators of one seed agree, of two seeds differ", "[random]") {
  rng a(7), b(7), c(8);
  CHECK(a == b);
  bool differ = false;
  for (int i = 0; i < 100; ++i) {
    const auto x = a();
    CHECK(x == b());
    differ = differ || x != c();
  }
  CHECK(differ);
}

TEST_CASE("split gives the same stream again, unlike its siblings and its parent", "[random]") {
  const rng parent(42);
  CHECK(parent.split(3) == parent.split(3));
  std::set<std::uint64_t> first{rng(parent)()};
  for (std::uint64_t stream = 0; stream < 1000; ++stream) first.insert(parent.split(stream)());
  CHECK(first.size() == 1001);
  CHECK(parent == rng(42));
}

TEST_CASE("split streams are not correlated", "[random]") {
  rng a = rng(1).split(0), b = rng(1).split(1);
  long agreeing = 0;
  for (int i = 0; i < 20000; ++i) agreeing += 64 - std::popcount(a() ^ b());
  const double total = 20000 * 64.0;
  CHECK(std::abs(static_cast<double>(agreeing) - total / 2) < 5 * std::sqrt(total) / 2);
}

TEST_CASE("random_bits makes 64 fair bits from engines of any range", "[random]") {
  const auto check = [](auto engine) {
    std::array<std::size_t, 64> ones{};
    const int draws = 20000;
    for (int i = 0; i < draws; ++i) {
      const std::uint64_t bits = embit::random_bits(engine);
      for (std::size_t b = 0; b < 64; ++b) ones[b] += bits >> b & 1;
    }
    const double limit = 5.5 * std::sqrt(draws) / 2;
    for (const std::size_t o : ones) CHECK(std::abs(static_cast<double>(o) - draws / 2.0) < limit);
  };
  check(rng(5));
  check(std::mt19937(5));     // 32 bits
  check(std::mt19937_64(5));  // 64 bits
  check(std::ranlux24(5));    // 24 bits, which do not divide 64
  check(odd_engine(5));
}

TEST_CASE("uniform_index stays below its bound and reaches everything", "[random]") {
  rng engine(9);
  for (const std::uint64_t bound : {1u, 2u, 3u, 10u, 63u, 1000u}) {
    std::vector<std::size_t> counts(bound);
    const std::size_t draws = 2000 * bound;
    for (std::size_t i = 0; i < draws; ++i) {
      const auto x = embit::uniform_index(engine, bound);
      REQUIRE(x < bound);
      ++counts[x];
    }
    CAPTURE(bound);
    if (bound > 1) CHECK(std::abs(chi_square_sigmas(counts, 2000)) < 5);
  }
  // Two thirds of 2^64: taking the product without refusing would hit the lower half twice as often as the rest.
  const std::uint64_t bound = 0xaaaaaaaaaaaaaaaau;
  std::vector<std::size_t> thirds(3);
  for (int i = 0; i < 30000; ++i) ++thirds[embit::uniform_index(engine, bound) / (bound / 3 + 1)];
  CHECK(std::abs(chi_square_sigmas(thirds, 10000)) < 5);
}

TEST_CASE("uniform is in [0, 1), flat, on the grid of 2^-24", "[random]") {
  rng engine(10);
  std::vector<std::size_t> cells(100);
  for (int i = 0; i < 100000; ++i) {
    const float x = embit::uniform(engine);
    REQUIRE(x >= 0.0f);
    REQUIRE(x < 1.0f);
    REQUIRE(x * 0x1p24f == std::floor(x * 0x1p24f));
    ++cells[static_cast<std::size_t>(x * 100)];
  }
  CHECK(std::abs(chi_square_sigmas(cells, 1000)) < 5);
}

TEST_CASE("normal has the moments and the tails of a standard normal", "[random]") {
  rng engine(11);
  const int n = 400000;
  double sum = 0, squares = 0, cubes = 0, fourths = 0;
  int beyond_2 = 0, beyond_3 = 0, beyond_4 = 0;
  for (int i = 0; i < n; ++i) {
    const double x = embit::normal(engine);
    sum += x;
    squares += x * x;
    cubes += x * x * x;
    fourths += x * x * x * x;
    beyond_2 += std::abs(x) > 2;
    beyond_3 += std::abs(x) > 3;
    beyond_4 += std::abs(x) > 4;
  }
  const double root = std::sqrt(static_cast<double>(n));
  CHECK(std::abs(sum / n) < 5 / root);
  CHECK(std::abs(squares / n - 1) < 5 * std::sqrt(2.0) / root);
  CHECK(std::abs(cubes / n) < 5 * std::sqrt(15.0) / root);
  CHECK(std::abs(fourths / n - 3) < 5 * std::sqrt(96.0) / root);
  const auto near = [](int count, double share) { return std::abs(count - n * share) < 5 * std::sqrt(n * share); };
  CHECK(near(beyond_2, 0.0455002639));
  CHECK(near(beyond_3, 0.0026997961));
  CHECK(near(beyond_4, 0.0000633425));
}

TEST_CASE("normal fills equally likely cells equally", "[random]") {
  // Kolmogorov-Smirnov against the distribution function.
  rng engine(12);
  const std::size_t n = 100000;
  std::vector<double> x(n);
  for (auto& v : x) v = embit::normal(engine);
  std::sort(x.begin(), x.end());
  double distance = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double expected = std::erfc(-x[i] / std::sqrt(2.0)) / 2;
    distance = std::max(distance, std::abs(expected - (static_cast<double>(i) + 0.5) / n));
  }
  CHECK(distance < 2.0 / std::sqrt(static_cast<double>(n)));  // exceeded once in 1500 by a true normal
}

TEST_CASE("normal works with any engine", "[random]") {
  odd_engine engine(13);
  double sum = 0, squares = 0;
  const int n = 50000;
  for (int i = 0; i < n; ++i) {
    const double x = embit::normal(engine);
    sum += x;
    squares += x * x;
  }
  CHECK(std::abs(sum / n) < 5 / std::sqrt(n));
  CHECK(std::abs(squares / n - 1) < 5 * std::sqrt(2.0 / n));
}

TEST_CASE("shuffle permutes, and all orders are equally likely", "[random]") {
  rng engine(14);
  std::vector<std::size_t> orders(24);
  for (int i = 0; i < 48000; ++i) {
    std::array<int, 4> items{0, 1, 2, 3};
    embit::shuffle(std::span<int>(items), engine);
    std::size_t number = 0;  // of the order, in the factorial base
    for (std::size_t a = 0; a < 4; ++a) {
      std::size_t smaller_after = 0;
      for (std::size_t b = a + 1; b < 4; ++b) smaller_after += items[b] < items[a];
      number = number * (4 - a) + smaller_after;
    }
    ++orders[number];
  }
  CHECK(std::abs(chi_square_sigmas(orders, 2000)) < 5);

  std::vector<int> many(513);
  std::iota(many.begin(), many.end(), 0);
  embit::shuffle(std::span<int>(many), engine);
  CHECK_FALSE(std::is_sorted(many.begin(), many.end()));
  std::sort(many.begin(), many.end());
  for (int i = 0; i < 513; ++i) REQUIRE(many[static_cast<std::size_t>(i)] == i);

  std::vector<int> none, one{1};
  embit::shuffle(std::span<int>(none), engine);
  embit::shuffle(std::span<int>(one), engine);
  CHECK(one[0] == 1);
}

TEST_CASE("numbers are computed at compile time alike", "[random]") {
  constexpr auto compiled = [] {
    rng engine(15);
    return std::array{embit::normal(engine), embit::uniform(engine), embit::normal(engine)};
  }();
  rng engine(15);
  CHECK(compiled[0] == embit::normal(engine));
  CHECK(compiled[1] == embit::uniform(engine));
  CHECK(compiled[2] == embit::normal(engine));
}

TEST_CASE("a product by halves is the product that a wider type gives", "[random]") {
  using embit::detail::multiply_128, embit::detail::multiply_halves;
  const auto same = [](std::uint64_t a, std::uint64_t b) {
    const auto halves = multiply_halves(a, b), whole = multiply_128(a, b);
    return halves.high == whole.high && halves.low == whole.low;
  };
  constexpr std::uint64_t all = ~std::uint64_t{0};
  constexpr auto square = multiply_halves(all, all);  // 2^128 - 2^65 + 1
  CHECK(square.high == all - 1);
  CHECK(square.low == 1);
  rng engine(11);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t a = engine() >> engine() % 64, b = engine() >> engine() % 64;
    REQUIRE(same(a, b));
    REQUIRE(same(~a, b));
  }
}
