// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/learn/activation.hpp>
#include <embit/learn/batch_norm.hpp>
#include <embit/learn/linear.hpp>
#include <embit/learn/skip_block.hpp>

#include <learn/gradients.hpp>
#include <support/catch.hpp>
#include <support/refusal.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

using support::check_gradient;
using support::inner;
using support::normal_rows;

TEST_CASE("the gradients of a linear layer are those of its output") {
  for (const std::size_t n : {1u, 7u, 33u}) {
    embit::rng rng{n};
    embit::linear layer(19, 35);
    layer.draw(rng);
    auto x = normal_rows(n, 19, 1);
    const auto dy = normal_rows(n, 35, 2);
    const auto loss = [&] {
      embit::matrix<float> y(n, 35);
      layer.forward(x, y);
      return inner(y.values(), dy.values());
    };
    embit::matrix<float> dx(n, 19);
    layer.backward(x, dy, dx);
    check_gradient(x.values(), dx.values(), loss);
    check_gradient(layer.weight.value.values(), layer.weight.gradient.values(), loss);
    check_gradient(layer.bias.value.values(), layer.bias.gradient.values(), loss);
  }
}

TEST_CASE("batch normalization: gradients, statistics, folding") {
  const std::size_t n = 65, width = 21;
  embit::batch_norm norm(width);
  for (auto& g : norm.gain.value.values()) g = 1.5f;
  auto x = normal_rows(n, width, 3, 2.f);
  for (std::size_t i = 0; i < n; ++i) x[i][5] += 10;  // a mean far from zero
  const auto dy = normal_rows(n, width, 4);
  embit::batch_norm::trace kept;
  const auto loss = [&] {
    embit::batch_norm fresh = norm;
    embit::batch_norm::trace scratch;
    auto y = x;
    fresh.forward_training(y.view(), scratch);
    return inner(y.values(), dy.values());
  };
  auto y = x;
  {
    embit::batch_norm fresh = norm;
    fresh.forward_training(y.view(), kept);
    for (std::size_t k = 0; k < width; ++k) {
      double sum = 0, squares = 0;
      for (std::size_t i = 0; i < n; ++i) sum += double{y[i][k]}, squares += double{y[i][k]} * double{y[i][k]};
      REQUIRE(std::abs(sum) < 1e-3);
      REQUIRE(squares / n == Approx(2.25).epsilon(1e-3));
    }
    REQUIRE(fresh.mean[5] == Approx(10).margin(1));
  }
  auto dx = dy;
  norm.backward(dx.view(), kept);
  check_gradient(x.values(), dx.values(), loss);
  check_gradient(norm.gain.value.values(), norm.gain.gradient.values(), loss);
  check_gradient(norm.shift.value.values(), norm.shift.gradient.values(), loss);

  embit::rng rng{5};
  embit::linear before(13, width);
  before.draw(rng);
  for (std::size_t t = 0; t < 12; ++t) {
    auto batch = normal_rows(n, width, 10 + t, 3.f);
    norm.forward_training(batch.view(), kept);
  }
  const auto rows = normal_rows(50, 13, 6);
  embit::matrix<float> apart(50, width), folded(50, width);
  before.forward(rows, apart);
  norm.forward(apart.view());
  norm.folded_into(before).forward(rows, folded);
  for (std::size_t i = 0; i < apart.values().size(); ++i)
    REQUIRE(std::abs(apart.values()[i] - folded.values()[i]) < 1e-5);
  REQUIRE(support::refusal([&] { norm.folded_into(embit::linear(13, 20)); }).starts_with("shape: "));
}

