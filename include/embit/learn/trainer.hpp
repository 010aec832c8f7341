// The loop of training: steps, validation, the best state kept.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/progress.hpp>
#include <embit/learn/objective.hpp>
#include <embit/learn/parameter.hpp>

#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What can be trained: a value whose parameters can be listed.
template <class M>
concept Trainable = std::copyable<M> && requires(M& model) {
  { model.parameters() } -> std::convertible_to<parameter_list>;
};

struct trainer_options {
  std::size_t steps = 0;
  std::size_t validate_every = 50;      ///< steps; also before the first and after the last one. 0 never
  std::size_t patience = 0;             ///< validations in a row without a better score that end training; 0: none do
  double longest_gradient = 0;          ///< gradients are clipped to this norm; 0 leaves them
  std::string_view stage = "training";  ///< of the progress reports
};

/// Why training ended.
enum class train_end {
  finished,  ///< all steps are done
  early,     ///< the score did not rise any more
  stopped,   ///< the progress callback said so
  diverged   ///< the loss or a gradient was not finite
};

/// What happened.
struct train_report {
  struct validation {
    std::size_t step;
    double score;
  };
  std::vector<double> losses;           ///< of each step
  std::vector<validation> validations;  ///< in order
  std::size_t best_step = 0;            ///< after which the state was that which is kept
  double best_score = -detail::infinity<double>();
  train_end end = train_end::finished;
};

/// Trains `model` and leaves it in the state with the best score, the start included, so that it never ends worse than
/// it began. Without validation it is left in the last state whose loss was finite.
/// @throws error errc::argument for a longest gradient or a learning rate that is not finite.
/// @param schedule  (step from 1, steps) → learning rate.
/// @param batch     an `Objective`: (model) → loss; sets the gradients of the parameters.
/// @param score     (model) → how good it is on rows that it does not learn from, the larger the better.
/// @param progress  told after each step: `objective` is the loss; and after each validation with "held-out" for the
///                  stage, where `objective` is 1 - score. False stops and keeps the best state.
template <Trainable Model, class Optimizer, class Schedule, class Batch, class Score>
  requires Objective<std::remove_reference_t<Batch>, Model> train_report train(Model& model, Optimizer optimizer,
                                                                               const Schedule& schedule,
                                                                               const trainer_options& options,
                                                                               Batch&& batch, Score&& score,
                                                                               const progress_callback& progress = {}) {
    if (!detail::is_finite(options.longest_gradient))
      raise(errc::argument, "longest_gradient: ", options.longest_gradient);
    train_report report;
    const bool validating = options.validate_every != 0;
    Model best = model;
    std::size_t fruitless = 0;
    const auto validate = [&](std::size_t step) {
      const double found = score(model);
      report.validations.push_back({step, found});
      ++fruitless;
      if (!detail::is_nan(found) && found > report.best_score) {
        report.best_score = found;
        report.best_step = step;
        best = model;
        fruitless = 0;
      }
      if (!detail::go_on(progress, {"held-out", step, options.steps, 1 - found}))
        report.end = train_end::stopped;
      else if (options.patience != 0 && fruitless >= options.patience)
        report.end = train_end::early;
    };

    if (validating) validate(0);
    const parameter_list parameters = model.parameters();
    for (std::size_t step = 1; step <= options.steps && report.end == train_end::finished; ++step) {
      const double loss = batch(model);
      const double norm = options.longest_gradient > 0 ? clip_gradients(parameters, options.longest_gradient)
                                                       : gradient_norm(parameters);
      report.losses.push_back(loss);
      if (!detail::is_finite(loss) || !detail::is_finite(norm)) {
        report.end = train_end::diverged;
        break;
      }
      optimizer.step(parameters, schedule(step, options.steps));
      if (!validating) report.best_step = step;
      if (!detail::go_on(progress, {options.stage, step, options.steps, loss})) {
        report.end = train_end::stopped;
      } else if (validating && (step % options.validate_every == 0 || step == options.steps)) {
        validate(step);
      }
    }
    if (validating) model = std::move(best);
    return report;
  }

}  // namespace embit::inline EMBIT_ABI
