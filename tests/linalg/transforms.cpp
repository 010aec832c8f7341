// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/linalg/affine_transform.hpp>
#include <embit/linalg/all_but_the_top.hpp>
#include <embit/linalg/centering.hpp>
#include <embit/linalg/fht_kac.hpp>
#include <embit/linalg/isotropy.hpp>
#include <embit/linalg/pipeline.hpp>
#include <embit/linalg/random_rotation.hpp>
#include <embit/linalg/whitening.hpp>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace {

using support::contains;
using support::refusal;
using support::normal_rows;

/// Rows off the origin whose columns have very different deviations.
embit::matrix<float> skewed_rows(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  auto m = normal_rows(rows, cols, seed);
  embit::rng rng{seed + 1};
  const auto mixing = embit::random_rotation(cols, rng);
  embit::matrix<float> out(rows, cols);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t k = 0; k < cols; ++k) m[i][k] = 2 + m[i][k] * 4 / static_cast<float>(1 + k);
  embit::gemm(m, mixing, out);
  return out;
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += double{a[k]} * double{b[k]};
  return sum;
}

double largest_difference(const embit::matrix<float>& a, const embit::matrix<float>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.values().size(); ++i)
    worst = std::max(worst, std::abs(double{a.values()[i]} - double{b.values()[i]}));
  return worst;
}

/// The largest entry of |covariance - 1| among the first `dims` columns, and of the means.
double off_white(const embit::matrix<float>& rows) {
  const auto mean = embit::mean_row(rows);
  const auto spread = embit::covariance(rows, mean);
  double worst = 0;
  for (std::size_t i = 0; i < spread.rows(); ++i) {
    worst = std::max(worst, std::abs(double{mean[i]}));
    for (std::size_t j = 0; j < spread.cols(); ++j) worst = std::max(worst, std::abs(spread[i][j] - (i == j)));
  }
  return worst;
}

bool finite(const embit::matrix<float>& rows) {
  return std::ranges::all_of(rows.values(), [](float x) { return std::isfinite(x); });
}

}  // namespace

TEST_CASE("an affine transform of a rotation keeps norms and dots, and inverts") {
  for (const std::size_t dim : {1u, 96u, 100u, 768u}) {
    embit::rng rng{dim};
    const embit::affine_transform rotation(embit::random_rotation(dim, rng));
    const auto rows = normal_rows(5, dim, 1);
    const auto turned = rotation.apply(rows), back = rotation.apply_inverse(turned);
    for (std::size_t i = 0; i < 5; ++i)
      for (std::size_t j = 0; j < 5; ++j) {
        const double size = std::sqrt(dot(rows[i], rows[i]) * dot(rows[j], rows[j]));
        REQUIRE(std::abs(dot(turned[i], turned[j]) - dot(rows[i], rows[j])) < 1e-5 * size);
      }
    REQUIRE(largest_difference(back, rows) < 1e-5 * std::sqrt(static_cast<double>(dim)));
  }
}

