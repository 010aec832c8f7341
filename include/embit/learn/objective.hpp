// What a step of training learns from.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/random.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/learn/activation.hpp>
#include <embit/learn/code_head.hpp>
#include <embit/learn/sampler.hpp>
#include <embit/learn/softmax.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// A step of training: owns its sampler and its loss. `objective(model)` draws the next batch, sets the gradients of
/// the model's parameters, and returns the loss: what `train` calls.
template <class O, class Model>
concept Objective = requires(O& objective, Model& model) {
  { objective(model) } -> std::convertible_to<double>;
};

struct class_objective_options {
  std::size_t batch = 128;               ///< rows a step; cut to as many as there are
  softmax_options softmax = {10, .15f};  ///< of the cosines to the prototypes
  code_head_options code = {};           ///< of the outputs
};

/// Learns classes as directions: outputs of a row are drawn towards the prototype of its class by a softmax over their
/// cosines. With prototypes of ±1 their signs become codes: Hoe et al., "One loss for all: deep hashing with a single
/// cosine similarity based learning objective", NeurIPS 2021, equation 8.
/// @tparam Net  has `out()`, and `forward_training` and `backward` as those of `mlp`
template <class Net, Executor Exec = inline_executor>
class class_objective {
 public:
  /// @param rows        n × in of the net, viewed
  /// @param classes     n, below the number of prototypes
  /// @param prototypes  classes × out, not zero; their lengths do not matter
  /// @throws error errc::argument for no rows, no batch, a zero prototype; errc::shape; errc::out_of_range for a class
  ///         that is none; errc::not_finite for a prototype.
  class_objective(matrix_view<const float> rows, std::span<const std::uint32_t> classes,
                  matrix_view<const float> prototypes, const class_objective_options& options, rng engine,
                  Exec executor = {})
      : rows_(rows),
        classes_(classes.begin(), classes.end()),
        prototypes_(prototypes),
        softmax_(options.softmax),
        head_(options.code),
        batches_(rows.rows(), (std::min)(options.batch, rows.rows()), engine),
        executor_(std::move(executor)) {
    if (classes.size() != rows.rows()) raise(errc::shape, "classes: ", classes.size(), " of ", rows.rows(), " rows");
    for (std::size_t i = 0; i < classes.size(); ++i)
      if (classes[i] >= prototypes.rows())
        raise(errc::out_of_range, "classes: row ", i, " is of class ", classes[i], " of ", prototypes.rows());
    detail::require_finite(prototypes, "prototypes");
    std::vector<float> norms(prototypes.rows());
    unit_rows::forward(prototypes_, prototypes_.view(), norms);
    for (std::size_t c = 0; c < norms.size(); ++c)
      if (norms[c] == 0) raise(errc::argument, "prototypes: that of class ", c, " is zero");
    const std::size_t n = batches_.batch(), out = prototypes_.cols();
    x_ = matrix<float>(n, rows.cols());
    u_ = unit_ = slope_ = matrix<float>(n, out);
    cosines_ = matrix<float>(n, prototypes_.rows());
    norms_.resize(n);
    chosen_.resize(n);
  }

  double operator()(Net& net) {
    if (net.out() != prototypes_.cols())
      raise(errc::shape, "prototypes: of ", prototypes_.cols(), " dimensions where the net has ", net.out());
    const auto batch = batches_.next();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      std::ranges::copy(rows_[batch[i]], x_[i].begin());
      chosen_[i] = classes_[batch[i]];
    }
    net.forward_training(x_, u_.view(), trace_, executor_);
    unit_rows::forward(u_, unit_.view(), norms_);
    gemm(unit_, prototypes_, cosines_, executor_);
    double loss = softmax_cross_entropy(cosines_.view(), chosen_, softmax_);
    gemm(cosines_, row_panels::of_columns(prototypes_), slope_, executor_);
    unit_rows::backward(unit_, norms_, slope_.view());
    loss += head_.add_losses(u_, slope_.view(), executor_);
    net.backward(x_, slope_, trace_, matrix_view<float>(), executor_);
    return loss;
  }

 private:
  matrix_view<const float> rows_;
  std::vector<std::uint32_t> classes_, chosen_;
  matrix<float> prototypes_;  // of unit length
  softmax_options softmax_;
  code_head head_;
  shuffled_batches batches_;
  [[no_unique_address]] Exec executor_;
  typename Net::trace trace_;
  matrix<float> x_, u_, unit_, slope_, cosines_;
  std::vector<float> norms_;
};

}  // namespace embit::inline EMBIT_ABI
