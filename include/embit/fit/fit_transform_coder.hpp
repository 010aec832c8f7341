// Fitting of transform coders: the variant chosen that finds most of the held-out queries' neighbours.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/half.hpp>
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

/// Either `bits` or `bytes_per_row`.
struct transform_coder_options {
  /// Of a code, from 1 to 8 a dimension of the rows; codes take whole bytes, bits / 8 rounded up, and factors come on
  /// top
  std::size_t bits = 0;
  /// Of a code and its factors, which share them as serves best. What 8 bits a dimension do not take is left
  std::size_t bytes_per_row = 0;
  embit::metric metric = embit::metric::l2;
  matrix_view<const float> queries = {};  ///< what will be asked, if that is unlike the rows: bits are spent for them
  std::size_t held_out = 1000;            ///< queries to choose a variant by
  bool allow_factors = true;              ///< rows may keep a scale and an offset where the queries then find more
  bool symmetric = false;        ///< codes will be compared with codes, by `symmetric()`: the choice is made for that
  bool compress_factors = true;  ///< into 16 bits each, up to 6 bits a dimension; beyond, that would cost accuracy
};

namespace detail {

/// Bytes of a factor, which depend on how exact codes are.
inline std::size_t transform_factor_bytes(std::size_t dim, const transform_coder_options& options) {
  const std::size_t bits_per_dim =
      options.bytes_per_row == 0 ? options.bits / dim : options.bytes_per_row / ((dim + 7) / 8);
  return options.compress_factors && bits_per_dim <= 6 ? sizeof(half) : sizeof(float);
}

inline void require_transform_options(matrix_view<const float> rows, const transform_coder_options& options) {
  if (rows.rows() == 0 || rows.cols() == 0)
    raise(errc::argument, "transform_coder: ", rows.rows(), " x ", rows.cols(), " rows");
  if (options.bytes_per_row != 0) {
    if (options.bits != 0)
      raise(errc::argument, "transform_coder: ", options.bits, " bits and ", options.bytes_per_row,
            " bytes a row, of which only one can be given");
    const std::size_t factors = options.metric == metric::l2 ? transform_factor_bytes(rows.cols(), options) : 0;
    if (options.bytes_per_row <= factors)
      raise(errc::argument, "transform_coder: ", options.bytes_per_row, " bytes a row where ", factors + 1,
            " are the least, ", factors, " of them for the norm");
  } else if (options.bits == 0 || (options.bits - 1) / most_level_bits >= rows.cols()) {
    raise(errc::argument, "transform_coder: ", options.bits, " bits where 1 to ", most_level_bits,
          " a dimension are possible, and the rows have ", rows.cols());
  }
  if (!options.queries.empty() && options.queries.cols() != rows.cols())
    raise(errc::shape, "queries: ", options.queries.cols(), " dimensions where the rows have ", rows.cols());
  require_finite(rows, "rows");
  require_finite(options.queries, "queries");
}

/// What rows keep beside what was chosen, and in which units.
inline void set_factors(transform_model& model, std::size_t factor_bytes) {
  level_format& format = model.format;
  format.half_factors = factor_bytes == sizeof(half);
  const bool l2 = model.metric == metric::l2;
  if (l2) model.keep(row_factor::offset, true);
  const float unit =
      l2 ? model.mean_offset : model.row_norm * static_cast<float>(std::sqrt(squared_norm(model.center)));
  if (format.half_factors && unit > 0) format.units[static_cast<std::size_t>(row_factor::offset)] = unit;
}

}  // namespace detail

/// An encoder for rows like these, fitted to all of them. Rotations, and the rows to choose by, are drawn from
/// `engine`. Five variants, each with and without a scale and an offset (for l2, with the norms of rows or of what
/// codes stand for), and two more where each segment has a scale in a byte of the code, are compared by the ten
/// nearest neighbours that they find for up to `held_out` queries among up to 8192 rows: of `options.queries`, or of
/// the rows themselves, each without itself among its neighbours. Factors that come on top of `bits` must each be worth
/// half a hundredth. Fewer than 80 rows, or 8 queries, are too few to choose by: directions then get equal bits. O(n ·
/// dim² + dim³) and, for the choice, some O(8192 · dim · (dim + held_out)).
/// @param rows      n × dim. Zero rows, constant columns and fewer rows than dimensions are no errors: directions
///                  without variance get bits last, or none.
/// @param progress  told after each variant; `objective` is 1 − recall. False stops and keeps the best so far.
/// @throws error errc::argument for no rows, for bits outside 1 … 8 · dim or a budget that leaves codes nothing beside
///         their norms, errc::shape for queries of another dimension, errc::not_finite naming the row.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
transform_coder fit_transform_coder(matrix_view<const float> rows, transform_coder_options options, Engine& engine,
                                    const progress_callback& progress = {}, const Exec& executor = {}) {
  detail::require_transform_options(rows, options);
  const auto training =
      detail::prepare_transform_training(rows, options.queries, options.metric, options.held_out, engine, executor);
  const std::size_t factor_bytes = detail::transform_factor_bytes(rows.cols(), options);
  const detail::transform_budget budget = options.bytes_per_row != 0
                                              ? detail::transform_budget{options.bytes_per_row, factor_bytes}
                                              : detail::transform_budget{(options.bits + 7) / 8, 0};
  auto model = detail::choose_transform_model(training, budget, options.allow_factors, options.symmetric,
                                              options.held_out, engine, progress, executor);
  detail::set_factors(model, factor_bytes);
  return transform_coder(std::move(model));
}

}  // namespace embit::inline EMBIT_ABI
