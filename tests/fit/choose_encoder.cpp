// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/chosen_encoder.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/fit/choose_encoder.hpp>
#include <embit/fit/fit_product_quantizer.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/save.hpp>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>
#include <support/uneven_sets.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using support::contains;
using support::normal_rows;
using support::refusal;

constexpr std::array metrics{embit::metric::l2, embit::metric::inner_product, embit::metric::cosine};

double recall(const embit::chosen_encoder& encoder, const embit::matrix<float>& x, const embit::matrix<float>& q) {
  const embit::flat_index index{encoder.encode(x), encoder.estimator()};
  const auto truth = embit::ground_truth(x, q, 10, {.metric = encoder.metric()});
  return embit::mean_recall(truth, index.search(q, 10), 10, 10);
}

// Row, distance, row, distance, …
template <class Result>
std::vector<double> numbers_of(const Result& found) {
  std::vector<double> numbers;
  for (const auto& list : found)
    for (const auto& hit : list) numbers.insert(numbers.end(), {double(hit.id), double{hit.distance}});
  return numbers;
}

bool same_codes(const embit::level_store& a, const embit::level_store& b) {
  if (!(a.format() == b.format()) || a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t p = 0; p < a.format().row_bytes(); ++p)
      if (a[i].byte(p) != b[i].byte(p)) return false;
  return true;
}

// An encoder of someone else's: the signs of rows, which it neither decodes nor saves.
struct plain_signs {
  using estimator_type = embit::asymmetric<embit::sign_query_map>;
  struct code_map {
    std::shared_ptr<const embit::level_format> codes;
    const embit::level_format& format() const { return *codes; }
    void prepare(const embit::level_row& code, embit::level_query& into) const {
      std::vector<float> z(codes->dims());
      code.decode(z);
      into.assign_values(*codes, z, {.scale = -1});
    }
  };

  embit::sign_projection planes;

  std::size_t dim() const { return planes.dim(); }
  embit::metric metric() const { return embit::metric::cosine; }
  embit::level_format format() const {
    return {.segments = {embit::level_segment::uniform(planes.bits(), 1)}, .fingerprint = planes.fingerprint()};
  }
  embit::level_store encode(embit::matrix_view<const float> rows) const {
    return embit::level_store(planes.encode(rows));
  }
  estimator_type estimator() const { return planes.asymmetric(); }
  embit::mapped_symmetric<code_map> symmetric() const {
    return embit::mapped_symmetric(code_map{std::make_shared<const embit::level_format>(format())});
  }
};

}  // namespace

TEST_CASE("what is chosen finds about as much as the best of what was tried, on rows that it has not seen") {
  struct set {
    const char* name;
    embit::matrix<float> all;
  };
  for (const auto& [name, all] :
       {set{"strong mean", support::strong_mean_rows(1000, 1)},
        set{"uneven energy", support::uneven_energy_rows(1000, 64, 2)}, set{"flat", normal_rows(1000, 48, 3)}}) {
    const embit::matrix<float> x(all.view().middle_rows(0, 800)), q(all.view().middle_rows(800, 200));
    for (const auto metric : metrics) {
      const std::size_t bytes = metric == embit::metric::cosine ? x.cols() / 8 : x.cols() / 2 + 6;
      INFO(name << ", metric " << static_cast<int>(metric) << ", " << bytes << " bytes");
      embit::rng rng{5};
      const auto chosen = embit::choose_encoder(x, {.metric = metric, .bytes_per_row = bytes}, rng);
      CHECK(chosen.bytes_per_row() <= bytes);
      CHECK(chosen.metric() == metric);
      CHECK(chosen.tried().size() >= 2);
      double best = 0;
      for (const auto& trial : chosen.tried()) {
        CHECK(trial.bytes_per_row <= bytes);
        REQUIRE(trial.recall);
        best = std::max(best, *trial.recall);
      }
      CHECK(std::abs(recall(chosen, x, q) - best) < .08);  // of other queries, fitted to more rows
      const embit::chosen_encoder transform(
          embit::fit_transform_coder(x, {.bytes_per_row = bytes, .metric = metric}, rng));
      CHECK(recall(chosen, x, q) > recall(transform, x, q) - .03);
    }
  }
}

