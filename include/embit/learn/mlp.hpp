// A perceptron of any number of layers.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/learn/activation.hpp>
#include <embit/learn/linear.hpp>
#include <embit/learn/parameter.hpp>

#include <cstddef>
#include <random>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// y = L_n(relu(… relu(L_1(x)))): affine layers with rectifiers between. One layer is linear; none has no output.
struct mlp {
  std::vector<linear> layers;

  /// What `backward` needs of `forward_training`; kept from batch to batch, it spares allocations.
  struct trace {
    std::vector<matrix<float>> hidden, slopes;  ///< of each layer but the last: n × its width
  };

  mlp() = default;

  /// Weights drawn at random (`linear::draw`).
  /// @param widths  of the input, of each hidden layer, and of the output: at least 2, none of them 0
  /// @throws error errc::argument for others.
  template <std::uniform_random_bit_generator Engine>
  mlp(const std::vector<std::size_t>& widths, Engine& engine) {
    if (widths.size() < 2) raise(errc::argument, "mlp: ", widths.size(), " widths where 2 or more are needed");
    for (std::size_t i = 0; i < widths.size(); ++i)
      if (widths[i] == 0) raise(errc::argument, "mlp: width ", i, " is 0");
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      layers.emplace_back(widths[i], widths[i + 1]);
      layers.back().draw(engine);
    }
  }

  std::size_t in() const noexcept { return layers.empty() ? 0 : layers.front().in(); }
  std::size_t out() const noexcept { return layers.empty() ? 0 : layers.back().out(); }

  /// @param x n × in, @param y n × out, overwritten. O(n · weights).
  /// @throws error errc::shape
  template <Executor Exec = inline_executor>
  void forward(matrix_view<const float> x, matrix_view<float> y, const Exec& executor = {}) const {
    trace scratch;
    run(x, y, scratch, executor);
  }

  /// The same, keeping what `backward` needs.
  template <Executor Exec = inline_executor>
  void forward_training(matrix_view<const float> x, matrix_view<float> y, trace& kept,
                        const Exec& executor = {}) const {
    run(x, y, kept, executor);
  }

  /// Sets the gradients of all layers, and `dx` unless it is empty, from dy = ∂loss/∂y.
  /// @param x, kept  what `forward_training` had and kept
  /// @throws error errc::shape
  template <Executor Exec = inline_executor>
  void backward(matrix_view<const float> x, matrix_view<const float> dy, trace& kept, matrix_view<float> dx,
                const Exec& executor = {}) {
    require_layers();
    resize(kept.slopes, x.rows());
    matrix_view<const float> slope = dy;
    for (std::size_t i = layers.size(); i-- > 0;) {
      const auto input = i == 0 ? x : kept.hidden[i - 1].view();
      const auto back = i == 0 ? dx : kept.slopes[i - 1].view();
      layers[i].backward(input, slope, back, executor);
      if (i == 0) break;
      relu::backward(input, back);
      slope = back;
    }
  }

  void collect(parameter_list& list) {
    for (linear& layer : layers) layer.collect(list);
  }
  parameter_list parameters() {
    parameter_list list;
    collect(list);
    return list;
  }

 private:
  void require_layers() const {
    if (layers.empty()) raise(errc::argument, "mlp: has no layers");
  }

  /// A matrix for each layer but the last.
  void resize(std::vector<matrix<float>>& of_layers, std::size_t rows) const {
    of_layers.resize(layers.size() - 1);
    for (std::size_t i = 0; i < of_layers.size(); ++i)
      if (of_layers[i].rows() != rows || of_layers[i].cols() != layers[i].out())
        of_layers[i] = matrix<float>(rows, layers[i].out());
  }

  template <Executor Exec>
  void run(matrix_view<const float> x, matrix_view<float> y, trace& kept, const Exec& executor) const {
    require_layers();
    resize(kept.hidden, x.rows());
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const auto input = i == 0 ? x : kept.hidden[i - 1].view();
      const auto output = i + 1 == layers.size() ? y : kept.hidden[i].view();
      layers[i].forward(input, output, executor);
      if (i + 1 != layers.size()) relu::forward(output);
    }
  }
};

}  // namespace embit::inline EMBIT_ABI
