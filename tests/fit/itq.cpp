// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/fit/fit_itq.hpp>
#include <embit/index/flat.hpp>

#include <support/catch.hpp>
#include <support/orthonormal.hpp>
#include <support/real_data.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace {

// Correlated rows: a few hidden factors and some noise.
embit::matrix<float> factor_rows(std::size_t n, std::size_t dim, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<float> mix(8, dim), x(n, dim);
  for (auto& w : mix.values()) w = embit::normal(rng);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < dim; ++k) x[i][k] = 5.f + .3f * embit::normal(rng);
    for (std::size_t j = 0; j < 8; ++j) {
      const float factor = embit::normal(rng);
      for (std::size_t k = 0; k < dim; ++k) x[i][k] += factor * mix[j][k];
    }
  }
  return x;
}

// (n · bits)⁻¹ |sign(V R) - V R|² from the parts of the model, V scaled to mean square 1.
double loss(embit::matrix_view<const float> x, const embit::itq_model& m) {
  const std::size_t bits = m.basis.rows();
  embit::matrix<double> v(x.rows(), bits, 0.);
  double square = 0, sum = 0;
  for (std::size_t i = 0; i < x.rows(); ++i)
    for (std::size_t b = 0; b < bits; ++b) {
      for (std::size_t k = 0; k < x.cols(); ++k)
        v[i][b] += (double{x[i][k]} - double{m.mean[k]}) * double{m.basis[b][k]};
      square += v[i][b] * v[i][b];
    }
  const double scale = 1 / std::sqrt(square / double(x.rows() * bits));
  for (std::size_t i = 0; i < x.rows(); ++i)
    for (std::size_t b = 0; b < bits; ++b) {
      double p = 0;
      for (std::size_t j = 0; j < bits; ++j) p += scale * v[i][j] * double{m.rotation[j][b]};
      sum += (std::abs(p) - 1) * (std::abs(p) - 1);
    }
  return sum / double(x.rows() * bits);
}

bool same(embit::code_view<> a, embit::code_view<> b) {
  return a.size() == b.size() && a.bits() == b.bits() &&
         std::equal(a.data(), a.data() + a.size() * a.words(), b.data());
}

}  // namespace

TEST_CASE("the loss of itq is what it says, falls, and its rotation is orthogonal") {
  for (const std::size_t bits : {1u, 7u, 32u, 40u}) {
    const auto x = factor_rows(513, 40, bits);
    embit::rng rng{bits};
    std::vector<embit::progress_report> told;
    const auto model = embit::train_itq(x, {.bits = bits, .iterations = 30}, rng, [&](const auto& report) {
      told.push_back(report);
      return true;
    });
    REQUIRE(support::off_orthonormal(model.rotation) < 1e-5);
    REQUIRE(support::off_orthonormal(model.basis) < 1e-5);
    REQUIRE(std::abs(loss(x, model) - model.objectives.back()) < 1e-4 * model.objectives.back() + 1e-6);
    for (std::size_t i = 1; i < model.objectives.size(); ++i) REQUIRE(model.objectives[i] < model.objectives[i - 1]);
    if (bits > 1) REQUIRE(model.objectives.back() < .97 * model.objectives.front());
    REQUIRE(told.size() + 1 == model.objectives.size());
    for (std::size_t i = 0; i < told.size(); ++i) {
      REQUIRE(told[i].stage == "itq");
      REQUIRE(told[i].done == i + 1);
      REQUIRE(told[i].total == 30);
      REQUIRE(told[i].objective == model.objectives[i + 1]);
    }
    // The encoder's bits are the signs of rotationᵀ · basis · (row - mean).
    const auto encoder = model.encoder();
    REQUIRE(encoder.bits() == bits);
    const auto codes = encoder.encode(x);
    for (std::size_t i = 0; i < x.rows(); ++i)
      for (std::size_t b = 0; b < bits; ++b) {
        double p = 0;
        for (std::size_t j = 0; j < bits; ++j)
          for (std::size_t k = 0; k < x.cols(); ++k)
            p += double{model.rotation[j][b]} * double{model.basis[j][k]} * (double{x[i][k]} - double{model.mean[k]});
        if (std::abs(p) > 1e-3 && (codes[i][b / 64] >> b % 64 & 1) != embit::word{p > 0})
          FAIL("row " << i << ", bit " << b << " at " << p);
      }
  }
}

