// The recurrence as it encodes: normalizations folded away, weights packed, rows taken in blocks through products.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/kernel/inner_product.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// f(first, count) over n elements, count being a constant: 8, then 1 for the rest. With intermediate results in
/// arrays of `count` floats compilers make vector instructions of f at every level of optimization, where longer loops
/// over elements need -O3 and shorter ones end there as branches.
template <class F>
void in_steps(std::size_t n, F&& f) {
  constexpr std::integral_constant<std::size_t, 8> step;
  std::size_t k = 0;
  for (; k + step <= n; k += step) f(k, step);
  for (; k < n; ++k) f(k, std::integral_constant<std::size_t, 1>{});
}

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

  std::size_t in() const noexcept { return output.dim() - hidden_bias.size(); }
  std::size_t out() const noexcept { return output.rows(); }
  std::size_t width() const noexcept { return output.dim(); }

  void add_to(fingerprint_hash& hash) const {
    hash.add_rows(hidden).add(hidden_bias).add_rows(output).add(output_bias);
  }

  /// @param joined  x in its first columns; room for the hidden values behind. @param y  without the bias.
  void run(const product_ops& level, matrix_view<float> joined, matrix_view<float> y) const {
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
  static void bend(const float* EMBIT_RESTRICT bias, float* EMBIT_RESTRICT x, std::size_t n) noexcept {
    in_steps(n, [=](std::size_t k, auto count) {
      float sum[count];
      for (std::size_t c = 0; c < count; ++c) sum[c] = x[k + c] + bias[k + c];
      for (std::size_t c = 0; c < count; ++c) x[k + c] = sum[c] > 0 ? sum[c] : 0.f;
    });
  }
};

/// All weights of an encoder, and its work on a block of rows. All blocks have hidden layers of one width.
struct recurrent_codes {
  static constexpr std::size_t most_loops = 7;

  std::vector<float> mean;
  float deviation = 1;
  packed_block project;
  std::vector<packed_block> rebuild, refine;
  encoder_fingerprint fingerprint = 0;  // that of another encoder where these codes are compared with its

  /// Of the weights.
  encoder_fingerprint hash() const {
    fingerprint_hash all;
    all.add(mean).add(deviation).add(loops());
    project.add_to(all);
    for (std::size_t t = 0; t < loops(); ++t) {
      rebuild[t].add_to(all);
      refine[t].add_to(all);
    }
    return all.value();
  }

  std::size_t dim() const noexcept { return mean.size(); }
  std::size_t dims() const noexcept { return project.out(); }
  std::size_t loops() const noexcept { return refine.size(); }

  /// Rows that are encoded at a time: what they need stays in the second-level cache, whole tiles of the product.
  static constexpr std::size_t block_rows = 120;

  struct workspace {
    matrix<float> u, row_side, code_side, decisions, rebuilt, codes;
    workspace(const recurrent_codes& of, std::size_t rows)
        : u(rows, of.dim()),
          row_side(rows, of.project.width()),
          code_side(rows, of.loops() == 0 ? 0 : of.rebuild[0].width()),
          decisions(rows, of.dims()),
          rebuilt(rows, of.loops() == 0 ? 0 : of.dim()),
          codes(rows, of.dims()) {}
  };

