// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/transform_coder.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/fit/fit_transform_coder.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/save.hpp>

#include <support/catch.hpp>
#include <support/generated_sets.hpp>
#include <support/real_data.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>
#include <support/uneven_sets.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace {

using support::contains;
using support::refusal;

constexpr std::array metrics{embit::metric::l2, embit::metric::inner_product, embit::metric::cosine};

// Rows of falling variance, away from zero.
embit::matrix<float> falling_rows(std::size_t n, std::size_t dim, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<float> x(n, dim);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < dim; ++k) x[i][k] = .3f + 2 * embit::normal(rng) / std::sqrt(1 + static_cast<float>(k));
  return x;
}

double dot(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.);
}

double distance(embit::metric metric, std::span<const float> a, std::span<const float> b) {
  if (metric == embit::metric::l2) return dot(a, a) + dot(b, b) - 2 * dot(a, b);
  if (metric == embit::metric::inner_product) return -dot(a, b);
  return 1 - dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
}

// The mean square of what estimates are off by, as a share of the variance of the distances.
double estimation_error(const embit::transform_coder& coder, const embit::matrix<float>& x,
                        const embit::matrix<float>& q, bool by_codes = false) {
  const auto codes = coder.encode(x), asked = coder.encode(q);
  const auto kernel = coder.estimator({.query_bits = 14});
  const auto symmetric = coder.symmetric();
  double wrong = 0, sum = 0, square = 0, count = 0;
  for (std::size_t i = 0; i < q.rows(); ++i) {
    const auto query = by_codes ? symmetric.prepare(asked[i]) : kernel.prepare(q[i]);
    for (std::size_t j = 0; j < x.rows(); ++j, ++count) {
      const double exact = distance(coder.metric(), q[i], x[j]), off = double{kernel(query, codes[j])} - exact;
      wrong += off * off;
      sum += exact;
      square += exact * exact;
    }
  }
  return wrong / (square - sum * sum / count);
}

bool same_codes(const embit::level_store& a, std::size_t i, const embit::level_store& b, std::size_t j) {
  if (!(a.format() == b.format())) return false;
  for (std::size_t p = 0; p < a.format().row_bytes(); ++p)
    if (a[i].byte(p) != b[j].byte(p)) return false;
  for (std::size_t f = 0; f < embit::row_factors; ++f)
    if (const auto which = static_cast<embit::row_factor>(f);
        a.format().has(which) && a.factor(i, which) != b.factor(j, which))
      return false;
  return true;
}

embit::matrix<float> picked(const embit::matrix<float>& x, std::span<const std::size_t> rows) {
  embit::matrix<float> out(rows.size(), x.cols());
  for (std::size_t i = 0; i < rows.size(); ++i) std::ranges::copy(x[rows[i]], out[i].begin());
  return out;
}

}  // namespace

TEST_CASE("a row has one code, alone or among others, and codes stay within their bytes", "[threads]") {
  for (const std::size_t dim : {1u, 7u, 64u, 65u}) {
    const auto x = falling_rows(513, dim, dim);
    for (const auto metric : metrics)
      for (const std::size_t bits : {std::size_t{1}, (dim + 1) / 2, dim, 3 * dim, 8 * dim}) {
        INFO("dim " << dim << ", bits " << bits << ", metric " << static_cast<int>(metric));
        embit::rng rng{5};
        const auto coder = embit::fit_transform_coder(x, {.bits = bits, .metric = metric, .symmetric = true}, rng);
        CHECK(coder.format().row_bytes() >= 1);
        CHECK(coder.format().row_bytes() <= (bits + 7) / 8);
        CHECK(coder.format().dims() <= dim);
        std::size_t most = embit::most_level_bits + 1;
        for (const auto& s : coder.format().segments) {
          CHECK(s.bits < most);
          most = s.bits;
        }
        const embit::thread_pool threads(2);
        const auto all = coder.encode(x), shared = coder.encode(x, threads);
        for (std::size_t i = 0; i < x.rows(); ++i)
          if (!same_codes(all, i, shared, i)) FAIL("row " << i << " depends on threads");
        for (const std::size_t i : {0u, 31u, 256u, 512u})
          CHECK(same_codes(all, i, coder.encode(x.view().middle_rows(i, 1)), 0));
        CHECK(coder.encode(x.view().middle_rows(0, 0)).empty());
      }
  }
}

