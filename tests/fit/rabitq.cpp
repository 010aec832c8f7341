// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/rabitq.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/encode/super_bit.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/gemm.hpp>

#include <support/catch.hpp>
#include <support/generated_sets.hpp>
#include <support/real_data.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace {

using embit::metric;
using embit::rabitq_center;
using embit::rabitq_encoding;
using support::contains;
using support::refusal;

embit::matrix<float> normal_rows(std::size_t n, std::size_t dim, std::uint64_t seed, float offset = 0) {
  embit::rng rng{seed};
  embit::matrix<float> rows(n, dim);
  for (float& x : rows.values()) x = embit::normal(rng) + offset;
  return rows;
}

embit::rabitq fitted(const embit::matrix<float>& rows, const embit::rabitq_options& options, std::uint64_t seed = 1) {
  embit::rng rng{seed};
  return embit::fit_rabitq(rows, options, rng);
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += double{a[k]} * double{b[k]};
  return sum;
}

double true_distance(metric m, std::span<const float> a, std::span<const float> b) {
  if (m == metric::inner_product) return -dot(a, b);
  if (m == metric::l2) return dot(a, a) + dot(b, b) - 2 * dot(a, b);
  return 1 - dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
}

/// The bytes and factors of a row.
std::vector<double> contents(const embit::level_row& row) {
  std::vector<double> all;
  for (std::size_t p = 0; p < row.run.row_bytes; ++p) all.push_back(row.byte(p));
  for (std::size_t f = 0; f < embit::row_factors; ++f)
    if (const auto which = static_cast<embit::row_factor>(f); row.run.has(which))
      all.push_back(double{row.factor(which)});
  return all;
}

bool same(const embit::level_store& a, const embit::level_store& b) {
  if (a.size() != b.size() || !(a.format() == b.format())) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (contents(a[i]) != contents(b[i])) return false;
  return true;
}

double mean_cosine(const embit::rabitq& encoder, const embit::matrix<float>& rows) {
  const auto codes = encoder.encode(rows);
  const auto meant = encoder.residuals(rows);
  std::vector<float> values(encoder.dim());
  double sum = 0;
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    codes[i].decode(values);
    sum += dot(values, meant[i]) / std::sqrt(dot(values, values) * dot(meant[i], meant[i]));
  }
  return sum / static_cast<double>(rows.rows());
}

constexpr metric metrics[] = {metric::l2, metric::inner_product, metric::cosine};

}  // namespace

TEST_CASE("estimates are right in the mean over rotations, for every row and query") {
  constexpr std::size_t dim = 64, rotations = 100, pairs = 6;
  const auto rows = normal_rows(pairs, dim, 1, .3f);
  auto queries = normal_rows(pairs, dim, 2, .3f);
  // From nearly the same to nearly orthogonal: a scale that is wrong shows in the nearest.
  for (std::size_t i = 0; i < pairs; ++i)
    for (std::size_t k = 0; k < dim; ++k) queries[i][k] = rows[i][k] + .4f * static_cast<float>(i) * queries[i][k];
  for (const metric m : metrics)
    for (const auto kind : {embit::rotation_kind::fht_kac, embit::rotation_kind::gaussian})
      for (const std::size_t bits : {1u, 2u, 4u})
        for (const auto center : {rabitq_center::zero, rabitq_center::mean}) {
          std::vector<double> sum(pairs), squares(pairs);
          for (std::size_t seed = 0; seed < rotations; ++seed) {
            const auto encoder = fitted(rows,
                                        {.bits_per_dim = bits,
                                         .metric = m,
                                         .center = center,
                                         .rotation = kind,
                                         .scales = embit::rabitq_scales::kept,
                                         .compress_factors = false},
                                        seed);
            const auto codes = encoder.encode(rows);
            const auto kernel = encoder.estimator({.query_bits = 14});
            for (std::size_t i = 0; i < pairs; ++i) {
              const double error =
                  double{kernel(kernel.prepare(queries[i]), codes[i])} - true_distance(m, queries[i], rows[i]);
              sum[i] += error / rotations;
              squares[i] += error * error / rotations;
            }
          }
          for (std::size_t i = 0; i < pairs; ++i) {
            CAPTURE(m, kind, bits, center, i, sum[i], squares[i]);
            CHECK(std::abs(sum[i]) < 4 * std::sqrt(squares[i] / rotations) + 1e-4);
          }
        }
}

