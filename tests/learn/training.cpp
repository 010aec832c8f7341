// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/learn/optimizer.hpp>
#include <embit/learn/sampler.hpp>
#include <embit/learn/schedule.hpp>
#include <embit/learn/skip_block.hpp>
#include <embit/learn/trainer.hpp>

#include <learn/gradients.hpp>
#include <support/catch.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <vector>

using support::normal_rows;
using support::refusal;

namespace {

struct block_model {
  embit::skip_block block;
  embit::parameter_list parameters() {
    embit::parameter_list list;
    block.collect(list);
    return list;
  }
};

static_assert(embit::Trainable<block_model>);

// Rows and what a network of one hidden layer must learn about them: no linear map of them does it.
struct lesson {
  embit::matrix<float> x = normal_rows(400, 6, 1), y{400, 2};
  lesson() {
    for (std::size_t i = 0; i < x.rows(); ++i) {
      y[i][0] = std::abs(x[i][0]) + x[i][2];
      y[i][1] = x[i][1] > 0 ? x[i][3] : -x[i][3];
    }
  }

  template <class Exec>
  double batch(block_model& model, std::span<const std::size_t> rows, const Exec& executor) const {
    embit::matrix<float> in(rows.size(), 6), out(rows.size(), 2);
    embit::skip_block::trace kept;
    for (std::size_t i = 0; i < rows.size(); ++i) std::ranges::copy(x[rows[i]], in[i].begin());
    model.block.forward_training(in, out, kept, executor);
    double loss = 0;
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (std::size_t k = 0; k < 2; ++k) {
        const float miss = out[i][k] - y[rows[i]][k];
        loss += double{miss} * double{miss} / static_cast<double>(rows.size());
        out[i][k] = 2 * miss / static_cast<float>(rows.size());
      }
    model.block.backward(out, kept, embit::matrix_view<float>(), executor);
    return loss;
  }

  double error(const block_model& model) const {
    embit::matrix<float> out(400, 2);
    model.block.forward(x, out);
    double sum = 0;
    for (std::size_t i = 0; i < out.values().size(); ++i) {
      const double miss = double{out.values()[i]} - double{y.values()[i]};
      sum += miss * miss / 400;
    }
    return sum;
  }
};

template <class Optimizer, class Schedule, class Exec = embit::inline_executor>
block_model learn(const lesson& task, Optimizer optimizer, Schedule schedule, embit::train_report& report,
                  const Exec& executor = {}) {
  embit::rng rng{3};
  block_model model{embit::skip_block(6, 32, 2, rng)};
  embit::shuffled_batches batches(400, 100, rng);
  report = embit::train(
      model, optimizer, schedule, {.steps = 400, .validate_every = 100},
      [&](block_model& m) { return task.batch(m, batches.next(), executor); },
      [&](const block_model& m) { return -task.error(m); });
  return model;
}

}  // namespace

TEST_CASE("both optimizers learn what is not linear, the same at any number of threads", "[threads]") {
  const lesson task;
  embit::train_report report, again;
  const auto by_adam = learn(task, embit::adam(), embit::cosine_schedule{.rate = 1e-2f}, report);
  REQUIRE(report.end == embit::train_end::finished);
  REQUIRE(report.losses.size() == 400);
  REQUIRE(report.validations.size() == 5);
  REQUIRE(report.best_step == 400);
  REQUIRE(task.error(by_adam) < .15);
  REQUIRE(-report.best_score == task.error(by_adam));

  const auto threaded = learn(task, embit::adam(), embit::cosine_schedule{.rate = 1e-2f}, again, embit::thread_pool(2));
  REQUIRE(again.losses == report.losses);
  REQUIRE(threaded.block.output.weight.value == by_adam.block.output.weight.value);
  REQUIRE(threaded.block.hidden.weight.value == by_adam.block.hidden.weight.value);

  const auto by_sgd =
      learn(task, embit::sgd({.weight_decay = 1e-4f}), embit::step_schedule{.rate = .05f, .at = .6}, report);
  REQUIRE(task.error(by_sgd) < .2);
}

