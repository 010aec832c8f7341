// What makes numbers good codes before they are cut to signs: the sign itself, and what a loss asks of the numbers.
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
#include <embit/learn/activation.hpp>
#include <embit/learn/detail/elementwise.hpp>
#include <embit/learn/linear.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Weights of what is asked of a batch of numbers that will be cut to signs; not negative.
struct code_head_options {
  float quantization = 0;   ///< of the mean of (|u| - 1)²: numbers near ±1, so that little is lost
  float balance = 0;        ///< of the mean over bits of the squared mean: as many ones as zeros
  float decorrelation = 0;  ///< of the mean square of Uᵀ U / n - I: bits that tell different things
};

/// Codes of ±1 out of numbers u, with the gradient of a straight line, and the losses that keep u fit for that.
/// Quantization and balance as in Liu et al., "Deep supervised hashing for fast image retrieval", CVPR 2016, equation
/// 5, and Erin Liong et al., "Deep hashing for compact binary codes learning", CVPR 2015, equation 4, which also asks
/// for bits that are independent.
class code_head {
 public:
  /// @throws error errc::argument for a weight that is negative or not finite.
  explicit code_head(const code_head_options& options = {}) : options_(options) {
    for (const float weight : {options.quantization, options.balance, options.decorrelation})
      if (!(weight >= 0) || !detail::is_finite(weight)) raise(errc::argument, "code_head: a weight of ", weight);
  }

  /// sign(u), 1 or -1; -1 for 0, as codes have it.
  /// @param u, codes  n × bits; codes are overwritten. @throws error errc::shape
  static void forward(matrix_view<const float> u, matrix_view<float> codes) {
    detail::require_same_shape(u, codes, "code_head");
    for (std::size_t i = 0; i < u.rows(); ++i) {
      std::ranges::fill(codes[i], 0.f);
      straight_through_sign::add(1, u[i], codes[i]);
    }
  }
  /// ∂loss/∂u from ∂loss/∂codes, in place: 0 where |u| is above 1. @throws error errc::shape
  static void backward(matrix_view<const float> u, matrix_view<float> slope) {
    detail::require_same_shape(u, slope, "code_head");
    for (std::size_t i = 0; i < u.rows(); ++i) {
      float* to = slope[i].data();
      for (std::size_t k = 0; k < u.cols(); ++k) to[k] = std::abs(u[i][k]) <= 1 ? to[k] : 0.f;
    }
  }

  /// The weighted losses of a batch; adds their derivatives by u to `slope`.
  /// @param u, slope  n × bits. O(n · bits²) where bits are decorrelated, else O(n · bits).
  /// @throws error errc::shape, errc::argument for no rows.
  template <Executor Exec = inline_executor>
  double add_losses(matrix_view<const float> u, matrix_view<float> slope, const Exec& executor = {}) const {
    detail::require_same_shape(u, slope, "code_head");
    if (u.rows() == 0 || u.cols() == 0) raise(errc::argument, "code_head: ", u.rows(), " rows of ", u.cols(), " bits");
    double loss = 0;
    if (options_.quantization > 0) loss += double{options_.quantization} * add_quantization(u, slope);
    if (options_.balance > 0) loss += double{options_.balance} * add_balance(u, slope);
    if (options_.decorrelation > 0) loss += double{options_.decorrelation} * add_decorrelation(u, slope, executor);
    return loss;
  }

 private:
  double add_quantization(matrix_view<const float> u, matrix_view<float> slope) const {
    const double count = static_cast<double>(u.rows() * u.cols());
    const auto factor = static_cast<float>(2 * double{options_.quantization} / count);
    double sum = 0;
    for (std::size_t i = 0; i < u.rows(); ++i)
      for (std::size_t k = 0; k < u.cols(); ++k) {
        const float beyond = std::abs(u[i][k]) - 1;
        sum += double{beyond * beyond};
        slope[i][k] += factor * (u[i][k] < 0 ? -beyond : beyond);
      }
    return sum / count;
  }

  double add_balance(matrix_view<const float> u, matrix_view<float> slope) const {
    std::vector<float> means(u.cols());
    detail::sum_rows(u, means);
    double sum = 0;
    for (float& m : means) {
      m /= static_cast<float>(u.rows());
      sum += double{m} * double{m};
    }
    const auto factor = static_cast<float>(2 * double{options_.balance} / static_cast<double>(u.rows() * u.cols()));
    for (std::size_t i = 0; i < u.rows(); ++i) detail::add_scaled(factor, means.data(), slope[i].data(), u.cols());
    return sum / static_cast<double>(u.cols());
  }

  template <Executor Exec>
  double add_decorrelation(matrix_view<const float> u, matrix_view<float> slope, const Exec& executor) const {
    const std::size_t bits = u.cols();
    const auto n = static_cast<float>(u.rows());
    matrix<float> excess(bits, bits);
    detail::weight_gradient(u, u, excess.view(), executor);
    double sum = 0;
    for (std::size_t a = 0; a < bits; ++a)
      for (std::size_t b = 0; b < bits; ++b) {
        float& e = excess[a][b];
        e = e / n - (a == b ? 1.f : 0.f);
        sum += double{e} * double{e};
      }
    const double count = static_cast<double>(bits) * static_cast<double>(bits);
    matrix<float> product(u.rows(), bits);
    gemm(u, excess, product, executor);  // the excess is symmetric
    const auto factor = static_cast<float>(4 * double{options_.decorrelation} / (double{n} * count));
    for (std::size_t i = 0; i < u.rows(); ++i) detail::add_scaled(factor, product[i].data(), slope[i].data(), bits);
    return sum / count;
  }

  code_head_options options_;
};

}  // namespace embit::inline EMBIT_ABI
