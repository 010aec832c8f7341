// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/product_quantizer.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/fit/fit_product_quantizer.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/linalg/random_rotation.hpp>

#include <support/anisotropic.hpp>
#include <support/catch.hpp>
#include <support/normal_rows.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace {

using support::contains;
using support::normal_rows;
using support::refusal;

constexpr std::array metrics{embit::metric::l2, embit::metric::inner_product, embit::metric::cosine};

double dot(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.);
}

// Of a query (of length 1 for the cosine) to what a code stands for.
double distance(embit::metric metric, std::span<const float> q, std::span<const float> y, double scale) {
  if (metric == embit::metric::l2) return dot(q, q) + dot(y, y) - 2 * dot(q, y);
  return (metric == embit::metric::cosine ? 1 : 0) - scale * dot(q, y);
}

double error_of(const embit::product_quantizer& encoder, const embit::matrix<float>& x) {
  const auto decoded = encoder.decode(encoder.encode(x));
  double sum = 0;
  for (std::size_t i = 0; i < x.rows(); ++i) sum += distance(embit::metric::l2, x[i], decoded[i], 1);
  return sum / static_cast<double>(x.rows());
}

bool same_code(const embit::level_store& a, std::size_t i, const embit::level_store& b, std::size_t j) {
  for (std::size_t p = 0; p < a.format().row_bytes(); ++p)
    if (a[i].byte(p) != b[j].byte(p)) return false;
  return a.format() == b.format();
}

double recall(const embit::product_quantizer& encoder, const embit::matrix<float>& x, const embit::matrix<float>& q) {
  const embit::flat_index index{encoder.encode(x), encoder.estimator()};
  const auto truth = embit::ground_truth(x, q, 10, {.metric = encoder.metric()});
  return embit::mean_recall(truth, index.search(q, 10), 10, 10);
}

}  // namespace

TEST_CASE("a row has one code, alone or among others, of whatever width", "[threads]") {
  for (const std::size_t dim : {1u, 7u, 64u, 65u})
    for (const std::size_t bits : {4u, 8u}) {
      const auto x = normal_rows(513, dim, dim);
      const std::size_t most = bits == 8 ? dim : (dim + 1) / 2;
      for (const std::size_t bytes : {std::size_t{1}, (most + 1) / 2, most}) {
        INFO("dim " << dim << ", bits " << bits << ", bytes " << bytes);
        embit::rng rng{3};
        const auto encoder =
            embit::fit_product_quantizer(x, {.bytes_per_row = bytes, .bits_per_number = bits, .rounds = 3}, rng);
        CHECK(encoder.bytes_per_row() == bytes);
        const embit::thread_pool threads(2);
        const auto all = encoder.encode(x), shared = encoder.encode(x, threads);
        CHECK(all.bytes_per_row() == bytes);
        CHECK(all.fingerprint() == encoder.fingerprint());
        for (std::size_t i = 0; i < x.rows(); ++i)
          if (!same_code(all, i, shared, i)) FAIL("row " << i << " depends on threads");
        for (const std::size_t i : {0u, 31u, 256u, 512u}) CHECK(same_code(all, i, encoder.encode(x[i]), 0));
        CHECK(encoder.encode(x.view().middle_rows(0, 0)).empty());
        CHECK(encoder.decode(all).rows() == 513);
      }
    }
}

TEST_CASE("distances are those of what codes stand for, of floats and of codes") {
  const auto x = support::anisotropic_rows(700, 24, 1), q = support::anisotropic_rows(20, 24, 2);
  embit::matrix<float> longer = x, asked = q;
  for (float& number : longer.values()) number *= 3;
  for (float& number : asked.values()) number *= 2;
  for (const auto metric : metrics)
    for (const std::size_t bits : {4u, 8u}) {
      INFO("metric " << static_cast<int>(metric) << ", bits " << bits);
      embit::rng rng{4};
      const auto encoder = embit::fit_product_quantizer(
          longer, {.bytes_per_row = 6, .bits_per_number = bits, .metric = metric, .rounds = 5}, rng);
      const auto codes = encoder.encode(longer), of_queries = encoder.encode(asked);
      const auto y = encoder.decode(codes), z = encoder.decode(of_queries);
      const auto kernel = encoder.estimator(14);
      const auto symmetric = encoder.symmetric(14);
      for (std::size_t i = 0; i < asked.rows(); ++i) {
        const double scale = metric == embit::metric::cosine ? 1 / std::sqrt(dot(asked[i], asked[i])) : 1;
        const auto prepared = kernel.prepare(asked[i]);
        const auto by_code = symmetric.prepare(of_queries[i]);
        for (std::size_t j = 0; j < codes.size(); ++j) {
          CHECK(std::abs(double{kernel(prepared, codes[j])} - distance(metric, asked[i], y[j], scale)) < .02);
          CHECK(std::abs(double{symmetric(by_code, codes[j])} - distance(metric, z[i], y[j], 1)) < .02);
        }
      }
    }
}

