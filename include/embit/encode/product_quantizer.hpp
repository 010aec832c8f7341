// Product quantization behind a learned rotation: codewords of subspaces, scored through tables.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/moved.hpp>
#include <embit/encode/detail/product/file.hpp>
#include <embit/encode/detail/product/map.hpp>
#include <embit/encode/detail/product/model.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/kernel/table_scan.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// Scores codes of a product quantizer against each other: both sides are quantized.
using product_symmetric = table_scan<detail::product_code_map>;

static_assert(Kernel<product_symmetric, level_row>);

/// Rows, less their mean and rotated, are cut into subspaces, and of each the number of the nearest codeword is kept,
/// in 4 or 8 bits; nothing else. Codes are bare bytes (`byte_format`) in a `level_store`: score them by the kernels of
/// the encoder, not by those of levels. Immutable; copies share their state; safe to use from many threads.
///
/// Jégou, Douze and Schmid, "Product quantization for nearest neighbor search", TPAMI 2011; the rotation of Ge, He, Ke
/// and Sun, "Optimized product quantization", CVPR 2013 (`fit_product_quantizer`).
class product_quantizer {
 public:
  using estimator_type = table_scan<detail::product_map>;

  /// What `fit_product_quantizer` has found.
  explicit product_quantizer(detail::product_model model) {
    if (model.books.numbers == 0) model.set_books();
    model.format.fingerprint = model.fingerprint();
    model_ = std::make_shared<const detail::product_model>(std::move(model));
  }

  std::size_t dim() const noexcept { return model_->dim(); }
  embit::metric metric() const noexcept { return model_->metric; }
  /// Of a number of a code: 4 or 8.
  std::size_t bits_per_number() const noexcept { return model_->bits; }
  /// Changes with everything that codes depend on.
  encoder_fingerprint fingerprint() const noexcept { return format().fingerprint; }
  std::size_t bytes_per_row() const noexcept { return format().row_bytes(); }
  const level_format& format() const& noexcept { return model_->format; }
  const level_format& format() const&& = delete;

  /// Codes of `rows` (n × dim), in order: the same code for a row alone or in a batch. O(n · dim · (dim + 2^bits)).
  /// @throws error errc::shape for another dimension, errc::not_finite naming the first bad row.
  template <Executor Exec = inline_executor>
  level_store encode(matrix_view<const float> rows, const Exec& executor = {}) const {
    model_->require_rows(rows, "rows");
    level_store codes(format(), rows.rows());
    run_ranges(executor, rows.rows(), chunk, rows.rows() / chunk + 1,
               [&](std::size_t first, std::size_t last, std::size_t) { encode_range(rows, first, last, codes); });
    return codes;
  }
  /// The code of one row, a batch of one.
  template <detail::SingleRow Row>
  level_store encode(const Row& row) const {
    const std::span<const float> numbers(row);
    return encode(matrix_view<const float>(numbers.data(), 1, numbers.size()));
  }

  /// The rows that codes stand for, of unit rows for the cosine: off by the mean squared error that training tells of.
  /// O(n · dim²).
  /// @throws error errc::shape for codes of another format.
  template <Executor Exec = inline_executor>
  matrix<float> decode(const level_view& codes, const Exec& executor = {}) const {
    if (!codes.empty()) detail::require_level_format(*codes.format(), format());
    return model_->rows_of(codes, executor);
  }

  /// The kernel that estimates distances of float queries to codes: squared distances for l2, minus the inner product,
  /// 1 − cos; of what codes stand for, each query with tables of its own.
  /// @param query_bits  to which entries of codes of 4 bits are rounded: up to 8 cost a lookup a number, 9 to 14 two
  /// @throws error errc::argument for query bits outside 4 to 14.
  estimator_type estimator(std::size_t query_bits = 8) const {
    return estimator_type(detail::product_map(model_), query_bits);
  }

  /// The kernel that scores codes by codes, on the same scale.
  product_symmetric symmetric(std::size_t query_bits = 8) const {
    return product_symmetric(detail::product_code_map(model_), query_bits);
  }

  static constexpr file_kind file{"product_quantizer", 1};
  void write_to(const section_writer& out) const { detail::write_product(out, *model_); }
  /// @throws error errc::format, errc::checksum or errc::io.
  static product_quantizer read_from(const section_reader& in) { return product_quantizer(detail::read_product(in)); }

 private:
  static constexpr std::size_t chunk = 8 * level_block_rows;  // rows at a time

  void encode_range(matrix_view<const float> rows, std::size_t first, std::size_t last, level_store& codes) const {
    for (; first < last; first += chunk) {
      const std::size_t count = (std::min)(chunk, last - first);
      const auto found = model_->codewords(model_->rotated(rows.middle_rows(first, count), true));
      for (std::size_t i = 0; i < count; ++i) {
        std::uint8_t* const out = codes.row_data(first + i);
        for (std::size_t p = 0; p < format().row_bytes(); ++p)
          out[p * level_block_rows] =
              model_->bits == 8 ? found[i][p] : static_cast<std::uint8_t>(found[i][2 * p] | found[i][2 * p + 1] << 4);
      }
    }
  }

  detail::shared_state<const detail::product_model> model_;
};

static_assert(Encoder<product_quantizer>);
static_assert(Kernel<product_quantizer::estimator_type, level_row>);

}  // namespace embit::inline EMBIT_ABI
