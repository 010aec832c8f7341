// Fitting of transform coders: the variant chosen that finds most of the held-out queries' neighbours.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/progress.hpp>
#include <embit/encode/transform_coder.hpp>
#include <embit/fit/detail/transform/choice.hpp>
#include <embit/fit/detail/transform/training.hpp>

#include <cmath>
#include <cstddef>
#include <random>
#include <utility>

namespace embit::inline EMBIT_ABI {

struct transform_coder_options {
  std::size_t bits =
      0;  ///< of a code, from 1 to 8 a dimension of the rows; codes take whole bytes, bits / 8 rounded up
  embit::metric metric = embit::metric::l2;
  matrix_view<const float> queries = {};  ///< what will be asked, if that is unlike the rows: bits are spent for them
  std::size_t held_out = 256;             ///< queries to choose a variant by
  bool allow_factors = true;     ///< rows may keep a scale and an offset where the held-out queries then find more
  bool symmetric = false;        ///< keep `inverse_norm`, so that codes compare by cosine
  bool compress_factors = true;  ///< into 16 bits each, up to 6 bits a dimension; beyond, that would cost accuracy
};

namespace detail {

inline void require_transform_options(matrix_view<const float> rows, const transform_coder_options& options) {
  if (rows.rows() == 0 || rows.cols() == 0)
    raise(errc::argument, "transform_coder: ", rows.rows(), " x ", rows.cols(), " rows");
  if (options.bits == 0 || (options.bits - 1) / most_level_bits >= rows.cols())
    raise(errc::argument, "transform_coder: ", options.bits, " bits where 1 to ", most_level_bits,
          " a dimension are possible, and the rows have ", rows.cols());
  if (!options.queries.empty() && options.queries.cols() != rows.cols())
    raise(errc::shape, "queries: ", options.queries.cols(), " dimensions where the rows have ", rows.cols());
  require_finite(rows, "rows");
  require_finite(options.queries, "queries");
}

/// Which factors rows keep beside a scale, and in which units.
inline void set_factors(transform_model& model, std::size_t bits_per_dim, const transform_coder_options& options) {
  level_format& format = model.format;
  model.keep(row_factor::inverse_norm, options.symmetric);
  format.half_factors = options.compress_factors && bits_per_dim <= 6;
  const auto set_unit = [&](row_factor which, float unit) {
    if (format.half_factors && unit > 0) format.units[static_cast<std::size_t>(which)] = unit;
  };
  set_unit(row_factor::inverse_norm, 1 / model.row_norm);
  if (model.metric != metric::l2) {
    set_unit(row_factor::offset, model.row_norm * static_cast<float>(std::sqrt(squared_norm(model.center))));
    return;
  }
  model.keep(row_factor::offset, true);
  model.mean_offset = model.row_norm * model.row_norm;
  set_unit(row_factor::offset, model.mean_offset);
}

}  // namespace detail

/// An encoder for rows like these. Rotations, and the rows to choose by, are drawn from `engine`. Five variants, each
/// with and without a scale and, but for l2, an offset, are compared by the ten nearest neighbours that they find for
/// up to `held_out` queries (a tenth of the rows at most, which nothing is fitted to, or of `options.queries`) among up
/// to 8192 rows; a factor must be worth half a hundredth. Fewer than 80 rows are too few to choose by: directions then
/// get equal bits. O(n · dim² + dim³) and, for the choice, some O(8192 · dim · (dim + held_out)).
/// @param rows      n × dim. Zero rows, constant columns and fewer rows than dimensions are no errors: directions
///                  without variance get bits last, or none.
/// @param progress  told after each variant; `objective` is 1 − recall. False stops and keeps the best so far.
/// @throws error errc::argument for no rows and for bits outside 1 … 8 · dim, errc::shape for queries of another
///         dimension, errc::not_finite naming the row.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
transform_coder fit_transform_coder(matrix_view<const float> rows, transform_coder_options options, Engine& engine,
                                    const progress_callback& progress = {}, const Exec& executor = {}) {
  detail::require_transform_options(rows, options);
  const auto training =
      detail::prepare_transform_training(rows, options.queries, options.metric, options.held_out, engine, executor);
  auto model = detail::choose_transform_model(training, (options.bits + 7) / 8, options.allow_factors, engine, progress,
                                              executor);
  detail::set_factors(model, options.bits / rows.cols(), options);
  return transform_coder(std::move(model));
}

}  // namespace embit::inline EMBIT_ABI
