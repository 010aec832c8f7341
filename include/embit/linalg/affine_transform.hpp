// A linear map of centered rows: dense rotations, projections, whitening.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/linalg/mean.hpp>
#include <embit/linalg/transform.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// y = map · (x - center), with x = inverse · y + center the way back. Immutable; copies share the numbers; safe to use
/// from many threads.
class affine_transform {
 public:
  /// @param map      output_dim × dim, finite, at least 1 × 1; the result of `random_rotation`, for one.
  /// @param center   dim floats, or none for zeros.
  /// @param inverse  dim × output_dim; without it the transpose of `map`, which is right where the rows of `map` are
  ///                 orthonormal.
  /// @throws error errc::argument for an empty map, errc::shape for sizes that do not fit, errc::not_finite.
  explicit affine_transform(matrix_view<const float> map, std::span<const float> center = {},
                            matrix_view<const float> inverse = {}) {
    const std::size_t out = map.rows(), dim = map.cols();
    if (out == 0 || dim == 0) raise(errc::argument, "map: ", out, " x ", dim, " where at least 1 x 1 is needed");
    if (!center.empty() && center.size() != dim)
      raise(errc::shape, "center: ", center.size(), " numbers where the map has ", dim, " columns");
    if (!inverse.empty() && (inverse.rows() != dim || inverse.cols() != out))
      raise(errc::shape, "inverse: ", inverse.rows(), " x ", inverse.cols(), " of a map of ", out, " x ", dim);
    detail::require_finite(map, "map");
    detail::require_finite(matrix_view<const float>(center.data(), 1, center.size()), "center");
    detail::require_finite(inverse, "inverse");
    shared_ = std::make_shared<const parts>(
        parts{row_panels(map),
              inverse.empty() ? row_panels(detail::transposed(map, {}, 0, out)) : row_panels(inverse),
              {center.begin(), center.end()}});
  }

  std::size_t dim() const noexcept { return shared_->map.dim(); }
  std::size_t output_dim() const noexcept { return shared_->map.rows(); }
  /// dim() floats, or none where nothing is subtracted.
  std::span<const float> center() const& noexcept { return shared_->center; }
  std::span<const float> center() const&& = delete;
  /// A copy of the map, output_dim × dim.
  matrix<float> map() const { return shared_->map.unpacked(); }
  /// A copy of the inverse, dim × output_dim.
  matrix<float> inverse() const { return shared_->inverse.unpacked(); }

  /// The transformed rows, n × output_dim. O(n · dim · output_dim).
  /// @throws error errc::shape for another dimension, errc::not_finite for NaN or infinity, also in the result.
  template <Executor Exec = inline_executor>
  matrix<float> apply(matrix_view<const float> rows, const Exec& executor = {}) const {
    detail::require_columns(rows, dim());
    detail::require_finite(rows, "rows");
    auto out = matrix<float>::uninitialized(rows.rows(), output_dim());
    constexpr std::size_t chunk = 1024;  // rows centered at a time, so that there is no second copy of them all
    for (std::size_t first = 0; first < rows.rows(); first += chunk) {
      const auto part = rows.middle_rows(first, (std::min)(chunk, rows.rows() - first));
      const auto target = out.view().middle_rows(first, part.rows());
      if (center().empty())
        gemm(part, shared_->map, target, executor);
      else
        gemm(centered(part, center()), shared_->map, target, executor);
    }
    detail::require_result(out);
    return out;
  }

  /// inverse · row + center, n × dim. O(n · dim · output_dim).
  /// @throws error as `apply` does.
  template <Executor Exec = inline_executor>
  matrix<float> apply_inverse(matrix_view<const float> rows, const Exec& executor = {}) const {
    detail::require_columns(rows, output_dim());
    detail::require_finite(rows, "rows");
    auto out = matrix<float>::uninitialized(rows.rows(), dim());
    gemm(rows, shared_->inverse, out, executor);
    for (std::size_t i = 0; i < out.rows() && !center().empty(); ++i)
      for (std::size_t k = 0; k < out.cols(); ++k) out[i][k] += center()[k];
    detail::require_result(out);
    return out;
  }

  static constexpr file_kind file{"affine_transform", 1};

  /// The sections of the file that `save` writes: "map", "center" and "inverse", matrices of floats.
  void write_to(const section_writer& out) const {
    detail::add_matrix(out, "map", map());
    detail::add_matrix(out, "center", center());
    detail::add_matrix(out, "inverse", inverse());
  }
  /// @throws error errc::format, errc::checksum or errc::io.
  static affine_transform read_from(const section_reader& in) {
    const auto map = detail::take_matrix(in, "map"), center = detail::take_matrix(in, "center"),
               inverse = detail::take_matrix(in, "inverse");
    if (map.empty() || inverse.rows() != map.cols() || inverse.cols() != map.rows() ||
        (!center.empty() && center.values().size() != map.cols()))
      raise(errc::format, in.path(), ": section 'inverse': an inverse of ", inverse.rows(), " x ", inverse.cols(),
            " and a center of ", center.values().size(), " numbers for a map of ", map.rows(), " x ", map.cols());
    return affine_transform(map, center.values(), inverse);
  }

 private:
  struct parts {
    row_panels map, inverse;
    std::vector<float> center;
  };

  detail::shared_state<const parts> shared_;
};

static_assert(InvertibleTransform<affine_transform>);

}  // namespace embit::inline EMBIT_ABI