TEST_CASE("the bound at 1.9 deviations fails for 1 to 7 of 100 rows") {
  const auto rows = normal_rows(2000, 128, 3, .2f), queries = normal_rows(20, 128, 4, .2f);
  for (const metric m : metrics)
    for (const std::size_t bits : {1u, 2u, 4u}) {
      const auto encoder = fitted(rows, {.bits_per_dim = bits, .metric = m});
      const auto codes = encoder.encode(rows);
      double failed = 0, wide = 0;
      for (std::size_t q = 0; q < queries.rows(); ++q) {
        const auto narrow = encoder.bounded_distances(queries[q], codes, {.query_bits = 14});
        const auto far = encoder.bounded_distances(queries[q], codes, {.query_bits = 14, .epsilon = 5});
        for (std::size_t i = 0; i < rows.rows(); ++i) {
          const double truth = true_distance(m, queries[q], rows[i]);
          failed += std::abs(double{narrow[i].distance} - truth) > double{narrow[i].error} ? 1 : 0;
          wide += std::abs(double{far[i].distance} - truth) > double{far[i].error} ? 1 : 0;
        }
      }
      const double all = static_cast<double>(rows.rows() * queries.rows());
      CAPTURE(m, bits, failed / all, wide / all);
      CHECK(failed / all > .01);
      CHECK(failed / all < .07);
      CHECK(wide / all < .0005);
    }
}

TEST_CASE("more bits are at a smaller angle to what they stand for") {
  for (const std::size_t dim : {256u, 300u}) {
    const auto rows = normal_rows(100, dim, 5);
    for (const auto encoding : {rabitq_encoding::fast, rabitq_encoding::exact}) {
      double last = 0;
      for (std::size_t bits = 1; bits <= 8; ++bits) {
        const double cosine = mean_cosine(fitted(rows, {.bits_per_dim = bits, .encoding = encoding}), rows);
        CAPTURE(dim, bits, cosine);
        CHECK(cosine > last);
        constexpr double expected[] = {.80, .935, .982, .995};
        if (bits <= 4) CHECK(std::abs(cosine - expected[bits - 1]) < .006);
        last = cosine;
      }
    }
  }
  const auto few = normal_rows(300, 16, 6);
  for (const std::size_t bits : {2u, 4u, 8u})
    CHECK(mean_cosine(
              fitted(few, {.bits_per_dim = bits, .center = rabitq_center::zero, .encoding = rabitq_encoding::exact}),
              few) >= mean_cosine(fitted(few, {.bits_per_dim = bits, .center = rabitq_center::zero}), few));
}

TEST_CASE("the top plane of a code is the code of 1 bit") {
  for (const std::size_t dim : {1u, 7u, 64u, 65u, 100u}) {
    const auto rows = normal_rows(33, dim, 7, .5f);
    for (const auto center : {rabitq_center::zero, rabitq_center::mean})
      for (const auto encoding : {rabitq_encoding::fast, rabitq_encoding::exact}) {
        const auto single = fitted(rows, {.bits_per_dim = 1, .center = center}).encode(rows);
        for (std::size_t bits = 2; bits <= 8; ++bits) {
          const auto codes =
              fitted(rows, {.bits_per_dim = bits, .center = center, .encoding = encoding}).encode(rows).truncated(1);
          for (std::size_t i = 0; i < rows.rows(); ++i)
            for (std::size_t p = 0; p < (dim + 7) / 8; ++p)
              if (codes[i].byte(p) != single[i].byte(p)) FAIL("dim " << dim << ", " << bits << " bits, row " << i);
        }
      }
  }
}