TEST_CASE("ReLU and unit rows: gradients") {
  auto x = normal_rows(31, 45, 7);
  for (float& v : x.values()) v += v > 0 ? .1f : -.1f;  // away from the kink, where a difference means nothing
  const auto dy = normal_rows(31, 45, 8);
  auto y = x, dx = dy;
  embit::relu::forward(y.view());
  embit::relu::backward(y, dx.view());
  check_gradient(x.values(), dx.values(), [&] {
    auto out = x;
    embit::relu::forward(out.view());
    return inner(out.values(), dy.values());
  });

  std::vector<float> norms(31);
  embit::unit_rows::forward(x, y.view(), norms);
  dx = dy;
  embit::unit_rows::backward(y, norms, dx.view());
  check_gradient(x.values(), dx.values(), [&] {
    embit::matrix<float> out(31, 45);
    std::vector<float> scratch(31);
    embit::unit_rows::forward(x, out.view(), scratch);
    return inner(out.values(), dy.values());
  });

  embit::matrix<float> zero(1, 9, 0.f);
  std::vector<float> norm(1);
  embit::unit_rows::forward(zero, zero.view(), norm);
  REQUIRE(zero[0][4] == 0.f);
}

TEST_CASE("the sign lets gradients through where it clips nothing") {
  const std::vector<float> x{-2, -1, -.5f, 0, .5f, 1, 2, .25f, -3}, dy(9, 2.f);
  std::vector<float> out(9, 10.f), dx(9);
  embit::straight_through_sign::add(.5f, x, out);
  REQUIRE(out == std::vector<float>{9.5f, 9.5f, 9.5f, 9.5f, 10.5f, 10.5f, 10.5f, 10.5f, 9.5f});
  embit::straight_through_sign::backward(.5f, x, dy, dx);
  REQUIRE(dx == std::vector<float>{0, 1, 1, 1, 1, 1, 0, 1, 0});
}

TEST_CASE("a block with a skip connection: gradients, its start, folding, threads", "[threads]") {
  for (const std::size_t hidden : {0u, 37u}) {
    const std::size_t n = 41, in = 18, out = 11;
    embit::rng rng{hidden};
    embit::skip_block block(in, hidden, out, rng);
    const auto skip = normal_rows(out, in, 9);
    block.set_skip(skip);
    auto x = normal_rows(n, in, 10);
    embit::skip_block::trace kept;
    embit::matrix<float> y(n, out), linear(n, out);
    block.forward_training(x, y, kept);
    embit::gemm(x, skip, linear);
    for (std::size_t i = 0; i < y.values().size(); ++i) REQUIRE(std::abs(y.values()[i] - linear.values()[i]) < 1e-5);

    for (float& w : block.output.weight.value.values()) w += .2f * embit::normal(rng);
    const auto dy = normal_rows(n, out, 11);
    const auto loss = [&] {
      embit::skip_block fresh = block;
      embit::skip_block::trace scratch;
      embit::matrix<float> z(n, out);
      fresh.forward_training(x, z, scratch);
      return inner(z.values(), dy.values());
    };
    block.forward_training(x, y, kept);
    embit::matrix<float> dx(n, in);
    block.backward(dy, kept, dx);
    check_gradient(x.values(), dx.values(), loss, 2e-2, 5e-4f);
    embit::parameter_list parameters;
    block.collect(parameters);
    for (embit::parameter* p : parameters) {
      // A bias before a normalization changes nothing.
      if (hidden != 0 && p == &block.hidden.bias) continue;
      check_gradient(p->value.values(), p->gradient.values(), loss, 2e-2, 5e-4f);
    }

    embit::skip_block other = block;
    embit::skip_block::trace other_kept;
    embit::matrix<float> other_y(n, out), other_dx(n, in);
    const embit::thread_pool two(2);
    block.forward_training(x, y, kept);
    block.backward(dy, kept, dx);
    other.forward_training(x, other_y, other_kept, two);
    other.backward(dy, other_kept, other_dx, two);
    REQUIRE(y == other_y);
    REQUIRE(dx == other_dx);
    REQUIRE(block.output.weight.gradient == other.output.weight.gradient);

    embit::matrix<float> apart(n, out), folded(n, out);
    block.forward(x, apart);
    block.folded().forward(x, folded);
    for (std::size_t i = 0; i < apart.values().size(); ++i)
      REQUIRE(std::abs(apart.values()[i] - folded.values()[i]) < 1e-5);
  }
}
