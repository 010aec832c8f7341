// The recurrence as it encodes: normalizations folded away, weights packed, rows taken in blocks through products.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/learn/activation.hpp>
#include <embit/learn/skip_block.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Elements that loops take at a time, a constant, so that compilers make vector instructions of them.
inline constexpr std::size_t code_step = 8;

/// One block of the recurrence: y = output · [x | relu(hidden · x + hidden_bias)] + output_bias.
struct packed_block {
  row_panels hidden, output;
  std::vector<float> hidden_bias, output_bias;

  packed_block() = default;

  /// @param hidden_weight  width × in @param output_weight  out × (in + width): [A | O] of `skip_block`
  packed_block(matrix_view<const float> hidden_weight, std::span<const float> of_hidden,
               matrix_view<const float> output_weight, std::span<const float> of_output)
      : hidden(hidden_weight),
        output(output_weight),
        hidden_bias(of_hidden.begin(), of_hidden.end()),
        output_bias(of_output.begin(), of_output.end()) {}

  explicit packed_block(const skip_block& trained) : packed_block(of_folded(trained.folded())) {}

  std::size_t in() const noexcept { return output.dim() - hidden_bias.size(); }
  std::size_t out() const noexcept { return output.rows(); }
  std::size_t width() const noexcept { return output.dim(); }

  /// @param joined  x in its first columns; room for the hidden values behind. @param y  without the bias.
  void run(const product_level& level, matrix_view<float> joined, matrix_view<float> y) const {
    const std::size_t h = hidden_bias.size();
    if (h != 0) {
      const matrix_view<const float> x(joined.data(), joined.rows(), in(), joined.stride());
      const matrix_view<float> values(joined.data() + in(), joined.rows(), h, joined.stride());
      gemm_at(level, x, hidden, values, inline_executor{});
      for (std::size_t i = 0; i < values.rows(); ++i) bend(hidden_bias.data(), values[i].data(), h);
    }
    gemm_at(level, joined, output, y, inline_executor{});
  }

 private:
  static packed_block of_folded(const skip_block& b) {
    return packed_block(b.hidden.weight.value, b.hidden.bias.value.values(), b.output.weight.value,
                        b.output.bias.value.values());
  }

  static void bend(const float* EMBIT_RESTRICT bias, float* EMBIT_RESTRICT x, std::size_t n) noexcept {
    std::size_t k = 0;
    const auto one = [&](std::size_t c) {
      const float value = x[c] + bias[c];
      x[c] = value > 0 ? value : 0.f;
    };
    for (; k + code_step <= n; k += code_step)
      for (std::size_t c = k; c < k + code_step; ++c) one(c);
    for (; k < n; ++k) one(k);
  }
};

/// y = a · x + b · y, eight elements at a time.
inline void blend(float a, const float* EMBIT_RESTRICT x, float b, float* EMBIT_RESTRICT y, std::size_t n) noexcept {
  std::size_t k = 0;
  for (; k + code_step <= n; k += code_step)
    for (std::size_t c = k; c < k + code_step; ++c) y[c] = a * x[c] + b * y[c];
  for (; k < n; ++k) y[k] = a * x[k] + b * y[k];
}

/// All weights of an encoder, and its work on a block of rows. All blocks have hidden layers of one width.
struct recurrent_codes {
  static constexpr std::size_t most_loops = 7;

  std::vector<float> mean;
  float deviation = 1;
  packed_block project;
  std::vector<packed_block> rebuild, refine;

  std::size_t dim() const noexcept { return mean.size(); }
  std::size_t dims() const noexcept { return project.out(); }
  std::size_t loops() const noexcept { return refine.size(); }

  /// Rows that are encoded at a time: what they need stays in the second-level cache, whole tiles of the product.
  static constexpr std::size_t block_rows = 120;