TEST_CASE("estimates come near the distances, and nearer with more bits") {
  const auto x = falling_rows(1200, 60, 1), q = falling_rows(30, 60, 2);
  for (const auto metric : metrics) {
    double before = 1;
    for (const auto& [bits, most] : {std::pair{30, .3}, {60, .2}, {120, .06}, {240, .006}, {480, .0005}}) {
      embit::rng rng{3};
      const auto coder = embit::fit_transform_coder(x, {.bits = static_cast<std::size_t>(bits), .metric = metric}, rng);
      const double error = estimation_error(coder, x, q);
      INFO("metric " << static_cast<int>(metric) << ", bits " << bits << ", error " << error);
      CHECK(error < most);
      CHECK(error < before);
      before = error;
    }
  }
}

TEST_CASE("the first segments of a code are a coarser code") {
  const auto x = falling_rows(600, 64, 4), q = falling_rows(40, 64, 5);
  embit::rng rng{6};
  const auto coder =
      embit::fit_transform_coder(x, {.bits = 128, .metric = embit::metric::inner_product, .symmetric = true}, rng);
  const auto codes = coder.encode(x);
  const std::size_t segments = coder.format().segments.size();
  REQUIRE(segments > 1);
  const auto truth = embit::ground_truth(x, q, 10, {.metric = embit::metric::inner_product});
  double before = 0;
  for (std::size_t kept = 1; kept <= segments; ++kept) {
    const auto cut = coder.prefix(codes, kept);
    CHECK(cut.format().segments.size() == kept);
    const embit::flat_index index{cut, coder.estimator({.segments = kept})};
    const double recall = embit::mean_recall(truth, index.search(q, 10), 10, 10);
    CHECK(recall > before - .03);
    before = recall;
  }
  CHECK(before > .7);
  const auto whole = coder.prefix(codes, segments);
  for (std::size_t i = 0; i < codes.size(); ++i)
    for (std::size_t p = 0; p < codes.format().row_bytes(); ++p)
      if (whole[i].byte(p) != codes[i].byte(p)) FAIL("row " << i);
  CHECK(contains(refusal([&] { (void)coder.prefix(codes, 0); }), "argument: prefix: 0 segments"));
  CHECK(contains(refusal([&] { (void)coder.prefix(codes, segments + 1); }), "argument: prefix"));
  CHECK(contains(refusal([&] { (void)coder.prefix(embit::level_store{}, 1); }), "shape: codes"));
  CHECK(contains(refusal([&] { (void)coder.estimator({.segments = segments + 1}); }), "argument: estimator"));
}

TEST_CASE("codes against codes come near the distances of rows, and nearer with more bits") {
  const auto x = falling_rows(700, 60, 1), q = falling_rows(30, 60, 2);
  for (const auto metric : metrics)
    for (const bool factors : {false, true}) {
      double before = 1;
      for (const auto& [bits, most] : {std::pair{60, .35}, {120, .1}, {240, .012}, {480, .001}}) {
        embit::rng rng{3};
        const auto coder = embit::fit_transform_coder(
            x, {.bits = static_cast<std::size_t>(bits), .metric = metric, .allow_factors = factors, .symmetric = true},
            rng);
        const double error = estimation_error(coder, x, q, true);
        INFO("metric " << static_cast<int>(metric) << ", bits " << bits << ", error " << error);
        CHECK(error < most);
        CHECK(error < before);
        before = error;
      }
    }
}

TEST_CASE("codes compared with codes know how far rows are from zero") {
  const auto all = support::strong_mean_rows(3200, 21);
  const embit::matrix<float> rows(all.view().middle_rows(200, 3000)), queries(all.view().middle_rows(0, 200));
  const auto truth = embit::ground_truth(rows, queries, 10, {.metric = embit::metric::cosine});
  double before = 0;
  for (const auto& [bits, least] : {std::pair{96, .42}, {192, .62}, {384, .86}, {768, .98}}) {
    embit::rng rng{22};
    const auto coder = embit::fit_transform_coder(
        rows, {.bits = static_cast<std::size_t>(bits), .metric = embit::metric::cosine, .symmetric = true}, rng);
    const embit::flat_index index{coder.encode(rows), coder.symmetric()};
    const double recall = embit::mean_recall(truth, index.search(coder.encode(queries), 10), 10, 10);
    INFO("bits " << bits << ", recall " << recall);
    CHECK(recall > least);
    CHECK(recall > before);
    before = recall;
  }
}

