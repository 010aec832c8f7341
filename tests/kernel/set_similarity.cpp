// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/kernel/set_similarity.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "../support/catch.hpp"

namespace {

using embit::and_count;
using embit::jaccard;
using embit::tversky;

constexpr std::uint32_t largest = 40;

// Every property that a scan by popcount relies on, for all sets of up to `largest` members.
template <class K>
void check_set_kernel(const K& kernel) {
  using score_type = typename K::distance_type;
  std::vector<score_type> limits;
  for (std::uint32_t a = 0; a <= largest; a += 3)
    for (std::uint32_t b = 0; b <= largest; b += 3)
      for (std::uint32_t c = 0; c <= std::min(a, b); ++c) limits.push_back(kernel.score(a, b, c));
  if constexpr (std::is_floating_point_v<score_type>) {
    const std::size_t exact = limits.size();
    for (std::size_t i = 0; i < exact; ++i) {
      limits.push_back(std::nextafter(limits[i], score_type{2}));
      limits.push_back(std::nextafter(limits[i], score_type{-1}));
    }
    for (const score_type odd :
         {-1.f, -0.f, 1e-30f, 1.5f, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()})
      limits.push_back(odd);
  } else {
    limits.push_back(std::numeric_limits<score_type>::max());
  }
  std::sort(limits.begin(), limits.end());
  limits.erase(std::unique(limits.begin(), limits.end()), limits.end());

  bool grows = true, bounded = true, exact = true, one_peak = true;
  for (std::uint32_t a = 0; a <= largest; ++a) {
    for (std::uint32_t b = 0; b <= largest; ++b) {
      const std::uint32_t most = std::min(a, b);
      for (std::uint32_t c = 0; c < most; ++c) grows &= kernel.score(a, b, c) <= kernel.score(a, b, c + 1);
      bounded &= kernel.bound(a, b) == kernel.score(a, b, most);
      if (b > 0 && b <= a) one_peak &= kernel.bound(a, b - 1) <= kernel.bound(a, b);
      if (b > a) one_peak &= kernel.bound(a, b) <= kernel.bound(a, b - 1);
      for (std::size_t i = 0; i < limits.size(); i += 7) {
        std::uint32_t least = 0;
        while (least <= most && kernel.score(a, b, least) < limits[i]) ++least;
        exact &= kernel.least_common(a, b, limits[i]) == least;
      }
    }
  }
  CHECK(grows);
  CHECK(bounded);
  CHECK(one_peak);
  CHECK(exact);
}

}  // namespace

TEST_CASE("set kernels grow with the common members, peak at equal popcounts and invert exactly") {
  check_set_kernel(jaccard{});
  check_set_kernel(and_count{});
  for (const float alpha : {0.f, 1e-20f, .1f, .5f, 1.f, 3.f, 1e30f})
    for (const float beta : {0.f, .9f, 1.f, 7.f}) {
      CAPTURE(alpha, beta);
      check_set_kernel(tversky{{.alpha = alpha, .beta = beta}});
    }
}

TEST_CASE("least_common is exact for large sets") {
  embit::rng rng{7};
  const jaccard kernel;
  for (int i = 0; i < 20000; ++i) {
    const auto a = static_cast<std::uint32_t>(rng() % 1000000), b = static_cast<std::uint32_t>(rng() % 1000000);
    const auto c = static_cast<std::uint32_t>(rng() % (std::min(a, b) + 1));
    const float limit = kernel.score(a, b, c);
    const std::uint32_t least = kernel.least_common(a, b, limit);
    REQUIRE(least <= c);
    REQUIRE(kernel.score(a, b, least) == limit);
    if (least > 0) REQUIRE(kernel.score(a, b, least - 1) < limit);
  }
}

TEST_CASE("jaccard is the quotient rounded once") {
  embit::rng rng{3};
  for (int i = 0; i < 20000; ++i) {
    const auto either = static_cast<std::uint32_t>(1 + rng() % 5000);
    const auto common = static_cast<std::uint32_t>(rng() % (either + 1));
    const auto a = static_cast<std::uint32_t>(common + rng() % (either - common + 1)), b = either + common - a;
    const float once = static_cast<float>(static_cast<long double>(common) / either);
    REQUIRE(jaccard::score(a, b, common) == once);
    REQUIRE(jaccard::score(3 * a, 3 * b, 3 * common) == once);
    REQUIRE(tversky{}.score(a, b, common) == once);
    const float dice = static_cast<float>(2 * static_cast<long double>(common) / (a + b));
    REQUIRE(tversky{{.alpha = .5f, .beta = .5f}}.score(a, b, common) == dice);
    if (a != 0) {
      const float contained = static_cast<float>(static_cast<long double>(common) / a);
      REQUIRE(tversky{{.alpha = 1, .beta = 0}}.score(a, b, common) == contained);
    }
  }
}

TEST_CASE("empty sets") {
  CHECK(jaccard::score(0, 0, 0) == 1);
  CHECK(jaccard::score(0, 5, 0) == 0);
  CHECK(jaccard::score(5, 0, 0) == 0);
  CHECK(tversky{}.score(0, 0, 0) == 1);
  CHECK(tversky{{.alpha = 1, .beta = 0}}.score(0, 5, 0) == 1);  // the empty set is contained in every set
  CHECK(tversky{{.alpha = 1, .beta = 0}}.score(5, 0, 0) == 0);
  CHECK(and_count::score(0, 5, 0) == 0);
}

TEST_CASE("set kernels count the bits of codes") {
  for (const std::size_t bits : {1u, 63u, 64u, 65u, 127u, 1000u}) {
    embit::rng rng{bits};
    const std::size_t words = embit::words_for(bits);
    std::vector<embit::word> q(words), x(words);
    for (auto* code : {&q, &x}) {
      for (auto& w : *code) w = rng();
      code->back() &= embit::tail_mask(bits);
    }
    std::uint32_t a = 0, b = 0, c = 0;
    for (std::size_t j = 0; j < bits; ++j) {
      const bool in_q = q[j / 64] >> j % 64 & 1, in_x = x[j / 64] >> j % 64 & 1;
      a += in_q;
      b += in_x;
      c += in_q && in_x;
    }
    const tversky contained{{.alpha = 1, .beta = 0}};
    CHECK(and_count{}.prepare(q).size == a);
    CHECK(and_count{}(and_count{}.prepare(q), x) == c);
    CHECK(jaccard{}(jaccard{}.prepare(q), x) == jaccard::score(a, b, c));
    CHECK(contained(contained.prepare(q), x) == contained.score(a, b, c));
  }
}

#if EMBIT_EXCEPTIONS
TEST_CASE("tversky refuses weights that are negative or not finite") {
  for (const float bad :
       {-1.f, -1e-30f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    for (const bool first : {true, false}) {
      embit::tversky_options options;
      (first ? options.alpha : options.beta) = bad;
      try {
        const tversky kernel{options};
        FAIL("accepted " << bad << ", score " << kernel.score(1, 1, 1));
      } catch (const embit::error& e) {
        CHECK(e.code() == embit::errc::argument);
        CHECK(std::string(e.what()).find(first ? "alpha" : "beta") != std::string::npos);
      }
    }
}
#endif
