// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/recurrent.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/fit/fit_recurrent.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/npy.hpp>
#include <embit/linalg/random_rotation.hpp>
#include <embit/retrieve/float_rerank.hpp>
#include <embit/retrieve/retriever.hpp>

#include <learn/gradients.hpp>
#include <support/catch.hpp>
#include <support/real_data.hpp>
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

using embit::detail::codes_of, embit::detail::grid_start, embit::detail::network_of, embit::detail::recurrent_net,
    embit::detail::trained_net, embit::detail::unit_copy;

// Rows whose components spread less and less, turned so that no axis is special.
embit::matrix<float> spectrum_rows(std::size_t n, std::size_t dim, std::uint64_t seed) {
  embit::rng rng{seed}, turn{1};
  auto rows = normal_rows(n, dim, seed);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < dim; ++k) rows[i][k] /= std::sqrt(static_cast<float>(k + 1));
  embit::matrix<float> out(n, dim);
  embit::gemm(rows, embit::random_rotation(dim, turn), out);
  return out;
}

double recall(const embit::recurrent& encoder, const embit::matrix<float>& rows, const embit::matrix<float>& queries) {
  const auto truth = embit::ground_truth(rows, queries, 10, {.metric = embit::metric::cosine});
  const embit::flat_index index{encoder.encode(rows)};
  return embit::mean_recall(truth, index.search(encoder.encode(queries), 10), 10, 10);
}

// Rows that lie on a curved surface of few dimensions.
embit::matrix<float> curved_rows(std::size_t n, std::size_t dim, std::uint64_t seed) {
  auto out = embit::matrix<float>(n, dim);
  embit::gemm(normal_rows(n, 8, seed), normal_rows(dim, 8, 25, .7f), out);
  for (float& x : out.values()) x = std::sin(x + .5f);
  return out;
}

// What the sign is replaced by where gradients are held against differences: the function whose gradient it has.
struct clipped_identity {
  static void add(float factor, std::span<const float> x, std::span<float> out) {
    for (std::size_t i = 0; i < x.size(); ++i) out[i] += factor * std::clamp(x[i], -1.f, 1.f);
  }
  static void backward(float factor, std::span<const float> x, std::span<const float> dy, std::span<float> dx) {
    embit::straight_through_sign::backward(factor, x, dy, dx);
  }
};

// An encoder that was not trained, with weights of every kind.
embit::recurrent drawn_encoder(std::size_t dim, std::size_t dims, std::size_t loops, std::size_t hidden) {
  embit::rng rng{dim + dims};
  const auto pca = embit::fit_pca(spectrum_rows(500, dim, 7));
  auto net = grid_start<trained_net>(pca, {dims, loops}, hidden, rng);
  trained_net::trace kept;
  auto rows = spectrum_rows(200, dim, 8);
  net.standardize(rows.view());
  net.forward(rows, kept, embit::inline_executor{});
  for (embit::parameter* p : net.parameters())
    for (float& x : p->value.values()) x += .05f * embit::normal(rng);
  return embit::recurrent(codes_of(net));
}

}  // namespace

TEST_CASE("the gradients of the recurrence are those of its codes") {
  const std::size_t n = 24, dim = 10, dims = 7;
  embit::rng rng{1};
  for (const std::size_t loops : {0u, 2u}) {
    const auto forward = normal_rows(dims, dim, 2, .3f), backward = normal_rows(dim, dims, 3, .3f);
    auto net =
        network_of<recurrent_net<clipped_identity>>(std::vector<float>(dim), 1, forward, backward, loops, 9, rng);
    for (embit::parameter* p : net.parameters())
      for (float& x : p->value.values()) x += .1f * embit::normal(rng);
    const auto u = normal_rows(n, dim, 4), slope = normal_rows(n, dims, 5);
    const auto loss = [&] {
      auto copy = net;
      decltype(copy)::trace kept;
      copy.forward(u, kept, embit::inline_executor{});
      return support::inner(kept.codes.values(), slope.values());
    };
    decltype(net)::trace kept;
    net.forward(u, kept, embit::inline_executor{});
    auto spent = slope;
    net.backward(spent.view(), kept, embit::inline_executor{});
    std::size_t checked = 0;
    for (embit::parameter* p : net.parameters()) {
      double size = 0;
      for (const float g : p->gradient.values()) size += double{g} * double{g};
      if (size < 1e-6) continue;  // the biases before a normalization, and the scale that this loss has not
      support::check_gradient(p->value.values(), p->gradient.values(), loss, 2e-2, 5e-4f);
      ++checked;
    }
    REQUIRE(checked == 5 * (2 * loops + 1));
  }
}

