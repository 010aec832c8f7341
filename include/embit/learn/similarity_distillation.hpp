// A student whose similarities follow those of a teacher.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/learn/detail/elementwise.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// A loss and its derivative by the logarithm of the scale of the similarities.
struct distillation {
  double loss = 0;
  double log_scale_gradient = 0;
};

struct distillation_options {
  float temperature = 0.05f;
  float scale = 1;             ///< times the student's similarities, which may spread wider than the teacher's
  bool skip_diagonal = false;  ///< a row's similarity to itself says nothing
};

namespace detail {

/// Turns a row of the student's similarities into the derivative of `loss` by them.
inline distillation distill_row(float* student, const float* teacher, std::size_t n, std::size_t skipped,
                                const distillation_options& options, double weight, std::vector<float>& scratch) {
  scratch.resize(4 * n);
  float *a = scratch.data(), *t = a + n, *p = t + n, *q = p + n;
  const float a_factor = options.scale / options.temperature, t_factor = 1 / options.temperature;
  for (std::size_t j = 0; j < n; ++j) a[j] = a_factor * student[j];
  for (std::size_t j = 0; j < n; ++j) t[j] = t_factor * teacher[j];
  if (skipped < n) a[skipped] = t[skipped] = -2 * (a_factor + t_factor) - 200;  // e^ of it is nothing beside the others
  const float a_top = largest(a, n), t_top = largest(t, n);
  const double a_sum = exp_row(a, a_top, p, n), t_sum = exp_row(t, t_top, q, n);
  const auto p_factor = static_cast<float>(1 / a_sum), q_factor = static_cast<float>(1 / t_sum);
  // KL(q | p) = Σ q (log q - log p), and Σ q = 1.
  double loss = std::log(a_sum) + double{a_top} - std::log(t_sum) - double{t_top}, slope = 0;
  const auto gradient_factor = static_cast<float>(weight * double{a_factor});
  float losses[vector_step] = {}, slopes[vector_step] = {};
  const auto add = [&](std::size_t j, std::size_t lane) {
    const float shares = q[j] * q_factor, difference = p[j] * p_factor - shares;
    losses[lane] += shares * (t[j] - a[j]);
    slopes[lane] += difference * a[j];
    student[j] = gradient_factor * difference;
  };
  std::size_t j = 0;
  for (; j + vector_step <= n; j += vector_step)
    for (std::size_t c = 0; c < vector_step; ++c) add(j + c, c);
  for (; j < n; ++j) add(j, 0);
  for (const float x : losses) loss += double{x};
  for (const float x : slopes) slope += double{x};
  if (skipped < n) student[skipped] = 0;
  return {weight * loss, weight * slope};
}

}  // namespace detail

/// The mean over the rows of KL(softmax(teacher / τ) | softmax(scale · student / τ)).
/// Passalis and Tefas, "Learning deep representations with probabilistic knowledge transfer", ECCV 2018, in spirit.
/// @param student  n × m similarities; on return the derivatives of the loss by them.
/// @param teacher  n × m similarities.
/// @throws error errc::shape when they are not as many, errc::argument for no similarities or a temperature or scale
///         that is not positive.
template <Executor Exec = inline_executor>
distillation distill_similarities(matrix_view<float> student, matrix_view<const float> teacher,
                                  const distillation_options& options = {}, const Exec& executor = {}) {
  const std::size_t n = student.rows(), m = student.cols();
  if (teacher.rows() != n || teacher.cols() != m)
    raise(errc::shape, "distill_similarities: ", n, " x ", m, " by ", teacher.rows(), " x ", teacher.cols());
  if (n == 0 || m < (options.skip_diagonal ? 2u : 1u))
    raise(errc::argument, "distill_similarities: ", n, " x ", m, " similarities");
  if (!detail::is_positive(options.temperature) || !detail::is_positive(options.scale))
    raise(errc::argument, "distill_similarities: temperature ", options.temperature, ", scale ", options.scale);
  std::vector<distillation> of_rows(n);
  std::vector<std::vector<float>> scratch(executor.concurrency());
  const double weight = 1 / static_cast<double>(n);
  run_ranges(executor, n, 8, executor.concurrency() * 4, [&](std::size_t first, std::size_t last, std::size_t worker) {
    for (std::size_t i = first; i < last; ++i)
      of_rows[i] = detail::distill_row(student[i].data(), teacher[i].data(), m, options.skip_diagonal ? i : m, options,
                                       weight, scratch[worker]);
  });
  distillation sum;
  for (const distillation& row : of_rows) {
    sum.loss += row.loss;
    sum.log_scale_gradient += row.log_scale_gradient;
  }
  return sum;
}

/// a[i] · b[j] for all rows of two matrices of one width.
template <Executor Exec = inline_executor>
matrix<float> similarities(matrix_view<const float> a, matrix_view<const float> b, const Exec& executor = {}) {
  auto out = matrix<float>::uninitialized(a.rows(), b.rows());
  gemm(a, b, out, executor);
  return out;
}

/// Distils the similarities of a batch to itself, the diagonal left out.
/// @param teacher   n × any, rows of unit length.
/// @param student   n × m, rows of unit length.
/// @param gradient  n × m, overwritten by the derivatives of the loss by `student`.
/// @throws error errc::shape, errc::argument
template <Executor Exec = inline_executor>
distillation distill_batch(matrix_view<const float> teacher, matrix_view<const float> student,
                           matrix_view<float> gradient, distillation_options options = {}, const Exec& executor = {}) {
  options.skip_diagonal = true;
  matrix<float> slope = similarities(student, student, executor);
  const auto found = distill_similarities(slope.view(), similarities(teacher, teacher, executor), options, executor);
  // Each row stands on both sides.
  const std::size_t n = slope.rows();
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < i; ++j) slope[i][j] = slope[j][i] = slope[i][j] + slope[j][i];
  gemm(slope, row_panels::of_columns(student), gradient, executor);
  return found;
}

/// The scale at which the student's similarities within a batch spread as the teacher's do: the ratio of their
/// standard deviations off the diagonal, within [1/1000, 1000]; 1 where either's are all equal.
/// @throws error errc::shape
template <Executor Exec = inline_executor>
float matching_scale(matrix_view<const float> teacher, matrix_view<const float> student, const Exec& executor = {}) {
  const auto deviation = [&](matrix_view<const float> rows) {
    const matrix<float> all = similarities(rows, rows, executor);
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < all.rows(); ++i)
      for (std::size_t j = 0; j < i; ++j) {
        sum += double{all[i][j]};
        squares += double{all[i][j]} * double{all[i][j]};
      }
    const double count = static_cast<double>(all.rows()) * (static_cast<double>(all.rows()) - 1) / 2;
    return count > 0 ? std::sqrt((std::max)(squares / count - sum / count * (sum / count), 0.)) : 0.;
  };
  constexpr double rounding = 1e-6;
  const double of_teacher = deviation(teacher), of_student = deviation(student);
  if (!detail::is_positive(of_teacher - rounding) || !detail::is_positive(of_student - rounding)) return 1;
  return static_cast<float>(std::clamp(of_teacher / of_student, 1e-3, 1e3));
}

}  // namespace embit::inline EMBIT_ABI