TEST_CASE("the first segments of codes compare with each other") {
  const auto x = falling_rows(300, 64, 7);
  embit::rng rng{8};
  const auto coder =
      embit::fit_transform_coder(x, {.bits = 128, .metric = embit::metric::cosine, .symmetric = true}, rng);
  const auto codes = coder.encode(x);
  for (std::size_t kept = 1; kept <= coder.format().segments.size(); ++kept) {
    const embit::flat_index index{coder.prefix(codes, kept), coder.symmetric(kept)};
    const auto found = index.search(coder.prefix(codes, kept), 1);
    std::size_t itself = 0;
    for (std::size_t i = 0; i < x.rows(); ++i) itself += found[i][0].id == i;
    CHECK(itself > 200);
  }
  CHECK(contains(refusal([&] { (void)coder.symmetric(coder.format().segments.size() + 1); }), "argument: symmetric: "));
  CHECK(contains(refusal([&] { (void)embit::flat_index(codes, coder.symmetric(1)).search(codes, 1); }), "shape"));
}

TEST_CASE("decoded codes are near the rows, as near as bits allow") {
  const auto x = falling_rows(900, 40, 23);
  for (const auto metric : metrics) {
    embit::matrix<float> seen = x;
    if (metric == embit::metric::cosine) seen = support::unit_rows(x);
    std::vector<double> mean(40);
    for (std::size_t i = 0; i < seen.rows(); ++i)
      for (std::size_t k = 0; k < 40; ++k) mean[k] += double{seen[i][k]} / 900;
    double variance = 0;
    for (std::size_t i = 0; i < seen.rows(); ++i)
      for (std::size_t k = 0; k < 40; ++k) variance += std::pow(double{seen[i][k]} - mean[k], 2);
    double before = 1;
    for (const auto& [bits, most] : {std::pair{40, .4}, {80, .14}, {160, .02}, {320, .001}}) {
      embit::rng rng{24};
      const auto coder = embit::fit_transform_coder(x, {.bits = static_cast<std::size_t>(bits), .metric = metric}, rng);
      const auto again = coder.decode(coder.encode(x));
      double wrong = 0;
      for (std::size_t i = 0; i < seen.rows(); ++i)
        for (std::size_t k = 0; k < 40; ++k) wrong += std::pow(double{seen[i][k]} - double{again[i][k]}, 2);
      INFO("metric " << static_cast<int>(metric) << ", bits " << bits << ", error " << wrong / variance);
      CHECK(wrong / variance < most);
      CHECK(wrong / variance < before);
      before = wrong / variance;
    }
  }
  embit::rng rng{25};
  const auto coder = embit::fit_transform_coder(x, {.bits = 40}, rng);
  CHECK(coder.decode(embit::level_store(coder.format(), 0)).rows() == 0);
  const auto other = embit::fit_transform_coder(x, {.bits = 80}, rng);
  CHECK(contains(refusal([&] { (void)coder.decode(other.encode(x)); }), "shape: codes"));
}

TEST_CASE("a budget of bytes holds codes and factors") {
  const auto x = falling_rows(400, 50, 26);
  for (const auto metric : metrics)
    for (const bool symmetric : {false, true})
      for (const std::size_t bytes : {4u, 5u, 7u, 25u, 60u, 1000u}) {
        embit::rng rng{27};
        const auto coder =
            embit::fit_transform_coder(x, {.bytes_per_row = bytes, .metric = metric, .symmetric = symmetric}, rng);
        INFO("metric " << static_cast<int>(metric) << ", bytes " << bytes << ", taken " << coder.bytes_per_row());
        CHECK(coder.bytes_per_row() <= bytes);
        CHECK(coder.bytes_per_row() + 8 > std::min<std::size_t>(bytes, 8 * 7));
        CHECK(coder.encode(x).bytes_per_row() == coder.bytes_per_row());
      }
  embit::rng rng{28};
  const auto fit = [&](embit::transform_coder_options options) {
    return refusal([&] { (void)embit::fit_transform_coder(x, options, rng); });
  };
  CHECK(contains(fit({.bytes_per_row = 2}), "argument: transform_coder: 2 bytes a row where 3 are the least"));
  CHECK(contains(fit({.bytes_per_row = 4, .compress_factors = false}), "where 5 are the least"));
  CHECK(fit({.bytes_per_row = 3}) == "accepted");
  CHECK(fit({.bytes_per_row = 1, .metric = embit::metric::cosine}) == "accepted");
  CHECK(contains(fit({.bits = 8, .bytes_per_row = 9}), "argument: transform_coder: 8 bits and 9 bytes"));
}

