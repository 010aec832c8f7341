// Training of recurrent binarization, from embeddings alone or from pairs that belong together.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/recurrent.hpp>
#include <embit/fit/detail/recurrent/rows.hpp>
#include <embit/fit/detail/recurrent/steps.hpp>
#include <embit/fit/detail/recurrent/training.hpp>
#include <embit/fit/recurrent_options.hpp>
#include <embit/learn/sampler.hpp>
#include <embit/learn/trainer.hpp>

#include <algorithm>
#include <cstddef>
#include <random>
#include <span>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// The encoder with what happened while it was trained.
struct trained_recurrent {
  recurrent encoder;
  train_report report;
};

/// Learns codes whose similarities to one another are those of the rows, from the rows alone.
///
/// Starts at the uniform grid of rotated principal components and minimizes the divergence between the softmax over a
/// batch's cosines and that over its codes' (`distill_batch`), whose spread is matched at the start and learned. The
/// state with the best recall of held-out rows is kept, the start included.
/// O(steps · batch · (hidden · (dim + dims) · loops + batch · dim)).
/// @param rows      n × dim; their lengths do not matter.
/// @param progress  told of each step, where `objective` is the loss, and of each validation ("held-out", 1 - recall
///                  at 10). False stops and keeps the best state.
/// @throws error errc::argument for a batch of more rows than are learned from, for fewer than 16 where none is asked
///         for, or dims or loops out of range; errc::not_finite naming the row. A loss that is not finite ends the
///         training (`report.end`), and the best state is kept.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
trained_recurrent train_recurrent(matrix_view<const float> rows, const recurrent_options& options, Engine& engine,
                                  const progress_callback& progress = {}, const Exec& executor = {}) {
  detail::require_recurrent_options(rows, options);
  const std::size_t count = detail::batch_items(options, detail::split_rows::learned_count(rows, options), 1);
  rng own(random_bits(engine));
  const detail::split_rows split(rows, options, own);
  const detail::neighbour_score<Exec> score(split, executor);
  auto net = detail::best_start(split, options, own, score, executor);
  detail::distilling<Exec> batch(split, count, own.split(1), options.temperature, executor);
  const std::size_t steps = detail::training_steps(options, split.learned.rows(), count);
  auto done = detail::run_training(std::move(net), options, steps, !split.held.empty(), batch, score, progress);
  return {recurrent(detail::codes_of(done.net)), std::move(done.report)};
}

/// Learns codes that are alike where rows belong together: the contrastive loss of pairs (`info_nce`), where rows that
/// pairs join, directly or through others, are no negatives of each other. Negatives are the hardest of the batch and,
/// with `queue`, of the batches before (`negative_queue`). Starts at the grid, as above; the state with the best mean
/// average precision of held-out rows is kept, the start included.
/// @param pairs     rows that belong together, such as `pairs_of_labels` makes; half a batch of pairs a step.
/// @throws error errc::out_of_range naming a pair that is none of the rows; errc::argument for a batch of more pairs
///         than are among the rows that are not held out, or fewer than 8 where none is asked for; and as above.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
trained_recurrent train_recurrent(matrix_view<const float> rows, std::span<const row_pair> pairs,
                                  const recurrent_options& options, Engine& engine,
                                  const progress_callback& progress = {}, const Exec& executor = {}) {
  detail::require_recurrent_options(rows, options);
  const auto groups = pair_groups(pairs, rows.rows());
  rng own(random_bits(engine));
  const detail::split_rows split(rows, options, own);
  const auto learned = detail::learned_pairs(split, pairs);
  const std::size_t count = detail::batch_items(options, learned.size(), 2);
  const detail::group_score<Exec> score(split, groups, executor);
  auto net = detail::best_start(split, options, own, score, executor);
  detail::contrasting<Exec> batch(split, learned, groups, count, own.split(1), options, executor);
  const std::size_t steps = detail::training_steps(options, learned.size(), count);
  auto done = detail::run_training(std::move(net), options, steps, !split.held.empty(), batch, score, progress);
  return {recurrent(detail::codes_of(done.net)), std::move(done.report)};
}

/// The encoder that `train_recurrent` learns.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
recurrent fit_recurrent(matrix_view<const float> rows, const recurrent_options& options, Engine& engine,
                        const progress_callback& progress = {}, const Exec& executor = {}) {
  return train_recurrent(rows, options, engine, progress, executor).encoder;
}

/// The encoder that `train_recurrent` learns from pairs.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
recurrent fit_recurrent(matrix_view<const float> rows, std::span<const row_pair> pairs,
                        const recurrent_options& options, Engine& engine, const progress_callback& progress = {},
                        const Exec& executor = {}) {
  return train_recurrent(rows, pairs, options, engine, progress, executor).encoder;
}

}  // namespace embit::inline EMBIT_ABI
