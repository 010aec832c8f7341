// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/io/container.hpp>
#include <embit/learn/mlp.hpp>
#include <embit/learn/objective.hpp>
#include <embit/learn/optimizer.hpp>
#include <embit/learn/parameter_sections.hpp>
#include <embit/learn/schedule.hpp>
#include <embit/learn/trainer.hpp>

#include <learn/gradients.hpp>
#include <support/catch.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

using support::check_gradient;
using support::inner;
using support::normal_rows;
using support::refusal;

namespace {

static_assert(embit::Trainable<embit::mlp>);
static_assert(embit::Objective<embit::class_objective<embit::mlp>, embit::mlp>);

/// Whether a refusal is of that kind and says so.
bool refused(const std::string& said, const std::string& kind, const std::string& part) {
  CAPTURE(said);
  CHECK(said.starts_with(kind));
  return support::contains(said, part);
}

embit::matrix<float> output(const embit::mlp& net, const embit::matrix<float>& x) {
  embit::matrix<float> y(x.rows(), net.out());
  net.forward(x, y.view());
  return y;
}

}  // namespace

TEST_CASE("the gradients of a perceptron are those of its output, whatever its depth") {
  for (const std::vector<std::size_t>& widths :
       {std::vector<std::size_t>{9, 4}, std::vector<std::size_t>{9, 17, 5}, std::vector<std::size_t>{9, 17, 8, 3}})
    for (const std::size_t n : {1u, 33u}) {
      embit::rng rng{n};
      embit::mlp net(widths, rng);
      REQUIRE(net.in() == 9);
      REQUIRE(net.out() == widths.back());
      auto x = normal_rows(n, 9, 1);
      const auto dy = normal_rows(n, net.out(), 2);
      const auto loss = [&] { return inner(output(net, x).values(), dy.values()); };
      embit::mlp::trace kept;
      embit::matrix<float> y(n, net.out()), dx(n, 9);
      net.forward_training(x, y.view(), kept);
      REQUIRE(std::ranges::equal(y.values(), output(net, x).values()));
      net.backward(x, dy, kept, dx.view());
      // Short steps: a rectifier has a corner.
      check_gradient(x.values(), dx.values(), loss, 2e-2, 5e-4f);
      for (embit::parameter* p : net.parameters())
        check_gradient(p->value.values(), p->gradient.values(), loss, 2e-2, 5e-4f);
    }
}

TEST_CASE("a perceptron keeps nothing of the batch before, and takes any number of threads", "[threads]") {
  embit::rng rng{3};
  embit::mlp net({20, 64, 10}, rng);
  embit::mlp::trace kept;
  const embit::thread_pool pool(3);
  for (const std::size_t n : {64u, 5u, 64u}) {
    const auto x = normal_rows(n, 20, n);
    embit::matrix<float> y(n, 10), again(n, 10);
    net.forward_training(x, y.view(), kept);
    net.forward(x, again.view(), pool);
    REQUIRE(std::ranges::equal(y.values(), again.values()));
  }
}

TEST_CASE("impossible perceptrons are refused") {
  embit::rng rng{1};
  REQUIRE(refused(refusal([&] { embit::mlp({7}, rng); }), "argument: ", "1 widths"));
  REQUIRE(refused(refusal([&] { embit::mlp({7, 0, 3}, rng); }), "argument: ", "width 1 is 0"));
  const auto x = normal_rows(2, 7, 1);
  embit::matrix<float> y(2, 3);
  REQUIRE(refused(refusal([&] { embit::mlp().forward(x, y.view()); }), "argument: ", "no layers"));
}

