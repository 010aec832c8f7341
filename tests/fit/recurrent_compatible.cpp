// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/fit/fit_recurrent.hpp>
#include <embit/fit/fit_recurrent_compatible.hpp>
#include <embit/index/flat.hpp>
#include <embit/linalg/random_rotation.hpp>
#include <embit/store/level_store.hpp>

#include <learn/gradients.hpp>
#include <support/catch.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using support::contains;
using support::normal_rows;
using support::refusal;

namespace {

// What a model makes of latent rows: a random linear map, noise in every component, unit length.
embit::matrix<float> model(const embit::matrix<float>& latent, std::size_t dim, float noise, std::uint64_t seed,
                           std::uint64_t noise_seed) {
  auto out = normal_rows(latent.rows(), dim, noise_seed, noise * std::sqrt(static_cast<float>(latent.cols())));
  embit::matrix<float> seen(latent.rows(), dim);
  embit::gemm(latent, normal_rows(dim, latent.cols(), seed), seen);
  for (std::size_t i = 0; i < out.values().size(); ++i) out.values()[i] += seen.values()[i];
  return embit::detail::unit_copy(out);
}

// Items as an old model sees them, and a new one with half the noise and another number of dimensions.
struct upgrade {
  embit::matrix<float> latent, latent_queries, old_rows, old_queries, new_rows, new_queries;

  upgrade(std::size_t n, std::size_t old_dim, std::size_t new_dim, float noise, std::uint64_t seed) {
    latent = normal_rows(n, 16, seed);
    latent_queries = normal_rows(200, 16, seed + 1);
    old_rows = model(latent, old_dim, noise, seed + 2, seed + 3);
    old_queries = model(latent_queries, old_dim, noise, seed + 2, seed + 4);
    new_rows = model(latent, new_dim, noise / 2, seed + 5, seed + 6);
    new_queries = model(latent_queries, new_dim, noise / 2, seed + 5, seed + 7);
  }

  double recall(const embit::level_store& rows, const embit::level_store& queries) const {
    const auto truth = embit::ground_truth(latent, latent_queries, 10);
    const embit::flat_index index{rows};
    return embit::mean_recall(truth, index.search(queries, 10), 10, 10);
  }
};

const embit::recurrent_options small{.dims = 32, .loops = 1, .hidden = 32, .steps = 100, .batch = 256};

}  // namespace

TEST_CASE("new queries search the old index better than old ones do, and new rows lose nothing") {
  const upgrade set(4000, 64, 80, .5f, 30);
  embit::rng rng{31};
  const auto old = embit::fit_recurrent(set.old_rows, small, rng);
  const auto old_codes = old.encode(set.old_rows);
  const auto alone = embit::fit_recurrent(set.new_rows, small, rng);
  const auto trained =
      embit::train_recurrent_compatible(set.new_rows, old_codes, {.hidden = 32, .steps = 100, .batch = 256}, rng);
  const embit::recurrent& fresh = trained.encoder;
  REQUIRE(fresh.dim() == 80);
  REQUIRE(fresh.format() == old_codes.format());

  const auto new_codes = fresh.encode(set.new_rows), new_queries = fresh.encode(set.new_queries);
  const double old_to_old = set.recall(old_codes, old.encode(set.old_queries));
  const double new_to_old = set.recall(old_codes, new_queries), new_to_new = set.recall(new_codes, new_queries);
  const double independent = set.recall(alone.encode(set.new_rows), alone.encode(set.new_queries));
  const auto& report = trained.report;
  CAPTURE(old_to_old, new_to_old, new_to_new, independent, report.validations[0].score, report.best_score);
  CHECK(old_to_old > .2);  // chance is .0025
  CHECK(new_to_old >= old_to_old + .02);
  CHECK(new_to_new >= independent - .02);
  CHECK(new_to_new >= new_to_old);
  CHECK(report.best_score >= report.validations[0].score + .02);

  // Old and new rows in one index.
  embit::level_store both(old_codes.format());
  for (std::size_t i = 0; i < old_codes.size(); ++i)
    both.append((i % 2 == 0 ? old_codes : new_codes).view().middle_rows(i, 1));
  const double mixed = set.recall(both, new_queries);
  CAPTURE(mixed);
  CHECK(mixed >= old_to_old);
}

TEST_CASE("before training, codes are the old codes of rows that tell all of them") {
  const auto rows = normal_rows(3000, 24, 40);
  embit::rng rng{41};
  embit::recurrent_options none{.dims = 12, .loops = 3, .hidden = 8, .steps = 0, .batch = 100};
  const auto old = embit::fit_recurrent(rows, none, rng);
  // The new model turns the rows; nothing is lost.
  embit::matrix<float> turned(3000, 24);
  embit::gemm(rows, embit::random_rotation(24, rng), turned);
  const auto old_codes = old.encode(rows);
  const auto fresh = embit::fit_recurrent_compatible(turned, old_codes, none, rng);
  const auto a = old.values(rows), b = fresh.values(turned);
  std::size_t near = 0;
  double across = 0, of_a = 0, of_b = 0;
  for (std::size_t i = 0; i < a.values().size(); ++i) {
    near += std::abs(a.values()[i] - b.values()[i]) <= .25f;  // a step
    across += double{a.values()[i]} * double{b.values()[i]};
    of_a += double{a.values()[i]} * double{a.values()[i]};
    of_b += double{b.values()[i]} * double{b.values()[i]};
  }
  const double share = static_cast<double>(near) / static_cast<double>(a.values().size());
  const double cosine = across / std::sqrt(of_a * of_b);
  CAPTURE(share, cosine);
  CHECK(share > .95);
  CHECK(cosine > .97);
}

