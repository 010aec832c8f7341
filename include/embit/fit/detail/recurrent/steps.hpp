// What a step of training learns from: the similarities of rows, or pairs of them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/fit/detail/recurrent/rows.hpp>
#include <embit/fit/detail/recurrent/training.hpp>
#include <embit/fit/recurrent_options.hpp>
#include <embit/learn/info_nce.hpp>
#include <embit/learn/parameter.hpp>
#include <embit/learn/sampler.hpp>
#include <embit/learn/similarity_distillation.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Steps that distil the similarities of the rows.
template <Executor Exec>
class distilling {
 public:
  distilling(const split_rows& rows, std::size_t count, rng engine, float temperature, const Exec& executor)
      : rows_(&rows),
        executor_(&executor),
        batches_(rows.learned.rows(), count, engine),
        unit_(count, rows.learned.cols()),
        temperature_(temperature) {}

  double operator()(trained_net& net) {
    const auto chosen = batches_.next();
    for (std::size_t i = 0; i < chosen.size(); ++i) std::ranges::copy(rows_->learned[chosen[i]], unit_[i].begin());
    const matrix<float>& student = codes_.forward(net, unit_, *executor_);
    return learn(net, student);
  }

 private:
  double learn(trained_net& net, const matrix<float>& student) {
    float& log_scale = net.log_scale.value.values()[0];
    if (slope_.empty()) {
      slope_ = matrix<float>(student.rows(), student.cols());
      log_scale = std::log(matching_scale(unit_, student, *executor_));
    }
    if (!is_between(log_scale, -50.f, 50.f)) return infinity<double>();
    const distillation_options options{.temperature = temperature_, .scale = std::exp(log_scale)};
    const auto found = distill_batch(unit_, student, slope_.view(), options, *executor_);
    net.log_scale.gradient.values()[0] = static_cast<float>(found.log_scale_gradient);
    codes_.backward(net, slope_, *executor_);
    return found.loss;
  }

  const split_rows* rows_;
  const Exec* executor_;
  shuffled_batches batches_;
  code_batch codes_;
  matrix<float> unit_, slope_;
  float temperature_;
};

/// The pairs of rows that are learned from, by their places among these.
inline std::vector<row_pair> learned_pairs(const split_rows& rows, std::span<const row_pair> pairs) {
  const auto place = [&](row_id id) {
    const auto at = std::ranges::lower_bound(rows.learned_ids, id);
    return at != rows.learned_ids.end() && *at == id ? static_cast<std::size_t>(at - rows.learned_ids.begin())
                                                     : rows.learned_ids.size();
  };
  std::vector<row_pair> found;
  for (const row_pair& pair : pairs) {
    const std::size_t first = place(pair.first), second = place(pair.second);
    if (first != rows.learned_ids.size() && second != rows.learned_ids.size() && first != second)
      found.push_back({static_cast<row_id>(first), static_cast<row_id>(second)});
  }
  return found;
}

/// Steps that draw pairs together: the first rows of the pairs in the upper half of a batch, the others below. The
/// queue of more negatives is filled by a copy of the network that follows it slowly, so that its codes age less.
template <Executor Exec>
class contrasting {
 public:
  contrasting(const split_rows& rows, std::span<const row_pair> pairs, std::span<const std::uint32_t> groups,
              std::size_t count, rng engine, const recurrent_options& options, const Exec& executor)
      : rows_(&rows),
        pairs_(pairs),
        groups_(groups),
        executor_(&executor),
        batches_(pairs.size(), count, engine),
        unit_(2 * count, rows.learned.cols()),
        batch_groups_(count),
        loss_{.temperature = options.temperature, .hard_negatives = options.hard_negatives},
        queued_(options.queue),
        momentum_(options.momentum) {}

  double operator()(trained_net& net) {
    const std::size_t count = batch_groups_.size();
    const auto chosen = batches_.next();
    for (std::size_t i = 0; i < count; ++i) {
      const row_pair pair = pairs_[chosen[i]];
      std::ranges::copy(rows_->learned[pair.first], unit_[i].begin());
      std::ranges::copy(rows_->learned[pair.second], unit_[count + i].begin());
      batch_groups_[i] = groups_[rows_->learned_ids[pair.first]];
    }
    const matrix<float>& codes = codes_.forward(net, unit_, *executor_);
    if (slope_.empty()) slope_ = matrix<float>(codes.rows(), codes.cols());
    const double loss = info_nce(half(codes.view(), 0), half(codes.view(), 1), batch_groups_, half(slope_.view(), 0),
                                 half(slope_.view(), 1), loss_, queue_ ? &*queue_ : nullptr, *executor_);
    net.log_scale.gradient.values()[0] = 0;
    codes_.backward(net, slope_, *executor_);
    if (queued_ != 0) remember(net);
    return loss;
  }

 private:
  template <class View>
  View half(View view, std::size_t which) const {
    return view.middle_rows(which * batch_groups_.size(), batch_groups_.size());
  }

  /// Lets the slow network follow, and queues its codes of the batch for the steps to come.
  void remember(trained_net& net) {
    if (!slow_) {
      slow_ = net;
      queue_.emplace(queued_, net.dims());
    }
    follow(slow_->parameters(), net.parameters(), momentum_);
    const matrix<float>& codes = slow_codes_.forward(*slow_, unit_, *executor_);
    for (const std::size_t which : {0u, 1u}) queue_->push(half(codes.view(), which), batch_groups_);
  }

  const split_rows* rows_;
  std::span<const row_pair> pairs_;
  std::span<const std::uint32_t> groups_;
  const Exec* executor_;
  shuffled_batches batches_;
  code_batch codes_;
  matrix<float> unit_, slope_;
  std::vector<std::uint32_t> batch_groups_;
  info_nce_options loss_;
  std::size_t queued_;
  float momentum_;
  std::optional<trained_net> slow_;
  std::optional<negative_queue> queue_;
  code_batch slow_codes_;
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
