// What training beside codes that are there already learns from, and what it is judged by.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/eval/held_out.hpp>
#include <embit/fit/detail/recurrent/rows.hpp>
#include <embit/fit/detail/recurrent/start.hpp>
#include <embit/fit/detail/recurrent/training.hpp>
#include <embit/fit/recurrent_options.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/learn/sampler.hpp>
#include <embit/learn/similarity_distillation.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Recall at 10 of held-out rows among the new codes of those that are learned from, and among their old codes: the
/// mean of both, the old codes' with the weight `share`.
template <Executor Exec>
class compatible_score {
 public:
  /// @param old  unit values of the old codes of the rows that are learned from.
  compatible_score(const split_rows& rows, const matrix<float>& old, double share, const Exec& executor)
      : executor_(&executor),
        share_(share),
        held_(held_out_of(rows, executor)),
        old_(split_rows::gather(old, rows.sample(held_.rows().rows()))) {}

  double operator()(const trained_net& net) const {
    product_scores scores = scores_of(net, held_.rows(), held_.queries(), *executor_);
    const double among_new = recall(scores);
    scores.rows = old_;
    return (1 - share_) * among_new + share_ * recall(scores);
  }

 private:
  double recall(const product_scores& scores) const {
    return held_.recall(best_by_products(scores, held_.truth().k(), *executor_));
  }

  const Exec* executor_;
  double share_;
  held_out held_;
  matrix<float> old_;
};

/// Steps that distil the similarities of the rows twice: into those of their codes to one another, and into those of
/// their codes to the old ones, which stay as they are. A row's own old code is among these: to be near to it teaches
/// what both models agree on.
template <Executor Exec>
class compatible_distilling {
 public:
  /// @param old  unit values of the old codes of the rows that are learned from.
  compatible_distilling(const split_rows& rows, const matrix<float>& old, std::size_t count, rng engine,
                        const recurrent_options& options, const Exec& executor)
      : rows_(&rows),
        old_rows_(&old),
        executor_(&executor),
        batches_(rows.learned.rows(), count, engine),
        unit_(count, rows.learned.cols()),
        old_(count, old.cols()),
        slope_(count, old.cols()),
        old_slope_(count, old.cols()),
        temperature_(options.temperature),
        share_(options.compatibility) {}

  double operator()(trained_net& net) {
    const auto chosen = batches_.next();
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      std::ranges::copy(rows_->learned[chosen[i]], unit_[i].begin());
      std::ranges::copy((*old_rows_)[chosen[i]], old_[i].begin());
    }
    return learn(net, codes_.forward(net, unit_, *executor_));
  }

 private:
  double learn(trained_net& net, const matrix<float>& student) {
    float& log_scale = net.log_scale.value.values()[0];
    if (!started_) log_scale = std::log(matching_scale(unit_, student, *executor_));
    started_ = true;
    if (!is_between(log_scale, -50.f, 50.f)) return infinity<double>();
    const distillation_options options{.temperature = temperature_, .scale = std::exp(log_scale)};
    const auto among_new = distill_batch(unit_, student, slope_.view(), options, *executor_);
    matrix<float> similar = similarities(student, old_, *executor_);
    const auto to_old =
        distill_similarities(similar.view(), similarities(unit_, unit_, *executor_), options, *executor_);
    gemm(similar, row_panels::of_columns(old_), old_slope_, *executor_);

    const auto mixed = [this](auto a, auto b) { return (1 - share_) * a + share_ * b; };
    std::ranges::transform(slope_.values(), old_slope_.values(), slope_.values().begin(), mixed);
    net.log_scale.gradient.values()[0] =
        static_cast<float>(mixed(among_new.log_scale_gradient, to_old.log_scale_gradient));
    codes_.backward(net, slope_, *executor_);
    return mixed(among_new.loss, to_old.loss);
  }

  const split_rows* rows_;
  const matrix<float>* old_rows_;
  const Exec* executor_;
  shuffled_batches batches_;
  code_batch codes_;
  matrix<float> unit_, old_, slope_, old_slope_;
  float temperature_, share_;
  bool started_ = false;
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