TEST_CASE("the choice goes each way") {
  embit::rng rng{6};
  const auto name_of_best = [&](const embit::matrix<float>& x, std::size_t bytes) {
    const auto chosen = embit::choose_encoder(x, {.metric = embit::metric::cosine, .bytes_per_row = bytes}, rng);
    const auto best = std::ranges::max_element(chosen.tried(), {}, [](const auto& trial) { return *trial.recall; });
    for (const auto& trial : chosen.tried()) UNSCOPED_INFO(trial.encoder << ": " << *trial.recall);
    CHECK((chosen.get_if<embit::rabitq>() != nullptr) == best->encoder.starts_with("rabitq"));
    return best->encoder;
  };
  // Half a bit of falling variances, and signs that are learned where every row has its energy elsewhere; of directions
  // of one variance all find about as much.
  CHECK(name_of_best(support::strong_mean_rows(1000, 1), 8) == "transform_coder");
  for (const std::size_t bytes : {6u, 10u, 16u, 28u, 48u}) name_of_best(normal_rows(160, 48, bytes), bytes);
  CHECK(name_of_best(support::uneven_energy_rows(2000, 64, 9), 8) == "product codes of 8 bits");
}

TEST_CASE("bytes are kept to for every width, and what none can have is refused", "[threads]") {
  for (const std::size_t dim : {1u, 7u, 65u}) {
    const auto x = normal_rows(150, dim, dim);
    const std::size_t plane = (dim + 7) / 8;
    for (const auto metric : metrics)
      for (const std::size_t bytes : {std::size_t{1}, std::size_t{3}, plane, plane + 1, 2 * plane + 4, 100 * plane}) {
        INFO("dim " << dim << ", metric " << static_cast<int>(metric) << ", " << bytes << " bytes");
        embit::rng rng{7}, same{7};
        const embit::choose_encoder_options options{.metric = metric, .bytes_per_row = bytes, .held_out = 30};
        if (metric == embit::metric::l2 && bytes < 3) {
          CHECK(contains(refusal([&] { embit::choose_encoder(x, options, rng); }), "where 3 are the least"));
          continue;
        }
        const embit::thread_pool threads(2);
        const auto chosen = embit::choose_encoder(x, options, rng);
        const auto shared = embit::choose_encoder(x, options, same, {}, threads);
        CHECK(chosen.bytes_per_row() <= bytes);
        CHECK(chosen.bytes_per_row() <= 8 * plane + 8);
        const auto codes = chosen.encode(x);
        CHECK(codes.bytes_per_row() == chosen.bytes_per_row());
        CHECK(codes.fingerprint() == chosen.fingerprint());
        CHECK(chosen.fingerprint() == shared.fingerprint());
        CHECK(same_codes(codes, chosen.encode(x, threads)));
        CHECK(chosen.decode(codes).cols() == dim);
        CHECK(chosen.encode(x[3]).size() == 1);
        CHECK(chosen.encode(x.view().middle_rows(0, 0)).empty());
      }
  }
}

TEST_CASE("few rows, equal rows and constant columns are encoded all the same") {
  for (const auto metric : metrics)
    for (const std::size_t n : {1u, 7u, 15u, 79u, 80u}) {
      embit::matrix<float> x = normal_rows(n, 24, n);
      for (std::size_t i = 0; i < n; ++i) x[i][3] = 5, x[i][20] = 0;
      std::ranges::fill(x[0], 0.f);
      embit::rng rng{8};
      INFO("metric " << static_cast<int>(metric) << ", " << n << " rows");
      const auto chosen = embit::choose_encoder(x, {.metric = metric, .bytes_per_row = 12}, rng);
      REQUIRE(chosen.tried().size() >= 1);
      CHECK(chosen.tried()[0].recall.has_value() == (n >= 80));
      const embit::flat_index index{chosen.encode(x), chosen.estimator()};
      for (const auto& hit : index.search(x, 3)[n - 1]) CHECK(std::isfinite(hit.distance));
    }
  embit::rng rng{8};
  const embit::matrix<float> equal(100, 16, 2.f);
  const auto chosen = embit::choose_encoder(equal, {.metric = embit::metric::cosine, .bytes_per_row = 4}, rng);
  CHECK(chosen.encode(equal).size() == 100);
  CHECK(std::isfinite(chosen.decode(chosen.encode(equal))[5][5]));
}