TEST_CASE("errors fall with bytes and rounds, and with a rotation that is learned") {
  const auto x = support::anisotropic_rows(1500, 32, 3);
  double before = std::numeric_limits<double>::infinity();
  for (const std::size_t bytes : {2u, 4u, 8u, 16u}) {
    embit::rng rng{5};
    std::vector<double> errors;
    const auto encoder =
        embit::fit_product_quantizer(x, {.bytes_per_row = bytes}, rng, [&](const embit::progress_report& report) {
          errors.push_back(report.objective);
          return true;
        });
    CHECK(errors.size() == 25);
    CHECK(errors.back() < errors.front());
    const double error = error_of(encoder, x);
    CHECK(error <= errors.back() * 1.001);  // codewords were moved once more
    CHECK(error < .8 * before);
    before = error;
  }
  // Signs, turned: all directions have the same variance, and only a rotation finds those that few codewords are near.
  embit::rng rng{6};
  embit::matrix<float> signs(2000, 16), turned(2000, 16);
  for (float& number : signs.values()) number = (rng() >> 63 != 0 ? 1.f : -1.f) + .1f * embit::normal(rng);
  embit::gemm(signs, embit::random_rotation(16, rng), turned);
  const auto learned = embit::fit_product_quantizer(turned, {.bytes_per_row = 4}, rng);
  const auto plain = embit::fit_product_quantizer(turned, {.bytes_per_row = 4, .rotate = false}, rng);
  CHECK(error_of(learned, turned) < .95 * error_of(plain, turned));
}

TEST_CASE("an index of product codes finds, adds, removes and filters") {
  const auto x = support::anisotropic_rows(1200, 48, 8), q = support::anisotropic_rows(60, 48, 8);
  for (const auto metric : metrics) {
    embit::rng rng{9};
    const auto four = embit::fit_product_quantizer(x, {.bytes_per_row = 12, .metric = metric}, rng);
    const auto eight =
        embit::fit_product_quantizer(x, {.bytes_per_row = 12, .bits_per_number = 8, .metric = metric}, rng);
    INFO("metric " << static_cast<int>(metric));
    CHECK(recall(four, x, q) > .6);
    CHECK(recall(eight, x, q) > recall(four, x, q) - .02);
  }
  embit::rng rng{9};
  const auto encoder = embit::fit_product_quantizer(x, {.bytes_per_row = 16, .bits_per_number = 8}, rng);
  embit::flat_index index{encoder.encode(x.view().middle_rows(0, 600)), encoder.estimator()};
  CHECK(index.add(encoder.encode(x.view().middle_rows(600, 600))) == 600);
  CHECK(index.search(x.view().middle_rows(700, 1), 1)[0][0].id == 700);
  CHECK(index.remove(700));
  CHECK(index.search(x.view().middle_rows(700, 1), 1)[0][0].id != 700);
  for (const auto& hit : index.search(q, 2000, [](embit::row_id row) { return row % 2 == 0; })[3])
    CHECK(hit.id % 2 == 0);
  CHECK(index.search(q, 2000)[0].size() == 1199);
  CHECK(contains(refusal([&] { index.search(normal_rows(1, 47, 1), 1); }), "shape"));
  const auto other = embit::fit_product_quantizer(x, {.bytes_per_row = 16, .bits_per_number = 8, .rounds = 1}, rng);
  CHECK(contains(refusal([&] { index.add(other.encode(x)); }), "argument: codes: of another encoder"));
  CHECK(contains(refusal([&] { embit::flat_index(other.encode(x), encoder.estimator()); }), "another encoder"));
}

TEST_CASE("kernels of levels refuse codes that are no levels") {
  const auto x = normal_rows(50, 16, 1);
  embit::rng rng{2};
  for (const std::size_t bits : {4u, 8u}) {
    const auto codes = embit::fit_product_quantizer(x, {.bytes_per_row = 4, .bits_per_number = bits}, rng).encode(x);
    const char* const wanted = "argument: codes: 4 bytes that name entries of tables, as those of a product quantizer";
    CHECK(contains(refusal([&] { embit::flat_index{codes}; }), wanted));
    CHECK(contains(refusal([&] { (void)embit::symmetric{}.prepare(codes[0]); }), wanted));
    embit::level_batch batch;
    CHECK(contains(refusal([&] { embit::symmetric{}.prepare_batch(codes, 32, batch); }), wanted));
    CHECK(contains(refusal([&] { (void)codes.truncated(1); }), "only codes of one uniform segment"));
    CHECK(codes.dims() == 0);
    CHECK(codes.bytes_per_row() == 4);
  }
  // Neither do they mix with levels of as many bytes.
  embit::level_store levels(embit::level_format{.segments = {embit::level_segment::uniform(32, 1)}}, 3);
  const auto encoder = embit::fit_product_quantizer(x, {.bytes_per_row = 4}, rng);
  CHECK(contains(refusal([&] { levels.append(encoder.encode(x)); }), "shape"));
  CHECK(contains(refusal([&] { embit::flat_index(levels, encoder.estimator()); }), "shape"));
}