TEST_CASE("codes are what the blocks say, for a row alone, in a batch, on threads, at any length of the row",
          "[threads]") {
  for (const std::size_t hidden : {0u, 20u})
    for (const std::size_t dims : {1u, 13u, 40u}) {
      const std::size_t dim = 40;
      const auto encoder = drawn_encoder(dim, dims, 2, hidden);
      REQUIRE(encoder.dim() == dim);
      REQUIRE(encoder.dims() == dims);
      REQUIRE(encoder.bits() == 3 * dims);
      auto rows = spectrum_rows(513, dim, 9);
      const auto store = encoder.encode(rows);
      const auto values = encoder.values(rows, embit::thread_pool(2));
      const auto threaded = encoder.encode(rows, embit::thread_pool(2));
      REQUIRE(store.size() == 513);
      REQUIRE(store.dims() == dims);
      std::vector<float> decoded(dims);
      std::vector<std::uint8_t> levels(dims), again(dims);
      for (std::size_t i = 0; i < rows.rows(); ++i) {
        store[i].decode(decoded);
        REQUIRE(std::ranges::equal(decoded, values[i]));
        store[i].copy_levels(levels);
        threaded[i].copy_levels(again);
        REQUIRE(levels == again);
        for (const std::uint8_t level : levels) REQUIRE(level <= 7);
        double square = 0;
        for (const float v : decoded) square += double{v} * double{v};
        REQUIRE(store.factor(i, embit::row_factor::inverse_norm) == Approx(1 / std::sqrt(square)));
      }
      for (const std::size_t i : {0u, 119u, 120u, 512u}) {
        for (float& x : rows[i]) x *= 8;
        const auto alone = encoder.encode(rows.view().middle_rows(i, 1));
        alone[0].copy_levels(levels);
        store[i].copy_levels(again);
        REQUIRE(levels == again);
      }
      REQUIRE(encoder.encode(rows.view().middle_rows(0, 0)).empty());
    }
}

TEST_CASE("encoding agrees with the network in its inference form, step by step") {
  const std::size_t dim = 24, dims = 10, loops = 3, n = 50;
  embit::rng rng{6};
  const auto pca = embit::fit_pca(unit_copy(spectrum_rows(500, dim, 7)));
  auto net = grid_start<trained_net>(pca, {dims, loops}, 16, rng);
  trained_net::trace kept;
  auto batch = unit_copy(spectrum_rows(200, dim, 8));
  net.standardize(batch.view());
  net.forward(batch, kept, embit::inline_executor{});
  for (embit::parameter* p : net.parameters())
    for (float& x : p->value.values()) x += .05f * embit::normal(rng);

  const auto rows = spectrum_rows(n, dim, 9);
  auto u = unit_copy(rows);
  net.standardize(u.view());
  embit::matrix<float> z(n, dims), codes(n, dims, 0.f), rebuilt(n, dim);
  double nearest = 1;  // a decision so near to zero that rounding could turn it
  const auto decide = [&](float weight) {
    for (std::size_t i = 0; i < z.values().size(); ++i) {
      codes.values()[i] += z.values()[i] > 0 ? weight : -weight;
      nearest = std::min(nearest, std::abs(double{z.values()[i]}));
    }
  };
  net.project.forward(u, z);
  decide(1);
  for (std::size_t t = 0; t < loops; ++t) {
    net.rebuild[t].forward(codes, rebuilt);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < dim; ++k) rebuilt[i][k] = u[i][k] - rebuilt[i][k];
    net.refine[t].forward(rebuilt, z);
    decide(std::ldexp(1.f, -static_cast<int>(t) - 1));
  }
  REQUIRE(nearest > 1e-5);
  REQUIRE(embit::recurrent(codes_of(net)).values(rows) == codes);
}