TEST_CASE("an affine transform keeps what it is made of and refuses what does not fit", "[threads]") {
  const auto map = normal_rows(3, 5, 1), inverse = normal_rows(5, 3, 2), center = normal_rows(1, 5, 3);
  const embit::affine_transform transform(map, center[0], inverse);
  REQUIRE(transform.dim() == 5);
  REQUIRE(transform.output_dim() == 3);
  REQUIRE(transform.map() == map);
  REQUIRE(transform.inverse() == inverse);
  REQUIRE(std::ranges::equal(transform.center(), center[0]));
  const auto rows = normal_rows(2000, 5, 4);
  const auto out = transform.apply(rows);
  for (std::size_t i = 0; i < rows.rows(); i += 97)
    for (std::size_t j = 0; j < 3; ++j) {
      double exact = 0;
      for (std::size_t k = 0; k < 5; ++k) exact += double{map[j][k]} * (double{rows[i][k]} - double{center[0][k]});
      REQUIRE(std::abs(double{out[i][j]} - exact) < 1e-5);
    }
  REQUIRE(transform.apply(rows, embit::thread_pool{2}) == out);
  REQUIRE(transform.apply(rows.view().middle_rows(0, 0)).rows() == 0);
  REQUIRE(transform.apply_inverse(out).cols() == 5);
  REQUIRE(contains(refusal([&] { (void)transform.apply(normal_rows(2, 4, 1)); }), "4 columns"));
  REQUIRE(contains(refusal([&] { (void)transform.apply_inverse(normal_rows(2, 5, 1)); }), "5 columns"));
  REQUIRE(contains(refusal([&] { embit::affine_transform(embit::matrix<float>(0, 4)); }), "argument"));
  REQUIRE(contains(refusal([&] { embit::affine_transform(map, center[0].first(4)); }), "shape: center"));
  REQUIRE(contains(refusal([&] { embit::affine_transform(map, {}, map); }), "shape: inverse"));
  REQUIRE(contains(refusal([&] { embit::affine_transform(embit::matrix<float>(2, 2, NAN)); }), "not_finite: map"));
  embit::matrix<float> bad(2, 5, 0.f);
  bad[1][2] = INFINITY;
  REQUIRE(contains(refusal([&] { (void)transform.apply(bad); }), "not_finite: rows: row 1, column 2"));
  REQUIRE(contains(refusal([&] { (void)transform.apply(embit::matrix<float>(2, 5, 3e38f)); }), "transformed rows"));
}

TEST_CASE("centering takes the mean away and gives it back", "[threads]") {
  const auto rows = skewed_rows(513, 17, 1);
  const auto transform = embit::fit_centering(rows);
  const auto out = transform.apply(rows);
  for (const float m : embit::mean_row(out)) REQUIRE(std::abs(m) < 1e-5f);
  REQUIRE(largest_difference(transform.apply_inverse(out), rows) < 1e-5);
  auto same = rows;
  transform.apply_in_place(same, embit::thread_pool{2});
  REQUIRE(same == out);
  REQUIRE(contains(refusal([&] { (void)embit::fit_centering(embit::matrix<float>(0, 3)); }), "0 x 3"));
  REQUIRE(contains(refusal([&] { (void)embit::fit_centering(embit::matrix<float>(2, 3, NAN)); }), "not_finite"));
  REQUIRE(contains(refusal([&] { (void)transform.apply(normal_rows(1, 16, 1)); }), "16 columns"));
}

TEST_CASE("whitened rows have the covariance 1, by either method, and the inverse undoes it", "[threads]") {
  const auto rows = skewed_rows(2000, 24, 5);
  for (const auto method : {embit::whitening_method::pca, embit::whitening_method::zca}) {
    const auto transform = embit::fit_whitening(rows, {.method = method});
    const auto out = transform.apply(rows);
    REQUIRE(off_white(out) < 1e-3);
    REQUIRE(largest_difference(transform.apply_inverse(out), rows) < 1e-3);
    REQUIRE(transform.apply(rows, embit::thread_pool{2}) == out);
  }
  // ZCA is symmetric, which is what makes it the nearest.
  const auto map = embit::fit_whitening(rows, {.method = embit::whitening_method::zca}).map();
  for (std::size_t i = 0; i < 24; ++i)
    for (std::size_t j = 0; j < i; ++j) REQUIRE(std::abs(map[i][j] - map[j][i]) < 1e-4f);
  // The first components are the strongest ones.
  const auto few = embit::fit_whitening(rows, {.dims = 5}), all = embit::fit_whitening(rows);
  REQUIRE(few.output_dim() == 5);
  REQUIRE(off_white(few.apply(rows)) < 1e-3);
  const auto all_maps = all.map();
  REQUIRE(embit::matrix<float>(all_maps.view().middle_rows(0, 5)) == few.map());
}

