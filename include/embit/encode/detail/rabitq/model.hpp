// What a RaBitQ encoder knows, and how it turns rows into codes and queries into what kernels score them by.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/moved.hpp>
#include <embit/encode/detail/code_rotation.hpp>
#include <embit/encode/detail/grid_sweep.hpp>
#include <embit/kernel/asymmetric.hpp>
#include <embit/kernel/level_scan.hpp>
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

namespace embit::inline EMBIT_ABI::detail {

/// The inverse steps of the uniform grids that fit a normal variable of variance 1 best, of 1 to 8 bits.
/// Max, "Quantizing for minimum distortion", IRE Transactions on Information Theory 1960, table II.
inline constexpr std::array<double, most_level_bits> normal_grid{0,         1 / .9957, 1 / .5860,  1 / .3352,
                                                                 1 / .1881, 1 / .1041, 1 / .05687, 1 / .03076};

/// A row as its factors need it, with r = row − centroid.
struct rabitq_row {
  double square = 0;   ///< |r|²
  double product = 0;  ///< ⟨r, centroid⟩
  grid_sums sums;      ///< of r and its code y
};

/// Memory of one worker.
struct rabitq_memory {
  matrix<float> residuals, rotated;
  std::vector<rabitq_row> rows;
  grid_sweep_memory sweep;
};

/// Distances are gain · (…): with r = row − c, z = query − c, both rotated, y the code of r and s = |r|² / ⟨r, y⟩,
///   l2                     |z|² + |r|² − 2 s ⟨y, z⟩
///   inner product, cosine  [1] − ⟨c, query⟩ − ⟨r, c⟩ − s ⟨y, z⟩
/// where s ⟨y, z⟩ estimates ⟨r, z⟩ without bias, since what y has beside r is turned into any direction alike. The
/// middle term is the offset of a row, and missing where c is zero and the metric none of distances; s is its scale.
struct rabitq_model {
  std::size_t bits;
  embit::metric metric;
  bool swept;                   // the best step for every row, not the same for all
  std::vector<float> centroid;  // empty for zero
  code_rotation rotation;
  level_format format;
  float mean_offset = 0;  // offsets are kept less this
  float mean_scale = 1;   // of all rows, where the format has no scales
  double loss = 0;        // mean of 1 − ⟨r, y⟩² / (|r|² |y|²)

  std::size_t dim() const noexcept { return rotation.dim(); }
  double gain() const noexcept { return metric == metric::l2 ? 2 : 1; }
  bool has(row_factor which) const noexcept { return format.has(which); }

  /// Of what codes and their factors depend on.
  encoder_fingerprint fingerprint() const {
    fingerprint_hash hash;
    hash.add(dim()).add(bits).add(metric).add(swept).add(centroid).add(rotation.kind());
    if (rotation.kind() == rotation_kind::fht_kac)
      hash.add(rotation.fast().signs());
    else
      hash.add_rows(rotation.panels());
    for (std::size_t f = 0; f < row_factors; ++f) hash.add(format.factors[f]).add(format.units[f]);
    return hash.add(format.half_factors).add(mean_offset).add(mean_scale).value();
  }

  double centroid_square() const noexcept {
    double sum = 0;
    for (const float c : centroid) sum += double{c} * double{c};
    return sum;
  }

  double offset(const rabitq_row& r) const noexcept { return metric == metric::l2 ? r.square : -r.product; }
  static double scale(const rabitq_row& r) noexcept { return r.sums.product > 0 ? r.square / r.sums.product : 0; }
  static double coarse_scale(const rabitq_row& r) noexcept {
    return r.sums.magnitude > 0 ? r.square / r.sums.magnitude : 0;
  }
  /// Of the estimate from the first plane, for a query with |z| = 1 and one deviation: gain · |r| · tan(r, y) / √(d −
  /// 1).
  double error(const rabitq_row& r) const noexcept {
    const double s = coarse_scale(r), beside = s * s * static_cast<double>(dim()) - r.square;
    return gain() * std::sqrt((std::max)(beside, 0.) / static_cast<double>(std::max<std::size_t>(dim() - 1, 1)));
  }
  static double loss_of(const rabitq_row& r) noexcept {
    const double whole = r.square * static_cast<double>(r.sums.energy);
    return whole > 0 ? (std::max)(0., 1 - r.sums.product * r.sums.product / whole) : 0;
  }

