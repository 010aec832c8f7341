#include <embit/kernel/levels.hpp>

#include <embit/core/random.hpp>
#include <embit/store/level_store.hpp>

#include "support/catch.hpp"
#include "support/levels.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

namespace {

using support::row_factor;

double product(const embit::level_row& a, const embit::level_row& b) {
  std::vector<float> x(a.format().dims()), y(x.size());
  a.decode(x);
  b.decode(y);
  double sum = 0;
  for (std::size_t j = 0; j < x.size(); ++j) sum += double{x[j]} * y[j];
  return sum;
}

}  // namespace

TEST_CASE("the symmetric distance is minus the inner product of values", "[levels]") {
  embit::rng rng{1};
  const embit::symmetric kernel;
  for (const std::size_t dims : {1u, 7u, 8u, 9u, 127u, 1000u})
    for (std::size_t bits = 1; bits <= 8; ++bits) {
      const auto store = support::random_store(support::uniform_format(dims, bits), 10, rng);
      for (std::size_t i = 0; i < 10; ++i) {
        const auto query = kernel.prepare(store[i]);
        for (std::size_t j = 0; j < 10; ++j)
          CHECK(kernel(query, store[j]) == static_cast<float>(-product(store[i], store[j])));
      }
    }
}

TEST_CASE("with norms it is 1 - cos, symmetric and near 0 for a row itself", "[levels]") {
  embit::rng rng{2};
  const embit::symmetric kernel;
  for (const bool halves : {false, true}) {
    auto format = support::with_factors(support::uniform_format(65, 3, .25f), {row_factor::inverse_norm}, halves);
    format.segments[0].weights = {4, 3, 1};  // not a uniform grid
    auto store = support::random_store(format, 20, rng);
    store.set_inverse_norms();
    for (std::size_t i = 0; i < 20; ++i) {
      const auto query = kernel.prepare(store[i]);
      CHECK(kernel(query, store[i]) == Approx(0).margin(2e-3));
      for (std::size_t j = 0; j < 20; ++j) {
        const double norms = std::sqrt(product(store[i], store[i]) * product(store[j], store[j]));
        CHECK(kernel(query, store[j]) == Approx(1 - product(store[i], store[j]) / norms).margin(2e-3));
        CHECK(kernel(query, store[j]) == Approx(kernel(kernel.prepare(store[j]), store[i])).margin(1e-6));
      }
    }
  }
}

TEST_CASE("codes of several segments are compared nearly exactly", "[levels]") {
  embit::rng rng{3};
  const embit::symmetric kernel;
  const embit::level_format format{.segments = {embit::level_segment::uniform(16, 8, .01f),
                                                embit::level_segment::uniform(40, 2, .3f),
                                                embit::level_segment::uniform(72, 1)}};
  const auto store = support::random_store(format, 20, rng);
  for (std::size_t i = 0; i < 20; ++i) {
    const auto query = kernel.prepare(store[i]);
    for (std::size_t j = 0; j < 20; ++j)
      CHECK(kernel(query, store[j]) == Approx(-product(store[i], store[j])).margin(.02));
  }
}
