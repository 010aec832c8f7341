// Transform coding: bits given to principal directions by what queries see of them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/progress.hpp>
#include <embit/encode/detail/transform/choice.hpp>
#include <embit/encode/detail/transform/file.hpp>
#include <embit/encode/detail/transform/map.hpp>
#include <embit/encode/detail/transform/model.hpp>
#include <embit/encode/detail/transform/training.hpp>
#include <embit/io/container_layout.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/kernel/asymmetric.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct transform_coder_options {
  std::size_t bits =
      0;  ///< of a code, from 1 to 8 a dimension of the rows; codes take whole bytes, bits / 8 rounded up
  embit::metric metric = embit::metric::l2;
  matrix_view<const float> queries = {};  ///< what will be asked, if that is unlike the rows: bits are spent for them
  std::size_t held_out = 256;             ///< queries to choose a variant by
  bool allow_factors = true;     ///< rows may keep a scale and an offset where the held-out queries then find more
  bool symmetric = false;        ///< keep `inverse_norm`, so that codes compare by cosine
  bool compress_factors = true;  ///< into 16 bits each, up to 6 bits a dimension; beyond, that would cost accuracy
};

struct transform_estimator_options {
  std::size_t query_bits = 8;  ///< to which queries are rounded: 4 to 7 are the fastest
  std::size_t segments = 0;    ///< score codes cut to so many segments; 0 for whole codes
};

/// Codes of a customised number of bits a dimension, for l2, inner product and cosine. Rows, centered, are taken to
/// their principal directions; each direction gets 0 to 8 bits, where a bit lowers the expected error of inner
/// products most; directions of equal bits are rotated at random among themselves and rounded to levels that suit a
/// normal distribution. Which weights the directions have, whether rows are centered and what they keep is
/// chosen on held-out queries; a random rotation with equal bits for all is among the variants.
///
/// Rows keep, in 2 bytes each or 4: for l2 their squared norm; for the others their inner product with the center, and
/// for all a scale, where that was chosen; `inverse_norm` where asked for.
/// Segments come by falling bits, so the first segments of a code are a coarser code (`prefix`). Immutable; copies
/// share their state; safe to use from many threads.
///
/// Bits by falling distortion: Gersho and Gray, "Vector quantization and signal compression", 1992, section 8.3; with
/// the second moment of queries for weight, since ⟨query, error⟩² is what ranks suffer from.
class transform_coder {
 public:
  using estimator_type = asymmetric<detail::transform_map>;

  /// What `fit_transform_coder` has found.
  explicit transform_coder(detail::transform_model model)
      : model_(std::make_shared<const detail::transform_model>(std::move(model))) {}

  std::size_t dim() const noexcept { return model_->dim(); }
  embit::metric metric() const noexcept { return model_->metric; }
  /// Of the codes: segments by falling bits, and what rows keep.
  const level_format& format() const& noexcept { return model_->format; }
  const level_format& format() const&& = delete;

  /// Codes of `rows` (n × dim), in order: the same code for a row alone or in a batch. O(n · dim · dimensions kept).
  /// A zero row has the cosine 0 with everything, as nearly as codes say it.
  /// @throws error errc::shape for another dimension; errc::not_finite naming the first bad row, or one so much larger
  ///         than the rows that the encoder was made for that its factors do not fit.
  template <Executor Exec = inline_executor>
  level_store encode(matrix_view<const float> rows, const Exec& executor = {}) const {
    model_->require_rows(rows, "rows");
    level_store codes(format(), rows.rows());
    run_ranges(executor, rows.rows(), level_block_rows, executor.concurrency() * 4,
               [&](std::size_t first, std::size_t last, std::size_t) { encode_range(rows, first, last, codes); });
    return codes;
  }

  /// The kernel that estimates distances of float queries to codes: squared distances for l2, minus the inner product,
  /// 1 − cos.
  /// @throws error errc::argument for query bits outside 4 to 14 or more segments than there are.
  estimator_type estimator(transform_estimator_options options = {}) const {
    const std::size_t all = format().segments.size();
    if (options.segments > all) raise(errc::argument, "estimator: ", options.segments, " segments of ", all);
    return estimator_type(detail::transform_map(model_, options.segments == 0 ? all : options.segments),
                          options.query_bits);
  }

  /// Codes cut to their first segments: fewer bytes, less exact. They keep their factors.
  /// @throws error errc::shape for codes of another format, errc::argument for 0 segments or more than there are.
  level_store prefix(const level_store& codes, std::size_t segments) const {
    if (!(codes.format() == format()))
      raise(errc::shape, "codes: ", codes.dims(), " dimensions in ", codes.format().row_bytes(),
            " bytes, the encoder makes ", format().dims(), " in ", format().row_bytes(),
            ", or values or factors differ");
    if (segments == 0 || segments > format().segments.size())
      raise(errc::argument, "prefix: ", segments, " segments of ", format().segments.size());
    level_store cut(detail::first_segments(format(), segments), codes.size());
    const std::size_t bytes = cut.format().row_bytes();
    for (std::size_t row = 0; row < codes.size(); ++row) {
      const level_row from = codes[row];
      std::uint8_t* const to = cut.row_data(row);
      for (std::size_t p = 0; p < bytes; ++p) to[p * level_block_rows] = from.byte(p);
      for (const row_factor which : {row_factor::offset, row_factor::scale})
        if (format().has(which)) cut.set_factor(row, which, from.factor(which));
    }
    if (format().has(row_factor::inverse_norm)) cut.set_inverse_norms();
    return cut;
  }

