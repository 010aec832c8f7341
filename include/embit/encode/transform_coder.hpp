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
#include <embit/kernel/mapped_symmetric.hpp>
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
  /// To which queries are rounded, 4 to 14. With AVX2 a scan by 4 or 8 is the fastest, by 5 to 7 up to a third slower
  /// (6 the slowest), by 9 and more it takes about twice as long
  std::size_t query_bits = 8;
  std::size_t segments = 0;  ///< score codes cut to so many segments; 0 for whole codes
};

/// Scores codes of one transform coder against each other: both sides are quantized, and what rows keep of the center
/// counts, which a cosine of centered values does not know. Squared distances for l2, minus the inner product, 1 − cos.
using transform_symmetric = mapped_symmetric<detail::transform_code_map>;

static_assert(Kernel<transform_symmetric, level_row>);

/// Codes of a customised number of bits a dimension, for l2, inner product and cosine. Rows, centered, are taken to
/// their principal directions; each direction gets 0 to 8 bits, where a bit lowers the expected error of inner
/// products most; directions of equal bits are rotated at random among themselves and rounded to levels that suit a
/// normal distribution. Which weights the directions have, whether rows are centered and what they keep is
/// chosen on held-out queries; a random rotation with equal bits for all is among the variants.
///
/// Rows keep, in 2 bytes each or 4: for l2 their squared norm, or that of what their code stands for; for the others
/// their inner product with the center, and for all a scale, where that was chosen; or a byte for the scale of each
/// segment, which is what rows need whose energy lies in other directions each.
/// Segments come by falling bits, so the first segments of a code are a coarser code (`prefix`). Immutable; copies
/// share their state; safe to use from many threads.
///
/// Bits by falling distortion: Gersho and Gray, "Vector quantization and signal compression", 1992, section 8.3; with
/// the second moment of queries for weight, since ⟨query, error⟩² is what ranks suffer from. Scales of segments: Li et
/// al., "SAQ", SIGMOD 2026 (arXiv 2509.12086), of which adjusting the codes is left out.
class transform_coder {
 public:
  using estimator_type = asymmetric<detail::transform_map>;

  /// What `fit_transform_coder` has found.
  explicit transform_coder(detail::transform_model model) {
    model.format.fingerprint = model.fingerprint();
    model_ = std::make_shared<const detail::transform_model>(std::move(model));
  }

  std::size_t dim() const noexcept { return model_->dim(); }
  embit::metric metric() const noexcept { return model_->metric; }
  /// Changes with everything that codes depend on.
  encoder_fingerprint fingerprint() const noexcept { return format().fingerprint; }
  /// Of a code with what is kept beside it.
  std::size_t bytes_per_row() const noexcept { return model_->format.row_bytes() + model_->format.factor_bytes(); }
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
  /// The code of one row, a batch of one.
  template <detail::SingleRow Row>
  level_store encode(const Row& row) const {
    const std::span<const float> numbers(row);
    return encode(matrix_view<const float>(numbers.data(), 1, numbers.size()));
  }

  /// The rows that codes stand for, of unit rows for the cosine. What directions without bits have is lost: the mean
  /// squared error is their variance and, of rows that are normally distributed, .363, .117, .0353, .00989, .00266,
  /// .00072, .0002 and .00005 of the variance of directions of 1 to 8 bits. Where rows or segments have scales, these
  /// make inner products right instead, and values longer: at 1 bit the error is then .57 of the variance, at 2 .13.
  /// O(n · dim · dimensions kept).
  /// @throws error errc::shape for codes of another format.
  template <Executor Exec = inline_executor>
  matrix<float> decode(const level_view& codes, const Exec& executor = {}) const {
    if (!codes.empty()) detail::require_level_format(*codes.format(), format());
    return model_->rows_of(codes, executor);
  }

  /// The kernel that estimates distances of float queries to codes: squared distances for l2, minus the inner product,
  /// 1 − cos. An estimated squared distance of a near row may be below zero.
  /// @throws error errc::argument for query bits outside 4 to 14 or more segments than there are.
  estimator_type estimator(transform_estimator_options options = {}) const {
    return estimator_type(detail::transform_map(model_, segments_of("estimator", options.segments)),
                          options.query_bits);
  }

  /// The kernel that scores codes by codes, on the same scale.
  /// @param segments  of codes cut to so many; 0 for whole codes
  /// @throws error errc::argument for more segments than there are.
  transform_symmetric symmetric(std::size_t segments = 0) const {
    return transform_symmetric(detail::transform_code_map(model_, segments_of("symmetric", segments)));
  }

  /// Codes cut to their first segments: fewer bytes, less exact. They keep their factors.
  /// @throws error errc::shape for codes of another format, errc::argument for 0 segments or more than there are.
  level_store prefix(const level_store& codes, std::size_t segments) const {
    if (!(codes.format() == format()))
      raise(errc::shape, "codes: ", codes.dims(), " dimensions in ", codes.format().row_bytes(),
            " bytes, the encoder makes ", format().dims(), " in ", format().row_bytes(),
            ", or values or factors differ");
    detail::require_same_encoder(codes.fingerprint(), fingerprint(), "codes");
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
  /// Version 2 where no segment has scales.
  file_kind saved_as() const { return {file.name, format().has_scales() ? 3u : 2u}; }
  void write_to(const section_writer& out) const { detail::write_transform_model(out, *model_); }
  /// @throws error errc::format, errc::checksum or errc::io.
  static transform_coder read_from(const section_reader& in) {
    return transform_coder(detail::read_transform_model(in));
  }

 private:
  std::size_t segments_of(const char* what, std::size_t wanted) const {
    const std::size_t all = format().segments.size();
    if (wanted > all) raise(errc::argument, what, ": ", wanted, " segments of ", all);
    return wanted == 0 ? all : wanted;
  }

  void encode_range(matrix_view<const float> rows, std::size_t first, std::size_t last, level_store& codes) const {
    constexpr std::size_t chunk = 8 * level_block_rows;
    detail::transform_code code;
    for (; first < last; first += chunk) {
      const std::size_t count = (std::min)(chunk, last - first);
      auto at = model_->coordinates(rows.middle_rows(first, count));
      for (std::size_t i = 0; i < count; ++i) {
        model_->quantize(at.z[i], at.square[i], code);
        codes.set_levels(first + i, code.levels);
        set_scales(code, first + i, codes);
        if (format().has(row_factor::scale)) codes.set_factor(first + i, row_factor::scale, code.scale);
        if (format().has(row_factor::offset))
          codes.set_factor(first + i, row_factor::offset,
                           static_cast<float>(model_->offset(at, i, code) - double{model_->mean_offset}));
        if (format().has(row_factor::inverse_norm))
          codes.set_factor(first + i, row_factor::inverse_norm, model_->inverse_norm(code));
      }
    }
  }

  void set_scales(const detail::transform_code& code, std::size_t row, level_store& codes) const {
    const std::uint8_t* scale = code.scales.data();
    std::uint8_t* end = codes.row_data(row);
    for (const level_segment& s : format().segments) {
      end += s.bytes() * level_block_rows;
      if (s.scaled) end[-static_cast<std::ptrdiff_t>(level_block_rows)] = *scale++;
    }
  }

  detail::shared_state<const detail::transform_model> model_;
};

static_assert(Encoder<transform_coder>);

}  // namespace embit::inline EMBIT_ABI
