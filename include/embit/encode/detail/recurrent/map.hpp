// How queries, floats or codes, meet the codes of recurrent binarization.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/encode/detail/recurrent/codes.hpp>
#include <embit/kernel/asymmetric.hpp>
#include <embit/kernel/level_scan.hpp>
#include <embit/kernel/levels.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <utility>

namespace embit::inline EMBIT_ABI::detail {

/// Takes float queries to the values that their own codes stand for: training knows codes against codes alone.
/// Distances are 1 − cos of the values of both.
class recurrent_map {
 public:
  recurrent_map(std::shared_ptr<const recurrent_codes> weights, level_format format)
      : weights_(std::move(weights)), format_(std::make_shared<const level_format>(std::move(format))) {}

  std::size_t dim() const noexcept { return weights_->dim(); }
  const level_format& format() const noexcept { return *format_; }

  /// @throws error errc::shape for another dimension, errc::not_finite.
  mapped_queries operator()(matrix_view<const float> queries) const {
    if (queries.cols() != dim())
      raise(errc::shape, "queries: dimension ", queries.cols(), ", the encoder takes ", dim());
    require_finite(queries, "queries");
    mapped_queries mapped{matrix<float>(queries.rows(), weights_->dims()), {}, row_factor::inverse_norm};
    weights_->for_each_block(queries, inline_executor{}, [&](std::size_t first, matrix_view<const float> values) {
      for (std::size_t i = 0; i < values.rows(); ++i) {
        double square = 0;
        for (const float x : values[i]) square += double{x} * double{x};
        std::ranges::copy(values[i], mapped.z[first + i].begin());
        mapped.terms.push_back({.base = 1, .scale = static_cast<float>(-1 / std::sqrt(square))});
      }
    });
    return mapped;
  }

 private:
  detail::shared_state<const recurrent_codes> weights_;
  detail::shared_state<const level_format> format_;
};

/// Scores codes by `embit::symmetric`, once they are known to be of one encoder.
class recurrent_code_map {
 public:
  explicit recurrent_code_map(level_format format) : format_(std::make_shared<const level_format>(std::move(format))) {}

  const level_format& format() const noexcept { return *format_; }
  void prepare(const level_row& code, level_query& into) const { into = symmetric{}.prepare(code); }

 private:
  detail::shared_state<const level_format> format_;
};

}  // namespace embit::inline EMBIT_ABI::detail
