// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/learn/info_nce.hpp>
#include <embit/learn/pair_losses.hpp>
#include <embit/learn/similarity_distillation.hpp>

#include <learn/gradients.hpp>
#include <support/catch.hpp>
#include <support/refusal.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

using support::check_gradient;
using support::normal_rows;
using support::normal_unit_rows;

namespace {

embit::matrix<float> product(const embit::matrix<float>& a, const embit::matrix<float>& b) {
  embit::matrix<float> out(a.rows(), b.rows());
  embit::gemm(a, b, out);
  return out;
}

// The definition, in double.
double divergence(const embit::matrix<float>& student, const embit::matrix<float>& teacher, double scale, double tau,
                  bool skip_diagonal) {
  double sum = 0;
  for (std::size_t i = 0; i < student.rows(); ++i) {
    double a = 0, t = 0;
    const auto used = [&](std::size_t j) { return !skip_diagonal || j != i; };
    for (std::size_t j = 0; j < student.cols(); ++j)
      if (used(j)) a += std::exp(scale * double{student[i][j]} / tau), t += std::exp(double{teacher[i][j]} / tau);
    for (std::size_t j = 0; j < student.cols(); ++j) {
      if (!used(j)) continue;
      const double p = std::exp(scale * double{student[i][j]} / tau) / a, q = std::exp(double{teacher[i][j]} / tau) / t;
      sum += q * std::log(q / p) / static_cast<double>(student.rows());
    }
  }
  return sum;
}

}  // namespace

TEST_CASE("distillation is the divergence of the two softmaxes, with its gradient") {
  for (const std::size_t m : {2u, 9u, 64u})
    for (const bool skip : {false, true}) {
      const std::size_t n = skip ? m : 23;
      auto student = product(normal_unit_rows(n, 12, 1), normal_unit_rows(m, 12, 2));
      const auto teacher = product(normal_unit_rows(n, 30, 3), normal_unit_rows(m, 30, 4));
      const embit::distillation_options options{.temperature = .1f, .scale = .7f, .skip_diagonal = skip};
      auto slope = student;
      const auto found = embit::distill_similarities(slope.view(), teacher, options);
      const double scale = double{options.scale}, tau = double{options.temperature};
      REQUIRE(found.loss == Approx(divergence(student, teacher, scale, tau, skip)).epsilon(1e-5).margin(1e-7));
      if (m == 2 && skip) continue;  // one similarity is always all there is
      check_gradient(student.values(), slope.values(), [&] { return divergence(student, teacher, scale, tau, skip); });
      const double more = divergence(student, teacher, scale * 1.001, tau, skip);
      const double less = divergence(student, teacher, scale / 1.001, tau, skip);
      REQUIRE(found.log_scale_gradient == Approx((more - less) / (2 * std::log(1.001))).epsilon(1e-3).margin(1e-5));
    }
  // Far beyond what exp can hold.
  auto steep = normal_rows(3, 5, 5, 1e4f);
  REQUIRE(std::isfinite(embit::distill_similarities(steep.view(), normal_rows(3, 5, 6, 1e3f)).loss));
}

TEST_CASE("distilling a batch derives by both sides of every similarity", "[threads]") {
  const std::size_t n = 37;
  const auto teacher = normal_unit_rows(n, 40, 7);
  auto student = normal_rows(n, 17, 8, .25f);
  embit::matrix<float> slope(n, 17), threaded(n, 17);
  const embit::distillation_options options{.scale = .5f};
  const auto found = embit::distill_batch(teacher, student, slope.view(), options);
  const auto again = embit::distill_batch(teacher, student, threaded.view(), options, embit::thread_pool(2));
  REQUIRE(slope == threaded);
  REQUIRE(found.loss == again.loss);
  check_gradient(student.values(), slope.values(), [&] {
    return divergence(product(student, student), product(teacher, teacher), .5, double{.05f}, true);
  });
  // A student that says the same in another scale is matched by that scale.
  auto wide = teacher, wide_slope = teacher;
  for (float& x : wide.values()) x *= 2;
  REQUIRE(embit::matching_scale(teacher, wide) == Approx(.25).epsilon(1e-4));
  REQUIRE(embit::distill_batch(teacher, wide, wide_slope.view(), {.scale = .25f}).loss == Approx(0).margin(1e-5));
}

