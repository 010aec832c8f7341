// Training of recurrent binarization, from embeddings alone or from pairs that belong together.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/detail/held_out.hpp>
#include <embit/encode/detail/recurrent_net.hpp>
#include <embit/encode/detail/recurrent_start.hpp>
#include <embit/encode/recurrent.hpp>
#include <embit/learn/info_nce.hpp>
#include <embit/learn/optimizer.hpp>
#include <embit/learn/sampler.hpp>
#include <embit/learn/schedule.hpp>
#include <embit/learn/similarity_distillation.hpp>
#include <embit/learn/trainer.hpp>
#include <embit/linalg/pca.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Left to the library.
inline constexpr std::size_t automatic = static_cast<std::size_t>(-1);

struct recurrent_options {
  std::size_t bits = 0;  ///< of a code, at most; where dims or loops are not given, they are chosen on held-out rows
  std::size_t dims = automatic;     ///< of the codes, 1 to those of the rows
  std::size_t loops = automatic;    ///< rounds after the first sign, 0 to 7: a dimension has loops + 1 bits
  std::size_t hidden = 256;         ///< width of the hidden layers; 0 trains linear maps
  std::size_t epochs = 0;           ///< passes over the rows; 0 trains for `steps`
  std::size_t steps = 400;          ///< batches to learn from
  std::size_t batch = 768;          ///< rows (or pairs' rows) in a batch
  float rate = 3e-4f;               ///< of Adam, after 50 steps of warm-up and before its decay to zero
  float temperature = 0.05f;        ///< of similarities in the loss
  std::size_t held_out = 500;       ///< rows that the state to keep is chosen by; a tenth of all rows at most
  std::size_t validate_every = 50;  ///< steps
  std::size_t patience = 0;         ///< validations in a row without a better one that end training; 0 does all steps
};

/// The encoder with what happened while it was trained.
struct trained_recurrent {
  recurrent encoder;
  train_report report;
};

namespace detail {

using trained_net = recurrent_net<>;

inline void require_recurrent_options(matrix_view<const float> rows, const recurrent_options& o) {
  const auto between = [](std::size_t value, std::size_t low, std::size_t high, const char* what) {
    if (value < low || value > high)
      raise(errc::argument, "recurrent: ", what, " is ", value, " where ", low, " to ", high, " can be had");
  };
  if (rows.empty() || rows.cols() == 0)
    raise(errc::argument, "recurrent: ", rows.rows(), " rows of ", rows.cols(), " dimensions");
  const bool both = o.dims != automatic && o.loops != automatic;
  if (o.bits == 0 && !both) raise(errc::argument, "recurrent: either bits, or dims and loops must be given");
  if (o.dims != automatic) between(o.dims, 1, rows.cols(), "dims");
  if (o.loops != automatic) between(o.loops, 0, 7, "loops");
  if (both && o.bits != 0 && o.dims * (o.loops + 1) > o.bits)
    raise(errc::argument, "recurrent: ", o.dims, " dims of ", o.loops + 1, " bits are more than ", o.bits, " bits");
  between(o.batch, 2, rows.rows(), "batch (rows to learn from)");
  if (!(o.rate > 0) || !(o.temperature > 0))
    raise(errc::argument, "recurrent: rate ", o.rate, ", temperature ", o.temperature);
  require_finite(rows, "rows");
}

/// The shapes that the options allow, most bits a dimension last.
inline std::vector<recurrent_shape> possible_shapes(std::size_t dim, const recurrent_options& o) {
  if (o.dims != automatic && o.loops != automatic) return {{o.dims, o.loops}};
  std::vector<recurrent_shape> shapes;
  for (std::size_t loops = 0; loops < 8; ++loops) {
    if (o.loops != automatic && loops != o.loops) continue;
    const std::size_t dims = o.dims != automatic ? o.dims : o.bits / (loops + 1);
    if (dims == 0 || dims * (loops + 1) > o.bits) continue;
    if (dims <= dim) shapes.push_back({dims, loops});
  }
  // More bits than the finest grid of all dimensions holds: that one.
  if (shapes.empty() && o.loops == automatic && o.bits >= 8 * dim) shapes.push_back({dim, 7});
  if (shapes.empty() && o.dims == automatic && o.loops != automatic && o.bits / (o.loops + 1) > dim)
    shapes.push_back({dim, o.loops});
  if (shapes.empty()) raise(errc::argument, "recurrent: ", o.bits, " bits are too few for the dims and loops given");
  return shapes;
}

/// Rows of unit length, some to learn from, some held out.
struct split_rows {
  std::vector<row_id> learned_ids, held_ids;  ///< in the caller's rows
  matrix<float> learned, held;