  /// Writes rows − centroid, of unit rows for cosines, rotated; returns where they are. `memory.rows` gets all but
  /// the sums.
  /// @throws error errc::not_finite naming the row.
  matrix_view<float> residuals(matrix_view<const float> rows, std::size_t first, std::size_t count,
                               rabitq_memory& memory) const {
    const auto square = ops_at<quantize_ops>(active_isa()).square;
    if (memory.residuals.rows() < count || memory.residuals.cols() != dim()) {
      memory.residuals = matrix<float>(count, dim());
      memory.rotated = matrix<float>(count, dim());
    }
    memory.rows.resize(count);
    const double of_centroid = centroid_square();
    for (std::size_t i = 0; i < count; ++i) {
      const float* row = rows.data() + (first + i) * rows.stride();
      float* out = memory.residuals[i].data();
      double whole = metric == metric::cosine || !centroid.empty() ? square(row, dim()) : 0;
      if (metric == metric::cosine) {
        write_unit(row, whole, out);
        row = out;
        whole = whole > 0 ? 1 : 0;
      }
      subtract_centroid(row, out);
      rabitq_row& r = memory.rows[i];
      r.square = square(out, dim());
      r.product = centroid.empty() ? 0 : (whole - of_centroid - r.square) / 2;
      if (!is_finite(static_cast<float>(r.square))) refuse(rows, first + i);
    }
    return rotation(memory.residuals.view().middle_rows(0, count), memory.rotated.view().middle_rows(0, count));
  }

  /// Writes the code of a rotated residual into a row of a store and completes `r`.
  void quantize(std::span<const float> residual, rabitq_row& r, level_store& store, std::size_t row,
                rabitq_memory& memory) const {
    if (swept && bits > 1) {
      r.sums = sweep_grid(residual, bits, memory.sweep);
      store.set_levels(row, memory.sweep.levels);
      return;
    }
    const auto& level = ops_at<quantize_ops>(active_isa());
    const double step = r.square > 0 ? normal_grid[bits - 1] * std::sqrt(static_cast<double>(dim()) / r.square) : 0;
    const auto at = [&](double factor, std::uint8_t* out) {
      return level.row(residual.data(), dim(), static_cast<float>(step * factor), bits, out);
    };
    double best = 1;
    if (bits > 1) {
      grid_sums sums = at(1, nullptr);
      for (const double factor : {.9, 1.1, .8, 1.2})
        if (const grid_sums other = at(factor, nullptr); better(other, sums)) {
          sums = other;
          best = factor;
        }
    }
    r.sums = at(best, store.row_data(row));
  }

  /// Rows [first, last) into the same rows of a store of `format`.
  /// @throws error errc::not_finite naming the row.
  void encode(matrix_view<const float> rows, std::size_t first, std::size_t last, level_store& store,
              rabitq_memory& memory) const {
    constexpr std::size_t chunk = 4 * level_block_rows;
    for (; first < last; first += chunk) {
      const std::size_t count = (std::min)(chunk, last - first);
      const auto rotated = residuals(rows, first, count, memory);
      for (std::size_t i = 0; i < count; ++i) {
        rabitq_row& r = memory.rows[i];
        quantize(rotated[i], r, store, first + i, memory);
        const auto set = [&](row_factor which, double value) {
          if (has(which)) store.set_factor(first + i, which, static_cast<float>(value));
        };
        set(row_factor::offset, offset(r) - double{mean_offset});
        set(row_factor::scale, scale(r));
        set(row_factor::coarse_scale, coarse_scale(r));
        set(row_factor::error, error(r));
      }
    }
  }

  /// The rows that codes stand for. The scale s makes ⟨s y, z⟩ an unbiased estimate, for which s y is longer than r;
  /// the nearest multiple of y is s ⟨r, y⟩² / (|r|² |y|²).
  matrix<float> rows_of(const level_view& codes) const {
    matrix<float> values(codes.size(), dim());
    for (std::size_t i = 0; i < codes.size(); ++i) {
      codes[i].decode(values[i]);
      const float scale = has(row_factor::scale) ? codes[i].factor(row_factor::scale) : mean_scale;
      const auto nearest = static_cast<float>(double{scale} * (1 - loss));
      for (float& x : values[i]) x *= nearest;
    }
    matrix<float> rows = rotation.inverse(values);
    for (std::size_t i = 0; i < rows.rows() && !centroid.empty(); ++i)
      for (std::size_t j = 0; j < dim(); ++j) rows[i][j] += centroid[j];
    return rows;
  }