TEST_CASE("a compatible training is the same for a seed at any number of threads", "[threads]") {
  const upgrade set(1200, 40, 24, .3f, 50);
  embit::rng first{51}, second{51};
  const auto old_codes =
      embit::fit_recurrent(set.old_rows, {.dims = 32, .loops = 1, .hidden = 0, .steps = 0}, first).encode(set.old_rows);
  second = first;
  // Fewer dimensions than the codes have, which such rows cannot all reach.
  const embit::recurrent_options options{.hidden = 16, .steps = 30, .batch = 200, .compatibility = .7f};
  const auto one = embit::train_recurrent_compatible(set.new_rows, old_codes, options, first);
  const auto two =
      embit::train_recurrent_compatible(set.new_rows, old_codes, options, second, {}, embit::thread_pool(2));
  CHECK(one.encoder.dims() == 32);
  CHECK(one.encoder.dim() == 24);
  CHECK(one.report.end == embit::train_end::finished);
  CHECK(one.report.losses == two.report.losses);
  CHECK(one.encoder.values(set.new_queries) == two.encoder.values(set.new_queries));
  CHECK(first == second);

  std::size_t calls = 0;
  const auto stopped = embit::train_recurrent_compatible(set.new_rows, old_codes, options, first,
                                                         [&](const embit::progress_report&) { return ++calls < 5; });
  CHECK(stopped.report.end == embit::train_end::stopped);
}

TEST_CASE("rows that are all alike and old codes that say nothing end in codes too") {
  const embit::matrix<float> same(200, 8, 1.f);
  embit::rng rng{60};
  const embit::recurrent_options options{.hidden = 4, .steps = 3, .batch = 50};
  const auto old = embit::fit_recurrent(normal_rows(200, 8, 61), {.dims = 4, .loops = 1, .steps = 0, .batch = 50}, rng);
  const auto one_code = embit::fit_recurrent_compatible(normal_rows(200, 8, 62), old.encode(same), options, rng);
  CHECK(one_code.encode(same).size() == 200);
  const auto one_row = embit::fit_recurrent_compatible(same, old.encode(normal_rows(200, 8, 61)), options, rng);
  CHECK(one_row.encode(same).size() == 200);
}

TEST_CASE("what cannot be trained beside old codes is refused with the numbers") {
  const auto rows = normal_rows(300, 16, 70);
  embit::rng rng{71};
  const auto old_codes =
      embit::fit_recurrent(rows, {.dims = 8, .loops = 1, .hidden = 0, .steps = 0, .batch = 64}, rng).encode(rows);
  const embit::rng untouched = rng;
  const auto why = [&](const embit::matrix<float>& x, embit::level_view codes, embit::recurrent_options o) {
    return refusal([&] { embit::fit_recurrent_compatible(x, codes, o, rng); });
  };
  CHECK(why(rows, old_codes.view().middle_rows(0, 299), {.batch = 64}) == "shape: old_codes: 299 codes for 300 rows");
  CHECK(why(rows, old_codes, {.dims = 7, .batch = 64}) == "argument: recurrent: dims is 7 where the old codes have 8");
  CHECK(contains(why(rows, old_codes, {.loops = 2, .batch = 64}), "loops is 2 where the old codes have 1"));
  CHECK(contains(why(rows, old_codes, {.bits = 17, .batch = 64}), "bits is 17 where the old codes have 16"));
  CHECK(why(rows, old_codes, {.bits = 16, .dims = 8, .loops = 1, .steps = 1, .batch = 64}) == "accepted");
  rng = untouched;
  CHECK(contains(why(rows, old_codes, {.batch = 301}), "batches of 301 rows, but 270 to learn from"));
  CHECK(contains(why(rows, old_codes, {.batch = 64, .compatibility = 1.5f}), "compatibility is 1.5 where 0 to 1"));
  CHECK(contains(why(rows, old_codes, {.batch = 64, .compatibility = std::numeric_limits<float>::quiet_NaN()}),
                 "argument: recurrent: compatibility is"));
  CHECK(contains(why(rows, {}, {.batch = 64}), "argument: old_codes: not of the format"));
  const auto other = embit::fit_rabitq(rows, {.bits_per_dim = 2}, rng).encode(rows);
  rng = untouched;
  CHECK(contains(why(rows, other, {.batch = 64}), "argument: old_codes: not of the format that recurrent"));
  const embit::level_store plain(embit::level_format{.segments = {embit::level_segment::uniform(8, 2, .5f)}}, 300);
  CHECK(contains(why(rows, plain, {.batch = 64}), "argument: old_codes: not of the format that recurrent"));
  auto broken = rows;
  broken[7][3] = std::numeric_limits<float>::quiet_NaN();
  CHECK(contains(why(broken, old_codes, {.batch = 64}), "row 7, column 3"));
  CHECK(rng == untouched);
}
