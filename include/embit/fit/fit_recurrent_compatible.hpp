// Training of recurrent binarization for a new model whose codes search those of the old one.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/recurrent.hpp>
#include <embit/fit/detail/compatible/start.hpp>
#include <embit/fit/detail/compatible/steps.hpp>
#include <embit/fit/detail/recurrent/rows.hpp>
#include <embit/fit/detail/recurrent/training.hpp>
#include <embit/fit/fit_recurrent.hpp>
#include <embit/fit/recurrent_options.hpp>

#include <algorithm>
#include <cstddef>
#include <random>
#include <utility>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// The options with the shape of the old codes filled in.
inline recurrent_options compatible_options(matrix_view<const float> rows, level_view old_codes,
                                            recurrent_options options) {
  const recurrent_shape shape = shape_of_codes(old_codes);
  if (old_codes.size() != rows.rows())
    raise(errc::shape, "old_codes: ", old_codes.size(), " codes for ", rows.rows(), " rows");
  const auto agree = [](std::size_t given, std::size_t old, const char* what) {
    if (given != old) raise(errc::argument, "recurrent: ", what, " is ", given, " where the old codes have ", old);
  };
  if (options.dims) agree(*options.dims, shape.dims, "dims");
  if (options.loops) agree(*options.loops, shape.loops, "loops");
  if (options.bits != 0) agree(options.bits, shape.dims * (shape.loops + 1), "bits");
  if (!detail::is_between(options.compatibility, 0.f, 1.f))
    raise(errc::argument, "recurrent: compatibility is ", options.compatibility, " where 0 to 1 can be had");
  options.bits = 0;
  options.loops = shape.loops;
  options.dims = (std::min)(shape.dims, rows.cols());  // codes of a larger old model may have more
  require_recurrent_options(rows, options);
  options.dims = shape.dims;
  return options;
}

}  // namespace detail

/// Learns codes for the rows of a new model that are compared with codes of the old one as with their own, so that new
/// queries search the old index, and old rows need not be encoded again.
///
/// Starts at the grid of the linear map that comes nearest to the old codes' values, and distils the similarities of
/// the rows as `train_recurrent` does, both into those among new codes and into those of new codes to old ones.
/// The state with the best recall of held-out rows, among new codes and among old ones, is kept, the start included.
/// Shen et al., "Binary embedding-based retrieval at Tencent", KDD 2023, section 3.4, in other losses.
/// Costs what `train_recurrent` does.
/// @param rows       n × dim: what the new model makes of the items that have old codes; their lengths do not matter.
/// @param old_codes  n, of the same items in the same order: codes of the old model's encoder.
/// @param options    dims, loops and bits are those of the old codes and may be left out; `compatibility` is the weight
///                   of the old codes.
/// @throws error errc::shape for another number of codes than rows; errc::argument for codes of another encoder,
///         dims, loops or bits that are not theirs, and as `train_recurrent` does for rows and batch; errc::not_finite
///         naming the row.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
trained_recurrent train_recurrent_compatible(matrix_view<const float> rows, level_view old_codes,
                                             const recurrent_options& options, Engine& engine,
                                             const progress_callback& progress = {}, const Exec& executor = {}) {
  const recurrent_options full = detail::compatible_options(rows, old_codes, options);
  const std::size_t count = detail::batch_items(full, detail::split_rows::learned_count(rows, full), 1);
  rng own(random_bits(engine));
  const detail::split_rows split(rows, full, own);
  matrix<float> old = detail::decoded(old_codes, split.learned_ids);
  auto net = detail::compatible_start(split, old, *full.loops, full.hidden, own, executor);
  old = detail::unit_copy(old);
  const detail::compatible_score<Exec> score(split, old, double{full.compatibility}, executor);
  detail::compatible_distilling<Exec> batch(split, old, count, own.split(1), full, executor);
  const std::size_t steps = detail::training_steps(full, split.learned.rows(), count);
  auto done = detail::run_training(std::move(net), full, steps, !split.held.empty(), batch, score, progress);
  return {recurrent(detail::codes_of(done.net)).compatible_with(old_codes.fingerprint()), std::move(done.report)};
}

/// The encoder that `train_recurrent_compatible` learns.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
recurrent fit_recurrent_compatible(matrix_view<const float> rows, level_view old_codes,
                                   const recurrent_options& options, Engine& engine,
                                   const progress_callback& progress = {}, const Exec& executor = {}) {
  return train_recurrent_compatible(rows, old_codes, options, engine, progress, executor).encoder;
}

}  // namespace embit::inline EMBIT_ABI
