// Losses of a few rows at a time: triplets, and pairs whose cosine is given.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/learn/activation.hpp>
#include <embit/learn/detail/elementwise.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace embit::inline EMBIT_ABI {

/// The mean of max(0, margin - a·p + a·n): a positive must be more similar than a negative by the margin.
/// Schroff, Kalenichenko and Philbin, "FaceNet: a unified embedding for face recognition and clustering", CVPR 2015,
/// equation 2, for rows of unit length and half the margin.
/// @param a, p, n     rows × dim, of unit length.
/// @param da, dp, dn  rows × dim, overwritten by the derivatives.
/// @throws error errc::shape; errc::argument for no rows or a margin that is not finite.
inline double triplet_loss(matrix_view<const float> a, matrix_view<const float> p, matrix_view<const float> n,
                           float margin, matrix_view<float> da, matrix_view<float> dp, matrix_view<float> dn) {
  for (const auto& other :
       {p, n, matrix_view<const float>(da), matrix_view<const float>(dp), matrix_view<const float>(dn)})
    detail::require_same_shape(a, other, "triplet_loss");
  if (a.empty()) raise(errc::argument, "triplet_loss: no rows");
  if (!detail::is_finite(margin)) raise(errc::argument, "triplet_loss: a margin of ", margin);
  const double weight = 1 / static_cast<double>(a.rows());
  double loss = 0;
  for (std::size_t i = 0; i < a.rows(); ++i) {
    const float excess = margin - detail::row_dot(a[i].data(), p[i].data(), a.cols()) +
                         detail::row_dot(a[i].data(), n[i].data(), a.cols());
    const float w = excess > 0 ? static_cast<float>(weight) : 0.f;
    loss += weight * double{(std::max)(excess, 0.f)};
    for (std::size_t k = 0; k < a.cols(); ++k) {
      da[i][k] = w * (n[i][k] - p[i][k]);
      dp[i][k] = -w * a[i][k];
      dn[i][k] = w * a[i][k];
    }
  }
  return loss;
}

/// The mean of (a·b - target)².
/// @param a, b     rows × dim, of unit length. @param targets one cosine a row.
/// @param da, db   rows × dim, overwritten by the derivatives.
/// @throws error errc::shape; errc::argument for no rows; errc::not_finite for a target.
inline double cosine_loss(matrix_view<const float> a, matrix_view<const float> b, std::span<const float> targets,
                          matrix_view<float> da, matrix_view<float> db) {
  for (const auto& other : {b, matrix_view<const float>(da), matrix_view<const float>(db)})
    detail::require_same_shape(a, other, "cosine_loss");
  if (targets.size() != a.rows()) raise(errc::shape, "cosine_loss: ", targets.size(), " targets of ", a.rows());
  if (a.empty()) raise(errc::argument, "cosine_loss: no rows");
  detail::require_finite(targets, "targets");
  const double weight = 1 / static_cast<double>(a.rows());
  double loss = 0;
  for (std::size_t i = 0; i < a.rows(); ++i) {
    const float miss = detail::row_dot(a[i].data(), b[i].data(), a.cols()) - targets[i];
    const auto slope = static_cast<float>(2 * weight * double{miss});
    loss += weight * double{miss} * double{miss};
    for (std::size_t k = 0; k < a.cols(); ++k) {
      da[i][k] = slope * b[i][k];
      db[i][k] = slope * a[i][k];
    }
  }
  return loss;
}

}  // namespace embit::inline EMBIT_ABI