TEST_CASE("shrinkage leads from whitening to scaling") {
  const auto rows = skewed_rows(1000, 8, 6);
  const auto variance = [&](float shrinkage, std::size_t column) {
    const auto out = embit::fit_whitening(rows, {.shrinkage = shrinkage}).apply(rows);
    return embit::covariance(out, embit::mean_row(out))[column][column];
  };
  double last = 0;
  for (const float shrinkage : {0.f, .1f, .5f, 1.f}) {
    const double spread = variance(shrinkage, 0) - variance(shrinkage, 7);
    REQUIRE(spread >= last - 1e-3);
    last = spread;
  }
  const auto components = embit::fit_pca(rows);
  double mean = 0;
  for (const float v : components.variances) mean += double{v} / 8;
  REQUIRE(variance(1.f, 0) == Approx(double{components.variances[0]} / mean).epsilon(1e-3));
  REQUIRE(contains(refusal([&] { (void)embit::fit_whitening(rows, {.shrinkage = 1.5f}); }), "argument"));
  REQUIRE(contains(refusal([&] { (void)embit::fit_whitening(rows, {.shrinkage = NAN}); }), "argument"));
  REQUIRE(contains(refusal([&] { (void)embit::fit_whitening(rows, {.dims = 9}); }), "9 components"));
}

TEST_CASE("directions without variance are not blown up") {
  auto constant = skewed_rows(200, 10, 7);
  for (std::size_t i = 0; i < 200; ++i) constant[i][3] = 5;
  const auto few = skewed_rows(6, 30, 8);
  const embit::matrix<float> equal(20, 4, 3.f);
  const auto one = skewed_rows(1, 4, 9);
  for (const auto method : {embit::whitening_method::pca, embit::whitening_method::zca})
    for (const float shrinkage : {0.f, .2f})
      for (const embit::matrix<float>* rows : {&std::as_const(constant), &few, &equal, &one}) {
        const auto transform = embit::fit_whitening(*rows, {.method = method, .shrinkage = shrinkage});
        const auto out = transform.apply(*rows);
        REQUIRE(finite(out));
        for (const float x : out.values()) REQUIRE(std::abs(x) < 100);
        REQUIRE(largest_difference(transform.apply_inverse(out), *rows) < 1e-2);
        // A row that was not seen moves along the constant column.
        auto other = *rows;
        other[0][3] += 1;
        const auto moved = transform.apply(other);
        for (const float x : moved.values()) REQUIRE(std::abs(x) < 1000);
      }
}

TEST_CASE("all but the top removes the strongest directions", "[threads]") {
  const auto rows = skewed_rows(1500, 20, 10);
  const auto before = embit::fit_pca(rows);
  for (const std::size_t count : {1u, 3u, 20u}) {
    const auto transform = embit::fit_all_but_the_top(rows, {.directions = count});
    REQUIRE(transform.removed() == count);
    const auto out = transform.apply(rows);
    const auto after = embit::fit_pca(out);
    for (std::size_t i = 0; i + count < 20; ++i)
      REQUIRE(after.variances[i] == Approx(before.variances[i + count]).epsilon(1e-2));
    for (std::size_t i = 20 - count; i < 20; ++i) REQUIRE(after.variances[i] < 1e-6f * before.variances[0]);
    REQUIRE(transform.apply(rows, embit::thread_pool{2}) == out);
  }
  REQUIRE(embit::fit_all_but_the_top(rows).removed() == 1);
  REQUIRE(embit::fit_all_but_the_top(skewed_rows(20, 250, 1)).removed() == 2);
  REQUIRE(contains(refusal([&] { (void)embit::fit_all_but_the_top(rows, {.directions = 21}); }), "21 components"));
  REQUIRE(contains(refusal([&] { (void)embit::fit_all_but_the_top(embit::matrix<float>(0, 3)); }), "argument"));
  REQUIRE(finite(embit::fit_all_but_the_top(embit::matrix<float>(5, 3, 1.f)).apply(embit::matrix<float>(5, 3, 2.f))));
}