TEST_CASE("for the cosine the lengths of rows do not matter") {
  embit::matrix<float> x = support::strong_mean_rows(600, 4), longer = x;
  for (std::size_t i = 0; i < x.rows(); ++i)
    for (float& number : longer[i]) number *= std::ldexp(1.f, static_cast<int>(i % 9) - 4);
  embit::rng rng{9}, same{9};
  const embit::choose_encoder_options options{.metric = embit::metric::cosine, .bytes_per_row = 14};
  const auto a = embit::choose_encoder(x, options, rng), b = embit::choose_encoder(longer, options, same);
  CHECK(same_codes(a.encode(x), a.encode(longer)));
  REQUIRE(a.tried().size() == b.tried().size());
  for (std::size_t i = 0; i < a.tried().size(); ++i) CHECK(std::abs(*a.tried()[i].recall - *b.tried()[i].recall) < .03);
}

TEST_CASE("bad arguments are named") {
  embit::rng rng{1};
  const auto x = normal_rows(100, 8, 1);
  const auto outcome = [&](const embit::matrix<float>& rows, embit::choose_encoder_options options) {
    return refusal([&] { embit::choose_encoder(rows, options, rng); });
  };
  CHECK(outcome(x, {}) ==
        "argument: choose_encoder: 0 bytes a row where 3 are the least, all but one of them for the norm");
  CHECK(outcome(x, {.metric = embit::metric::cosine}) ==
        "argument: choose_encoder: 0 bytes a row where 1 are the least");
  CHECK(contains(outcome(embit::matrix<float>(0, 8), {.bytes_per_row = 8}), "argument: choose_encoder: 0 x 8 rows"));
  CHECK(
      contains(outcome(embit::matrix<float>(100, 0), {.bytes_per_row = 8}), "argument: choose_encoder: 100 x 0 rows"));
  CHECK(contains(outcome(x, {.bytes_per_row = 8, .recurrent = true}), "argument: choose_encoder: recurrent"));
  embit::matrix<float> broken = x;
  broken[17][2] = std::numeric_limits<float>::quiet_NaN();
  CHECK(contains(outcome(broken, {.bytes_per_row = 8}), "row 17"));
}

TEST_CASE("progress is told, and stops with the best so far") {
  const auto x = support::strong_mean_rows(600, 3);
  embit::rng rng{2};
  std::vector<std::string> stages;
  std::size_t calls = 0;
  const embit::choose_encoder_options options{.metric = embit::metric::cosine, .bytes_per_row = 28};
  embit::choose_encoder(x, options, rng, [&](const embit::progress_report& report) {
    CHECK(report.done <= report.total);
    CHECK((report.objective >= 0 && report.objective <= 1));
    if (stages.empty() || stages.back() != report.stage) stages.emplace_back(report.stage);
    ++calls;
    return true;
  });
  CHECK(std::ranges::count(stages, "choose_encoder") == 2);
  for (std::size_t stop : {std::size_t{1}, calls / 3, calls / 2}) {
    std::size_t called = 0;
    const auto early =
        embit::choose_encoder(x, options, rng, [&](const embit::progress_report&) { return ++called < stop; });
    CHECK(called == stop);
    CHECK(early.bytes_per_row() <= 28);
    CHECK(early.encode(x).size() == x.rows());
  }
}