TEST_CASE("fewer loops are a prefix of the bit planes") {
  const auto encoder = drawn_encoder(32, 24, 3, 16);
  const auto rows = spectrum_rows(100, 32, 10);
  const auto all = encoder.encode(rows);
  for (std::size_t loops = 0; loops <= 3; ++loops) {
    const auto fewer = encoder.prefix(loops).encode(rows);
    const auto cut = all.truncated(loops + 1);
    REQUIRE(fewer.format() == cut.format());
    std::vector<std::uint8_t> a(24), b(24);
    for (std::size_t i = 0; i < rows.rows(); ++i) {
      fewer[i].copy_levels(a);
      cut[i].copy_levels(b);
      REQUIRE(a == b);
      REQUIRE(fewer.factor(i, embit::row_factor::inverse_norm) == cut.factor(i, embit::row_factor::inverse_norm));
    }
  }
  REQUIRE(contains(refusal([&] { encoder.prefix(4); }), "4 loops of 3"));
}

TEST_CASE("before training the codes are the uniform grid") {
  embit::rng rng{11};
  const auto rows = unit_copy(spectrum_rows(1000, 48, 12));
  const auto pca = embit::fit_pca(rows);
  const auto net = grid_start<trained_net>(pca, {16, 3}, 8, rng);
  const auto values = embit::recurrent(codes_of(net)).values(rows);
  auto u = rows;
  net.standardize(u.view());
  embit::matrix<float> z(1000, 16);
  net.project.forward(u, z);
  std::size_t edges = 0;
  for (std::size_t i = 0; i < z.values().size(); ++i) {
    const float grid = std::clamp(std::floor(z.values()[i] * 4) / 4 + .125f, -1.875f, 1.875f);
    edges += values.values()[i] != grid;  // within rounding of an edge it may fall to either side
  }
  REQUIRE(edges <= 3);
  // Every dimension has the same spread, and it is that of the grid.
  for (std::size_t k = 0; k < 16; ++k) {
    double square = 0;
    for (std::size_t i = 0; i < 1000; ++i) square += double{z[i][k]} * double{z[i][k]} / 1000;
    REQUIRE(square > .3);
    REQUIRE(square < 3);
  }
}

TEST_CASE("training improves on the grid, the same for a seed at any number of threads", "[threads]") {
  const auto rows = curved_rows(3000, 48, 13), queries = curved_rows(200, 48, 14);
  const embit::recurrent_options options{
      .dims = 16, .loops = 2, .hidden = 32, .steps = 150, .batch = 256, .rate = 1e-3f, .validate_every = 50};
  embit::rng rng{15}, same{15};
  std::vector<std::string> stages;
  const auto trained = embit::train_recurrent(rows, options, rng, [&](const embit::progress_report& r) {
    stages.emplace_back(r.stage);
    return true;
  });
  REQUIRE(trained.report.end == embit::train_end::finished);
  REQUIRE(trained.report.validations.size() == 4);
  REQUIRE(trained.report.best_score >= trained.report.validations[0].score + .01);
  REQUIRE(std::ranges::count(stages, "recurrent") == 150);
  REQUIRE(std::ranges::count(stages, "held-out") == 4);
  const auto threaded = embit::train_recurrent(rows, options, same, {}, embit::thread_pool(2));
  REQUIRE(trained.report.losses == threaded.report.losses);
  REQUIRE(trained.encoder.values(queries) == threaded.encoder.values(queries));
  REQUIRE(rng == same);

  embit::rng third{15};
  auto none = options;
  none.steps = 0;
  const double before = recall(embit::fit_recurrent(rows, none, third), rows, queries);
  const double after = recall(trained.encoder, rows, queries);
  CAPTURE(before, after);
  REQUIRE(after > before - .02);  // other rows than those that the state was chosen by
  REQUIRE(recall(trained.encoder.prefix(0), rows, queries) < recall(trained.encoder.prefix(1), rows, queries));
  REQUIRE(recall(trained.encoder.prefix(1), rows, queries) < after);
}

