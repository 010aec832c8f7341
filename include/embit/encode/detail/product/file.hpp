// What a product quantizer knows, as the sections of a file.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/metric.hpp>
#include <embit/encode/detail/product/model.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/io/metadata.hpp>
#include <embit/kernel/table_scan.hpp>

#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

/// The sections:
///   "shape"      u8 metric, u32 bits of a number, u64 bytes of a code
///   "center"     a matrix of one row
///   "rotation"   a matrix of dim × dim
///   "codewords"  a matrix of 2^bits × dim: row c has the c-th codeword of every subspace
inline void write_product(const section_writer& out, const product_model& model) {
  metadata_writer shape;
  shape.u8(static_cast<std::uint8_t>(model.metric)).u32(static_cast<std::uint32_t>(model.bits));
  shape.u64(model.format.row_bytes());
  out.add("shape", std::move(shape));
  add_matrix(out, "center", model.center);
  add_matrix(out, "rotation", model.rotation.unpacked());
  add_matrix(out, "codewords", model.words);
}

/// @throws error errc::format, errc::checksum or errc::io.
inline product_model read_product(const section_reader& in) {
  metadata_reader shape = in.metadata("shape");
  const std::uint8_t kind = shape.u8();
  const std::uint32_t bits = shape.u32();
  const std::uint64_t bytes = shape.u64();
  if (kind > static_cast<std::uint8_t>(metric::cosine)) shape.refuse("metric ", +kind);
  if (bits != 4 && bits != 8) shape.refuse("numbers of ", bits, " bits");
  const matrix<float> center = take_matrix(in, "center"), rotation = take_matrix(in, "rotation");
  product_model model{.metric = static_cast<embit::metric>(kind),
                      .bits = bits,
                      .center = {center.values().begin(), center.values().end()},
                      .rotation = {},
                      .words = take_matrix(in, "codewords"),
                      .format = {}};
  const std::size_t dim = model.dim();
  if (dim == 0 || center.rows() != 1 || rotation.rows() != dim || rotation.cols() != dim ||
      model.words.rows() != std::size_t{1} << bits || model.words.cols() != dim)
    raise(errc::format, in.path(), ": section 'codewords': ", model.words.rows(), " x ", model.words.cols(),
          " codewords, a rotation of ", rotation.rows(), " x ", rotation.cols(), " and a center of ", dim);
  if (bytes == 0 || bytes > dim) shape.refuse(bytes, " bytes of a code for ", dim, " dimensions");
  model.rotation = row_panels(rotation.view());
  model.format = byte_format(static_cast<std::size_t>(bytes));
  model.set_books();
  for (const float square : model.books.squares.values())
    if (!is_finite(square))
      raise(errc::format, in.path(), ": section 'codewords': the squared norm of one is no float");
  return model;
}

}  // namespace embit::inline EMBIT_ABI::detail