  static constexpr file_kind file = detail::transform_coder_file;
  void write_to(const section_writer& out) const { detail::write_transform_model(out, *model_); }
  /// @throws error errc::format, errc::checksum or errc::io.
  static transform_coder read_from(const section_reader& in) {
    return transform_coder(detail::read_transform_model(in));
  }

 private:
  void encode_range(matrix_view<const float> rows, std::size_t first, std::size_t last, level_store& codes) const {
    constexpr std::size_t chunk = 8 * level_block_rows;
    std::vector<std::uint8_t> levels(model_->dims());
    for (; first < last; first += chunk) {
      const std::size_t count = (std::min)(chunk, last - first);
      auto [z, square, along] = model_->coordinates(rows.middle_rows(first, count));
      for (std::size_t i = 0; i < count; ++i) {
        const float scale = model_->quantize(z[i], square[i], levels);
        codes.set_levels(first + i, levels);
        if (format().has(row_factor::scale)) codes.set_factor(first + i, row_factor::scale, scale);
        if (format().has(row_factor::offset))
          codes.set_factor(
              first + i, row_factor::offset,
              static_cast<float>(model_->metric == embit::metric::l2 ? square[i] - double{model_->mean_offset}
                                                                     : -along[i]));
        if (format().has(row_factor::inverse_norm))
          codes.set_factor(first + i, row_factor::inverse_norm, model_->inverse_norm(levels));
      }
    }
  }

  detail::shared_state<const detail::transform_model> model_;
};

static_assert(Encoder<transform_coder>);

namespace detail {

inline void require_transform_options(matrix_view<const float> rows, const transform_coder_options& options) {
  if (rows.rows() == 0 || rows.cols() == 0)
    raise(errc::argument, "transform_coder: ", rows.rows(), " x ", rows.cols(), " rows");
  if (options.bits == 0 || (options.bits - 1) / most_level_bits >= rows.cols())
    raise(errc::argument, "transform_coder: ", options.bits, " bits where 1 to ", most_level_bits,
          " a dimension are possible, and the rows have ", rows.cols());
  if (!options.queries.empty() && options.queries.cols() != rows.cols())
    raise(errc::shape, "queries: ", options.queries.cols(), " dimensions where the rows have ", rows.cols());
  require_finite(rows, "rows");
  require_finite(options.queries, "queries");
}

/// Which factors rows keep beside a scale, and in which units.
inline void set_factors(transform_model& model, std::size_t bits_per_dim, const transform_coder_options& options) {
  level_format& format = model.format;
  model.keep(row_factor::inverse_norm, options.symmetric);
  format.half_factors = options.compress_factors && bits_per_dim <= 6;
  const auto set_unit = [&](row_factor which, float unit) {
    if (format.half_factors && unit > 0) format.units[static_cast<std::size_t>(which)] = unit;
  };
  set_unit(row_factor::inverse_norm, 1 / model.row_norm);
  if (model.metric != metric::l2) {
    set_unit(row_factor::offset, model.row_norm * static_cast<float>(std::sqrt(squared_norm(model.center))));
    return;
  }
  model.keep(row_factor::offset, true);
  model.mean_offset = model.row_norm * model.row_norm;
  set_unit(row_factor::offset, model.mean_offset);
}

}  // namespace detail

/// An encoder for rows like these. Rotations, and the rows to choose by, are drawn from `engine`. Five variants, each
/// with and without a scale and, but for l2, an offset, are compared by the ten nearest neighbours that they find for
/// up to `held_out` queries (a tenth of the rows at most, which nothing is fitted to, or of `options.queries`) among up
/// to 8192 rows; a factor must be worth half a hundredth. Fewer than 80 rows are too few to choose by: directions then
/// get equal bits. O(n · dim² + dim³) and, for the choice, some O(8192 · dim · (dim + held_out)).
/// @param rows      n × dim. Zero rows, constant columns and fewer rows than dimensions are no errors: directions
///                  without variance get bits last, or none.
/// @param progress  told after each variant; `objective` is 1 − recall. False stops and keeps the best so far.
/// @throws error errc::argument for no rows and for bits outside 1 … 8 · dim, errc::shape for queries of another
///         dimension, errc::not_finite naming the row.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
transform_coder fit_transform_coder(matrix_view<const float> rows, transform_coder_options options, Engine& engine,
                                    const progress_callback& progress = {}, const Exec& executor = {}) {
  detail::require_transform_options(rows, options);
  const auto training =
      detail::prepare_transform_training(rows, options.queries, options.metric, options.held_out, engine, executor);
  auto model = detail::choose_transform_model(training, (options.bits + 7) / 8, options.allow_factors, engine, progress,
                                              executor);
  detail::set_factors(model, options.bits / rows.cols(), options);
  return transform_coder(std::move(model));
}

}  // namespace embit::inline EMBIT_ABI