TEST_CASE("bits alone choose dims and loops; a retriever joins codes and floats") {
  const auto rows = spectrum_rows(2000, 64, 16);
  embit::rng rng{17};
  const auto encoder = embit::fit_recurrent(rows, {.bits = 64, .hidden = 32, .steps = 20, .batch = 200}, rng);
  REQUIRE(encoder.bits() <= 64);
  REQUIRE(encoder.bits() > 56);
  REQUIRE(encoder.loops() >= 1);  // this spectrum falls: a few dims of several bits are better than a sign of each
  const embit::retriever retriever{encoder, embit::flat_index{encoder.encode(rows)}, embit::float_rerank{rows}};
  const auto found = retriever.search(rows.view().middle_rows(5, 3), 5, {.candidates = 200});
  for (std::size_t q = 0; q < 3; ++q) REQUIRE(found[q][0].id == q + 5);
}

TEST_CASE("where no batch is asked for, a few rows are one") {
  const auto rows = spectrum_rows(60, 16, 27);
  for (const std::size_t count : {18u, 60u}) {
    embit::rng rng{28};
    std::size_t steps = 0;
    const auto encoder =
        embit::fit_recurrent(rows.view().middle_rows(0, count), {.dims = 8, .loops = 1, .hidden = 8, .epochs = 3}, rng,
                             [&](const embit::progress_report& r) { return steps += r.stage == "recurrent", true; });
    REQUIRE(steps == 3);
    REQUIRE(encoder.encode(rows).size() == 60);
  }
}

namespace {

// Eight classes lie apart in a quarter of the dimensions; the others only disturb.
struct labelled_rows {
  embit::matrix<float> rows;
  std::vector<std::uint32_t> labels;
  explicit labelled_rows(std::size_t n) : rows(normal_rows(n, 32, 18)), labels(n) {
    const auto centers = normal_rows(8, 8, 24);
    for (std::size_t i = 0; i < n; ++i) {
      labels[i] = static_cast<std::uint32_t>(i % 8);
      for (std::size_t k = 0; k < 8; ++k) rows[i][k] = centers[i % 8][k] + .5f * rows[i][k];
    }
  }
  std::vector<embit::row_pair> pairs(embit::rng& rng) const {
    return embit::pairs_of_labels(std::span<const std::uint32_t>(labels), 2, rng);
  }
};

}  // namespace

TEST_CASE("pairs teach what the rows do not show") {
  const labelled_rows set(2000);
  embit::rng rng{19};
  const auto pairs = set.pairs(rng);
  const auto trained = embit::train_recurrent(
      set.rows, pairs, {.dims = 16, .loops = 1, .hidden = 64, .steps = 150, .batch = 256, .rate = 2e-3f}, rng);
  CAPTURE(trained.report.validations[0].score, trained.report.best_score);
  REQUIRE(trained.report.validations[0].score < .6);
  REQUIRE(trained.report.best_score > .7);
}

