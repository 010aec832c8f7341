// SPDX-License-Identifier: MIT
#include <embit/core/isa.hpp>
#include <embit/core/random.hpp>
#include <embit/kernel/l2.hpp>

#include <support/catch.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

TEST_CASE("l2 agrees with a double reference at every level, at any alignment") {
  embit::rng rng{1};
  for (const std::size_t n : {0u, 1u, 3u, 7u, 8u, 9u, 15u, 16u, 17u, 31u, 33u, 63u, 64u, 65u, 127u, 300u, 1000u}) {
    for (const std::size_t shift : {0u, 1u}) {
      std::vector<float> a(n + shift + 1), b(n + shift + 1);
      for (auto& x : a) x = embit::normal(rng);
      for (auto& x : b) x = embit::normal(rng);
      a.back() = b.back() = std::numeric_limits<float>::quiet_NaN();  // one past the end must not count
      double exact = 0;
      for (std::size_t i = shift; i < n + shift; ++i) {
        const double difference = double{a[i]} - double{b[i]};
        exact += difference * difference;
      }
      const std::span<const float> query(a.data() + shift, n), row(b.data() + shift, n);
      const embit::l2 kernel;
      for (const auto level : embit::supported_isas())
        REQUIRE(std::abs(double{kernel(kernel.prepare(query, level), row)} - exact) <= 1e-6 * exact);
      REQUIRE(kernel(kernel.prepare(query), row) == kernel(kernel.prepare(query, embit::active_isa()), row));
    }
  }
  const std::vector<float> x{1, 2};
  for (const auto level : embit::all_isas)
    if (!embit::supports(level)) REQUIRE_THROWS_AS(embit::l2{}.prepare(x, level), embit::error);
  REQUIRE(embit::l2::compare{}(1.f, 2.f));
}
