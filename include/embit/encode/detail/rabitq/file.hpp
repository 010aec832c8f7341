// What a RaBitQ encoder knows, as the sections of a file.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/detail/code_rotation.hpp>
#include <embit/encode/detail/rabitq/model.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/io/metadata.hpp>
#include <embit/linalg/fht_kac.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

inline void write_rabitq(const section_writer& out, const rabitq_model& model) {
  metadata_writer shape;
  shape.u64(model.dim()).u32(static_cast<std::uint32_t>(model.bits));
  shape.u8(static_cast<std::uint8_t>(model.metric)).u8(model.swept ? 1 : 0);
  shape.u8(static_cast<std::uint8_t>(model.rotation.kind()));
  std::uint8_t factors = 0;
  for (std::size_t f = 0; f < row_factors; ++f)
    factors = static_cast<std::uint8_t>(factors | (model.format.factors[f] ? 1u << f : 0u));
  shape.u8(factors).u8(model.format.half_factors ? 1 : 0);
  for (const float unit : model.format.units) shape.f32(unit);
  shape.f32(model.mean_offset).f32(model.mean_scale).f64(model.loss);
  out.add("shape", std::move(shape));
  if (model.rotation.kind() == rotation_kind::fht_kac) {
    out.add("rotation", model.rotation.fast().signs());
  } else {
    add_matrix(out, "rotation", model.rotation.panels().unpacked());
  }
  add_matrix(out, "centroid", model.centroid);
}

inline code_rotation read_code_rotation(const section_reader& in, rotation_kind kind, std::size_t dim) {
  if (kind == rotation_kind::fht_kac) {
    constexpr std::size_t rounds = 4;
    return code_rotation(fht_kac(dim, in.array<word>("rotation", rounds * words_for(dim))));
  }
  const matrix<float> rows = take_matrix(in, "rotation");
  if (rows.rows() != dim || rows.cols() != dim)
    raise(errc::format, in.path(), ": section 'rotation': a rotation of ", rows.rows(), " x ", rows.cols(), " for ",
          dim, " dimensions");
  return code_rotation(rows);
}

/// @throws error errc::format for what no encoder is made of, errc::checksum, errc::io.
inline rabitq_model read_rabitq(const section_reader& in) {
  metadata_reader shape = in.metadata("shape");
  const std::uint64_t dim = shape.u64();
  const std::uint32_t bits = shape.u32();
  const std::uint8_t metric_number = shape.u8(), swept = shape.u8(), kind = shape.u8(), factors = shape.u8(),
                     halves = shape.u8();
  if (dim == 0 || dim > std::uint64_t{1} << 32) shape.refuse("dim ", dim);
  if (bits < 1 || bits > most_level_bits) shape.refuse(bits, " bits");
  if (metric_number > static_cast<std::uint8_t>(metric::cosine) || swept > 1 ||
      kind > static_cast<std::uint8_t>(rotation_kind::gaussian))
    shape.refuse("metric ", +metric_number, ", encoding ", +swept, ", rotation ", +kind);
  level_format format{.segments = {level_segment::uniform(static_cast<std::size_t>(dim), bits)}};
  const bool inverse_norm = (factors >> static_cast<unsigned>(row_factor::inverse_norm) & 1) != 0;
  if (factors >> row_factors != 0 || inverse_norm || halves > 1)
    shape.refuse("factors ", +factors, " of size ", +halves);
  format.half_factors = halves == 1;
  for (std::size_t f = 0; f < row_factors; ++f) {
    format.factors[f] = (factors >> f & 1) != 0;
    format.units[f] = shape.f32();
    if (!is_positive(format.units[f])) shape.refuse("a unit of factors: ", format.units[f]);
  }
  const float mean_offset = shape.f32(), mean_scale = shape.f32();
  const double loss = shape.f64();
  if (!is_finite(mean_offset) || !is_finite(mean_scale) || mean_scale < 0 || !is_between(loss, 0., 1.))
    shape.refuse("means ", mean_offset, ", ", mean_scale, ", ", loss);

  const matrix<float> centroid = take_matrix(in, "centroid");
  if (centroid.rows() > 1 || (centroid.rows() == 1 && centroid.cols() != dim))
    raise(errc::format, in.path(), ": section 'centroid': a centroid of ", centroid.rows(), " x ", centroid.cols(),
          " for ", dim, " dimensions");
  // What distances are made of must be there.
  const bool with_offset = static_cast<metric>(metric_number) == metric::l2 || !centroid.empty();
  if (format.has(row_factor::offset) != with_offset || (!format.has(row_factor::scale) && with_offset) ||
      format.has(row_factor::coarse_scale) != format.has(row_factor::error))
    shape.refuse("factors ", +factors, " for metric ", +metric_number);
  return {.bits = bits,
          .metric = static_cast<metric>(metric_number),
          .swept = swept == 1,
          .centroid = {centroid.values().begin(), centroid.values().end()},
          .rotation = read_code_rotation(in, static_cast<rotation_kind>(kind), static_cast<std::size_t>(dim)),
          .format = std::move(format),
          .mean_offset = mean_offset,
          .mean_scale = mean_scale,
          .loss = loss};
}

}  // namespace embit::inline EMBIT_ABI::detail
