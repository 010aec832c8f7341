// Batch normalization, and folding it away once training is over.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/learn/detail/elementwise.hpp>
#include <embit/learn/linear.hpp>
#include <embit/learn/parameter.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Each column to mean 0 and variance 1 over the batch, then gain and shift; outside training with running averages.
/// Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate shift",
/// ICML 2015, algorithms 1 and 2.
struct batch_norm {
  parameter gain;                     ///< 1 × width
  parameter shift;                    ///< 1 × width
  std::vector<float> mean, variance;  ///< running averages
  std::size_t batches = 0;            ///< that the averages are of

  static constexpr float epsilon = 1e-5f;  ///< added to every variance
  static constexpr double momentum = 0.1;  ///< weight of a batch in the averages, once ten have been seen

  /// What `backward` needs of `forward_training`.
  struct trace {
    matrix<float> normalized;
    std::vector<float> inverse_deviation;
  };

  batch_norm() = default;
  explicit batch_norm(std::size_t width) : gain(1, width, 1.f), shift(1, width), mean(width), variance(width, 1.f) {}

  std::size_t width() const noexcept { return mean.size(); }

  /// Normalizes `x` (n × width) in place with the statistics of the batch, and takes them into the averages.
  void forward_training(matrix_view<float> x, trace& kept) {
    const double n = static_cast<double>(x.rows()), weight = (std::max)(momentum, 1. / static_cast<double>(++batches));
    std::vector<double> sums(width());
    for (std::size_t i = 0; i < x.rows(); ++i) detail::add_to_sums(x[i].data(), sums.data(), width());
    std::vector<float> center(width());
    std::ranges::transform(sums, center.begin(), [n](double s) { return static_cast<float>(s / n); });
    if (kept.normalized.rows() != x.rows() || kept.normalized.cols() != width())
      kept.normalized = matrix<float>(x.rows(), width());
    std::ranges::fill(sums, 0.);
    for (std::size_t i = 0; i < x.rows(); ++i) {
      std::ranges::copy(x[i], kept.normalized[i].begin());
      float* row = kept.normalized[i].data();
      detail::add_scaled(-1, center.data(), row, width());
      detail::add_squares(row, sums.data(), width());
    }
    kept.inverse_deviation.resize(width());
    for (std::size_t k = 0; k < width(); ++k) {
      const double spread = sums[k] / n;
      kept.inverse_deviation[k] = static_cast<float>(1 / std::sqrt(spread + double{epsilon}));
      mean[k] = static_cast<float>((1 - weight) * double{mean[k]} + weight * double{center[k]});
      variance[k] = static_cast<float>((1 - weight) * double{variance[k]} + weight * spread);
    }
    for (std::size_t i = 0; i < x.rows(); ++i) {
      float* row = kept.normalized[i].data();
      detail::scale_by(kept.inverse_deviation.data(), row, width());
      detail::scale_and_shift(row, gain.value.data(), shift.value.data(), x[i].data(), width());
    }
  }

  /// The same with the running averages.
  void forward(matrix_view<float> x) const {
    std::vector<float> factor(width()), offset(width());
    affine(factor, offset);
    for (std::size_t i = 0; i < x.rows(); ++i)
      detail::scale_and_shift(x[i].data(), factor.data(), offset.data(), x[i].data(), width());
  }

  /// Sets the gradients of gain and shift, and turns dy (n × width) into dx in place.
  void backward(matrix_view<float> dy, const trace& kept) {
    std::vector<double> sums(width()), products(width());
    for (std::size_t i = 0; i < dy.rows(); ++i) {
      detail::add_to_sums(dy[i].data(), sums.data(), width());
      detail::add_products(dy[i].data(), kept.normalized[i].data(), products.data(), width());
    }
    const double n = static_cast<double>(dy.rows());
    std::vector<float> factor(width()), mean_slope(width()), mean_product(width());
    for (std::size_t k = 0; k < width(); ++k) {
      shift.gradient[0][k] = static_cast<float>(sums[k]);
      gain.gradient[0][k] = static_cast<float>(products[k]);
      factor[k] = gain.value[0][k] * kept.inverse_deviation[k];
      mean_slope[k] = static_cast<float>(sums[k] / n);
      mean_product[k] = static_cast<float>(products[k] / n);
    }
    for (std::size_t i = 0; i < dy.rows(); ++i)
      slope_row(kept.normalized[i].data(), factor.data(), mean_slope.data(), mean_product.data(), dy[i].data());
  }

  /// The layer that does before this one and this one, with the running averages, at once.
  /// @throws error errc::shape when `before` has another width.
  linear folded_into(const linear& before) const {
    if (before.out() != width())
      raise(errc::shape, "batch_norm: ", width(), " columns behind a layer of ", before.out());
    std::vector<float> factor(width()), offset(width());
    affine(factor, offset);
    linear both = before;
    for (std::size_t k = 0; k < width(); ++k) {
      for (float& w : both.weight.value[k]) w *= factor[k];
      both.bias.value[0][k] = before.bias.value[0][k] * factor[k] + offset[k];
    }
    return both;
  }

  void collect(parameter_list& list) {
    list.push_back(&gain);
    list.push_back(&shift);
  }

 private:
  /// The running normalization as x · factor + offset.
  void affine(std::vector<float>& factor, std::vector<float>& offset) const {
    for (std::size_t k = 0; k < width(); ++k) {
      const double f = double{gain.value[0][k]} / std::sqrt(double{variance[k]} + double{epsilon});
      factor[k] = static_cast<float>(f);
      offset[k] = static_cast<float>(double{shift.value[0][k]} - double{mean[k]} * f);
    }
  }

  void slope_row(const float* EMBIT_RESTRICT normalized, const float* EMBIT_RESTRICT factor,
                 const float* EMBIT_RESTRICT mean_slope, const float* EMBIT_RESTRICT mean_product,
                 float* EMBIT_RESTRICT d) const noexcept {
    detail::each_element(
        width(), [=](std::size_t c) { d[c] = factor[c] * (d[c] - mean_slope[c] - normalized[c] * mean_product[c]); });
  }
};

}  // namespace embit::inline EMBIT_ABI
