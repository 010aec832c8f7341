// Fixed dimensional encodings in a few bits a number, scored by float queries.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/kernel/asymmetric.hpp>
#include <embit/kernel/quantize.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Takes encoded queries to the codes of `muvera::encode_levels`: the numbers stay, the largest inner product becomes
/// the smallest distance. A cheap handle.
class fde_map {
 public:
  explicit fde_map(level_format format) : format_(std::make_shared<const level_format>(std::move(format))) {}

  std::size_t dim() const noexcept { return format_->dims(); }
  const level_format& format() const& noexcept { return *format_; }
  const level_format& format() const&& = delete;

  /// @param queries  as `muvera::encode_queries` gives them.
  /// @throws error errc::shape for another dimension, errc::not_finite naming the row.
  mapped_queries operator()(matrix_view<const float> queries) const {
    if (queries.rows() != 0 && queries.cols() != dim())
      raise(errc::shape, "queries: ", queries.cols(), " numbers where encodings have ", dim());
    detail::require_finite(queries, "queries");
    return {matrix<float>(queries),
            std::vector<level_query_terms>(queries.rows(), {.base = 0, .error = 0, .scale = -1})};
  }

 private:
  detail::shared_state<const level_format> format_;
};

/// Scores encoded queries by minus their inner product with documents in a few bits.
using fde_estimator = asymmetric<fde_map>;

namespace detail {

/// No factors: a document is what its levels say, whatever the length of its row. That is what keeps short documents
/// from being preferred, and why signs alone rank as well as they do.
inline level_format fde_format(std::size_t dim, std::size_t bits, encoder_fingerprint fingerprint) {
  if (bits < 1 || bits > most_level_bits)
    raise(errc::argument, "encode_levels: ", bits, " bits where 1 to ", most_level_bits, " are possible");
  return {.segments = {level_segment::uniform(dim, bits)}, .fingerprint = fingerprint};
}

/// Writes a row as levels whose steps suit numbers of its mean square. A row of zeros, which levels have no word for,
/// becomes the two levels nearest 0 in turn: next to nothing to any query.
inline void quantize_fde(std::span<const float> row, std::size_t bits, isa level, level_store& store,
                         std::size_t index) {
  const quantize_ops& kernel = ops_at<quantize_ops>(level);
  const double square = kernel.square(row.data(), row.size());
  if (square > 0) {
    // The inverse steps of the uniform grids that fit a normal variable of variance 1 best.
    // Max, "Quantizing for minimum distortion", IRE Transactions on Information Theory 1960, table II.
    constexpr std::array<double, most_level_bits> inverse_steps{1,         1 / .9957, 1 / .5860,  1 / .3352,
                                                                1 / .1881, 1 / .1041, 1 / .05687, 1 / .03076};
    const double inverse = inverse_steps[bits - 1] * std::sqrt(static_cast<double>(row.size()) / square);
    kernel.row(row.data(), row.size(), static_cast<float>(inverse), bits, store.row_data(index));
    return;
  }
  std::vector<std::uint8_t> levels(row.size());
  for (std::size_t j = 0; j < levels.size(); ++j)
    levels[j] = static_cast<std::uint8_t>((std::size_t{1} << (bits - 1)) - j % 2);
  store.set_levels(index, levels);
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