TEST_CASE("an index, the kernel and bounded_distances give one estimate, near the truth with 8 bits") {
  for (const metric m : metrics)
    for (const std::size_t dim : {1u, 7u, 64u, 65u, 100u})
      for (const std::size_t n : {0u, 1u, 33u})
        for (const std::size_t bits : {1u, 2u, 3u, 8u}) {
          const auto all = normal_rows(150, dim, 8, .4f), queries = normal_rows(3, dim, 9, .4f);
          const auto encoder = fitted(all, {.bits_per_dim = bits, .metric = m});
          const auto rows = all.view().middle_rows(0, n);
          const auto codes = encoder.encode(rows);
          CAPTURE(m, dim, n, bits);
          REQUIRE(codes.size() == n);
          const auto kernel = encoder.estimator({.query_bits = 14});
          const embit::flat_index index{codes, kernel};
          const auto found = index.search(queries, 40);
          for (std::size_t q = 0; q < 3; ++q) {
            const auto bounded = encoder.bounded_distances(queries[q], codes, {.query_bits = 14});
            REQUIRE(found[q].size() == n);
            REQUIRE(bounded.size() == n);
            for (const auto& hit : found[q]) {
              REQUIRE(std::isfinite(hit.distance));
              REQUIRE((m == metric::l2 ? std::max(hit.distance, 0.f) : hit.distance) == bounded[hit.id].distance);
              REQUIRE(hit.distance == kernel(kernel.prepare(queries[q]), codes[hit.id]));
              REQUIRE(bounded[hit.id].error >= 0);
              if (bits < 8) continue;
              const double size =
                  m == metric::cosine ? 1 : dot(queries[q], queries[q]) + dot(rows[hit.id], rows[hit.id]);
              if (!(std::abs(double{hit.distance} - true_distance(m, queries[q], rows[hit.id])) < .02 * size))
                FAIL("query " << q << ", row " << hit.id << ": " << hit.distance);
            }
          }
        }
}

TEST_CASE("codes are scored by codes on the same scale") {
  for (const metric m : metrics)
    for (const auto center : {rabitq_center::zero, rabitq_center::mean})
      for (const std::size_t dim : {7u, 65u, 100u}) {
        const auto rows = normal_rows(120, dim, 10, .4f);
        const auto encoder = fitted(rows, {.bits_per_dim = 8, .metric = m, .center = center});
        const auto codes = encoder.encode(rows);
        const auto kernel = encoder.symmetric();
        const embit::flat_index index{codes, kernel};
        const auto found = index.search(codes.view().middle_rows(0, 10), 120);
        for (std::size_t q = 0; q < 10; ++q) {
          CAPTURE(m, dim, q);
          if (m != metric::inner_product) CHECK(found[q][0].id == q);
          for (const auto& hit : found[q]) {
            REQUIRE(hit.distance == kernel(kernel.prepare(codes[q]), codes[hit.id]));
            const double size = m == metric::cosine ? 1 : dot(rows[q], rows[q]) + dot(rows[hit.id], rows[hit.id]);
            if (!(std::abs(double{hit.distance} - true_distance(m, rows[q], rows[hit.id])) < .02 * size))
              FAIL("row " << hit.id << ": " << hit.distance);
          }
        }
        const auto other = fitted(rows, {.bits_per_dim = 4, .metric = m, .center = center}).encode(rows);
        CHECK(contains(refusal([&] { (void)kernel.prepare(other[0]); }), "shape: codes: "));
      }
}

TEST_CASE("a row has one code: alone, in a batch, on threads", "[threads]") {
  for (const std::size_t bits : {1u, 2u, 5u})
    for (const auto encoding : {rabitq_encoding::fast, rabitq_encoding::exact})
      for (const bool refine : {false, true}) {
        const auto rows = normal_rows(513, 65, 11, .2f);
        const auto encoder = fitted(rows, {.bits_per_dim = bits, .encoding = encoding, .refine = refine});
        const auto codes = encoder.encode(rows);
        REQUIRE(same(encoder.encode(rows, embit::thread_pool{2}), codes));
        REQUIRE(same(fitted(rows, {.bits_per_dim = bits, .encoding = encoding, .refine = refine}).encode(rows), codes));
        for (std::size_t i = 0; i < rows.rows(); i += 17) {
          const auto alone = encoder.encode(rows.view().middle_rows(i, 1));
          REQUIRE(contents(alone[0]) == contents(codes[i]));
        }
      }
}

