// The numbers that training moves.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Trained numbers and the derivative of the loss by each of them, which a layer's `backward` sets.
struct parameter {
  matrix<float> value;
  matrix<float> gradient;
  float rate = 1;  ///< multiplies the learning rate

  parameter() = default;
  parameter(std::size_t rows, std::size_t cols, float fill = 0) : value(rows, cols, fill), gradient(rows, cols, 0.f) {}
};

/// The parameters of a model, always in the same order. They belong to the model and move with it.
using parameter_list = std::vector<parameter*>;

/// The Euclidean norm of all gradients together. O(parameters).
inline double gradient_norm(std::span<parameter* const> parameters) {
  double sum = 0;
  for (const parameter* p : parameters)
    for (const float g : p->gradient.values()) sum += double{g} * double{g};
  return std::sqrt(sum);
}

/// Shortens the gradients, all by one factor, to a norm of at most `longest`; returns the norm that they had.
/// Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1.
/// @throws error errc::argument unless longest > 0.
inline double clip_gradients(std::span<parameter* const> parameters, double longest) {
  if (!detail::is_positive(longest)) raise(errc::argument, "clip_gradients: a norm of ", longest);
  const double norm = gradient_norm(parameters);
  if (norm > longest)
    for (parameter* p : parameters)
      for (float& g : p->gradient.values()) g *= static_cast<float>(longest / norm);
  return norm;
}

/// slow = momentum · slow + (1 - momentum) · fast: the encoder of keys that follows the trained one.
/// He et al., "Momentum contrast for unsupervised visual representation learning", CVPR 2020, equation 2.
/// @throws error errc::shape when the two are not of one form, errc::argument unless the momentum is from 0 to 1.
inline void follow(std::span<parameter* const> slow, std::span<parameter* const> fast, float momentum) {
  if (!detail::is_between(momentum, 0.f, 1.f)) raise(errc::argument, "follow: a momentum of ", momentum);
  if (slow.size() != fast.size()) raise(errc::shape, "follow: ", slow.size(), " parameters for ", fast.size());
  for (std::size_t i = 0; i < slow.size(); ++i)
    if (slow[i]->value.rows() != fast[i]->value.rows() || slow[i]->value.cols() != fast[i]->value.cols())
      raise(errc::shape, "follow: parameter ", i, " is ", slow[i]->value.rows(), " x ", slow[i]->value.cols(), " and ",
            fast[i]->value.rows(), " x ", fast[i]->value.cols());
  for (std::size_t i = 0; i < slow.size(); ++i)
    std::ranges::transform(slow[i]->value.values(), fast[i]->value.values(), slow[i]->value.values().begin(),
                           [momentum](float s, float f) { return momentum * s + (1 - momentum) * f; });
}

}  // namespace embit::inline EMBIT_ABI