TEST_CASE("one value holds any encoder, and its file is the encoder's") {
  const support::temp_dir dir;
  const std::string path = dir / "encoder";
  embit::rng rng{4};
  const auto x = normal_rows(150, 16, 4);
  const auto rabitq = embit::fit_rabitq(x, {.bits_per_dim = 2, .metric = embit::metric::cosine}, rng);
  const auto transform = embit::fit_transform_coder(x, {.bits = 24, .metric = embit::metric::l2}, rng);
  const auto learned = embit::fit_recurrent(x, {.dims = 16, .loops = 1, .hidden = 16, .steps = 5, .batch = 64}, rng);
  const auto check = [&](const auto& encoder) {
    using type = std::remove_cvref_t<decltype(encoder)>;
    const embit::chosen_encoder chosen(encoder);
    CHECK(chosen.bytes_per_row() == encoder.bytes_per_row());
    CHECK(chosen.dim() == 16);
    REQUIRE(chosen.get_if<type>() != nullptr);
    CHECK(chosen.get_if<type>()->fingerprint() == encoder.fingerprint());
    CHECK(chosen.tried().empty());
    const auto codes = encoder.encode(x);
    CHECK(same_codes(codes, chosen.encode(x)));
    const auto found = numbers_of(embit::flat_index{codes, encoder.estimator()}.search(x, 5));
    CHECK(numbers_of(embit::flat_index{codes, chosen.estimator()}.search(x, 5)) == found);
    CHECK(numbers_of(embit::flat_index{codes, chosen.symmetric()}.search(codes, 5)) ==
          numbers_of(embit::flat_index{codes, encoder.symmetric()}.search(codes, 5)));
    embit::save(path, chosen);
    CHECK(embit::load<type>(path).fingerprint() == encoder.fingerprint());
    const auto loaded = embit::load<embit::chosen_encoder>(path);
    CHECK(loaded.fingerprint() == encoder.fingerprint());
    CHECK(numbers_of(embit::flat_index{codes, loaded.estimator()}.search(x, 5)) == found);
    CHECK(contains(refusal([&] { chosen.estimator(3); }), "query_bits"));
    CHECK(contains(refusal([&] { chosen.encode(normal_rows(2, 15, 1)); }), "shape"));
  };
  check(rabitq);
  check(transform);
  check(learned);
  for (const std::size_t bits : {4u, 8u})
    check(embit::fit_product_quantizer(x, {.bytes_per_row = 4, .bits_per_number = bits}, rng));
  CHECK(embit::chosen_encoder(rabitq).decode(rabitq.encode(x)) == rabitq.decode(rabitq.encode(x)));
  CHECK(embit::chosen_encoder(transform).decode(transform.encode(x)) == transform.decode(transform.encode(x)));

  embit::save(path, embit::sign_lsh({.dim = 16, .bits = 16}, rng));
  CHECK(contains(refusal([&] { embit::load<embit::chosen_encoder>(path); }),
                 "kind: " + path + ": holds 'sign_projection'"));

  // One variable, assigned encoders of several kinds.
  embit::chosen_encoder any(rabitq);
  any = embit::chosen_encoder(transform);
  CHECK(any.get_if<embit::rabitq>() == nullptr);
  CHECK(any.fingerprint() == transform.fingerprint());
  CHECK(contains(refusal([&] { embit::flat_index(rabitq.encode(x), any.estimator()); }), "codes"));
}

TEST_CASE("an encoder of one's own is held too, but for what it cannot do") {
  const support::temp_dir dir;
  embit::rng rng{4};
  const auto x = normal_rows(60, 16, 4);
  const embit::chosen_encoder own(plain_signs{embit::sign_lsh({.dim = 16, .bits = 40}, rng)});
  const embit::flat_index index{own.encode(x), own.estimator()};
  const embit::flat_index codes{own.encode(x), own.symmetric()};
  CHECK(index.search(x, 1)[9][0].id == 9);
  CHECK(codes.search(own.encode(x), 1)[9][0].distance == -40);
  CHECK(own.bytes_per_row() == 5);
  CHECK(contains(refusal([&] { own.decode(own.encode(x)); }), "unsupported: decode"));
  CHECK(contains(refusal([&] { embit::save(dir / "own", own); }), "unsupported: save"));
}

TEST_CASE("recurrent codes are tried where they are asked for") {
  const auto x = support::strong_mean_rows(300, 5);
  embit::rng rng{5};
  const auto chosen = embit::choose_encoder(
      x, {.metric = embit::metric::cosine, .bytes_per_row = 7, .symmetric = true, .recurrent = true, .held_out = 60},
      rng);
  CHECK(std::ranges::any_of(chosen.tried(), [](const auto& trial) { return trial.encoder == "recurrent"; }));
  CHECK(chosen.bytes_per_row() <= 7);
}