  split_rows(matrix_view<const float> rows, const recurrent_options& options, rng& engine) {
    std::vector<row_id> order(rows.rows());
    std::iota(order.begin(), order.end(), row_id{0});
    shuffle(std::span(order), engine);
    const std::size_t held_count = std::min(options.held_out, rows.rows() / 10);
    held_ids.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(held_count));
    learned_ids.assign(order.begin() + static_cast<std::ptrdiff_t>(held_count), order.end());
    std::ranges::sort(learned_ids);
    learned = gather(rows, learned_ids);
    held = gather(rows, held_ids);
  }

  static matrix<float> gather(matrix_view<const float> rows, std::span<const row_id> ids) {
    matrix<float> out(ids.size(), rows.cols());
    for (std::size_t i = 0; i < ids.size(); ++i) std::ranges::copy(rows[ids[i]], out[i].begin());
    return unit_copy(out);
  }

  /// At most `most` of the rows that are learned from, evenly spaced.
  std::vector<row_id> sample(std::size_t most) const {
    const std::size_t count = std::min(most, learned.rows());
    std::vector<row_id> ids(count);
    for (std::size_t i = 0; i < count; ++i) ids[i] = static_cast<row_id>(i * learned.rows() / count);
    return ids;
  }
};

/// Recall at 10 of the symmetric distance, held-out rows asking for those that are learned from.
template <Executor Exec>
class neighbour_score {
 public:
  neighbour_score(const split_rows& rows, const Exec& executor)
      : executor_(&executor),
        queries_(rows.held),
        base_(split_rows::gather(rows.learned, rows.sample(10000))),
        truth_(nearest_unit_rows(queries_, base_, 10, executor)) {}

  double operator()(const trained_net& net) const {
    const recurrent encoder(codes_of(net));
    const auto queries = unit_copy(encoder.values(queries_, *executor_));
    const auto base = unit_copy(encoder.values(base_, *executor_));
    return mean_overlap(truth_, nearest_unit_rows(queries, base, 10, *executor_));
  }

 private:
  const Exec* executor_;
  matrix<float> queries_, base_;
  matrix<row_id> truth_;
};

/// Mean average precision, held-out rows asking for those of their group.
template <Executor Exec>
class group_score {
 public:
  group_score(const split_rows& rows, std::span<const std::uint32_t> groups, const Exec& executor)
      : executor_(&executor), queries_(rows.held) {
    const auto ids = rows.sample(5000);
    base_ = split_rows::gather(rows.learned, ids);
    for (const row_id id : ids) base_groups_.push_back(groups[rows.learned_ids[id]]);
    for (const row_id id : rows.held_ids) query_groups_.push_back(groups[id]);
  }

  double operator()(const trained_net& net) const {
    const recurrent encoder(codes_of(net));
    const auto queries = unit_copy(encoder.values(queries_, *executor_));
    const auto base = unit_copy(encoder.values(base_, *executor_));
    return group_precision(queries, query_groups_, base, base_groups_, *executor_);
  }

 private:
  const Exec* executor_;
  matrix<float> queries_, base_;
  std::vector<std::uint32_t> query_groups_, base_groups_;
};

/// The start of the shape whose codes, before any training, score best.
template <class Score, Executor Exec>
trained_net best_start(const split_rows& rows, const recurrent_options& options, rng& engine, const Score& score,
                       const Exec& executor) {
  const auto shapes = possible_shapes(rows.learned.cols(), options);
  std::size_t most = 0;
  for (const recurrent_shape& shape : shapes) most = std::max(most, shape.dims);
  const auto pca = fit_pca(rows.learned, {.dims = most}, executor);
  std::optional<trained_net> best;
  double best_score = -1;
  for (const recurrent_shape& shape : shapes) {
    auto net = grid_start<trained_net>(pca, shape, options.hidden, engine);
    const double found = shapes.size() == 1 ? 0. : score(net);
    if (found <= best_score) continue;
    best_score = found;
    best = std::move(net);
  }
  return std::move(*best);
}