TEST_CASE("poor rows are no errors, and what comes of them is finite") {
  for (const auto metric : metrics)
    for (const std::size_t n : {1u, 2u, 7u, 40u, 200u})
      for (const int kind : {0, 1, 2, 3}) {  // all rows zero, constant columns, all rows equal, one row zero
        INFO("metric " << static_cast<int>(metric) << ", rows " << n << ", kind " << kind);
        auto x = falling_rows(n, 50, n);
        for (std::size_t i = 0; i < n; ++i) {
          if (kind == 0) std::ranges::fill(x[i], 0.f);
          if (kind == 1) std::ranges::fill(x[i].first(30), 4.f);
          if (kind == 2) std::ranges::copy(x[0], x[i].begin());
        }
        if (kind == 3) std::ranges::fill(x[n / 2], 0.f);
        embit::rng rng{9};
        const auto coder = embit::fit_transform_coder(x, {.bits = 100, .metric = metric, .symmetric = true}, rng);
        const auto codes = coder.encode(x);
        const embit::flat_index index{codes, coder.estimator()};
        const auto found = index.search(x, 3);
        for (std::size_t q = 0; q < n; ++q) {
          CHECK(found[q].size() == std::min<std::size_t>(3, n));
          for (const auto& hit : found[q]) CHECK(std::isfinite(hit.distance));
        }
        for (std::size_t i = 0; i < n; ++i)
          for (std::size_t f = 0; f < embit::row_factors; ++f)
            if (const auto which = static_cast<embit::row_factor>(f); codes.format().has(which))
              CHECK(std::isfinite(codes.factor(i, which)));
      }
}

TEST_CASE("bits go where the given queries look") {
  const std::size_t dim = 64;
  embit::rng rng{10};
  embit::matrix<float> x(2000, dim), asked(300, dim, 0.f), q(50, dim, 0.f);
  for (auto& v : x.values()) v = embit::normal(rng);
  for (auto* rows : {&asked, &q})
    for (std::size_t i = 0; i < rows->rows(); ++i)
      for (std::size_t k = 0; k < 8; ++k) (*rows)[i][k] = embit::normal(rng);
  for (std::size_t i = 0; i < x.rows(); ++i)  // a little apart in variance, so that directions are the axes
    for (std::size_t k = 0; k < dim; ++k) x[i][k] *= 1.f + .05f * static_cast<float>(k);
  const auto truth = embit::ground_truth(x, q, 10, {.metric = embit::metric::inner_product});
  const auto recall = [&](embit::matrix_view<const float> queries) {
    const auto coder =
        embit::fit_transform_coder(x, {.bits = dim, .metric = embit::metric::inner_product, .queries = queries}, rng);
    const embit::flat_index index{coder.encode(x), coder.estimator()};
    return embit::mean_recall(truth, index.search(q, 10), 10, 10);
  };
  const double blind = recall({}), told = recall(asked);
  INFO("without queries " << blind << ", with " << told);
  CHECK(told > blind + .1);
}

