#include <embit/codes/plan_radius.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/search/similar_groups.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

using embit::plan_radius;
using embit::row_id;

namespace {

double cosine_of(std::span<const float> x, std::span<const float> y) {
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += double{x[i]} * double{y[i]};
    xx += double{x[i]} * double{x[i]};
    yy += double{y[i]} * double{y[i]};
  }
  return xy / std::sqrt(xx * yy);
}

}  // namespace

TEST_CASE("a radius is the least that holds so much of the binomial", "[plan_radius]") {
  CHECK(plan_radius({.bits = 64, .cosine = 1}) == 0);
  CHECK(plan_radius({.bits = 64, .cosine = -1}) == 64);
  // At a right angle half of the bits differ: 1, 5, 11, 15, 16 of 16 pairs of codes of 4 bits are within 0 … 4.
  CHECK(plan_radius({.bits = 4, .cosine = 0, .recall = 1. / 17}) == 0);
  CHECK(plan_radius({.bits = 4, .cosine = 0, .recall = 4.9 / 16}) == 1);
  CHECK(plan_radius({.bits = 4, .cosine = 0, .recall = 5.1 / 16}) == 2);
  CHECK(plan_radius({.bits = 4, .cosine = 0, .recall = 14.9 / 16}) == 3);
  CHECK(plan_radius({.bits = 4, .cosine = 0, .recall = 15.1 / 16}) == 4);
  // A mean of 341.3 and a deviation of 15.1.
  CHECK(plan_radius({.bits = 1024, .cosine = .5, .recall = .5}) == 341);
  CHECK(std::abs(static_cast<int>(plan_radius({.bits = 1024, .cosine = .5, .recall = .975})) - 371) <= 1);
  using support::code_of;
  CHECK(code_of([] { plan_radius({.bits = 0}); }) == embit::errc::argument);
  for (const double bad : {-1.1, 1.1, std::nan("")})
    CHECK(code_of([&] { plan_radius({.bits = 8, .cosine = bad}); }) == embit::errc::argument);
  for (const double bad : {0., 1., std::nan("")})
    CHECK(code_of([&] { plan_radius({.bits = 8, .recall = bad}); }) == embit::errc::argument);
}

TEST_CASE("float rows are grouped by cosine through their codes", "[similar_groups][threads]") {
  constexpr std::size_t n = 1200, dim = 24;
  embit::rng rng{81};
  embit::matrix<float> x(n, dim);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < dim; ++j) {
      const auto noise = static_cast<float>(embit::normal(rng));
      x[i][j] = i % 3 == 0 ? noise : x[i - i % 3][j] + .2f * noise;  // groups of three, about .98 apart
    }
  const auto codes = embit::sign_lsh({.dim = dim, .bits = 256}, rng).encode(x);
  constexpr double least = .95;
  const auto radius = plan_radius({.bits = 256, .cosine = least, .recall = .99});
  std::size_t similar = 0, within = 0;
  std::vector<row_id> roots(n);
  for (row_id b = 0; b < n; ++b) {
    roots[b] = b;
    for (row_id a = 0; a < b; ++a)
      if (cosine_of(x[a], x[b]) >= least) {
        ++similar;
        if (support::hamming_distance(codes[a], codes[b]) > radius) continue;
        ++within;
        const row_id root = std::min(roots[a], roots[b]), other = std::max(roots[a], roots[b]);
        std::replace(roots.begin(), roots.begin() + b + 1, other, root);
      }
  }
  REQUIRE(similar > 800);
  CHECK(within >= similar * 99 / 100);
  const auto cosine = [&](row_id a, row_id b) { return cosine_of(x[a], x[b]); };
  for (const std::size_t threads : {1u, 3u}) {
    const auto groups = embit::group_duplicates(codes, radius, cosine, least, embit::thread_pool(threads));
    for (row_id row = 0; row < n; ++row) REQUIRE(groups.representative(groups.group_of(row)) == roots[row]);
  }
  CHECK(support::code_of([&] { embit::group_duplicates(codes, radius, cosine, std::nan("")); }) ==
        embit::errc::not_finite);
}