TEST_CASE("itq is a function of rows, options and engine, not of threads, and stops when told", "[threads]") {
  const auto x = factor_rows(1100, 33, 1);
  embit::rng a{1}, b{1}, c{1}, d{2};
  const embit::itq_options options{.bits = 20, .iterations = 12};
  const auto encoder = embit::fit_itq(x, options, a);
  REQUIRE(same(encoder.encode(x), embit::fit_itq(x, options, b, {}, embit::thread_pool(2)).encode(x)));
  REQUIRE(!same(encoder.encode(x), embit::fit_itq(x, options, d).encode(x)));
  const auto full = embit::train_itq(x, options, c);
  embit::rng e{1}, f{1};
  const auto stopped = embit::train_itq(x, options, e, [](const auto& report) { return report.done < 3; });
  REQUIRE(stopped.objectives.size() == 4);
  REQUIRE(std::equal(stopped.objectives.begin(), stopped.objectives.end(), full.objectives.begin()));
  REQUIRE(embit::train_itq(x, {.bits = 20, .iterations = 3}, f).rotation == stopped.rotation);
}

TEST_CASE("itq of few, equal and constant rows is defined") {
  embit::rng rng{1};
  const auto few = factor_rows(9, 40, 2);
  const auto model = embit::train_itq(few, {.bits = 32, .iterations = 20}, rng);
  REQUIRE(support::off_orthonormal(model.rotation) < 1e-5);
  const auto codes = model.encoder().encode(few);
  for (std::size_t i = 1; i < few.rows(); ++i)
    REQUIRE(!same(codes.view().middle_rows(0, 1), codes.view().middle_rows(i, 1)));

  const embit::matrix<float> equal(50, 10, 1.25f);
  const auto equal_codes = embit::fit_itq(equal, {.bits = 10}, rng).encode(equal);
  for (std::size_t i = 1; i < 50; ++i)
    REQUIRE(same(equal_codes.view().middle_rows(0, 1), equal_codes.view().middle_rows(i, 1)));

  auto constant = factor_rows(100, 12, 3);
  for (std::size_t i = 0; i < 100; ++i) constant[i][4] = constant[i][9] = -7.f;
  REQUIRE(embit::fit_itq(constant, {.bits = 12}, rng).encode(constant).size() == 100);
  REQUIRE(embit::fit_itq(few.view().middle_rows(0, 1), {.bits = 3}, rng).bits() == 3);
}

TEST_CASE("itq refuses what it cannot learn from") {
  embit::rng rng{1};
  auto x = factor_rows(20, 8, 1);
  REQUIRE_THROWS_AS(embit::fit_itq(x, {.bits = 0}, rng), embit::error);
  REQUIRE_THROWS_AS(embit::fit_itq(x.view().middle_rows(0, 0), {.bits = 4}, rng), embit::error);
  try {
    (void)embit::fit_itq(x, {.bits = 9}, rng);
    FAIL("more bits than dimensions");
  } catch (const embit::error& e) {
    REQUIRE(std::string(e.what()).find('9') != std::string::npos);
    REQUIRE(std::string(e.what()).find('8') != std::string::npos);
  }
  x[17][3] = std::numeric_limits<float>::infinity();
  try {
    (void)embit::fit_itq(x, {.bits = 4}, rng);
    FAIL("infinity");
  } catch (const embit::error& e) {
    REQUIRE(std::string(e.what()).find("row 17") != std::string::npos);
  }
}

TEST_CASE("itq beats random planes on handwritten digits") {
  EMBIT_NEEDS_REAL_DATA();
  const auto x = embit::read_npy<float>(support::real_data("usps_11k/images_u8.npy"));
  const auto labels = embit::read_npy<int>(support::real_data("usps_11k/labels_u8.npy"));
  const auto queries = x.view().middle_rows(0, 1000), rows = x.view().middle_rows(1000, 10000);
  const std::span<const int> query_labels = labels.values().first(1000), row_labels = labels.values().subspan(1000);
  const auto precision = [&](const embit::sign_projection& encoder) {
    const embit::flat_index index{encoder.encode(rows)};
    return embit::mean_precision(index.search(encoder.encode(queries), 10), row_labels, query_labels, 10);
  };
  double itq = 0, lsh = 0;
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u, 5u}) {
    embit::rng rng{seed};
    lsh += precision(embit::sign_lsh({.dim = 256, .bits = 32}, rng)) / 5;
    const auto model = embit::train_itq(rows, {.bits = 32, .iterations = 50}, rng);
    REQUIRE(support::off_orthonormal(model.rotation) < 1e-5);
    for (std::size_t i = 1; i < model.objectives.size(); ++i) REQUIRE(model.objectives[i] < model.objectives[i - 1]);
    itq += precision(model.encoder()) / 5;
  }
  WARN("P@10 at 32 bits, mean of 5 seeds: itq " << itq << ", sign_lsh " << lsh);
  REQUIRE(itq > lsh + .2);
}
