// The random rotation in front of a quantizer.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/linalg/fht_kac.hpp>

#include <cstddef>
#include <memory>
#include <optional>

namespace embit::inline EMBIT_ABI {

/// Where a rotation comes from.
enum class rotation_kind {
  fht_kac,  ///< Hadamard transforms of random signs, O(dim · log dim) a row
  gaussian  ///< drawn from all rotations alike, O(dim²) a row and O(dim³) to draw
};

namespace detail {

/// A rotation of either kind; copies share it.
class code_rotation {
 public:
  explicit code_rotation(const fht_kac& fast) : fast_(fast) {}
  /// @param rows  of an orthogonal matrix
  explicit code_rotation(matrix_view<const float> rows) : panels_(std::make_shared<const row_panels>(rows)) {}

  std::size_t dim() const noexcept { return fast_ ? fast_->dim() : panels_->dim(); }
  rotation_kind kind() const noexcept { return fast_ ? rotation_kind::fht_kac : rotation_kind::gaussian; }
  /// The one that there is.
  const fht_kac& fast() const noexcept { return *fast_; }
  const row_panels& panels() const noexcept { return *panels_; }

  /// Rotates rows, with `scratch` of the same size for memory; the result is in one of the two.
  matrix_view<float> operator()(matrix_view<float> rows, matrix_view<float> scratch) const {
    if (fast_) {
      fast_->apply_in_place(rows);
      return rows;
    }
    gemm(rows, *panels_, scratch);
    return scratch;
  }

  /// The rows that were rotated into `rows`, up to rounding.
  matrix<float> inverse(matrix_view<const float> rows) const {
    if (fast_) return fast_->apply_inverse(rows);
    matrix<float> back(rows.rows(), dim());
    gemm(rows, row_panels::of_columns(panels_->unpacked()), back);
    return back;
  }

 private:
  std::optional<fht_kac> fast_;
  detail::shared_state<const row_panels> panels_;
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