TEST_CASE("a perceptron learns the classes of rows that it has not seen, by their prototypes") {
  constexpr std::size_t classes = 6, dim = 12, rows = 900, held = 300;
  embit::rng rng{11};
  // Two clusters a class, so that no linear layer can tell them apart.
  const auto centres = normal_rows(2 * classes, dim, 5, 2.f);
  embit::matrix<float> x(rows + held, dim);
  std::vector<std::uint32_t> label(rows + held);
  for (std::size_t i = 0; i < x.rows(); ++i) {
    const auto cluster = static_cast<std::size_t>(embit::uniform_index(rng, 2 * classes));
    label[i] = static_cast<std::uint32_t>(cluster % classes);
    for (std::size_t k = 0; k < dim; ++k) x[i][k] = centres[cluster][k] + .5f * embit::normal(rng);
  }
  const auto prototypes = normal_rows(classes, 16, 7);
  const auto accuracy = [&](const embit::mlp& net) {
    embit::matrix<float> y(held, net.out());
    net.forward(x.view().middle_rows(rows, held), y.view());
    std::size_t right = 0;
    for (std::size_t i = 0; i < held; ++i) {
      std::size_t best = 0;
      double most = -1e30;
      for (std::size_t c = 0; c < classes; ++c) {
        const double product = inner(y[i], prototypes[c]) / std::sqrt(inner(prototypes[c], prototypes[c]));
        if (product > most) most = product, best = c;
      }
      right += best == label[rows + i];
    }
    return static_cast<double>(right) / held;
  };
  embit::mlp net({dim, 32, 16}, rng);
  embit::class_objective<embit::mlp> objective(x.view().middle_rows(0, rows), std::span(label).first(rows), prototypes,
                                               {.batch = 64, .code = {.quantization = .1f}}, embit::rng{2});
  const double before = accuracy(net);
  const auto report = embit::train(net, embit::adam(), embit::cosine_schedule{.rate = 1e-2f},
                                   {.steps = 300, .validate_every = 100}, objective, accuracy);
  CAPTURE(before, report.best_score);
  REQUIRE(before < .6);
  REQUIRE(report.best_score > .97);
  REQUIRE(accuracy(net) == report.best_score);
  REQUIRE(report.losses.back() < report.losses.front() / 2);
}

TEST_CASE("an objective of classes refuses what cannot be learned") {
  const auto x = normal_rows(10, 4, 1), prototypes = normal_rows(3, 8, 2);
  const std::vector<std::uint32_t> classes{0, 1, 2, 0, 1, 2, 0, 1, 2, 0};
  const auto made = [&](std::span<const std::uint32_t> of, const embit::matrix<float>& towards, std::size_t batch = 5) {
    return refusal([&] { embit::class_objective<embit::mlp>(x, of, towards, {.batch = batch}, embit::rng{1}); });
  };
  REQUIRE(refused(made(std::span(classes).first(9), prototypes), "shape: ", "9 of 10 rows"));
  REQUIRE(refused(made(std::vector<std::uint32_t>(10, 3), prototypes), "out_of_range: ", "class 3 of 3"));
  REQUIRE(refused(made(classes, embit::matrix<float>(3, 8)), "argument: ", "class 0 is zero"));
  REQUIRE(refused(made(classes, prototypes, 0), "argument: ", "batches of 0"));
  embit::rng rng{1};
  embit::mlp net({4, 9}, rng);
  embit::class_objective<embit::mlp> objective(x, classes, prototypes, {}, embit::rng{1});
  REQUIRE(refused(refusal([&] { objective(net); }), "shape: ", "8 dimensions where the net has 9"));
}

TEST_CASE("parameters are read as they were written, into a model of the same shape only") {
  const support::temp_dir folder;
  const std::string path = folder / "net.embit";
  constexpr embit::file_kind kind{"test_net", 1};
  embit::rng rng{4};
  embit::mlp written({5, 7, 3}, rng), read({5, 7, 3}, rng), deeper({5, 7, 7, 3}, rng), wider({5, 8, 3}, rng);
  {
    embit::container_writer out(path, kind);
    embit::write_parameters(out.sections(), written.parameters());
    out.finish();
  }
  const auto file = embit::container_reader::open(path, kind);
  const auto x = normal_rows(3, 5, 1);
  embit::read_parameters(file.sections(), read.parameters());
  REQUIRE(std::ranges::equal(output(read, x).values(), output(written, x).values()));
  for (embit::mlp* other : {&deeper, &wider}) {
    const auto before = output(*other, x);
    REQUIRE(refused(refusal([&] { embit::read_parameters(file.sections(), other->parameters()); }),
                    "format: ", "section '"));
    REQUIRE(std::ranges::equal(output(*other, x).values(), before.values()));
  }
  embit::mlp shallower({5, 7}, rng);
  REQUIRE(refused(refusal([&] { embit::read_parameters(file.sections(), shallower.parameters()); }),
                  "format: ", "more parameters than the model has"));
}