TEST_CASE("a pipeline is its stages one after another, both ways", "[threads]") {
  const auto rows = skewed_rows(700, 30, 11);
  embit::rng rng{1};
  const embit::fht_kac rotation(12, rng);
  const auto prepare = embit::fit_pipeline(
      rows, embit::fit_centering, [](auto x) { return embit::fit_whitening(x, {.dims = 12}); }, rotation);
  REQUIRE(prepare.dim() == 30);
  REQUIRE(prepare.output_dim() == 12);
  const auto centered = embit::fit_centering(rows);
  const auto white = embit::fit_whitening(centered.apply(rows), {.dims = 12});
  REQUIRE(prepare.apply(rows) == rotation.apply(white.apply(centered.apply(rows))));
  const auto out = prepare.apply(rows);
  REQUIRE(prepare.apply_inverse(out) == centered.apply_inverse(white.apply_inverse(rotation.apply_inverse(out))));
  REQUIRE(prepare.apply(rows, embit::thread_pool{2}) == out);
  REQUIRE(std::get<2>(prepare.stages()) == rotation);
  // Queries alone go the way they went among the rows.
  REQUIRE(prepare.apply(rows.view().middle_rows(5, 1)) == embit::matrix<float>(out.view().middle_rows(5, 1)));

  const embit::pipeline one{rotation};
  REQUIRE(one.apply(normal_rows(3, 12, 1)) == rotation.apply(normal_rows(3, 12, 1)));
  const auto top = embit::fit_pipeline(
      rows, [](auto x) { return embit::fit_all_but_the_top(x); }, centered);
  static_assert(embit::FloatTransform<decltype(top)> && !embit::InvertibleTransform<decltype(top)>);
  static_assert(embit::InvertibleTransform<decltype(prepare)>);
  REQUIRE(contains(refusal([&] { embit::pipeline(white, centered); }), "stage 1 takes 30 dimensions where 12 come"));
  REQUIRE(contains(refusal([&] { (void)embit::fit_pipeline(rows, rotation); }), "30 columns"));
}

TEST_CASE("isotropy tells even rows from crowded ones") {
  const auto even = normal_rows(2000, 16, 12);
  const auto report = embit::isotropy(even);
  REQUIRE(std::abs(report.mean_cosine) < .01);
  REQUIRE(report.effective_rank > 15.8);
  REQUIRE(report.effective_rank < 16.001);
  REQUIRE(report.participation > 15.5);
  REQUIRE(report.participation <= report.effective_rank);

  // By hand, pair by pair.
  auto crowded = skewed_rows(60, 8, 13);
  std::ranges::fill(crowded[7], 0.f);
  double sum = 0;
  for (std::size_t i = 0; i < 60; ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (i != 7 && j != 7)
        sum += dot(crowded[i], crowded[j]) / std::sqrt(dot(crowded[i], crowded[i]) * dot(crowded[j], crowded[j]));
  const auto found = embit::isotropy(crowded);
  REQUIRE(found.mean_cosine == Approx(sum / (59 * 58 / 2)).epsilon(1e-9));
  REQUIRE(found.effective_rank < 5);
  REQUIRE(embit::isotropy(embit::fit_whitening(crowded).apply(crowded)).effective_rank == Approx(8).epsilon(1e-3));

  const auto equal = embit::isotropy(embit::matrix<float>(9, 4, 2.f));
  REQUIRE(equal.mean_cosine == Approx(1));
  REQUIRE(equal.effective_rank == 0);
  const auto zero = embit::isotropy(embit::matrix<float>(9, 4, 0.f));
  REQUIRE(zero.mean_cosine == 0);
  REQUIRE(embit::isotropy(embit::matrix<float>(1, 4, 1.f)).mean_cosine == 0);
  REQUIRE(contains(refusal([&] { (void)embit::isotropy(embit::matrix<float>(0, 4)); }), "argument"));
  REQUIRE(contains(refusal([&] { (void)embit::isotropy(embit::matrix<float>(2, 4, NAN)); }), "not_finite"));
}
