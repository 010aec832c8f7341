// The product of float matrices, A · Bᵀ, at full speed without compiler flags.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/dispatch.hpp>
#include <embit/kernel/detail/product/level.hpp>
#if EMBIT_KERNELS_HERE
#include <embit/kernel/detail/product/avx2.hpp>
#include <embit/kernel/detail/product/avx512.hpp>
#include <embit/kernel/detail/product/neon.hpp>
#endif

#include <algorithm>
#include <cstddef>
#include <span>

namespace embit::inline EMBIT_ABI {

/// The right side of a product, in the order that the product reads it: 16 rows side by side, dimension by
/// dimension. Pack once what is multiplied often. An immutable value.
class row_panels {
 public:
  row_panels() = default;

  /// Copies `rows` (any number × dim). O(rows · dim).
  explicit row_panels(matrix_view<const float> rows) : rows_(rows.rows()), dim_(rows.cols()) {
    values_.assign(panels() * panel_size(), 0.f);
    for (std::size_t j = 0; j < rows_ && dim_ != 0; ++j) {
      float* at = values_.data() + j / detail::panel_width * panel_size() + j % detail::panel_width;
      for (const float x : rows[j]) {
        *at = x;
        at += detail::panel_width;
      }
    }
  }

  /// The columns of `values` (dim × any number) for rows: with it `gemm` multiplies by `values` itself, where the rows
  /// of `values` multiply by its transpose. O(rows · dim).
  static row_panels of_columns(matrix_view<const float> values) {
    row_panels packed;
    packed.rows_ = values.cols();
    packed.dim_ = values.rows();
    packed.values_.resize(packed.panels() * packed.panel_size());
    float* to = packed.values_.data();
    for (std::size_t j = 0; j < packed.rows_; j += detail::panel_width) {
      const std::size_t width = (std::min)(detail::panel_width, packed.rows_ - j);
      for (std::size_t k = 0; k < packed.dim_; ++k, to += detail::panel_width) {
        const float* from = values.data() + k * values.stride() + j;
        if (width == detail::panel_width)
          std::copy_n(from, detail::panel_width, to);
        else
          std::fill(std::copy_n(from, width, to), to + detail::panel_width, 0.f);
      }
    }
    return packed;
  }

  std::size_t rows() const noexcept { return rows_; }
  std::size_t dim() const noexcept { return dim_; }

  /// Panels of 16 rows, the last one filled up with zeros.
  std::size_t panels() const noexcept { return rows_ / detail::panel_width + (rows_ % detail::panel_width != 0); }
  const float* panel(std::size_t i) const& noexcept { return values_.data() + i * panel_size(); }
  const float* panel(std::size_t) const&& = delete;

  /// Copies one row back into the first dim() floats of `out`.
  void copy_row(std::size_t row, std::span<float> out) const noexcept {
    EMBIT_ASSERT(row < rows_ && out.size() >= dim_);
    const float* from = panel(row / detail::panel_width) + row % detail::panel_width;
    for (std::size_t k = 0; k < dim_; ++k) out[k] = from[k * detail::panel_width];
  }

  /// Copies all rows back, rows() × dim(). O(rows · dim).
  matrix<float> unpacked() const {
    matrix<float> out(rows_, dim_);
    for (std::size_t i = 0; i < out.rows(); ++i) copy_row(i, out[i]);
    return out;
  }

 private:
  std::size_t panel_size() const noexcept { return dim_ * detail::panel_width; }