TEST_CASE("few rows, equal ones and constant columns are encoded all the same") {
  for (const auto metric : metrics)
    for (const std::size_t bits : {4u, 8u})
      for (const std::size_t n : {1u, 7u, 17u}) {
        embit::matrix<float> x = normal_rows(n, 9, n);
        std::ranges::fill(x[0], 0.f);
        for (std::size_t i = 0; i < n; ++i) x[i][4] = 3;
        embit::rng rng{1};
        const auto encoder =
            embit::fit_product_quantizer(x, {.bytes_per_row = 3, .bits_per_number = bits, .metric = metric}, rng);
        const embit::flat_index index{encoder.encode(x), encoder.estimator()};
        for (const auto& hit : index.search(x, 100)[n - 1]) CHECK(std::isfinite(hit.distance));
        // Enough codewords for all rows to have their own.
        if (n <= 16 && metric == embit::metric::l2) CHECK(error_of(encoder, x) < 1e-6);
      }
  embit::rng rng{1};
  const embit::matrix<float> equal(50, 8, 2.f);
  const auto encoder = embit::fit_product_quantizer(equal, {.bytes_per_row = 2}, rng);
  CHECK(error_of(encoder, equal) < 1e-9);
}

TEST_CASE("bad arguments are named, and progress can stop") {
  embit::rng rng{1};
  const auto x = normal_rows(100, 9, 1);
  const auto outcome = [&](const embit::matrix<float>& rows, embit::product_quantizer_options options) {
    return refusal([&] { embit::fit_product_quantizer(rows, options, rng); });
  };
  CHECK(contains(outcome(x, {}), "argument: product_quantizer: 0 bytes a row where 1 to 5"));
  CHECK(contains(outcome(x, {.bytes_per_row = 6}), "6 bytes a row where 1 to 5"));
  CHECK(contains(outcome(x, {.bytes_per_row = 10, .bits_per_number = 8}), "10 bytes a row where 1 to 9"));
  CHECK(contains(outcome(x, {.bytes_per_row = 2, .bits_per_number = 5}), "numbers of 5 bits"));
  CHECK(contains(outcome(x, {.bytes_per_row = 2, .train_on = 0}), "train_on"));
  CHECK(contains(outcome(embit::matrix<float>(0, 9), {.bytes_per_row = 2}), "0 x 9 rows"));
  CHECK(contains(outcome(embit::matrix<float>(9, 0), {.bytes_per_row = 2}), "9 x 0 rows"));
  embit::matrix<float> broken = x;
  broken[17][2] = std::numeric_limits<float>::infinity();
  CHECK(contains(outcome(broken, {.bytes_per_row = 2}), "row 17"));
  std::size_t calls = 0;
  const auto early = embit::fit_product_quantizer(x, {.bytes_per_row = 2}, rng,
                                                  [&](const embit::progress_report&) { return ++calls < 3; });
  CHECK(calls == 3);
  CHECK(early.encode(x).size() == 100);
  CHECK(contains(refusal([&] { early.encode(broken); }), "row 17"));
  CHECK(contains(refusal([&] { early.encode(normal_rows(2, 8, 1)); }), "dimension 8, the encoder takes 9"));
  CHECK(contains(refusal([&] { early.estimator(15); }), "query_bits: 15"));
  CHECK(contains(refusal([&] { early.decode(embit::level_store(embit::byte_format(3), 2)); }), "shape"));
}

TEST_CASE("a product quantizer is read back as it was") {
  const support::temp_dir dir;
  for (const std::size_t bits : {4u, 8u}) {
    embit::rng rng{2};
    const auto x = normal_rows(120, 15, 2);
    const auto made = embit::fit_product_quantizer(
        x, {.bytes_per_row = 4, .bits_per_number = bits, .metric = embit::metric::cosine}, rng);
    embit::save(dir / "encoder", made);
    embit::save(dir / "codes", made.encode(x));
    const auto read = embit::load<embit::product_quantizer>(dir / "encoder");
    CHECK(read.fingerprint() == made.fingerprint());
    CHECK(read.metric() == made.metric());
    const auto codes = embit::load<embit::level_store>(dir / "codes");
    CHECK(read.decode(codes) == made.decode(made.encode(x)));
    const auto a = embit::flat_index{codes, read.estimator()}.search(x, 3);
    const auto b = embit::flat_index{codes, made.estimator()}.search(x, 3);
    for (std::size_t i = 0; i < x.rows(); ++i) CHECK(std::ranges::equal(a[i], b[i]));
  }
}