TEST_CASE("wrong input to transform coders is refused") {
  const auto x = falling_rows(100, 8, 11);
  embit::rng rng{12};
  const auto fit = [&](embit::matrix_view<const float> rows, embit::transform_coder_options options) {
    return refusal([&] { (void)embit::fit_transform_coder(rows, options, rng); });
  };
  CHECK(contains(fit(x, {}), "argument: transform_coder: 0 bits"));
  CHECK(contains(fit(x, {.bits = 65}), "argument: transform_coder: 65 bits"));
  CHECK(contains(fit(x, {.bits = std::numeric_limits<std::size_t>::max()}), "argument: transform_coder: "));
  CHECK(fit(x, {.bits = 64}) == "accepted");
  CHECK(contains(fit(embit::matrix<float>(0, 8), {.bits = 8}), "argument: transform_coder: 0 x 8 rows"));
  auto bad = x;
  bad[71][3] = std::numeric_limits<float>::quiet_NaN();
  CHECK(contains(fit(bad, {.bits = 8}), "71"));
  CHECK(contains(fit(bad, {.bits = 8}), "not_finite: rows"));
  CHECK(contains(fit(x, {.bits = 8, .queries = bad}), "not_finite: queries"));
  const auto other = falling_rows(20, 9, 13);
  CHECK(contains(fit(x, {.bits = 8, .queries = other}), "shape: queries: 9"));

  const auto coder = embit::fit_transform_coder(x, {.bits = 16}, rng);
  CHECK(contains(refusal([&] { (void)coder.encode(bad); }), "not_finite: rows"));
  CHECK(contains(refusal([&] { (void)coder.encode(other); }), "shape: rows: dimension 9"));
  CHECK(contains(refusal([&] { (void)coder.estimator({.query_bits = 3}); }), "argument: query_bits: 3"));
  const embit::flat_index index{coder.encode(x), coder.estimator()};
  CHECK(contains(refusal([&] { (void)index.search(other, 1); }), "shape"));
  CHECK(contains(refusal([&] { (void)index.search(bad, 1); }), "not_finite"));
  auto huge = x;
  std::ranges::fill(huge[5], 1e30f);
  CHECK(contains(refusal([&] { (void)coder.encode(huge); }), "not_finite: "));
}

TEST_CASE("a transform coder told to stop keeps what it has") {
  const auto x = falling_rows(400, 32, 14);
  embit::rng rng{15};
  std::size_t calls = 0;
  const auto coder = embit::fit_transform_coder(x, {.bits = 32}, rng, [&](const auto& p) {
    CHECK(p.objective >= 0);
    return ++calls < 2;
  });
  CHECK(calls == 2);
  CHECK(coder.format().row_bytes() == 4);
}

TEST_CASE("transform coders come back from files") {
  const support::temp_dir dir;
  for (const auto metric : metrics)
    for (const bool half : {false, true}) {
      const auto x = falling_rows(300, 33, 16);
      embit::rng rng{17};
      const auto coder = embit::fit_transform_coder(
          x, {.bits = 70, .metric = metric, .symmetric = true, .compress_factors = half}, rng);
      embit::save(dir / "coder.embit", coder);
      const auto loaded = embit::load<embit::transform_coder>(dir / "coder.embit");
      CHECK(loaded.metric() == metric);
      const auto a = coder.encode(x), b = loaded.encode(x);
      for (std::size_t i = 0; i < x.rows(); ++i)
        if (!same_codes(a, i, b, i)) FAIL("row " << i);
      const embit::flat_index first{a, coder.estimator()}, second{b, loaded.estimator()};
      const auto q = x.view().middle_rows(0, 5);
      const auto found = first.search(q, 10), again = second.search(q, 10);
      for (std::size_t i = 0; i < 5; ++i)
        for (std::size_t j = 0; j < 10; ++j) CHECK(found[i][j] == again[i][j]);
    }
}

