// Iterative quantization: principal components turned so that their signs lose least.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/progress.hpp>
#include <embit/encode/sign_projection.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/linalg/mean.hpp>
#include <embit/linalg/pca.hpp>
#include <embit/linalg/procrustes.hpp>
#include <embit/linalg/random_rotation.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct itq_options {
  std::size_t bits = 0;         ///< of the codes, from 1 to the dimensions of the rows
  std::size_t iterations = 50;  ///< at most; training ends earlier where nothing improves any more
};

/// What training found: codes are the signs of rotationᵀ · basis · (row - mean).
struct itq_model {
  std::vector<float> mean;         ///< dim
  matrix<float> basis;             ///< bits × dim, the principal directions, orthonormal rows
  matrix<float> rotation;          ///< bits × bits, orthogonal; column j makes bit j
  std::vector<double> objectives;  ///< at the start and after each iteration, falling

  /// The encoder, with the mean folded into the thresholds.
  sign_projection encoder() const {
    const std::size_t bits = basis.rows(), dim = basis.cols();
    matrix<float> planes(bits, dim);
    std::vector<float> thresholds(bits);
    std::vector<double> plane(dim);
    for (std::size_t j = 0; j < bits; ++j) {
      std::ranges::fill(plane, 0.);
      for (std::size_t i = 0; i < bits; ++i)
        for (std::size_t k = 0; k < dim; ++k) plane[k] += double{rotation[i][j]} * double{basis[i][k]};
      double threshold = 0;
      for (std::size_t k = 0; k < dim; ++k) {
        planes[j][k] = static_cast<float>(plane[k]);
        threshold += double{planes[j][k]} * double{mean[k]};
      }
      thresholds[j] = static_cast<float>(threshold);
    }
    return sign_projection(planes, thresholds);
  }
};

namespace detail {

/// The centered rows in the basis, scaled to a mean square of 1, which makes the objective a share: 1 is what signs
/// that know nothing of the values would leave. Rows that are all equal give zeros.
template <Executor Exec>
matrix<float> itq_coordinates(matrix_view<const float> rows, const itq_model& model, const Exec& executor) {
  matrix<float> coordinates(rows.rows(), model.basis.rows());
  const row_panels basis(model.basis.view());
  constexpr std::size_t chunk = 4096;  // rows centered at a time, so that there is no second copy of them all
  double square = 0;
  for (std::size_t first = 0; first < rows.rows(); first += chunk) {
    const std::size_t count = (std::min)(chunk, rows.rows() - first);
    const auto part = coordinates.view().middle_rows(first, count);
    gemm(centered(rows.middle_rows(first, count), model.mean), basis, part, executor);
  }
  for (const float x : coordinates.values()) square += double{x} * double{x};
  const double mean_square = square / static_cast<double>(coordinates.values().size());
  if (mean_square > 0) {
    const auto scale = static_cast<float>(1 / std::sqrt(mean_square));
    for (float& x : coordinates.values()) x *= scale;
  }
  return coordinates;
}

/// Replaces projections by their signs and returns the mean of (sign - projection)².
inline double itq_quantize(std::span<float> projections) {
  double sum = 0;
  for (float& x : projections) {
    const float sign = x > 0 ? 1.f : -1.f;
    const double loss = double{sign} - double{x};
    sum += loss * loss;
    x = sign;
  }
  return sum / static_cast<double>(projections.size());
}

}  // namespace detail

/// Learns codes whose Hamming distances follow the Euclidean ones: the principal components of the rows, rotated to
/// minimize the quantization loss |B - V R|² / (n · bits), B = sign(V R), alternating between B and R (V: the
/// components scaled to mean square 1). Neither step can raise the loss; a rotation that would, by rounding, is not
/// taken and ends the training.
/// Gong and Lazebnik, "Iterative quantization: a Procrustean approach to learning binary codes", CVPR 2011,
/// equation 2.
///
/// Fewer rows than bits are no error: the directions without variance are orthonormal like the others, and the
/// rotation spreads what variance there is over all bits. Rows that are all equal get equal codes.
/// O(n · dim² + dim³ + iterations · (n · bits² + bits³)); n · (2 bits) floats of memory.
/// @param rows      n × dim.
/// @param progress  told after each iteration; `objective` is the loss. False stops and keeps what is reached.
/// @throws error errc::argument for no rows or bits outside 1..dim, errc::not_finite naming the row.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
itq_model train_itq(matrix_view<const float> rows, itq_options options, Engine& engine,
                    const progress_callback& progress = {}, const Exec& executor = {}) {
  const std::size_t bits = options.bits;
  if (bits == 0 || bits > rows.cols())
    raise(errc::argument, "itq: ", bits, " bits where 1 to ", rows.cols(), " (the dimensions of the rows) can be had");
  auto components = fit_pca(rows, {.dims = bits}, executor);
  itq_model model{std::move(components.mean), std::move(components.directions), random_rotation(bits, engine), {}};
  const matrix<float> coordinates = detail::itq_coordinates(rows, model, executor);

  matrix<float> signs(rows.rows(), bits), transposed_rotation(bits, bits);
  matrix<float> rotation = model.rotation;
  for (std::size_t done = 0;; ++done) {
    for (std::size_t i = 0; i < bits; ++i)
      for (std::size_t j = 0; j < bits; ++j) transposed_rotation[j][i] = rotation[i][j];
    gemm(coordinates, transposed_rotation, signs, executor);
    const double objective = detail::itq_quantize(signs.values());
    if (done > 0 && !(objective < model.objectives.back())) break;
    model.rotation = rotation;
    model.objectives.push_back(objective);
    if (done > 0 && !detail::go_on(progress, {"itq", done, options.iterations, objective})) break;
    if (done == options.iterations) break;
    const matrix<double> correlation = cross_product(coordinates, signs, executor);
    const auto best = nearest_rotation(correlation.view());
    std::ranges::transform(best.values(), rotation.values().begin(), [](double x) { return static_cast<float>(x); });
  }
  return model;
}

/// The encoder that `train_itq` learns.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
sign_projection fit_itq(matrix_view<const float> rows, itq_options options, Engine& engine,
                        const progress_callback& progress = {}, const Exec& executor = {}) {
  return train_itq(rows, options, engine, progress, executor).encoder();
}

}  // namespace embit::inline EMBIT_ABI