TEST_CASE("rows passed over by their first bits are hardly ever missed, and the others are scored as before") {
  const auto rows = normal_rows(4000, 128, 12, .1f), queries = normal_rows(50, 128, 13, .1f);
  for (const metric m : metrics)
    for (const std::size_t bits : {1u, 2u, 4u}) {
      const auto encoder = fitted(rows, {.bits_per_dim = bits, .metric = m, .refine = true});
      const auto codes = encoder.encode(rows);
      const auto kernel = encoder.estimator({.epsilon = 3});
      const embit::flat_index bounded{codes, kernel};
      const embit::flat_index whole{codes, encoder.estimator({.bound = false})};
      const auto found = bounded.search(queries, 10), expected = whole.search(queries, 10);
      const auto every = whole.search(queries, rows.rows());
      std::size_t kept = 0, raised = 0;
      for (std::size_t q = 0; q < queries.rows(); ++q) {
        const auto prepared = kernel.prepare(queries[q]);
        std::vector<float> best, distance(rows.rows());
        for (const auto& hit : every[q]) distance[hit.id] = hit.distance;
        for (std::size_t i = 0; i < rows.rows(); ++i) best.push_back(kernel(prepared, codes[i]));
        REQUIRE(found[q].size() == 10);
        for (const auto& hit : found[q]) {
          // An estimate below its bound is raised to it.
          if (hit.distance != best[hit.id] || hit.distance < distance[hit.id])
            FAIL("query " << q << ", row " << hit.id);
          raised += hit.distance > distance[hit.id] ? 1u : 0u;
          if (std::ranges::count(expected[q], hit) != 0) ++kept;
        }
        // Nothing is passed over that belongs to the nearest.
        std::ranges::nth_element(best, best.begin() + 9);
        if (found[q][9].distance != best[9]) FAIL("query " << q << ": " << found[q][9].distance << " not " << best[9]);
      }
      CHECK(raised < 20);
      CAPTURE(m, bits, kept);
      CHECK(kept >= 490);
    }
}

TEST_CASE("an encoder survives a file and is saved again as the same bytes") {
  const support::temp_dir dir;
  const auto rows = normal_rows(200, 65, 16, .3f), queries = normal_rows(4, 65, 17);
  for (const metric m : metrics)
    for (const auto kind : {embit::rotation_kind::fht_kac, embit::rotation_kind::gaussian})
      for (const std::size_t bits : {1u, 4u, 8u})
        for (const auto center : {rabitq_center::zero, rabitq_center::mean})
          for (const bool refine : {false, true}) {
            const auto encoder =
                fitted(rows, {.bits_per_dim = bits, .metric = m, .center = center, .rotation = kind, .refine = refine});
            embit::save(dir / "a", encoder);
            const auto loaded = embit::load<embit::rabitq>(dir / "a");
            embit::save(dir / "b", loaded);
            CAPTURE(m, kind, bits, center, refine);
            CHECK(support::slurp(dir / "a") == support::slurp(dir / "b"));
            const auto codes = encoder.encode(rows);
            REQUIRE(same(loaded.encode(rows), codes));
            const embit::flat_index saved{codes, encoder.estimator()}, read{codes, loaded.estimator()};
            const auto expected = saved.search(queries, 10), found = read.search(queries, 10);
            for (std::size_t q = 0; q < 4; ++q) CHECK(std::ranges::equal(found[q], expected[q]));
            const auto a = encoder.bounded_distances(queries[0], codes),
                       b = loaded.bounded_distances(queries[0], codes);
            CHECK(std::ranges::equal(a, b, {}, &embit::bounded_distance::error, &embit::bounded_distance::error));
          }
  CHECK(contains(refusal([&] { (void)embit::load<embit::level_store>(dir / "a"); }), "kind: "));
  const std::string whole = support::slurp(dir / "a");
  for (std::size_t i = 0; i < whole.size(); i += 97) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    std::ofstream(dir / "c", std::ios::binary) << damaged;
    // Padding between sections belongs to none.
    const auto answer = refusal([&] {
      embit::save(dir / "d", embit::load<embit::rabitq>(dir / "c"));
      if (support::slurp(dir / "d") != whole) FAIL("byte " << i << " was read changed");
    });
    CHECK((answer == "accepted" || contains(answer, ": ")));
  }
}

