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
#include <embit/encode/detail/transform/file.hpp>
#include <embit/encode/detail/transform/map.hpp>
#include <embit/encode/detail/transform/model.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/kernel/asymmetric.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

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

}  // namespace embit::inline EMBIT_ABI