TEST_CASE("the first steps of the optimizers are those of their papers") {
  embit::parameter p(1, 9, 1.f);
  std::ranges::fill(p.gradient.values(), .5f);
  const embit::parameter_list list{&p};
  embit::sgd sgd({.momentum = .9f, .weight_decay = .1f});
  sgd.step(list, .1f);  // g = .6, v = .6: 1 - .1 (.6 + .54)
  REQUIRE(p.value[0][8] == Approx(.886f));
  sgd.step(list, .1f);  // g = .5886, v = 1.1286: .886 - .1 (.5886 + 1.01574)
  REQUIRE(p.value[0][0] == Approx(.725566f));

  std::ranges::fill(p.value.values(), 1.f);
  p.rate = .5f;
  embit::adam adam;
  adam.step(list, .1f);  // the first step is the sign of the gradient times the rate
  REQUIRE(p.value[0][3] == Approx(.95f));
  p.gradient[0][8] = -.5f;
  adam.step(list, .1f);
  REQUIRE(p.value[0][3] == Approx(.9f));
  REQUIRE(p.value[0][8] == Approx(.95f + .05f * (.05f - .045f) / .19f / .5f).epsilon(1e-4));
  embit::parameter q(2, 2);
  REQUIRE(refusal([&] { adam.step(embit::parameter_list{&q}, .1f); }).starts_with("shape: "));
}

TEST_CASE("schedules rise and fall as told") {
  const embit::cosine_schedule cosine{.rate = 2, .warmup = 10};
  REQUIRE(cosine(5, 100) == Approx(std::cos(.05 * 3.14159265) * .5 + .5));
  REQUIRE(cosine(50, 100) == Approx(1.f));
  REQUIRE(cosine(100, 100) == Approx(0).margin(1e-6));
  const embit::step_schedule steps{.rate = 1, .at = .6};
  REQUIRE(steps(1, 10) == 1.f);
  REQUIRE(steps(6, 10) == 1.f);
  REQUIRE(steps(7, 10) == Approx(.1f));
  REQUIRE(embit::constant_schedule{.rate = 3}(7, 10) == 3.f);
}

TEST_CASE("gradients are clipped together; keys follow slowly") {
  embit::parameter p(1, 2), q(2, 1);
  p.gradient.values()[0] = 3;
  q.gradient.values()[1] = 4;
  const embit::parameter_list list{&p, &q};
  REQUIRE(embit::clip_gradients(list, 10) == Approx(5));
  REQUIRE(p.gradient.values()[0] == 3.f);
  REQUIRE(embit::clip_gradients(list, 1) == Approx(5));
  REQUIRE(q.gradient.values()[1] == Approx(.8f));
  REQUIRE(refusal([&] { embit::clip_gradients(list, 0); }).starts_with("argument: "));
  embit::parameter slow(1, 2, 1.f), fast(1, 2, 2.f);
  embit::follow(embit::parameter_list{&slow}, embit::parameter_list{&fast}, .75f);
  REQUIRE(slow.value.values()[1] == 1.25f);
  REQUIRE(refusal([&] {
            embit::follow(embit::parameter_list{&slow}, embit::parameter_list{&q}, .5f);
          }).starts_with("shape: "));
}

