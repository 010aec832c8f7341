#include <embit/core/random.hpp>
#include <embit/kernel/detail/floats/batch.hpp>

#include <support/catch.hpp>

#include <cmath>
#include <cstddef>

namespace {

using embit::detail::plain_batch;
constexpr std::size_t size = plain_batch::size;

}  // namespace

// What processors run whose vectors xsimd does not know; on any other nothing but this test uses them.
TEST_CASE("plain batches compute each lane like a float") {
  embit::rng rng(3);
  for (int round = 0; round < 100; ++round) {
    float x[size], y[size], z[size], out[6][size];
    for (std::size_t i = 0; i < size; ++i) {
      x[i] = embit::normal(rng);
      y[i] = embit::normal(rng);
      z[i] = embit::normal(rng);
    }
    const auto a = plain_batch::load_unaligned(x), b = plain_batch::load_unaligned(y),
               c = plain_batch::load_unaligned(z);
    (a + b).store_unaligned(out[0]);
    (a - b).store_unaligned(out[1]);
    (a * b).store_unaligned(out[2]);
    (a / b).store_unaligned(out[3]);
    multiply_add(a, b, c).store_unaligned(out[4]);
    larger(a, b).store_unaligned(out[5]);
    for (std::size_t i = 0; i < size; ++i) {
      REQUIRE(out[0][i] == x[i] + y[i]);
      REQUIRE(out[1][i] == x[i] - y[i]);
      REQUIRE(out[2][i] == x[i] * y[i]);
      REQUIRE(out[3][i] == x[i] / y[i]);
      const double fused = double{x[i]} * y[i] + double{z[i]};  // to a bit of what rounding the product loses
      REQUIRE(std::abs(out[4][i] - fused) <= 0x1p-23 * (std::abs(double{x[i]} * y[i]) + std::abs(fused)));
      REQUIRE(out[5][i] == (x[i] > y[i] ? x[i] : y[i]));
    }
  }
}

TEST_CASE("the batch of the portable kernels agrees with the plain one") {
  using embit::detail::float_batch, embit::detail::larger, embit::detail::multiply_add;
  float x[16], y[16], out[16];
  for (std::size_t i = 0; i < 16; ++i) {
    x[i] = static_cast<float>(i) - 7.5f;
    y[i] = 3.25f - static_cast<float>(i % 5);
  }
  static_assert(16 % float_batch::size == 0);
  for (std::size_t i = 0; i < 16; i += float_batch::size)
    larger(multiply_add(float_batch::load_unaligned(x + i), float_batch(2.f), float_batch::load_unaligned(y + i)),
           float_batch(0.f))
        .store_unaligned(out + i);
  for (std::size_t i = 0; i < 16; ++i) CHECK(out[i] == (2 * x[i] + y[i] > 0 ? 2 * x[i] + y[i] : 0.f));
}