  /// The codes of no more rows than `work` has, as multiples of 2^-loops in [-2, 2], into the first rows of work.codes.
  void run(const product_ops& level, matrix_view<const float> rows, workspace& work) const {
    const std::size_t n = rows.rows(), m = dims();
    const auto first = [n](matrix<float>& all) { return all.view().middle_rows(0, n); };
    const auto row_side = first(work.row_side), decisions = first(work.decisions), codes = first(work.codes);
    for (std::size_t i = 0; i < n; ++i) {
      standardize_row(rows[i], work.u[i]);
      std::ranges::copy(work.u[i], row_side[i].begin());
    }
    project.run(level, row_side, decisions);
    for (std::size_t i = 0; i < n; ++i) {
      std::ranges::fill(codes[i], 0.f);
      decide(1, project.output_bias.data(), decisions[i].data(), codes[i].data(), m);
    }
    float weight = 1;
    for (std::size_t t = 0; t < loops(); ++t) {
      weight /= 2;
      const auto code_side = first(work.code_side), rebuilt = first(work.rebuilt);
      for (std::size_t i = 0; i < n; ++i) std::copy_n(codes[i].begin(), m, code_side[i].begin());
      rebuild[t].run(level, code_side, rebuilt);
      for (std::size_t i = 0; i < n; ++i)
        subtract(work.u[i].data(), rebuilt[i].data(), rebuild[t].output_bias.data(), row_side[i].data(), dim());
      refine[t].run(level, row_side, decisions);
      for (std::size_t i = 0; i < n; ++i)
        decide(weight, refine[t].output_bias.data(), decisions[i].data(), codes[i].data(), m);
    }
  }

  /// f(first row, codes as floats) for all rows, block by block.
  template <Executor Exec, class F>
  void for_each_block(matrix_view<const float> rows, const Exec& executor, F&& f) const {
    const auto& level = ops_at<product_ops>(active_isa());
    std::vector<std::vector<workspace>> work(executor.concurrency());
    run_ranges(executor, rows.rows(), block_rows, executor.concurrency() * 4,
               [&](std::size_t begin, std::size_t end, std::size_t worker) {
                 if (work[worker].empty()) work[worker].emplace_back(*this, (std::min)(block_rows, rows.rows()));
                 for (std::size_t at = begin; at < end; at += block_rows) {
                   const std::size_t count = (std::min)(block_rows, end - at);
                   run(level, rows.middle_rows(at, count), work[worker][0]);
                   f(at, matrix_view<const float>(work[worker][0].codes.view().middle_rows(0, count)));
                 }
               });
  }

 private:
  void standardize_row(std::span<const float> row, std::span<float> u) const {
    const float square = dot(row.data(), row.data(), row.size());
    const float length = is_positive(square) ? 1 / std::sqrt(square) : exact_inverse_length(row);
    const float factor = 1 / deviation, *EMBIT_RESTRICT from = row.data(), *EMBIT_RESTRICT center = mean.data();
    float* EMBIT_RESTRICT to = u.data();
    in_steps(u.size(), [=](std::size_t k, auto count) {
      for (std::size_t c = k; c < k + count; ++c) to[c] = (from[c] * length - center[c]) * factor;
    });
  }

  /// For rows whose square overflows or vanishes.
  static float exact_inverse_length(std::span<const float> row) {
    double square = 0;
    for (const float x : row) square += double{x} * double{x};
    return square > 0 ? static_cast<float>(1 / std::sqrt(square)) : 0.f;
  }

  /// codes += weight · s(x + bias).
  static void decide(float weight, const float* EMBIT_RESTRICT bias, const float* EMBIT_RESTRICT x,
                     float* EMBIT_RESTRICT codes, std::size_t n) noexcept {
    in_steps(n, [=](std::size_t k, auto count) {
      float sign[count];
      for (std::size_t c = 0; c < count; ++c) sign[c] = x[k + c] + bias[k + c] > 0 ? weight : -weight;
      for (std::size_t c = 0; c < count; ++c) codes[k + c] += sign[c];
    });
  }

  /// out = u - (x + bias).
  static void subtract(const float* EMBIT_RESTRICT u, const float* EMBIT_RESTRICT x, const float* EMBIT_RESTRICT bias,
                       float* EMBIT_RESTRICT out, std::size_t n) noexcept {
    in_steps(n, [=](std::size_t k, auto count) {
      for (std::size_t c = k; c < k + count; ++c) out[c] = u[c] - (x[c] + bias[c]);
    });
  }
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