TEST_CASE("rows that are odd have codes, and what cannot be used is refused") {
  auto rows = normal_rows(20, 40, 14);  // fewer rows than dimensions
  std::ranges::fill(rows[3], 0.f);
  for (std::size_t i = 0; i < rows.rows(); ++i) rows[i][5] = 2;  // a constant column
  std::ranges::fill(rows[4], 0.f);
  embit::matrix<float> zeros(12, 40, 0.f), alike(12, 40, 3.f);
  embit::matrix<float> queries = normal_rows(3, 40, 15);
  std::ranges::fill(queries[1], 0.f);
  for (const metric m : metrics)
    for (const std::size_t bits : {1u, 3u, 8u})
      for (const bool refine : {false, true})
        for (const embit::matrix<float>* some : {&rows, &zeros, &alike}) {
          const auto encoder = fitted(*some, {.bits_per_dim = bits, .metric = m, .refine = refine});
          for (const embit::matrix<float>* others : {some, static_cast<const embit::matrix<float>*>(&zeros)}) {
            const embit::flat_index index{encoder.encode(*others), encoder.estimator()};
            const auto found = index.search(queries, 40);
            const embit::flat_index symmetric{index.store(), encoder.symmetric()};
            const auto coded = symmetric.search(encoder.encode(queries), 40);
            for (std::size_t q = 0; q < 3; ++q) {
              REQUIRE(found[q].size() == others->rows());
              for (const auto& hit : found[q])
                if (!std::isfinite(hit.distance)) FAIL("row " << hit.id << ": " << hit.distance);
              for (const auto& hit : coded[q])
                if (!std::isfinite(hit.distance)) FAIL("row " << hit.id << " by codes: " << hit.distance);
              for (const auto& bound : encoder.bounded_distances(queries[q], index.store()))
                if (!std::isfinite(bound.error)) FAIL("bound");
            }
          }
        }

  embit::rng rng{1};
  const auto refused = [&](const embit::rabitq_options& options) {
    return refusal([&] { (void)embit::fit_rabitq(rows, options, rng); });
  };
  CHECK(contains(refused({.bits_per_dim = 0}), "argument: rabitq: 0 bits"));
  CHECK(contains(refused({.bits_per_dim = 9}), "argument: rabitq: 9 bits"));
  CHECK(contains(refused({.scales = embit::rabitq_scales::dropped}), "argument: rabitq"));
  const std::vector<float> shorter(39), spoilt(40, NAN);
  CHECK(contains(refused({.centroid = shorter}), "shape: centroid: 39"));
  CHECK(contains(refused({.centroid = spoilt}), "not_finite: centroid"));
  CHECK(contains(refusal([&] { (void)embit::fit_rabitq(embit::matrix<float>(0, 4), {}, rng); }), "0 x 4"));

  const auto encoder = fitted(rows, {.bits_per_dim = 2});
  const auto codes = encoder.encode(rows);
  CHECK(contains(refusal([&] { (void)encoder.encode(normal_rows(2, 39, 1)); }), "shape: rows: dimension 39"));
  CHECK(contains(refusal([&] { (void)encoder.estimator().prepare(std::vector<float>(39)); }), "shape: queries"));
  CHECK(contains(refusal([&] { (void)encoder.estimator({.query_bits = 3}); }), "argument: query_bits: 3"));
  for (const float epsilon : {-1.f, NAN, INFINITY})
    CHECK(contains(refusal([&] { (void)encoder.estimator({.epsilon = epsilon}); }), "argument: epsilon"));
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    auto broken = rows;
    broken[7][39] = bad;
    CHECK(contains(refusal([&] { (void)encoder.encode(broken); }), "not_finite: rows: row 7"));
    CHECK(contains(refusal([&] { (void)embit::fit_rabitq(broken, {}, rng); }), "not_finite: rows: row 7"));
    CHECK(contains(refusal([&] { (void)encoder.estimator().prepare(broken[7]); }), "not_finite"));
    CHECK(contains(refusal([&] { (void)encoder.bounded_distances(broken[7], codes); }), "not_finite"));
  }
  auto large = rows;
  std::ranges::fill(large[2], 3e38f);
  CHECK(contains(refusal([&] { (void)encoder.encode(large); }), "not_finite: rows: row 2"));
}

TEST_CASE("recall at 10 on the anisotropic set") {
  const auto set = support::anisotropic_set({.rows = 10'000, .queries = 200, .training = 5'000});
  const auto truth = embit::ground_truth(set.rows, set.queries, 10, {.metric = metric::cosine});
  embit::rng rng{1};
  const auto lsh = embit::sign_lsh({.dim = 128, .bits = 128}, rng);
  const double plain =
      embit::mean_recall(truth, embit::flat_index{lsh.encode(set.rows)}.search(lsh.encode(set.queries), 10), 10, 10);
  struct figures {
    double asymmetric, symmetric;
  };
  const auto recall = [&](std::size_t bits) -> figures {
    const auto encoder = fitted(set.training, {.bits_per_dim = bits, .metric = metric::cosine});
    const auto codes = encoder.encode(set.rows);
    const auto estimated = embit::flat_index{codes, encoder.estimator()}.search(set.queries, 10);
    const auto coded = embit::flat_index{codes, encoder.symmetric()}.search(encoder.encode(set.queries), 10);
    return {embit::mean_recall(truth, estimated, 10, 10), embit::mean_recall(truth, coded, 10, 10)};
  };
  const auto one = recall(1), two = recall(2), four = recall(4);
  CAPTURE(plain, one.asymmetric, two.symmetric, two.asymmetric, four.symmetric, four.asymmetric);
  CHECK(one.asymmetric >= 1.4 * plain);
  CHECK(two.symmetric >= .43);
  CHECK(two.asymmetric >= .54);
  CHECK(four.symmetric >= .79);
  CHECK(four.asymmetric >= .83);
}

