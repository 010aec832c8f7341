// How queries, floats or codes, meet the codes of a product quantizer.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/moved.hpp>
#include <embit/encode/detail/product/model.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/kernel/table_scan.hpp>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Makes tables of float queries.
class product_map {
 public:
  using query_view = matrix_view<const float>;

  explicit product_map(std::shared_ptr<const product_model> model) : model_(std::move(model)) {}

  std::size_t bits() const noexcept { return model_->bits; }
  std::size_t dim() const noexcept { return model_->dim(); }
  const level_format& format() const noexcept { return model_->format; }

  /// @throws error errc::shape for another dimension, errc::not_finite.
  table_entries operator()(matrix_view<const float> queries) const {
    model_->require_rows(queries, "queries");
    const bool l2 = model_->metric == metric::l2, cosine = model_->metric == metric::cosine;
    std::vector<float> base(queries.rows(), 0.f);
    if (!l2) {
      matrix<float> asked(queries);
      if (cosine) scale_to_unit(asked);
      for (std::size_t q = 0; q < base.size(); ++q)
        base[q] = (cosine ? 1.f : 0.f) - dot(asked[q].data(), model_->center.data(), dim());
    }
    return model_->tables(model_->rotated(queries, l2), std::move(base));
  }

 private:
  detail::shared_state<const product_model> model_;
};

/// Makes tables of codes, which ask as the rows would that they stand for.
class product_code_map {
 public:
  using query_view = level_view;

  explicit product_code_map(std::shared_ptr<const product_model> model) : rows_(std::move(model)) {}

  std::size_t bits() const noexcept { return rows_->bits; }
  const level_format& format() const noexcept { return rows_->format; }

  /// @throws error errc::shape for codes of another format, errc::argument for those of another encoder.
  table_entries operator()(const level_view& codes) const {
    const product_model& model = *rows_;
    if (!codes.empty()) require_level_format(*codes.format(), model.format);
    matrix<float> z = model.values_of(codes);
    std::vector<float> base(codes.size(), model.metric == metric::cosine ? 1.f : 0.f);
    if (model.metric == metric::l2) return model.tables(z, std::move(base));
    std::vector<float> center(model.dim());
    gemm(matrix_view<const float>(model.center.data(), 1, model.dim()), model.rotation,
         matrix_view<float>(center.data(), 1, model.dim()));
    for (std::size_t q = 0; q < z.rows(); ++q)
      for (std::size_t k = 0; k < model.dim(); ++k) {
        z[q][k] += center[k];
        base[q] -= z[q][k] * center[k];
      }
    return model.tables(z, std::move(base));
  }

 private:
  detail::shared_state<const product_model> rows_;
};

}  // namespace embit::inline EMBIT_ABI::detail