/// Codes of batches, and the way back from the derivatives by their unit rows.
class code_batch {
 public:
  template <Executor Exec>
  const matrix<float>& forward(trained_net& net, matrix_view<const float> unit, const Exec& executor) {
    if (scaled_.rows() != unit.rows()) {
      scaled_ = matrix<float>(unit.rows(), unit.cols());
      codes_ = matrix<float>(unit.rows(), net.dims());
      norms_.resize(unit.rows());
    }
    for (std::size_t i = 0; i < unit.rows(); ++i) std::ranges::copy(unit[i], scaled_[i].begin());
    net.standardize(scaled_.view());
    net.forward(scaled_, trace_, executor);
    unit_rows::forward(trace_.codes, codes_.view(), norms_);
    return codes_;
  }

  /// @param slope  ∂loss/∂(unit codes), overwritten.
  template <Executor Exec>
  void backward(trained_net& net, matrix<float>& slope, const Exec& executor) {
    unit_rows::backward(codes_, norms_, slope.view());
    net.backward(slope.view(), trace_, executor);
  }

 private:
  trained_net::trace trace_;
  matrix<float> scaled_, codes_;
  std::vector<float> norms_;
};

inline std::size_t training_steps(const recurrent_options& options, std::size_t items, std::size_t batch) {
  return options.epochs == 0 ? options.steps : std::max<std::size_t>(options.epochs * (items / batch), 1);
}

template <class Batch, class Score>
trained_recurrent run_training(trained_net net, const recurrent_options& options, std::size_t steps, bool scored,
                               Batch&& batch, const Score& score, const progress_callback& progress) {
  const trainer_options trainer{.steps = steps,
                                .validate_every = scored ? options.validate_every : 0,
                                .patience = options.patience,
                                .longest_gradient = 5,
                                .stage = "recurrent"};
  auto report =
      train(net, adam(), cosine_schedule{.rate = options.rate, .warmup = 50}, trainer, batch, score, progress);
  return {recurrent(codes_of(net)), std::move(report)};
}

}  // namespace detail

/// Learns codes whose similarities to one another are those of the rows, from the rows alone.
///
/// Starts at the uniform grid of rotated principal components and minimizes the divergence between the softmax over a
/// batch's cosines and that over its codes' (`distill_batch`), whose spread is matched at the start and learned. The
/// state with the best recall of held-out rows is kept, the start included.
/// O(steps · batch · (hidden · (dim + dims) · loops + batch · dim)).
/// @param rows      n × dim; their lengths do not matter.
/// @param progress  told of each step, where `objective` is the loss, and of each validation ("held-out", 1 - recall
///                  at 10). False stops and keeps the best state.
/// @throws error errc::argument for fewer rows than a batch, or dims or loops out of range; errc::not_finite naming
///         the row. A loss that is not finite ends the training (`report.end`), and the best state is kept.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
trained_recurrent train_recurrent(matrix_view<const float> rows, const recurrent_options& options, Engine& engine,
                                  const progress_callback& progress = {}, const Exec& executor = {}) {
  detail::require_recurrent_options(rows, options);
  rng own(random_bits(engine));
  const detail::split_rows split(rows, options, own);
  const detail::neighbour_score<Exec> score(split, executor);
  auto net = detail::best_start(split, options, own, score, executor);

  const std::size_t count = std::min(options.batch, split.learned.rows());
  shuffled_batches batches(split.learned.rows(), count, own.split(1));
  detail::code_batch codes;
  matrix<float> unit(count, rows.cols()), slope(count, net.dims());
  bool first = true;
  const auto batch = [&](detail::trained_net& model) {
    const auto chosen = batches.next();
    for (std::size_t i = 0; i < count; ++i) std::ranges::copy(split.learned[chosen[i]], unit[i].begin());
    const matrix<float>& student = codes.forward(model, unit, executor);
    if (std::exchange(first, false))
      model.log_scale.value.values()[0] = std::log(matching_scale(unit, student, executor));
    const float scale = std::exp(model.log_scale.value.values()[0]);
    const auto found =
        distill_batch(unit, student, slope.view(), {.temperature = options.temperature, .scale = scale}, executor);
    model.log_scale.gradient.values()[0] = static_cast<float>(found.log_scale_gradient);
    codes.backward(model, slope, executor);
    return found.loss;
  };
  net.log_scale.rate = 10;
  return detail::run_training(std::move(net), options, detail::training_steps(options, split.learned.rows(), count),
                              !split.held.empty(), batch, score, progress);
}

}  // namespace embit::inline EMBIT_ABI
