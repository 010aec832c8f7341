// Subtracting the mean.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/linalg/mean.hpp>
#include <embit/linalg/transform.hpp>

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// y = x - center. For sign codes most of what whitening gains comes from this alone. Immutable.
class centering {
 public:
  /// @throws error errc::argument for no dimensions, errc::not_finite.
  explicit centering(std::vector<float> center) : center_(std::move(center)) {
    if (center_.empty()) raise(errc::argument, "center: of 0 dimensions");
    detail::require_finite(matrix_view<const float>(center_.data(), 1, center_.size()), "center");
  }

  std::size_t dim() const noexcept { return center_.size(); }
  std::size_t output_dim() const noexcept { return center_.size(); }
  std::span<const float> center() const& noexcept { return center_; }
  std::span<const float> center() const&& = delete;

  /// rows - center, n × dim. O(n · dim).
  /// @throws error errc::shape for another dimension, errc::not_finite for NaN or infinity, also in the result.
  template <Executor Exec = inline_executor>
  matrix<float> apply(matrix_view<const float> rows, const Exec& executor = {}) const {
    detail::require_columns(rows, dim());
    matrix<float> out(rows);
    apply_in_place(out, executor);
    return out;
  }

  /// rows + center, n × dim. O(n · dim).
  /// @throws error as `apply` does.
  template <Executor Exec = inline_executor>
  matrix<float> apply_inverse(matrix_view<const float> rows, const Exec& executor = {}) const {
    detail::require_columns(rows, dim());
    detail::require_finite(rows, "rows");
    matrix<float> out(rows);
    for_rows(out, executor, [](float x, float c) { return x + c; });
    detail::require_result(out);
    return out;
  }

  /// `apply` that writes the rows over those it is given. @throws error as `apply` does; the rows are then
  /// unchanged, but where only the result is not finite.
  template <Executor Exec = inline_executor>
  void apply_in_place(matrix_view<float> rows, const Exec& executor = {}) const {
    detail::require_columns(rows, dim());
    detail::require_finite(rows, "rows");
    for_rows(rows, executor, [](float x, float c) { return x - c; });
    detail::require_finite(rows, "transformed rows");
  }

  static constexpr file_kind file{"centering", 1};

  /// The section of the file that `save` writes: "center", a row of floats.
  void write_to(const section_writer& out) const { detail::add_matrix(out, "center", center()); }
  /// @throws error errc::format, errc::checksum or errc::io.
  static centering read_from(const section_reader& in) {
    const auto center = detail::take_matrix(in, "center");
    if (center.values().empty()) raise(errc::format, in.path(), ": section 'center': a center of 0 dimensions");
    return centering({center.values().begin(), center.values().end()});
  }

 private:
  template <Executor Exec, class F>
  void for_rows(matrix_view<float> rows, const Exec& executor, const F& f) const {
    run_ranges(executor, rows.rows(), 16, executor.concurrency() * 4,
               [&](std::size_t first, std::size_t last, std::size_t) {
                 for (std::size_t i = first; i < last; ++i)
                   for (std::size_t k = 0; k < dim(); ++k) rows[i][k] = f(rows[i][k], center_[k]);
               });
  }

  std::vector<float> center_;
};

static_assert(InvertibleTransform<centering> && InPlaceTransform<centering>);

/// The centering of `rows` (n × dim) at their mean. O(n · dim).
/// @throws error errc::argument for no rows or no dimensions, errc::not_finite.
inline centering fit_centering(matrix_view<const float> rows) {
  if (rows.rows() == 0 || rows.cols() == 0)
    raise(errc::argument, "fit_centering: ", rows.rows(), " x ", rows.cols(), " rows");
  detail::require_finite(rows, "rows");
  return centering(mean_row(rows));
}

}  // namespace embit::inline EMBIT_ABI
