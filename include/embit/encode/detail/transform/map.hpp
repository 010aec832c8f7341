// How queries, floats or codes, meet the codes of a transform coder.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/moved.hpp>
#include <embit/encode/detail/transform/model.hpp>
#include <embit/kernel/asymmetric.hpp>
#include <embit/kernel/level_scan.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// The format of codes cut to their first segments.
inline level_format first_segments(level_format format, std::size_t segments) {
  format.segments.resize(segments);
  return format;
}

/// Takes queries to the space of codes, or of codes cut to their first segments.
class transform_map {
 public:
  transform_map(std::shared_ptr<const transform_model> model, std::size_t segments)
      : model_(std::move(model)),
        format_(std::make_shared<const level_format>(first_segments(model_->format, segments))) {}

  std::size_t dim() const noexcept { return model_->dim(); }
  const level_format& format() const noexcept { return *format_; }

  /// Distances are, with y the values of a row as its scale makes them and c the center,
  ///   l2                     |query − c|² + |row − c|² − 2 ⟨query − c, y⟩
  ///   inner product, cosine  [1] − ⟨query, c⟩ − ⟨query, y⟩, of unit queries for the cosine,
  ///     with an offset       [1] − ⟨query, c⟩ − ⟨row − c, c⟩ − ⟨query − c, y⟩: then what c has of a query is exact.
  /// @throws error errc::shape for another dimension, errc::not_finite.
  mapped_queries operator()(matrix_view<const float> queries) const {
    model_->require_rows(queries, "queries");
    const std::size_t dims = format_->dims();
    const matrix<float> moved = model_->moved_queries(queries);
    const matrix<float> all = model_->along_axes(moved);
    mapped_queries mapped{matrix<float>(queries.rows(), dims), {}};
    for (std::size_t q = 0; q < queries.rows(); ++q) {
      std::ranges::copy(all[q].first(dims), mapped.z[q].begin());
      mapped.terms.push_back(terms(moved[q]));
    }
    return mapped;
  }

 private:
  level_query_terms terms(std::span<const float> moved) const {
    if (model_->metric == metric::l2)
      return {.base = static_cast<float>(squared_norm(moved) + double{model_->mean_offset}), .scale = -2};
    double base = model_->metric == metric::cosine ? 1 : 0;
    const bool from_center = model_->keeps(row_factor::offset);
    for (std::size_t k = 0; k < moved.size(); ++k) {
      const double c{model_->center[k]};
      base -= (double{moved[k]} + (from_center ? c : 0)) * c;
    }
    return {.base = static_cast<float>(base), .scale = -1};
  }

  detail::shared_state<const transform_model> model_;
  detail::shared_state<const level_format> format_;
};

/// Takes codes as queries to what scores them against codes: a code stands for the row c + y, c being the center and y
/// its values as its scale makes them, and so it is scored as that row would be, but that its own offset is exact.
///   l2                     |x − c|² + |row − c|² − 2 ⟨x, y⟩, x and y being the values of both
///   inner product, cosine  [1] − |c|² − ⟨x − c, c⟩ − ⟨row − c, c⟩ − ⟨x, y⟩ with an offset,
///                          [1] − |c|² − ⟨x, c⟩ − ⟨x + c, y⟩ without
class transform_code_map {
 public:
  transform_code_map(std::shared_ptr<const transform_model> model, std::size_t segments)
      : model_(std::move(model)),
        format_(std::make_shared<const level_format>(first_segments(model_->format, segments))) {
    for (const float c : model_->center) center_square_ += double{c} * double{c};
    if (model_->metric == metric::l2 || model_->keeps(row_factor::offset) || center_square_ == 0) return;
    const matrix<float> along = model_->along_axes(matrix_view<const float>(model_->center.data(), 1, model_->dim()));
    center_.assign(along[0].begin(), along[0].begin() + static_cast<std::ptrdiff_t>(format_->dims()));
  }

  const level_format& format() const noexcept { return *format_; }

  void prepare(const level_row& code, level_query& into) const {
    std::vector<float> z(format_->dims());
    code.decode(z);
    const double scale = model_->keeps(row_factor::scale) ? double{code.factor(row_factor::scale)} : 1.;
    const bool l2 = model_->metric == metric::l2;
    double base = (model_->metric == metric::cosine ? 1 : 0) - (l2 ? 0 : center_square_);
    if (model_->keeps(row_factor::offset))
      base += double{code.factor(row_factor::offset)} + (l2 ? 2 * double{model_->mean_offset} : 0);
    level_query_terms terms{.scale = static_cast<float>((l2 ? -2 : -1) * scale)};
    if (!center_.empty()) {
      terms.scale = -1;
      for (std::size_t j = 0; j < z.size(); ++j) {
        const double x = scale * double{z[j]};
        base -= x * double{center_[j]};
        z[j] = static_cast<float>(x + double{center_[j]});
      }
    }
    terms.base = static_cast<float>(base);
    constexpr std::size_t query_bits = 14;
    if (center_.empty() && format_->segments.size() == 1 && !format_->has_scales())
      into.assign_values(*format_, z, terms);
    else
      into.assign(*format_, z, query_bits, terms);
  }

 private:
  detail::shared_state<const transform_model> model_;
  detail::shared_state<const level_format> format_;
  double center_square_ = 0;
  std::vector<float> center_;  // along the axes, where rows keep no offset
};

}  // namespace embit::inline EMBIT_ABI::detail
