// The orthogonal factor of a square matrix by products alone.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/linalg/detail/dense.hpp>
#include <embit/linalg/detail/double_product.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>

namespace embit::inline EMBIT_ABI::detail {

/// x ↦ a x + b x³ + c x⁵.
struct odd_quintic {
  double a, b, c;
};

/// Taken one after another they bring singular values from [.001, 1] to within .0012 of 1, each as near as a polynomial
/// of its degree can.
/// Amsel, Persson, Musco and Gower, "The Polar Express", 2025 (arXiv 2505.16932), algorithm 1.
inline constexpr std::array<odd_quintic, 6> polar_steps{{{8.28721201814563, -23.595886519098837, 17.300387312530933},
                                                         {4.107059111542203, -2.9478499167379106, .5448431082926601},
                                                         {3.9486908534822946, -2.908902115962949, .5518191394370137},
                                                         {3.3184196573706015, -2.488488024314874, .51004894012372},
                                                         {2.300652019954817, -1.6689039845747493, .4188073119525673},
                                                         {1.891301407787398, -1.2679958271945868, .37680408948524835}}};
/// The step that ends at 1 fastest, once singular values are near it.
inline constexpr odd_quintic last_polar_step{1.875, -1.25, .375};

constexpr double identity(std::size_t i, std::size_t k) noexcept { return i == k ? 1. : 0.; }

/// |1 - a|, the root of the sum of squares.
template <class T>
double off_identity(const matrix<T>& a) noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < a.rows(); ++i)
    for (std::size_t k = 0; k < a.cols(); ++k) {
      const double e = identity(i, k) - double{a[i][k]};
      sum += e * e;
    }
  return std::sqrt(sum);
}

/// The orthogonal matrix nearest to m (n × n, the largest number about 1), nothing where it is too near to singular
/// ones to be found so: a singular value below some 10⁻⁴ of the largest. O(n³).
///
/// Singular values are brought to 1 by products with a polynomial of X Xᵀ. That is computed in floats: where the
/// polynomial is off by a symmetric δ, the singular vectors turn by no more than δ, whatever the singular values. The
/// product with it takes doubles, since its errors would turn small ones by the inverse of their size.
inline std::optional<matrix<double>> polar_factor(const matrix<double>& m) {
  constexpr std::size_t most_steps = 11;
  constexpr double near_enough = .05, orthogonal = 1e-4;
  const std::size_t n = m.rows();
  matrix<double> x = m, factor(n, n), product(n, n);
  matrix<float> rounded(n, n), square(n, n), fourth(n, n);
  double off_before = std::sqrt(static_cast<double>(n));  // singular values of zero never come nearer to 1
  for (std::size_t done = 0; done < most_steps; ++done) {
    std::ranges::transform(x.values(), rounded.values().begin(), [](double v) { return static_cast<float>(v); });
    gemm(rounded, rounded, square);
    bool last = false;
    if (done >= polar_steps.size()) {
      const double off = off_identity(square);
      last = off < near_enough;
      if (!last && (done + 1 == most_steps || off > .98 * off_before)) return {};
      off_before = off;
    }
    gemm(square, square, fourth);
    double scale = 1;  // of singular values
    if (done == 0) {   // Σ σ⁸ is the squared norm of (X Xᵀ)², so that none is above 1
      double sum = 0;
      for (const float v : fourth.values()) sum += double{v} * double{v};
      if (!(sum > 0)) return {};
      scale = .999 / std::pow(sum, .125);
    }
    const auto [a, b, c] = done < polar_steps.size() ? polar_steps[done] : last_polar_step;
    const double f1 = a * scale, f3 = b * scale * scale * scale, f5 = f3 / b * c * scale * scale;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < n; ++k)
        factor[i][k] = f3 * double{square[i][k]} + f5 * double{fourth[i][k]} + f1 * identity(i, k);
    fast_product(factor, x, product);
    std::swap(x, product);
    if (last) break;
  }
  // With E = 1 - X Xᵀ in doubles, X + (E / 2 + 3 E² / 8) X cubes E, and so what is off from orthogonal.
  fast_product(x, dense_transposed(x), factor);
  if (!(off_identity(factor) < orthogonal)) return {};
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < n; ++k) {
      factor[i][k] = identity(i, k) - factor[i][k];
      rounded[i][k] = static_cast<float>(factor[i][k]);
    }
  gemm(rounded, rounded, square);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < n; ++k) factor[i][k] = identity(i, k) + factor[i][k] / 2 + .375 * double{square[i][k]};
  fast_product(factor, x, product);
  return product;
}

}  // namespace embit::inline EMBIT_ABI::detail
