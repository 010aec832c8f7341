// Recurrent binarization: a learned code of several bits a dimension, compared with codes of its own kind.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/encode/detail/recurrent_codes.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// A row of unit length becomes signs, the signs rebuild the row, the signs of what is missing refine it, and so on:
/// each of `loops` rounds adds a bit to every one of `dims` dimensions. A dimension holds a level c in
/// [0, 2^(loops+1) - 1], which stands for the value (2c - (2^(loops+1) - 1)) / 2^loops; the first sign is its highest
/// bit, so that the code of fewer loops is a prefix of the bit planes.
///
/// Shen et al., "Binary embedding-based retrieval at Tencent", KDD 2023, section 3.2, with linear skip connections.
/// Made by `fit_recurrent`. Immutable; copies share the weights; safe to use from many threads.
class recurrent {
 public:
  explicit recurrent(detail::recurrent_codes weights)
      : shared_(std::make_shared<const detail::recurrent_codes>(std::move(weights))) {}

  /// Of the rows.
  std::size_t dim() const noexcept { return shared_->dim(); }
  /// Of the codes.
  std::size_t dims() const noexcept { return shared_->dims(); }
  std::size_t loops() const noexcept { return shared_->loops(); }
  std::size_t bits_per_dim() const noexcept { return loops() + 1; }
  std::size_t bits() const noexcept { return dims() * bits_per_dim(); }

  /// The values that the codes of `rows` (n × dim) stand for, n × dims, multiples of 2^-loops between -2 and 2. The
  /// length of a row does not matter. O(n · hidden · (dim + dims) · loops).
  /// @throws error errc::shape for another dimension, errc::not_finite naming the first bad row.
  template <Executor Exec = inline_executor>
  matrix<float> values(matrix_view<const float> rows, const Exec& executor = {}) const {
    check(rows);
    matrix<float> out(rows.rows(), dims());
    shared_->for_each_block(rows, executor, [&](std::size_t first, matrix_view<const float> codes) {
      for (std::size_t i = 0; i < codes.rows(); ++i) std::ranges::copy(codes[i], out[first + i].begin());
    });
    return out;
  }

  const detail::recurrent_codes& weights() const noexcept { return *shared_; }

 private:
  void check(matrix_view<const float> rows) const {
    if (rows.cols() != dim()) raise(errc::shape, "rows: ", rows.cols(), " columns where the encoder takes ", dim());
    detail::require_finite(rows, "rows");
  }

  std::shared_ptr<const detail::recurrent_codes> shared_;
};

}  // namespace embit::inline EMBIT_ABI
