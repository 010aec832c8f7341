// Removing the mean and the strongest common directions.
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
#include <embit/linalg/pca.hpp>
#include <embit/linalg/transform.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct all_but_the_top_options {
  std::size_t directions = 0;  ///< to remove; 0 takes a hundredth of the dimensions, at least 1
};

/// y = (x - center) - Uᵀ U (x - center): what is left of rows outside of a few directions that all of them share.
/// Immutable; copies share the numbers; safe to use from many threads.
/// Mu and Viswanath, "All-but-the-top: simple and effective postprocessing for word representations", ICLR 2018,
/// algorithm 1.
class all_but_the_top {
 public:
  /// @param center      dim floats, finite.
  /// @param directions  k × dim, orthonormal rows.
  /// @throws error errc::argument for no dimensions, errc::shape for directions of another dimension, errc::not_finite.
  all_but_the_top(std::vector<float> center, matrix_view<const float> directions) {
    if (center.empty()) raise(errc::argument, "center: of 0 dimensions");
    if (directions.cols() != center.size())
      raise(errc::shape, "directions: ", directions.cols(), " columns where the center has ", center.size());
    detail::require_finite(matrix_view<const float>(center.data(), 1, center.size()), "center");
    detail::require_finite(directions, "directions");
    row_panels across(directions), along(detail::transposed(directions, {}, 0, directions.rows()));
    shared_ = std::make_shared<const parts>(parts{std::move(center), std::move(across), std::move(along)});
  }

  std::size_t dim() const noexcept { return shared_->center.size(); }
  std::size_t output_dim() const noexcept { return dim(); }
  /// How many directions are removed.
  std::size_t removed() const noexcept { return shared_->across.rows(); }
  std::span<const float> center() const& noexcept { return shared_->center; }
  std::span<const float> center() const&& = delete;
  /// A copy of the directions, removed × dim.
  matrix<float> directions() const { return shared_->across.unpacked(); }

  /// The rows without those directions, n × dim. O(n · dim · removed).
  /// @throws error errc::shape for another dimension, errc::not_finite for NaN or infinity, also in the result.
  template <Executor Exec = inline_executor>
  matrix<float> apply(matrix_view<const float> rows, const Exec& executor = {}) const {
    detail::require_columns(rows, dim());
    detail::require_finite(rows, "rows");
    matrix<float> out = centered(rows, shared_->center);
    constexpr std::size_t chunk = 1024;
    matrix<float> lengths((std::min)(chunk, rows.rows()), removed()), common(lengths.rows(), dim());
    for (std::size_t first = 0; first < rows.rows(); first += chunk) {
      const std::size_t count = (std::min)(chunk, rows.rows() - first);
      const auto some = out.view().middle_rows(first, count);
      gemm(some, shared_->across, lengths.view().middle_rows(0, count), executor);
      gemm(lengths.view().middle_rows(0, count), shared_->along, common.view().middle_rows(0, count), executor);
      for (std::size_t i = 0; i < count; ++i)
        for (std::size_t k = 0; k < dim(); ++k) some[i][k] -= common[i][k];
    }
    detail::require_result(out);
    return out;
  }

  static constexpr file_kind file{"all_but_the_top", 1};

  /// The sections of the file that `save` writes: "center" and "directions", matrices of floats.
  void write_to(const section_writer& out) const {
    detail::add_matrix(out, "center", center());
    detail::add_matrix(out, "directions", directions());
  }
  /// @throws error errc::format, errc::checksum or errc::io.
  static all_but_the_top read_from(const section_reader& in) {
    const auto center = detail::take_matrix(in, "center"), directions = detail::take_matrix(in, "directions");
    if (center.values().empty() || directions.cols() != center.values().size())
      raise(errc::format, in.path(), ": section 'directions': directions of ", directions.cols(),
            " dimensions and a center of ", center.values().size());
    return all_but_the_top({center.values().begin(), center.values().end()}, directions);
  }

 private:
  struct parts {
    std::vector<float> center;
    row_panels across, along;
  };

  detail::shared_state<const parts> shared_;
};

static_assert(FloatTransform<all_but_the_top>);

/// Removes the mean of `rows` (n × dim) and the principal directions of most variance. O(n · dim² + dim³).
/// @throws error errc::argument for no rows, no dimensions or more directions than dimensions, errc::not_finite.
template <Executor Exec = inline_executor>
all_but_the_top fit_all_but_the_top(matrix_view<const float> rows, all_but_the_top_options options = {},
                                    const Exec& executor = {}) {
  if (options.directions == 0) options.directions = std::max<std::size_t>(rows.cols() / 100, 1);
  auto components = fit_pca(rows, {.dims = options.directions}, executor);
  return all_but_the_top(std::move(components.mean), components.directions);
}

}  // namespace embit::inline EMBIT_ABI