  /// Queries in the space of the codes. @param deviations  the error of a query is so many times its |z|; 0 for none.
  mapped_queries map(matrix_view<const float> queries, float deviations) const {
    if (queries.cols() != dim())
      raise(errc::shape, "queries: dimension ", queries.cols(), ", the encoder takes ", dim());
    rabitq_memory memory;
    const auto rotated = residuals(queries, 0, queries.rows(), memory);
    mapped_queries mapped{matrix<float>(matrix_view<const float>(rotated)), {}};
    const double of_centroid = centroid_square();
    for (const rabitq_row& r : memory.rows) {
      // ⟨c, query⟩ = ⟨c, z⟩ + |c|²
      double base = metric == metric::l2 ? r.square : -(r.product + of_centroid);
      if (metric == metric::cosine) base += 1;
      mapped.terms.push_back(
          {.base = static_cast<float>(base + double{mean_offset}),
           .error = static_cast<float>(double{deviations} * std::sqrt(r.square)),
           .scale = static_cast<float>(-gain() * (has(row_factor::scale) ? 1 : double{mean_scale}))});
    }
    return mapped;
  }

  /// What a code as the query brings to its distances to other codes.
  level_query_terms terms_of(const level_row& code) const noexcept {
    const double own_scale = double{has(row_factor::scale) ? code.factor(row_factor::scale) : mean_scale};
    double base = metric == metric::cosine ? 1 : 0;
    if (has(row_factor::offset)) base += double{code.factor(row_factor::offset)} + 2 * double{mean_offset};
    if (metric != metric::l2) base -= centroid_square();
    return {.base = static_cast<float>(base),
            .scale = static_cast<float>(-gain() * own_scale * (has(row_factor::scale) ? 1 : double{mean_scale}))};
  }

 private:
  void write_unit(const float* row, double square, float* out) const noexcept {
    const double inverse = square > 0 ? 1 / std::sqrt(square) : 0;
    if (square > 1e-30 && square < 1e30) {
      const auto factor = static_cast<float>(inverse);
      for (std::size_t j = 0; j < dim(); ++j) out[j] = row[j] * factor;
    } else {
      for (std::size_t j = 0; j < dim(); ++j) out[j] = static_cast<float>(double{row[j]} * inverse);
    }
  }

  void subtract_centroid(const float* row, float* out) const noexcept {
    if (centroid.empty())
      std::copy_n(row, row == out ? 0 : dim(), out);
    else
      for (std::size_t j = 0; j < dim(); ++j) out[j] = row[j] - centroid[j];
  }

  [[noreturn]] EMBIT_COLD static void refuse(matrix_view<const float> rows, std::size_t row) {
    require_finite(rows, "rows");
    raise(errc::not_finite, "rows: row ", row, " is too large: its squared norm is no float");
  }
};

/// Takes queries to the space of the codes of one encoder.
class rabitq_map {
 public:
  rabitq_map(std::shared_ptr<const rabitq_model> model, float deviations)
      : model_(std::move(model)), deviations_(deviations) {}

  std::size_t dim() const noexcept { return model_->dim(); }
  const level_format& format() const noexcept { return model_->format; }
  float deviations() const noexcept { return deviations_; }
  /// @throws error errc::shape for another dimension, errc::not_finite.
  mapped_queries operator()(matrix_view<const float> queries) const { return model_->map(queries, deviations_); }

 private:
  detail::shared_state<const rabitq_model> model_;
  float deviations_;
};

/// Makes queries of codes.
class rabitq_code_map {
 public:
  explicit rabitq_code_map(std::shared_ptr<const rabitq_model> model) : model_(std::move(model)) {}

  const level_format& format() const noexcept { return model_->format; }
  void prepare(const level_row& code, level_query& into) const {
    std::vector<float> z(format().dims());
    code.decode(z);
    into.assign_values(format(), z, model_->terms_of(code));
  }

 private:
  detail::shared_state<const rabitq_model> model_;
};

}  // namespace embit::inline EMBIT_ABI::detail
