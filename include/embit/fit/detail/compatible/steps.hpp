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
#include <embit/encode/recurrent.hpp>
#include <embit/fit/detail/held_out.hpp>
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
      : executor_(&executor), share_(share), queries_(rows.held) {
    const auto ids = rows.sample(10000);
    base_ = split_rows::gather(rows.learned, ids);
    old_ = split_rows::gather(old, ids);
    truth_ = nearest_unit_rows(queries_, base_, 10, executor);
  }

  double operator()(const trained_net& net) const {
    const recurrent encoder(codes_of(net));
    const auto queries = unit_copy(encoder.values(queries_, *executor_));
    const auto base = unit_copy(encoder.values(base_, *executor_));
    return (1 - share_) * recall(queries, base) + share_ * recall(queries, old_);
  }

 private:
  double recall(const matrix<float>& queries, const matrix<float>& base) const {
    return mean_overlap(truth_, nearest_unit_rows(queries, base, 10, *executor_));
  }

  const Exec* executor_;
  double share_;
  matrix<float> queries_, base_, old_;
  matrix<row_id> truth_;
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
