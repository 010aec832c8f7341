// The random rotation in front of a quantizer.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/linalg/random_rotation.hpp>

#include <cstddef>
#include <memory>
#include <random>

namespace embit::inline EMBIT_ABI::detail {

/// A rotation that copies share.
class code_rotation {
 public:
  template <std::uniform_random_bit_generator Engine>
  code_rotation(std::size_t dim, Engine& engine)
      : code_rotation(matrix_view<const float>(random_rotation(dim, engine))) {}

  /// @param rows  of an orthogonal matrix
  explicit code_rotation(matrix_view<const float> rows) : panels_(std::make_shared<const row_panels>(rows)) {}

  std::size_t dim() const noexcept { return panels_->dim(); }

  /// Rotates rows, with `scratch` of the same size for memory; the result is in one of the two.
  matrix_view<float> operator()(matrix_view<float> rows, matrix_view<float> scratch) const {
    gemm(rows, *panels_, scratch);
    return scratch;
  }

 private:
  std::shared_ptr<const row_panels> panels_;
};

}  // namespace embit::inline EMBIT_ABI::detail