  aligned_vector<float> values_;
  detail::moved_value<> rows_;
  detail::moved_value<> dim_;
};

namespace detail {

#if EMBIT_KERNELS_HERE
template <>
EMBIT_KERNELS_INLINE const dispatch_table<product_ops>& table_of() noexcept {
  static constexpr auto table = [] {
    dispatch_table<product_ops> serving({2, product_tile_portable, product_signs_portable});
#if EMBIT_X86
    serving.add(isa::avx2, {6, product_tile_avx2, product_signs_avx2});
    serving.add(isa::avx512, {6, product_tile_avx512, product_signs_avx512});
#endif
#if EMBIT_NEON
    serving.add(isa::neon, {6, product_tile_neon, product_signs_neon});
#endif
    return serving;
  }();
  return table;
}
#else
template <>
const dispatch_table<product_ops>& table_of() noexcept;
#endif

/// Calls visit(first row, rows, first panel, panels) for every tile of the product of `rows` rows, in an order that
/// keeps a block of rows and a group of panels in the second-level cache.
template <class Visit>
void for_each_tile(const product_ops& ops, std::size_t first, std::size_t last, const row_panels& planes,
                   Visit&& visit) {
  constexpr std::size_t block_bytes = std::size_t{1} << 18;
  const std::size_t row_bytes = std::max<std::size_t>(planes.dim(), 1) * sizeof(float);
  const std::size_t block = std::max<std::size_t>(block_bytes / row_bytes / ops.rows, 1) * ops.rows;
  for (std::size_t begin = first; begin < last; begin += block) {
    const std::size_t end = (std::min)(begin + block, last);
    for (std::size_t panel = 0; panel < planes.panels(); panel += group_panels) {
      const std::size_t panels = (std::min)(group_panels, planes.panels() - panel);
      for (std::size_t row = begin; row < end; row += ops.rows)
        visit(row, (std::min)(ops.rows, end - row), panel, panels);
    }
  }
}

template <Executor Exec>
void gemm_at(const product_ops& ops, matrix_view<const float> a, const row_panels& b, matrix_view<float> c,
             const Exec& executor) {
  const auto rows = [&](std::size_t first, std::size_t last, std::size_t) {
    for_each_tile(ops, first, last, b, [&](std::size_t row, std::size_t count, std::size_t panel, std::size_t panels) {
      const std::size_t column = panel * panel_width;
      const std::size_t columns = (std::min)(panels * panel_width, b.rows() - column);
      const float* x = a.data() + row * a.stride();
      float* out = c.data() + row * c.stride() + column;
      if (columns == panels * panel_width)
        return ops.tile(x, a.stride(), count, b.panel(panel), panels, b.dim(), out, c.stride());
      alignas(buffer_alignment) float tile[8 * group_panels * panel_width];
      constexpr std::size_t width = group_panels * panel_width;
      ops.tile(x, a.stride(), count, b.panel(panel), panels, b.dim(), tile, width);
      for (std::size_t i = 0; i < count; ++i) std::copy_n(tile + i * width, columns, out + i * c.stride());
    });
  };
  run_ranges(executor, a.rows(), ops.rows, executor.concurrency() * 4, rows);
}

}  // namespace detail

/// c = a · bᵀ: c[i][j] is the inner product of row i of `a` and row j of `b`. O(a.rows · b.rows · dim).
/// An element is the same float whatever else is computed with it: its row alone or in a batch, on any number of
/// threads. `c` must not overlap `a`.
/// @param a n × dim, @param b m × dim, packed, @param c n × m.
/// @throws error errc::shape when the sizes do not fit each other, errc::unsupported for a level that this machine
/// cannot run.
template <Executor Exec = inline_executor>
void gemm(matrix_view<const float> a, const row_panels& b, matrix_view<float> c, const Exec& executor = {},
          isa level = active_isa()) {
  detail::require_isa(level, "gemm");
  if (a.cols() != b.dim()) raise(errc::shape, "gemm: a has ", a.cols(), " columns, b has ", b.dim());
  if (c.rows() != a.rows() || c.cols() != b.rows())
    raise(errc::shape, "gemm: c is ", c.rows(), " x ", c.cols(), " where ", a.rows(), " x ", b.rows(), " are needed");
  detail::gemm_at(detail::ops_at<detail::product_ops>(level), a, b, c, executor);
}

/// The same with a right side that is used once.
template <Executor Exec = inline_executor>
void gemm(matrix_view<const float> a, matrix_view<const float> b, matrix_view<float> c, const Exec& executor = {},
          isa level = active_isa()) {
  gemm(a, row_panels(b), c, executor, level);
}

}  // namespace embit::inline EMBIT_ABI