  struct workspace {
    matrix<float> u, row_side, code_side, decisions, rebuilt, codes;
    explicit workspace(const recurrent_codes& of)
        : u(block_rows, of.dim()),
          row_side(block_rows, of.project.width()),
          code_side(block_rows, of.loops() == 0 ? 0 : of.rebuild[0].width()),
          decisions(block_rows, of.dims()),
          rebuilt(block_rows, of.loops() == 0 ? 0 : of.dim()),
          codes(block_rows, of.dims()) {}
  };

  /// The codes of at most block_rows rows, as multiples of 2^-loops in [-2, 2], into the first rows of work.codes.
  void run(const product_level& level, matrix_view<const float> rows, workspace& work) const {
    const std::size_t n = rows.rows(), m = dims();
    const auto first = [n](matrix<float>& all) { return all.view().middle_rows(0, n); };
    for (std::size_t i = 0; i < n; ++i) standardize_row(rows[i], work.u[i]);
    const auto row_side = first(work.row_side), decisions = first(work.decisions), codes = first(work.codes);
    for (std::size_t i = 0; i < n; ++i) std::ranges::copy(work.u[i], row_side[i].begin());
    project.run(level, row_side, decisions);
    for (std::size_t i = 0; i < n; ++i) {
      std::ranges::fill(codes[i], 0.f);
      decide(1.f, project.output_bias, decisions[i], codes[i]);
    }
    float weight = 1;
    for (std::size_t t = 0; t < loops(); ++t) {
      weight /= 2;
      const auto code_side = first(work.code_side), rebuilt = first(work.rebuilt);
      for (std::size_t i = 0; i < n; ++i) std::copy_n(codes[i].begin(), m, code_side[i].begin());
      rebuild[t].run(level, code_side, rebuilt);
      for (std::size_t i = 0; i < n; ++i) {
        blend(1, rebuild[t].output_bias.data(), 1, rebuilt[i].data(), dim());
        blend(1, work.u[i].data(), -1, rebuilt[i].data(), dim());
        std::ranges::copy(rebuilt[i], row_side[i].begin());
      }
      refine[t].run(level, row_side, decisions);
      for (std::size_t i = 0; i < n; ++i) decide(weight, refine[t].output_bias, decisions[i], codes[i]);
    }
  }

  /// f(first row, codes as floats) for all rows, block by block.
  template <Executor Exec, class F>
  void for_each_block(matrix_view<const float> rows, const Exec& executor, F&& f) const {
    const auto level = product_level_for(active_isa());
    std::vector<std::vector<workspace>> work(executor.concurrency());
    run_ranges(executor, rows.rows(), block_rows, executor.concurrency() * 4,
               [&](std::size_t begin, std::size_t end, std::size_t worker) {
                 if (work[worker].empty()) work[worker].emplace_back(*this);
                 for (std::size_t at = begin; at < end; at += block_rows) {
                   const std::size_t count = std::min(block_rows, end - at);
                   run(level, rows.middle_rows(at, count), work[worker][0]);
                   f(at, matrix_view<const float>(work[worker][0].codes.view().middle_rows(0, count)));
                 }
               });
  }

 private:
  void standardize_row(std::span<const float> row, std::span<float> u) const {
    const float square = dot(row.data(), row.data(), row.size());
    const float length = square > 0 && std::isfinite(square) ? 1 / std::sqrt(square) : exact_inverse_length(row);
    for (std::size_t k = 0; k < u.size(); ++k) u[k] = (row[k] * length - mean[k]) / deviation;
  }

  /// For rows whose square overflows or vanishes.
  static float exact_inverse_length(std::span<const float> row) {
    double square = 0;
    for (const float x : row) square += double{x} * double{x};
    return square > 0 ? static_cast<float>(1 / std::sqrt(square)) : 0.f;
  }

  static void decide(float weight, const std::vector<float>& bias, std::span<float> decisions, std::span<float> codes) {
    blend(1, bias.data(), 1, decisions.data(), decisions.size());
    straight_through_sign::add(weight, decisions, codes);
  }
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