// Both without a centroid: on unit rows the factors of 1 bit add next to nothing.
TEST_CASE("orthogonal signs with a float query find what RaBitQ of 1 bit finds") {
  EMBIT_NEEDS_REAL_DATA();
  for (const char* file :
       {"minilm_squad2k/emb_f32.npy", "clip_text_detic/emb_f16.npy", "usps_11k/images_u8.npy", "sift5k/base_u8.npy"}) {
    const auto all = support::unit_rows(embit::read_npy<float>(support::real_data(file)));
    constexpr std::size_t count = 200;
    constexpr int rotations = 5;
    const std::size_t n = all.rows() - count, dim = all.cols();
    const auto rows = all.view().middle_rows(0, n), queries = all.view().middle_rows(n, count);
    const auto truth = embit::ground_truth(rows, queries, 10, {.metric = metric::cosine});
    double by_signs = 0, by_rabitq = 0;
    for (int seed = 1; seed <= rotations; ++seed) {
      embit::rng rng{static_cast<std::uint64_t>(seed)};
      const auto hasher = embit::super_bit({.dim = dim, .bits = dim}, rng);
      embit::matrix<float> projected(count, dim), signs(n, dim);
      embit::gemm(queries, hasher.planes(), projected);
      embit::gemm(rows, hasher.planes(), signs);
      for (float& x : signs.values()) x = x > 0 ? 1.f : -1.f;
      const auto found = embit::ground_truth(signs, projected, 10, {.metric = metric::inner_product});
      by_signs += embit::mean_recall(truth, found, 10, 10) / rotations;
      const auto encoder = embit::fit_rabitq(
          rows, {.metric = metric::cosine, .center = rabitq_center::zero, .scales = embit::rabitq_scales::kept}, rng);
      const auto estimated = embit::flat_index{encoder.encode(rows), encoder.estimator()}.search(queries, 10);
      by_rabitq += embit::mean_recall(truth, estimated, 10, 10) / rotations;
    }
    CAPTURE(file, by_signs, by_rabitq);
    CHECK(by_signs >= by_rabitq - .015);
  }
}

TEST_CASE("decoded codes are as near to the rows as their bits say") {
  embit::rng rng{31};
  embit::matrix<float> x(500, 96);
  for (std::size_t i = 0; i < x.rows(); ++i)
    for (std::size_t k = 0; k < x.cols(); ++k) x[i][k] = .7f + embit::normal(rng);
  for (const auto kind : {embit::rotation_kind::fht_kac, embit::rotation_kind::gaussian})
    for (const auto& [bits, loss] : {std::pair{1u, .363}, {2u, .119}, {3u, .0374}, {4u, .0115}, {5u, .0035}}) {
      const auto encoder =
          embit::fit_rabitq(x, {.bits_per_dim = bits, .center = embit::rabitq_center::mean, .rotation = kind}, rng);
      const auto codes = encoder.encode(x);
      const auto again = encoder.decode(codes);
      double wrong = 0, square = 0;
      for (std::size_t i = 0; i < x.rows(); ++i)
        for (std::size_t k = 0; k < x.cols(); ++k) {
          wrong += std::pow(double{x[i][k]} - double{again[i][k]}, 2);
          square += std::pow(double{x[i][k]} - double{encoder.centroid()[k]}, 2);
        }
      INFO("bits " << bits << ", error " << wrong / square);
      CHECK(wrong / square < 1.1 * loss);
      CHECK(wrong / square > .6 * loss);
      CHECK(encoder.bytes_per_row() == codes.bytes_per_row());
      // A row is not below nothing away from its own code.
      for (const auto& found : encoder.bounded_distances(x[7], codes)) CHECK(found.distance >= 0);
    }
}
