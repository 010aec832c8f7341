// Fitting of product quantizers: the rotation and the codewords of each subspace.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/product_quantizer.hpp>
#include <embit/fit/detail/product/training.hpp>
#include <embit/kernel/table_scan.hpp>
#include <embit/linalg/pca.hpp>

#include <algorithm>
#include <cstddef>
#include <random>
#include <utility>

namespace embit::inline EMBIT_ABI {

struct product_quantizer_options {
  std::size_t bytes_per_row = 0;    ///< of a code; numbers of it have half a dimension's share of the rows, or more
  std::size_t bits_per_number = 4;  ///< 4, which is scanned fastest, or 8, which is more exact at equal bytes
  embit::metric metric = embit::metric::l2;
  bool rotate = true;            ///< learn the rotation (OPQ), not only from the variances of principal directions
  std::size_t rounds = 25;       ///< of codewords, and of the rotation
  std::size_t train_on = 32768;  ///< rows at most, drawn
};

namespace detail {

inline void require_product_options(matrix_view<const float> rows, const product_quantizer_options& options) {
  if (rows.rows() == 0 || rows.cols() == 0)
    raise(errc::argument, "product_quantizer: ", rows.rows(), " x ", rows.cols(), " rows");
  if (options.bits_per_number != 4 && options.bits_per_number != 8)
    raise(errc::argument, "product_quantizer: numbers of ", options.bits_per_number, " bits where 4 or 8 are possible");
  const std::size_t most = options.bits_per_number == 8 ? rows.cols() : (rows.cols() + 1) / 2;
  if (options.bytes_per_row == 0 || options.bytes_per_row > most)
    raise(errc::argument, "product_quantizer: ", options.bytes_per_row, " bytes a row where 1 to ", most,
          ", a number a dimension, are possible");
  if (options.train_on == 0) raise(errc::argument, "product_quantizer: train_on 0 rows");
  require_finite(rows, "rows");
}

}  // namespace detail

/// An encoder for rows like these. Begins at principal directions, shared out so that every subspace has about the same
/// product of variances, and codewords at rows drawn from `engine`; then by turns rows are assigned to their nearest
/// codewords, these moved to the means, and the rotation to where rows are nearest to their codewords (Ge et al.,
/// "Optimized product quantization", CVPR 2013, sections 3.1 and 3.2). O(rounds · (n · dim · (dim + 2^bits) + dim³)).
/// @param rows      n × dim. Zero rows, constant columns and fewer rows than codewords are no errors.
/// @param progress  told after each round; `objective` is the mean squared error before it. False stops and keeps what
///                  is reached.
/// @throws error errc::argument for no rows, numbers of other bits, and bytes that are none or have more numbers than
///         rows have dimensions; errc::not_finite naming the row, or where squares are no floats.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
product_quantizer fit_product_quantizer(matrix_view<const float> rows, product_quantizer_options options,
                                        Engine& engine, const progress_callback& progress = {},
                                        const Exec& executor = {}) {
  detail::require_product_options(rows, options);
  rng draws(random_bits(engine));
  matrix<float> sample(rows, detail::draw_rows(rows.rows(), (std::min)(options.train_on, rows.rows()), draws));
  if (options.metric == metric::cosine) detail::scale_to_unit(sample);
  const principal_components pca = fit_pca(sample.view(), {}, executor);
  for (std::size_t i = 0; i < sample.rows(); ++i)
    for (std::size_t k = 0; k < sample.cols(); ++k) sample[i][k] -= pca.mean[k];

  const std::size_t bits = options.bits_per_number, numbers = options.bytes_per_row * 8 / bits;
  detail::product_training training(std::move(sample), numbers, std::size_t{1} << bits,
                                    detail::allocated_directions(pca, numbers), draws, executor);
  for (std::size_t round = 0; round < options.rounds; ++round) {
    const double error = training.improve_words();
    if (!detail::go_on(progress, {"product_quantizer", round + 1, options.rounds, error})) break;
    if (options.rotate && round + 1 < options.rounds) training.improve_rotation();
  }
  return product_quantizer(detail::product_model{.metric = options.metric,
                                                 .bits = bits,
                                                 .center = pca.mean,
                                                 .rotation = row_panels(training.rotation().view()),
                                                 .words = training.words(),
                                                 .format = byte_format(options.bytes_per_row)});
}

}  // namespace embit::inline EMBIT_ABI
