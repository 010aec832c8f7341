// A perceptron of one hidden layer with a linear skip connection around it.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/learn/activation.hpp>
#include <embit/learn/batch_norm.hpp>
#include <embit/learn/detail/elementwise.hpp>
#include <embit/learn/linear.hpp>
#include <embit/learn/parameter.hpp>

#include <algorithm>
#include <cstddef>
#include <random>

namespace embit::inline EMBIT_ABI {

/// y = A x + O relu(norm(H x)) + bias. A and O lie side by side in one layer that takes x and the hidden values
/// joined, so that both are one product. Without hidden values it is a linear layer.
struct skip_block {
  linear hidden;    ///< in → hidden
  batch_norm norm;  ///< of the hidden values
  linear output;    ///< in + hidden → out: [A | O]

  /// What `backward` needs of `forward_training`; kept from batch to batch, it spares allocations.
  struct trace {
    matrix<float> joined;  ///< n × (in + hidden): x, then the hidden values
    batch_norm::trace norm;
    matrix<float> slope;
  };

  skip_block() = default;

  /// The hidden layer drawn at random, everything else zero: until training moves it, what `set_skip` says.
  template <std::uniform_random_bit_generator Engine>
  skip_block(std::size_t in, std::size_t hidden_width, std::size_t out, Engine& engine)
      : hidden(in, hidden_width), norm(hidden_width), output(in + hidden_width, out) {
    hidden.draw(engine);
  }

  std::size_t in() const noexcept { return hidden.in(); }
  std::size_t hidden_width() const noexcept { return hidden.out(); }
  std::size_t out() const noexcept { return output.out(); }

  /// Sets A. @param skip out × in. @throws error errc::shape
  void set_skip(matrix_view<const float> skip) {
    if (skip.rows() != out() || skip.cols() != in())
      raise(errc::shape, "skip: ", skip.rows(), " x ", skip.cols(), " in a block of ", out(), " x ", in());
    detail::copy_rows(skip, detail::columns_of(output.weight.value.view(), 0, in()));
  }

  /// y of the batch x (n × in), normalized by its own statistics, which enter the running ones.
  template <Executor Exec = inline_executor>
  void forward_training(matrix_view<const float> x, matrix_view<float> y, trace& kept, const Exec& executor = {}) {
    join(x, kept.joined, executor);
    if (hidden_width() != 0) {
      const auto values = detail::columns_of(kept.joined.view(), in(), hidden_width());
      norm.forward_training(values, kept.norm);
      relu::forward(values);
    }
    output.forward(kept.joined, y, executor);
  }

  /// y of any rows, with the running statistics.
  template <Executor Exec = inline_executor>
  void forward(matrix_view<const float> x, matrix_view<float> y, const Exec& executor = {}) const {
    matrix<float> joined;
    join(x, joined, executor);
    if (hidden_width() != 0) {
      const auto values = detail::columns_of(joined.view(), in(), hidden_width());
      norm.forward(values);
      relu::forward(values);
    }
    output.forward(joined, y, executor);
  }

  /// Sets all gradients, and `dx` (n × in) unless it is empty, from dy (n × out).
  template <Executor Exec = inline_executor>
  void backward(matrix_view<const float> dy, trace& kept, matrix_view<float> dx, const Exec& executor = {}) {
    const auto x = detail::columns_of(kept.joined.view(), 0, in());
    if (kept.slope.rows() != dy.rows()) kept.slope = matrix<float>(dy.rows(), in() + hidden_width());
    output.backward(kept.joined, dy, kept.slope, executor);
    const auto slope = detail::columns_of(kept.slope.view(), in(), hidden_width());
    if (hidden_width() != 0) {
      relu::backward(detail::columns_of(kept.joined.view(), in(), hidden_width()), slope);
      norm.backward(slope, kept.norm);
      hidden.backward(x, slope, dx, executor);
    } else if (!dx.empty()) {
      for (std::size_t i = 0; i < dx.rows(); ++i) std::ranges::fill(dx[i], 0.f);
    }
    for (std::size_t i = 0; i < dx.rows(); ++i) detail::add_scaled(1, kept.slope[i].data(), dx[i].data(), in());
  }

  /// The block that training is over for: no normalization left to do.
  skip_block folded() const {
    skip_block block = *this;
    if (hidden_width() != 0) block.hidden = norm.folded_into(hidden);
    block.norm = batch_norm(hidden_width());
    // A fresh normalization divides by √(1 + ε); taken out beforehand, nothing is left of it.
    std::ranges::fill(block.norm.variance, 1 - batch_norm::epsilon);
    return block;
  }

  void collect(parameter_list& list) {
    if (hidden_width() != 0) {
      hidden.collect(list);
      norm.collect(list);
    }
    output.collect(list);
  }

 private:
  /// Puts x and H x side by side.
  template <Executor Exec>
  void join(matrix_view<const float> x, matrix<float>& joined, const Exec& executor) const {
    if (joined.rows() != x.rows()) joined = matrix<float>(x.rows(), in() + hidden_width());
    detail::copy_rows(x, detail::columns_of(joined.view(), 0, in()));
    if (hidden_width() != 0) hidden.forward(x, detail::columns_of(joined.view(), in(), hidden_width()), executor);
  }
};

}  // namespace embit::inline EMBIT_ABI
