// The recurrence as it is trained: blocks with skip connections, forward and backward.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/learn/activation.hpp>
#include <embit/learn/parameter.hpp>
#include <embit/learn/skip_block.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// b₀ = s(W u), then for t = 1, 2, …: b_t = b_{t-1} + 2^-t s(R_t (u - B_t b_{t-1})), where u is a row of unit length,
/// centered and divided by one deviation. B_t's output is not scaled to unit length, as the paper has it, since
/// centered rows have no one length.
/// @tparam Sign  s and its gradient.
template <class Sign = straight_through_sign>
struct recurrent_net {
  std::vector<float> mean;          ///< of the unit rows
  float deviation = 1;              ///< of their components
  skip_block project;               ///< W: dim → dims
  std::vector<skip_block> rebuild;  ///< B_t: dims → dim
  std::vector<skip_block> refine;   ///< R_t: dim → dims
  parameter log_scale{1, 1};        ///< of the codes' similarities in the loss

  struct trace {
    skip_block::trace project;
    std::vector<skip_block::trace> rebuild, refine;
    std::vector<matrix<float>> decisions;  ///< what s was taken of
    matrix<float> codes, residual, slope, slope_in;
  };

  std::size_t dim() const noexcept { return mean.size(); }
  std::size_t dims() const noexcept { return project.out(); }
  std::size_t loops() const noexcept { return refine.size(); }

  parameter_list parameters() {
    parameter_list list;
    project.collect(list);
    for (std::size_t t = 0; t < loops(); ++t) {
      rebuild[t].collect(list);
      refine[t].collect(list);
    }
    list.push_back(&log_scale);
    return list;
  }

  /// Rows of unit length become u, in place.
  void standardize(matrix_view<float> rows) const {
    const float factor = 1 / deviation;
    for (std::size_t i = 0; i < rows.rows(); ++i)
      for (std::size_t k = 0; k < mean.size(); ++k) rows[i][k] = (rows[i][k] - mean[k]) * factor;
  }

  /// The codes of a batch of u, into kept.codes.
  template <Executor Exec>
  void forward(matrix_view<const float> u, trace& kept, const Exec& executor) {
    const std::size_t n = u.rows();
    if (kept.codes.rows() != n) {
      kept.codes = kept.slope = matrix<float>(n, dims());
      kept.residual = kept.slope_in = matrix<float>(n, dim());
      kept.decisions.assign(loops() + 1, matrix<float>(n, dims()));
      kept.rebuild.resize(loops());
      kept.refine.resize(loops());
    }
    std::ranges::fill(kept.codes.values(), 0.f);
    project.forward_training(u, kept.decisions[0], kept.project, executor);
    Sign::add(1.f, kept.decisions[0].values(), kept.codes.values());
    float weight = 1;
    for (std::size_t t = 0; t < loops(); ++t) {
      weight /= 2;
      rebuild[t].forward_training(kept.codes, kept.residual, kept.rebuild[t], executor);
      for (std::size_t i = 0; i < n; ++i)
        std::ranges::transform(u[i], kept.residual[i], kept.residual[i].begin(), std::minus<>{});
      refine[t].forward_training(kept.residual, kept.decisions[t + 1], kept.refine[t], executor);
      Sign::add(weight, kept.decisions[t + 1].values(), kept.codes.values());
    }
  }

  /// Sets the gradients of all blocks. @param slope  ∂loss/∂codes, overwritten.
  template <Executor Exec>
  void backward(matrix_view<float> slope, trace& kept, const Exec& executor) {
    const std::span<float> all(slope.data(), slope.rows() * slope.cols()), decided = kept.slope.values();
    float weight = 1;
    for (std::size_t t = 0; t < loops(); ++t) weight /= 2;
    for (std::size_t t = loops(); t-- > 0; weight *= 2) {
      Sign::backward(weight, kept.decisions[t + 1].values(), all, decided);
      refine[t].backward(kept.slope, kept.refine[t], kept.slope_in, executor);
      for (float& x : kept.slope_in.values()) x = -x;
      rebuild[t].backward(kept.slope_in, kept.rebuild[t], kept.slope, executor);
      std::ranges::transform(all, decided, all.begin(), std::plus<>{});
    }
    Sign::backward(1.f, kept.decisions[0].values(), all, decided);
    project.backward(kept.slope, kept.project, matrix_view<float>(), executor);
  }
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
