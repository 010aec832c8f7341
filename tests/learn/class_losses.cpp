// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/learn/code_head.hpp>
#include <embit/learn/softmax.hpp>

#include <learn/gradients.hpp>
#include <support/catch.hpp>
#include <support/refusal.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using support::check_gradient;
using support::normal_rows;
using support::refusal;

namespace {

/// The definition, in double.
double cross_entropy(const embit::matrix<float>& logits, const embit::matrix<float>& targets, double scale,
                     double margin) {
  double loss = 0;
  for (std::size_t i = 0; i < logits.rows(); ++i) {
    double sum = 0;
    const auto z = [&](std::size_t k) { return scale * (double{logits[i][k]} - (targets[i][k] > 0 ? margin : 0)); };
    for (std::size_t k = 0; k < logits.cols(); ++k) sum += std::exp(z(k));
    for (std::size_t k = 0; k < logits.cols(); ++k) loss -= double{targets[i][k]} * (z(k) - std::log(sum));
  }
  return loss / static_cast<double>(logits.rows());
}

}  // namespace

TEST_CASE("the cross-entropy of classes is its definition, with its gradient") {
  for (const std::size_t n : {1u, 9u})
    for (const std::size_t classes : {1u, 2u, 7u, 65u})
      for (const auto& [scale, margin] : {std::pair{1.f, 0.f}, std::pair{10.f, .15f}}) {
        CAPTURE(n, classes, scale, margin);
        const embit::softmax_options options{scale, margin};
        auto logits = normal_rows(n, classes, classes, .5f);
        std::vector<std::uint32_t> own(n);
        embit::matrix<float> one(n, classes), some(n, classes);
        for (std::size_t i = 0; i < n; ++i) {
          own[i] = static_cast<std::uint32_t>(i * 3 % classes);
          one[i][own[i]] = 1;
          if (i == 2) continue;  // of which nothing is known
          some[i][own[i]] += .75f;
          some[i][i * 5 % classes] += .25f;
        }
        auto slope = logits;
        REQUIRE(embit::softmax_cross_entropy(slope.view(), own, options) ==
                Approx(cross_entropy(logits, one, double{scale}, double{margin})).epsilon(1e-5).margin(1e-6));
        auto soft_slope = logits;
        REQUIRE(embit::softmax_cross_entropy(soft_slope.view(), some, options) ==
                Approx(cross_entropy(logits, some, double{scale}, double{margin})).epsilon(1e-5).margin(1e-6));
        if (classes == 1) {  // nothing to choose from
          REQUIRE(slope[0][0] == Approx(0).margin(1e-6));
          continue;
        }
        check_gradient(logits.values(), slope.values(), [&] {
          auto copy = logits;
          return embit::softmax_cross_entropy(copy.view(), own, options);
        });
        check_gradient(logits.values(), soft_slope.values(), [&] {
          auto copy = logits;
          return embit::softmax_cross_entropy(copy.view(), some, options);
        });
      }
}

TEST_CASE("logits far apart overflow nothing") {
  embit::matrix<float> logits(1, 3);
  logits[0][0] = -3e4f;
  logits[0][2] = 3e4f;
  const std::vector<std::uint32_t> first{0}, last{2};
  auto right = logits, wrong = logits;
  REQUIRE(embit::softmax_cross_entropy(right.view(), last) == Approx(0).margin(1e-6));
  REQUIRE(embit::softmax_cross_entropy(wrong.view(), first) == Approx(6e4));
  REQUIRE(wrong[0][0] == Approx(-1));
}

TEST_CASE("what is no class is refused") {
  auto logits = normal_rows(2, 3, 1);
  const std::vector<std::uint32_t> outside{0, 3}, few{0}, fine{0, 1};
  REQUIRE(refusal([&] { embit::softmax_cross_entropy(logits.view(), outside); }) ==
          "out_of_range: classes: row 1 is of class 3 of 3");
  REQUIRE(refusal([&] { embit::softmax_cross_entropy(logits.view(), few); }).starts_with("shape: "));
  REQUIRE(refusal([&] { embit::softmax_cross_entropy(logits.view(), fine, {.scale = 0}); }).starts_with("argument: "));
  auto targets = normal_rows(2, 3, 1);
  targets[1][2] = std::numeric_limits<float>::quiet_NaN();
  for (auto& t : targets[0]) t = std::abs(t);
  targets[1][0] = targets[1][1] = 0;
  REQUIRE(refusal([&] {
            embit::softmax_cross_entropy(logits.view(), targets);
          }).starts_with("argument: targets: row 1, class 2"));
  embit::matrix<float> none(0, 3);
  REQUIRE(refusal([&] {
            embit::softmax_cross_entropy(none.view(), std::vector<std::uint32_t>());
          }).starts_with("argument: "));
}

TEST_CASE("each loss of codes has its gradient, and is zero where codes are what it asks for") {
  for (const std::size_t n : {1u, 16u, 33u}) {
    auto u = normal_rows(n, 12, n);
    for (const embit::code_head_options& options :
         {embit::code_head_options{.quantization = .5f}, embit::code_head_options{.balance = 2},
          embit::code_head_options{.decorrelation = 1},
          embit::code_head_options{.quantization = .1f, .balance = 1, .decorrelation = 1}}) {
      const embit::code_head head(options);
      embit::matrix<float> slope(n, 12);
      const double loss = head.add_losses(u, slope.view());
      REQUIRE(loss > 0);
      check_gradient(
          u.values(), slope.values(),
          [&] {
            embit::matrix<float> ignored(n, 12);
            return head.add_losses(u, ignored.view());
          },
          2e-2, 5e-4f);
      auto twice = slope;
      head.add_losses(u, twice.view());
      for (std::size_t k = 0; k < 12; ++k) REQUIRE(twice[0][k] == Approx(2 * slope[0][k]));
    }
  }
  // The rows of a Hadamard matrix but the first: ±1, balanced and orthogonal.
  embit::matrix<float> codes(8, 7), slope(8, 7);
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t k = 0; k < 7; ++k) codes[i][k] = __builtin_parity(static_cast<unsigned>(i & (k + 1))) ? -1.f : 1.f;
  const embit::code_head all({.quantization = 1, .balance = 1, .decorrelation = 1});
  REQUIRE(all.add_losses(codes, slope.view()) == Approx(0).margin(1e-9));
  for (const float s : slope.values()) REQUIRE(s == Approx(0).margin(1e-9));
}

TEST_CASE("signs go forward as codes have them, and gradients straight back where numbers are small") {
  embit::matrix<float> u(1, 5), codes(1, 5), slope(1, 5, 3.f);
  const float numbers[] = {.5f, -.5f, 0, 2, -1};
  std::copy(std::begin(numbers), std::end(numbers), u[0].begin());
  embit::code_head::forward(u, codes.view());
  REQUIRE(std::vector<float>(codes[0].begin(), codes[0].end()) == std::vector<float>{1, -1, -1, 1, -1});
  embit::code_head::backward(u, slope.view());
  REQUIRE(std::vector<float>(slope[0].begin(), slope[0].end()) == std::vector<float>{3, 3, 3, 0, 3});
  REQUIRE(refusal([] { embit::code_head({.balance = -1}); }).starts_with("argument: "));
  embit::matrix<float> narrow(1, 4);
  REQUIRE(refusal([&] { embit::code_head::forward(u, narrow.view()); }).starts_with("shape: "));
}