TEST_CASE("rows whose energy lies in other directions each have scales of segments") {
  const support::temp_dir dir;
  const auto all = support::uneven_energy_rows(2200, 128, 21);
  const embit::matrix<float> x(all.view().middle_rows(0, 2000)), q(all.view().middle_rows(2000, 200));
  for (const auto metric : metrics) {
    INFO("metric " << static_cast<int>(metric));
    embit::rng rng{22};
    const auto coder = embit::fit_transform_coder(x, {.bytes_per_row = 24, .metric = metric}, rng);
    CHECK(coder.bytes_per_row() <= 24);
    if (metric == embit::metric::cosine) REQUIRE(coder.format().has_scales());
    if (!coder.format().has_scales()) continue;
    const auto codes = coder.encode(x), asked = coder.encode(q);
    const auto rows = coder.decode(codes), queries = coder.decode(asked);
    const auto kernel = coder.estimator({.query_bits = 14});
    const auto symmetric = coder.symmetric();
    const double unit = metric == embit::metric::cosine ? 1 : 0;
    for (std::size_t i = 0; i < 20 && metric == embit::metric::cosine; ++i) {
      const double inverse = 1 / std::sqrt(dot(q[i], q[i]));
      const auto by_floats = kernel.prepare(q[i]);
      const auto by_codes = symmetric.prepare(asked[i]);
      for (std::size_t j = 0; j < x.rows() && !coder.format().has(embit::row_factor::offset); ++j) {
        CHECK(std::abs(double{kernel(by_floats, codes[j])} - (unit - inverse * dot(q[i], rows[j]))) < .003);
        CHECK(std::abs(double{symmetric(by_codes, codes[j])} - (unit - dot(queries[i], rows[j]))) < .003);
      }
    }
    embit::save(dir / "scaled.embit", coder);
    const auto loaded = embit::load<embit::transform_coder>(dir / "scaled.embit");
    CHECK(loaded.fingerprint() == coder.fingerprint());
    const auto again = loaded.encode(x);
    for (std::size_t i = 0; i < x.rows(); ++i)
      if (!same_codes(codes, i, again, i)) FAIL("row " << i);
    embit::save(dir / "codes.embit", codes);
    const auto read = embit::load<embit::level_store>(dir / "codes.embit");
    for (std::size_t i = 0; i < x.rows(); ++i)
      if (!same_codes(codes, i, read, i)) FAIL("row " << i << " of a file");
    embit::matrix<float> zero(3, 128);
    CHECK(std::isfinite(coder.decode(coder.encode(zero))[1][1]));
    for (std::size_t segments = 1; segments < coder.format().segments.size(); ++segments) {
      const auto cut = coder.prefix(codes, segments);
      const auto coarse = coder.estimator({.query_bits = 14, .segments = segments});
      CHECK(std::isfinite(coarse(coarse.prepare(q[0]), cut[7])));
    }
  }
}

TEST_CASE("transform codes find more than RaBitQ of the same bits") {
  const auto recall = [](const embit::matrix<float>& rows, const embit::matrix<float>& queries,
                         const embit::matrix<float>& training, bool transform, embit::rng& rng) {
    const auto truth = embit::ground_truth(rows, queries, 10, {.metric = embit::metric::inner_product});
    const auto of = [&](const auto& encoder) {
      const embit::flat_index index{encoder.encode(rows), encoder.estimator()};
      return embit::mean_recall(truth, index.search(queries, 10), 10, 10);
    };
    if (transform)
      return of(embit::fit_transform_coder(training, {.bits = rows.cols(), .metric = embit::metric::cosine}, rng));
    return of(embit::fit_rabitq(training, {.bits_per_dim = 1, .metric = embit::metric::cosine}, rng));
  };
  embit::rng rng{18};
  SECTION("generated") {
    const auto set = support::anisotropic_set({.rows = 5000, .queries = 100, .training = 5000});
    const double transformed = recall(set.rows, set.queries, set.training, true, rng);
    const double rotated = recall(set.rows, set.queries, set.training, false, rng);
    INFO("transform coder " << transformed << ", RaBitQ " << rotated);
    CHECK(transformed > 1.4 * rotated);
  }
  SECTION("real") {
    EMBIT_NEEDS_REAL_DATA();
    const auto all = support::unit_rows(embit::read_npy<float>(support::real_data("minilm_squad2k/emb_f32.npy")));
    std::vector<std::size_t> order(all.rows());
    std::iota(order.begin(), order.end(), std::size_t{0});
    embit::shuffle(std::span(order), rng);
    const std::size_t asked = std::min<std::size_t>(300, all.rows() / 10);
    const auto queries = picked(all, std::span(order).first(asked)),
               rows = picked(all, std::span(order).subspan(asked));
    const double transformed = recall(rows, queries, rows, true, rng);
    const double rotated = recall(rows, queries, rows, false, rng);
    INFO("transform coder " << transformed << ", RaBitQ " << rotated);
    CHECK(transformed > .84);
    CHECK(transformed > rotated + .05);
  }
}
