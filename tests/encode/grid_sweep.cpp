// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/encode/detail/grid_sweep.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

std::vector<float> row_of(std::size_t dims, int kind, embit::rng& rng) {
  std::vector<float> x(dims);
  for (float& v : x) v = embit::normal(rng);
  for (std::size_t j = 0; j < dims; ++j) {
    if (kind == 1) x[j] = j % 2 == 0 ? .5f : -.5f;                      // all alike
    if (kind == 2) x[j] *= std::exp2(static_cast<float>(j % 60) - 30);  // of all sizes
    if (kind == 3 && j % 3 != 0) x[j] = 0;                              // mostly zero
    if (kind == 4) x[j] = 1 - static_cast<float>(j) * 1e-6f;            // nearly alike, falling
    if (kind == 5) x[j] = 0;
  }
  return x;
}

// Whether some step of the grid gives a code at a smaller angle: all steps at which a level changes are tried.
double best_cosine(const std::vector<float>& x, std::size_t bits) {
  const auto most = static_cast<double>((1u << (bits - 1)) - 1);
  std::vector<double> steps{0};
  for (const float v : x)
    for (double u = 1; u <= most; ++u)
      if (v != 0) steps.push_back(u / std::abs(double{v}) * (1 + 1e-7));
  double best = 0;
  for (const double step : steps) {
    double product = 0, energy = 0, square = 0;
    for (const float v : x) {
      const double a = std::abs(double{v}), y = 2 * std::min(std::floor(step * a), most) + 1;
      product += a * y;
      energy += y * y;
      square += a * a;
    }
    if (square > 0) best = std::max(best, product / std::sqrt(energy * square));
  }
  return best;
}

}  // namespace

TEST_CASE("changes of levels are sorted by step, then by dimension") {
  embit::rng rng{1};
  embit::detail::grid_sweep_memory memory;
  for (const std::size_t count : {0u, 1u, 2u, 63u, 900u, 5000u})
    for (const int kind : {0, 1, 2, 4}) {
      const auto x = row_of(count, kind, rng);
      memory.changes.clear();
      for (std::size_t j = 0; j < count; ++j)
        memory.changes.push_back(embit::detail::level_change(std::abs(x[j]) + 1e-30f, j % 7));
      std::vector<std::uint64_t> expected = memory.changes;
      std::sort(expected.begin(), expected.end());
      embit::detail::sort_changes(memory);
      CHECK(memory.changes == expected);
    }
}

TEST_CASE("a sweep finds the code at the smallest angle") {
  embit::rng rng{2};
  embit::detail::grid_sweep_memory memory;
  for (const std::size_t dims : {1u, 7u, 63u, 64u, 128u})
    for (const std::size_t bits : {2u, 3u, 4u})
      for (const int kind : {0, 1, 2, 3, 4, 5}) {
        const auto x = row_of(dims, kind, rng);
        const auto sums = embit::detail::sweep_grid(x, bits, memory);
        double square = 0;
        for (const float v : x) square += double{v} * double{v};
        INFO("dims " << dims << ", bits " << bits << ", kind " << kind);
        CHECK(memory.levels.size() == dims);
        if (square > 0)
          CHECK(sums.product / std::sqrt(static_cast<double>(sums.energy) * square) >=
                best_cosine(x, bits) * (1 - 1e-6));
      }
}
