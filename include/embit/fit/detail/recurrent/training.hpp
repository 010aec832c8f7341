// What the trainings of recurrent binarization have in common.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/fit/detail/recurrent/net.hpp>
#include <embit/fit/detail/recurrent/rows.hpp>
#include <embit/fit/detail/recurrent/start.hpp>
#include <embit/fit/recurrent_options.hpp>
#include <embit/learn/activation.hpp>
#include <embit/learn/optimizer.hpp>
#include <embit/learn/schedule.hpp>
#include <embit/learn/trainer.hpp>
#include <embit/linalg/pca.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

inline void require_recurrent_options(matrix_view<const float> rows, const recurrent_options& o) {
  const auto between = [](std::size_t value, std::size_t low, std::size_t high, const char* what) {
    if (value < low || value > high)
      raise(errc::argument, "recurrent: ", what, " is ", value, " where ", low, " to ", high, " can be had");
  };
  if (rows.empty() || rows.cols() == 0)
    raise(errc::argument, "recurrent: ", rows.rows(), " rows of ", rows.cols(), " dimensions");
  const bool both = o.dims && o.loops;
  if (o.bits == 0 && !both) raise(errc::argument, "recurrent: either bits, or dims and loops must be given");
  if (o.dims) between(*o.dims, 1, rows.cols(), "dims");
  if (o.loops) between(*o.loops, 0, 7, "loops");
  if (both && o.bits != 0 && *o.dims * (*o.loops + 1) > o.bits)
    raise(errc::argument, "recurrent: ", *o.dims, " dims of ", *o.loops + 1, " bits are more than ", o.bits, " bits");
  if (o.batch == 1) raise(errc::argument, "recurrent: a batch of 1, which has no others to learn from");
  if (!is_positive(o.rate) || !is_positive(o.temperature))
    raise(errc::argument, "recurrent: rate ", o.rate, ", temperature ", o.temperature);
  if (!is_between(o.momentum, 0.f, 1.f) || o.momentum == 1)
    raise(errc::argument, "recurrent: momentum is ", o.momentum, " where 0 to below 1 can be had");
  require_finite(rows, "rows");
}

/// The shapes that the options allow, most bits a dimension last.
inline std::vector<recurrent_shape> possible_shapes(std::size_t dim, const recurrent_options& o) {
  if (o.dims && o.loops) return {{*o.dims, *o.loops}};
  std::vector<recurrent_shape> shapes;
  for (std::size_t loops = 0; loops < 8; ++loops) {
    if (o.loops && loops != *o.loops) continue;
    const std::size_t dims = o.dims.value_or(o.bits / (loops + 1));
    if (dims == 0 || dims * (loops + 1) > o.bits) continue;
    if (dims <= dim) shapes.push_back({dims, loops});
  }
  // More bits than the finest grid of all dimensions holds: that one.
  if (shapes.empty() && !o.loops && o.bits >= 8 * dim) shapes.push_back({dim, 7});
  if (shapes.empty() && !o.dims && o.loops && o.bits / (*o.loops + 1) > dim) shapes.push_back({dim, *o.loops});
  if (shapes.empty()) raise(errc::argument, "recurrent: ", o.bits, " bits are too few for the dims and loops given");
  return shapes;
}

/// The start of the shape whose codes, before any training, score best.
template <class Score, Executor Exec>
trained_net best_start(const split_rows& rows, const recurrent_options& options, rng& engine, const Score& score,
                       const Exec& executor) {
  const auto shapes = possible_shapes(rows.learned.cols(), options);
  std::size_t most = 0;
  for (const recurrent_shape& shape : shapes) most = (std::max)(most, shape.dims);
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

/// Items in a batch, rows or pairs of two: as many as the options say, or all, at most 768 rows, where they do not.
inline std::size_t batch_items(const recurrent_options& options, std::size_t items, std::size_t rows_each) {
  constexpr std::size_t usual_rows = 768, fewest_rows = 16;
  const char* const what = rows_each == 1 ? " rows" : " pairs of rows";
  if (options.batch == 0) {
    if (items < fewest_rows / rows_each)
      raise(errc::argument, "recurrent: ", items, what, " to learn from, at least ", fewest_rows / rows_each,
            " are needed, or a smaller batch be asked for");
    return (std::min)(usual_rows / rows_each, items);
  }
  const std::size_t count = options.batch / rows_each;
  if (count > items) raise(errc::argument, "recurrent: batches of ", count, what, ", but ", items, " to learn from");
  return count;
}

inline std::size_t training_steps(const recurrent_options& options, std::size_t items, std::size_t batch) {
  return options.epochs == 0 ? options.steps : std::max<std::size_t>(options.epochs * (items / batch), 1);
}

/// A network and how it became what it is.
struct trained_state {
  trained_net net;
  train_report report;
};

template <class Batch, class Score>
trained_state run_training(trained_net net, const recurrent_options& options, std::size_t steps, bool scored,
                           Batch&& batch, const Score& score, const progress_callback& progress) {
  const trainer_options trainer{.steps = steps,
                                .validate_every = scored ? options.validate_every : 0,
                                .patience = options.patience,
                                .longest_gradient = 5,
                                .stage = "recurrent"};
  auto report =
      train(net, adam(), cosine_schedule{.rate = options.rate, .warmup = 50}, trainer, batch, score, progress);
  return {std::move(net), std::move(report)};
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