TEST_CASE("a queue and the number of negatives change what pairs teach, not that a seed decides it", "[threads]") {
  const labelled_rows set(1000);
  embit::rng draw{19};
  const auto pairs = set.pairs(draw);
  const embit::recurrent_options plain{.dims = 16, .loops = 1, .hidden = 32, .steps = 12, .batch = 64};
  const auto losses = [&](embit::recurrent_options options, std::size_t threads = 1) {
    embit::rng rng{29};
    return embit::train_recurrent(set.rows, pairs, options, rng, {}, embit::thread_pool(threads)).report.losses;
  };
  auto queued = plain, all = plain, slower = plain;
  queued.queue = slower.queue = 500;
  slower.momentum = 0;
  all.hard_negatives = 0;
  const auto without = losses(plain), with = losses(queued);
  REQUIRE(with[0] == without[0]);  // nothing is queued yet
  for (std::size_t i = 1; i < with.size(); ++i) REQUIRE(with[i] != without[i]);
  REQUIRE(with == losses(queued, 2));
  REQUIRE(with != losses(slower));
  REQUIRE(losses(all)[0] > without[0]);  // more terms in the sum
}

TEST_CASE("what cannot be trained is refused with the numbers") {
  const auto rows = spectrum_rows(300, 16, 20);
  embit::rng rng{21};
  const auto why = [&](embit::recurrent_options o) { return refusal([&] { embit::fit_recurrent(rows, o, rng); }); };
  const embit::rng untouched = rng;
  REQUIRE(why({.dims = 8, .loops = 1, .batch = 271}) ==
          "argument: recurrent: batches of 271 rows, but 270 to learn from");
  REQUIRE(contains(why({.dims = 8, .loops = 1, .batch = 1}), "a batch of 1"));
  REQUIRE(contains(why({.dims = 17, .loops = 1, .batch = 64}), "dims is 17 where 1 to 16"));
  REQUIRE(contains(why({.dims = 0, .loops = 1, .batch = 64}), "dims is 0"));
  REQUIRE(contains(why({.dims = 8, .loops = 8, .batch = 64}), "loops is 8 where 0 to 7"));
  REQUIRE(contains(why({.batch = 64}), "either bits, or dims and loops"));
  REQUIRE(contains(why({.dims = 8, .batch = 64}), "either bits, or dims and loops"));
  REQUIRE(contains(why({.bits = 12, .dims = 8, .loops = 1, .batch = 64}), "8 dims of 2 bits are more than 12"));
  REQUIRE(contains(why({.dims = 8, .loops = 1, .batch = 64, .rate = -1}), "rate -1"));
  REQUIRE(contains(why({.dims = 8, .loops = 1, .batch = 64, .temperature = 0}), "temperature 0"));
  REQUIRE(contains(why({.dims = 8, .loops = 1, .batch = 64, .momentum = 1}), "momentum is 1 where 0 to below 1"));
  REQUIRE(contains(refusal([&] { embit::fit_recurrent(rows.view().middle_rows(0, 16), {.bits = 8}, rng); }),
                   "15 rows to learn from, at least 16"));
  auto broken = rows;
  broken[7][3] = std::numeric_limits<float>::quiet_NaN();
  const auto nan = refusal([&] { embit::fit_recurrent(broken, {.dims = 8, .loops = 1, .batch = 64}, rng); });
  REQUIRE(contains(nan, "not_finite: "));
  REQUIRE(contains(nan, "row 7, column 3"));
  const std::vector<embit::row_pair> pairs{{1, 2}, {3, 300}};
  REQUIRE(contains(refusal([&] { embit::fit_recurrent(rows, pairs, {.dims = 8, .loops = 1, .batch = 4}, rng); }),
                   "pair 1 is (3, 300) of 300 rows"));
  REQUIRE(rng == untouched);
  const std::vector<embit::row_pair> few{{1, 2}, {3, 4}};
  REQUIRE(contains(refusal([&] { embit::fit_recurrent(rows, few, {.dims = 8, .loops = 1, .held_out = 0}, rng); }),
                   "2 pairs of rows to learn from, at least 8"));
  REQUIRE(contains(
      refusal([&] { embit::fit_recurrent(rows, few, {.dims = 8, .loops = 1, .batch = 6, .held_out = 0}, rng); }),
      "batches of 3 pairs of rows, but 2"));
  const auto encoder = drawn_encoder(16, 4, 1, 0);
  REQUIRE(contains(refusal([&] { encoder.encode(normal_rows(2, 15, 1)); }), "15 columns where the encoder takes 16"));
  REQUIRE(contains(refusal([&] { encoder.encode(broken); }), "row 7"));
}