TEST_CASE("training keeps the best state, ends early, is stopped, and reports divergence") {
  embit::rng rng{4};
  const block_model start{embit::skip_block(3, 4, 2, rng)};
  const auto rise = [](block_model& m) {
    std::ranges::fill(m.block.output.bias.gradient.values(), -1.f);
    return 1.;
  };
  const auto value = [](const block_model& m) { return double{m.block.output.bias.value.values()[0]}; };
  const embit::constant_schedule one{.rate = 1};
  const embit::sgd plain({.momentum = 0});
  const embit::trainer_options options{.steps = 100, .validate_every = 5, .patience = 2};

  block_model model = start;
  auto report =
      embit::train(model, plain, one, options, rise, [&](const block_model& m) { return -std::abs(value(m) - 11); });
  REQUIRE(report.end == embit::train_end::early);
  REQUIRE(report.best_step == 10);
  REQUIRE(report.losses.size() == 20);
  REQUIRE(value(model) == 10);

  model = start;
  std::vector<std::string> stages;
  report = embit::train(model, plain, one, options, rise, value, [&](const embit::progress_report& r) {
    stages.emplace_back(r.stage);
    return r.done < 7;
  });
  REQUIRE(report.end == embit::train_end::stopped);
  REQUIRE(value(model) == 5);  // the best that was validated
  REQUIRE(std::ranges::count(stages, "held-out") == 2);
  REQUIRE(std::ranges::count(stages, "training") == 7);

  model = start;
  std::size_t steps = 0;
  report = embit::train(
      model, plain, one, options,
      [&](block_model& m) { return ++steps == 8 ? std::numeric_limits<double>::quiet_NaN() : rise(m); }, value);
  REQUIRE(report.end == embit::train_end::diverged);
  REQUIRE(report.losses.size() == 8);
  REQUIRE(value(model) == 5);

  // Worse from the first step: the start is what remains.
  model = start;
  report = embit::train(model, plain, one, options, rise, [&](const block_model& m) { return -value(m); });
  REQUIRE(report.best_step == 0);
  REQUIRE(value(model) == 0);
}

TEST_CASE("samplers: every row once a pass, none twice in a batch, labels in balance") {
  embit::shuffled_batches batches(10, 4, embit::rng{1});
  std::set<std::size_t> pass;
  for (int b = 0; b < 2; ++b)
    for (const std::size_t i : batches.next()) REQUIRE(pass.insert(i).second);
  const auto third = batches.next();
  REQUIRE(std::set<std::size_t>(third.begin(), third.end()).size() == 4);
  REQUIRE(refusal([] { embit::shuffled_batches(3, 4, embit::rng{1}); }) == "argument: batches of 4 of 3 items");

  const std::vector<std::uint32_t> labels{0, 0, 0, 1, 2, 2, 0};
  embit::balanced_batches balanced(labels, 2, 3, embit::rng{2});
  for (int b = 0; b < 20; ++b) {
    const auto found = balanced.next();
    REQUIRE(found.size() == 6);
    for (std::size_t i = 0; i < 6; ++i) REQUIRE(labels[found[i]] == labels[found[i / 3 * 3]]);
    REQUIRE(labels[found[0]] != labels[found[3]]);
  }
  REQUIRE(refusal([&] { embit::balanced_batches(labels, 4, 1, embit::rng{}); }).starts_with("argument: "));
}

TEST_CASE("pairs join rows into groups, and labels make pairs") {
  const std::vector<embit::row_pair> pairs{{0, 4}, {5, 6}, {4, 2}};
  REQUIRE(embit::pair_groups(pairs, 7) == std::vector<std::uint32_t>{0, 1, 0, 3, 0, 5, 5});
  const std::vector<embit::row_pair> wrong{{0, 1}, {2, 7}};
  REQUIRE(refusal([&] { embit::pair_groups(wrong, 7); }) == "out_of_range: pairs: pair 1 is (2, 7) of 7 rows");
  const std::vector<int> labels{7, 8, 7, 9, 7, 8};
  embit::rng rng{3};
  const auto made = embit::pairs_of_labels(std::span(labels), 3, rng);
  REQUIRE(made.size() == 15);
  for (const auto& pair : made) {
    REQUIRE(pair.first != pair.second);
    REQUIRE(labels[pair.first] == labels[pair.second]);
  }
}
