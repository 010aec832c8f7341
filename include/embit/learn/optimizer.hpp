// How parameters follow their gradients.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/learn/detail/elementwise.hpp>
#include <embit/learn/parameter.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// One matrix of zeros for each parameter, made at the first step.
inline void match_state(std::span<parameter* const> parameters, std::vector<matrix<float>>& state) {
  if (state.empty())
    for (const parameter* p : parameters) state.emplace_back(p->value.rows(), p->value.cols(), 0.f);
  if (state.size() != parameters.size())
    raise(errc::shape, "optimizer: ", parameters.size(), " parameters where it began with ", state.size());
  for (std::size_t i = 0; i < state.size(); ++i)
    if (state[i].rows() != parameters[i]->value.rows() || state[i].cols() != parameters[i]->value.cols())
      raise(errc::shape, "optimizer: parameter ", i, " changed from ", state[i].rows(), " x ", state[i].cols());
}

inline void require_option(const char* name, float value) {
  if (!is_finite(value)) raise(errc::argument, "optimizer: ", name, " is ", value);
}

}  // namespace detail

struct sgd_options {
  float momentum = 0.9f;
  float weight_decay = 0;  ///< times the value, added to the gradient
};

/// Stochastic gradient descent with Nesterov's momentum.
/// Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013, in the form that
/// looks ahead by one step from where it is.
class sgd {
 public:
  /// @throws error errc::argument for an option that is not finite.
  explicit sgd(sgd_options options = {}) : options_(options) {
    detail::require_option("momentum", options.momentum);
    detail::require_option("weight_decay", options.weight_decay);
  }

  /// Moves every parameter against its gradient. O(parameters).
  /// @throws error errc::shape when the parameters are not those of the first step, errc::argument for a rate that is
  ///         not finite.
  void step(std::span<parameter* const> parameters, float rate) {
    detail::require_option("rate", rate);
    detail::match_state(parameters, velocity_);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      parameter& p = *parameters[i];
      move(p.value.data(), p.gradient.data(), velocity_[i].data(), p.value.values().size(), rate * p.rate);
    }
  }

 private:
  void move(float* EMBIT_RESTRICT value, const float* EMBIT_RESTRICT gradient, float* EMBIT_RESTRICT velocity,
            std::size_t n, float rate) const noexcept {
    const float m = options_.momentum, decay = options_.weight_decay;
    const auto one = [=](std::size_t k) {
      const float g = gradient[k] + decay * value[k];
      velocity[k] = m * velocity[k] + g;
      value[k] -= rate * (g + m * velocity[k]);
    };
    for (std::size_t k = 0; k < n; ++k) one(k);
  }

  sgd_options options_;
  std::vector<matrix<float>> velocity_;
};

struct adam_options {
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float epsilon = 1e-8f;
  float weight_decay = 0;  ///< times the value and the rate, taken from the value (decoupled)
};

namespace detail {

/// @throws error errc::argument for an option that is not finite.
inline void require_adam(const adam_options& options) {
  require_option("beta1", options.beta1);
  require_option("beta2", options.beta2);
  require_option("epsilon", options.epsilon);
  require_option("weight_decay", options.weight_decay);
}

/// How numbers follow their gradient in one step of Adam.
class adam_move {
 public:
  /// @param steps  taken so far, this one included: the averages are corrected for having begun at zero
  adam_move(const adam_options& options, std::size_t steps) : options_(options) {
    const double t = static_cast<double>(steps);
    unbias1_ = static_cast<float>(1 / (1 - std::pow(double{options.beta1}, t)));
    unbias2_ = static_cast<float>(1 / (1 - std::pow(double{options.beta2}, t)));
  }

  void operator()(float* EMBIT_RESTRICT value, const float* EMBIT_RESTRICT gradient, float* EMBIT_RESTRICT first,
                  float* EMBIT_RESTRICT second, std::size_t n, float rate) const noexcept {
    const float b1 = options_.beta1, b2 = options_.beta2, epsilon = options_.epsilon;
    const float unbias1 = unbias1_, unbias2 = unbias2_, keep = 1 - rate * options_.weight_decay;
    std::size_t k = 0;
    const auto move_lanes = [&](std::size_t count) {
      for (std::size_t c = k; c < k + count; ++c) {
        first[c] = b1 * first[c] + (1 - b1) * gradient[c];
        second[c] = b2 * second[c] + (1 - b2) * (gradient[c] * gradient[c]);
        value[c] = keep * value[c] - rate * (first[c] * unbias1) / (std::sqrt(second[c] * unbias2) + epsilon);
      }
    };
    for (; k + vector_step <= n; k += vector_step) move_lanes(vector_step);
    move_lanes(n - k);
  }

 private:
  adam_options options_;
  float unbias1_, unbias2_;
};

}  // namespace detail

/// Adam. Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1; the weight decay is that
/// of Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
class adam {
 public:
  /// @throws error errc::argument for an option that is not finite.
  explicit adam(adam_options options = {}) : options_(options) { detail::require_adam(options); }

  /// Moves every parameter against its gradient. O(parameters).
  /// @throws error errc::shape when the parameters are not those of the first step, errc::argument for a rate that is
  ///         not finite.
  void step(std::span<parameter* const> parameters, float rate) {
    detail::require_option("rate", rate);
    detail::match_state(parameters, first_);
    detail::match_state(parameters, second_);
    ++steps_;
    const detail::adam_move move(options_, steps_);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      parameter& p = *parameters[i];
      move(p.value.data(), p.gradient.data(), first_[i].data(), second_[i].data(), p.value.values().size(),
           rate * p.rate);
    }
  }

 private:
  adam_options options_;
  std::size_t steps_ = 0;
  std::vector<matrix<float>> first_, second_;
};

}  // namespace embit::inline EMBIT_ABI