TEST_CASE("rows that are all equal, and a run that diverges, leave an encoder that works") {
  embit::rng rng{22};
  const embit::matrix<float> equal(100, 8, 2.f);
  const auto flat = embit::train_recurrent(equal, {.dims = 4, .loops = 1, .hidden = 8, .steps = 3, .batch = 20}, rng);
  const auto flat_values = flat.encoder.values(equal);
  for (const float v : flat_values.values()) REQUIRE(std::isfinite(v));
  const auto rows = spectrum_rows(400, 16, 23);
  const auto wild =
      embit::train_recurrent(rows, {.dims = 8, .loops = 1, .hidden = 8, .steps = 60, .batch = 100, .rate = 1e30f}, rng);
  REQUIRE(wild.report.end == embit::train_end::diverged);
  REQUIRE(wild.report.best_step == 0);
  const auto wild_values = wild.encoder.values(rows);
  for (const float v : wild_values.values()) REQUIRE(std::abs(v) <= 1.5f);
  std::size_t steps = 0;
  const auto stopped = embit::train_recurrent(rows, {.dims = 8, .loops = 1, .hidden = 8, .batch = 100}, rng,
                                              [&](const embit::progress_report&) { return ++steps < 5; });
  REQUIRE(stopped.report.end == embit::train_end::stopped);
  REQUIRE(stopped.encoder.dims() == 8);
}

TEST_CASE("on image descriptors training is worth a tenth of the recall") {
  EMBIT_NEEDS_REAL_DATA();
  const auto all = embit::read_npy<float>(support::real_data("sift5k/base_u8.npy"));
  const embit::matrix<float> queries(all.view().middle_rows(0, 300));
  const embit::matrix<float> rows(all.view().middle_rows(300, all.rows() - 300));
  embit::rng rng{26};
  const auto trained = embit::train_recurrent(rows, {.dims = 32, .loops = 3, .steps = 250}, rng);
  const double found = recall(trained.encoder, rows, queries);
  CAPTURE(trained.report.validations[0].score, trained.report.best_score, found);
  REQUIRE(found >= .53);
  REQUIRE(trained.report.best_score >= trained.report.validations[0].score + .05);
}

TEST_CASE("more bits find more, training never less than its start, among rows that were never learned from") {
  EMBIT_NEEDS_REAL_DATA();
  const auto all = embit::read_npy<float>(support::real_data("sift5k/base_u8.npy"));
  const auto part = [&](std::size_t first, std::size_t n) {
    return embit::matrix<float>(all.view().middle_rows(first, n));
  };
  const auto learned = part(0, 2500), rows = part(2500, 2200), queries = part(4700, 300);
  double before = 0;
  for (const std::size_t bits : {32u, 64u, 128u, 256u}) {
    embit::recurrent_options options{.bits = bits, .hidden = 64, .steps = 0, .batch = 384};
    embit::rng rng{30}, same{30};
    const double start = recall(embit::fit_recurrent(learned, options, rng), rows, queries);
    options.steps = 80;
    const auto encoder = embit::fit_recurrent(learned, options, same);
    const double found = recall(encoder, rows, queries);
    WARN("sift5k, " << bits << " bits as " << encoder.dims() << " x " << encoder.bits_per_dim() << ": recall " << start
                    << " before training, " << found << " after");
    REQUIRE(encoder.bits() <= bits);
    REQUIRE(found >= start);
    REQUIRE(found > before + .03);
    before = found;
  }
}