TEST_CASE("InfoNCE: its value by definition, its gradient, masks, hard negatives and the queue", "[threads]") {
  const std::size_t n = 21, dim = 13;
  auto a = normal_unit_rows(n, dim, 9), p = normal_unit_rows(n, dim, 10);
  const auto more = normal_unit_rows(8, dim, 11);
  std::vector<std::uint32_t> groups(n), more_groups(8, 1000);
  for (std::size_t i = 0; i < n; ++i) groups[i] = static_cast<std::uint32_t>(i / 2);  // pairs of pairs
  more_groups[3] = groups[4];
  embit::negative_queue queue(5, dim);
  queue.push(more, more_groups);  // the last five stay
  REQUIRE(queue.size() == 5);
  for (const bool queued : {false, true})
    for (const bool both : {false, true}) {
      const embit::info_nce_options options{.temperature = .3f, .hard_negatives = 0, .both_ways = both};
      const auto* negatives = queued ? &queue : nullptr;
      const auto loss = [&] {
        embit::matrix<float> s(n, dim), t(n, dim);
        return embit::info_nce(a, p, groups, s.view(), t.view(), options, negatives);
      };
      embit::matrix<float> da(n, dim), dp(n, dim);
      const double found = embit::info_nce(a, p, groups, da.view(), dp.view(), options, negatives);
      double expected = 0;
      for (const bool back : {false, true}) {
        if (back && !both) continue;
        const auto s = back ? product(p, a) : product(a, p), q = product(a, more);
        for (std::size_t i = 0; i < n; ++i) {
          double all = std::exp(double{s[i][i]} / .3);
          for (std::size_t j = 0; j < n; ++j)
            if (groups[i] != groups[j]) all += std::exp(double{s[i][j]} / .3);
          for (std::size_t j = 3; queued && !back && j < 8; ++j)
            if (more_groups[j] != groups[i]) all += std::exp(double{q[i][j]} / .3);
          expected += (std::log(all) - double{s[i][i]} / .3) / static_cast<double>(n) / (both ? 2 : 1);
        }
      }
      REQUIRE(found == Approx(expected).epsilon(1e-5));
      check_gradient(a.values(), da.values(), loss);
      check_gradient(p.values(), dp.values(), loss);
    }

  // With hard negatives only the hardest count, and they are fewer.
  embit::matrix<float> da(n, dim), dp(n, dim), threaded(n, dim);
  const double hard = embit::info_nce(a, p, groups, da.view(), dp.view(), {.hard_negatives = 3});
  const double all = embit::info_nce(a, p, groups, threaded.view(), dp.view(), {.hard_negatives = 0});
  REQUIRE(hard < all);
  check_gradient(
      a.values(), da.values(),
      [&] {
        embit::matrix<float> s(n, dim), t(n, dim);
        return embit::info_nce(a, p, groups, s.view(), t.view(), {.hard_negatives = 3});
      },
      2e-2, 2e-4f);
  embit::info_nce(a, p, groups, threaded.view(), dp.view(), {.hard_negatives = 3}, nullptr, embit::thread_pool(2));
  REQUIRE(da == threaded);
}

TEST_CASE("triplets and cosines: gradients and values") {
  const std::size_t n = 15, dim = 11;
  auto a = normal_unit_rows(n, dim, 12), b = normal_unit_rows(n, dim, 13), c = normal_unit_rows(n, dim, 14);
  embit::matrix<float> da(n, dim), db(n, dim), dc(n, dim), sa(n, dim), sb(n, dim), sc(n, dim);
  const auto triplet = [&] { return embit::triplet_loss(a, b, c, .2f, sa.view(), sb.view(), sc.view()); };
  const double found = embit::triplet_loss(a, b, c, .2f, da.view(), db.view(), dc.view());
  double expected = 0;
  for (std::size_t i = 0; i < n; ++i)
    expected += std::max(0., .2 - support::inner(a[i], b[i]) + support::inner(a[i], c[i])) / static_cast<double>(n);
  REQUIRE(found == Approx(expected));
  check_gradient(a.values(), da.values(), triplet, 2e-2, 1e-3f);
  check_gradient(b.values(), db.values(), triplet, 2e-2, 1e-3f);
  check_gradient(c.values(), dc.values(), triplet, 2e-2, 1e-3f);
  REQUIRE(embit::triplet_loss(a, a, c, 0, da.view(), db.view(), dc.view()) == 0);
  REQUIRE(da.values()[0] == 0);

  const std::vector<float> targets(n, .25f);
  const auto cosine = [&] { return embit::cosine_loss(a, b, targets, sa.view(), sb.view()); };
  embit::cosine_loss(a, b, targets, da.view(), db.view());
  check_gradient(a.values(), da.values(), cosine);
  check_gradient(b.values(), db.values(), cosine);
}

TEST_CASE("losses refuse what does not fit") {
  using support::contains;
  using support::refusal;
  const auto a = normal_unit_rows(4, 3, 15), b = normal_unit_rows(5, 3, 16);
  embit::matrix<float> s(4, 3), t(4, 3), u(4, 3);
  const std::vector<std::uint32_t> groups(4);
  const std::vector<float> targets(3);
  const auto wrong = refusal([&] { embit::info_nce(a, b, groups, s.view(), t.view()); });
  REQUIRE(contains(wrong, "shape: "));
  REQUIRE(contains(wrong, "4 x 3"));
  REQUIRE(contains(wrong, "5 x 3"));
  REQUIRE(
      contains(refusal([&] { embit::info_nce(a, a, groups, s.view(), t.view(), {.temperature = 0}); }), "argument: "));
  REQUIRE(contains(refusal([&] { embit::cosine_loss(a, a, targets, s.view(), t.view()); }), "3 targets of 4"));
  REQUIRE(contains(refusal([&] { embit::triplet_loss(a, b, a, .1f, s.view(), t.view(), u.view()); }), "shape: "));
  embit::matrix<float> none;
  REQUIRE(contains(refusal([&] { embit::distill_similarities(none.view(), none); }), "argument: "));
  REQUIRE(contains(refusal([&] { embit::distill_similarities(s.view(), b); }), "shape: "));
  REQUIRE(contains(refusal([&] { embit::distill_similarities(s.view(), t, {.temperature = -1}); }), "temperature -1"));
}
