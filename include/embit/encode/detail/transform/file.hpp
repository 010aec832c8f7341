// Transform coders in files.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/metric.hpp>
#include <embit/encode/detail/transform/model.hpp>
#include <embit/io/container_layout.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/metadata.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/store/level_layout.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// The kind of file that transform coders write. Its sections, in this order:
///   "coder"   u8 metric, u64 dimensions of rows, f32 norm of rows, f32 mean offset
///   "norms"   u8 1 where rows are as long as what the axes see of them, u8 1 where offsets for l2 are of values; from
///             version 2 on, else both are 0
///   "center"  f32 a dimension of rows
///   "axes"    f32, dimensions of codes × dimensions of rows
///   "codes/…" a store of no codes, for its format: where segments have scales, as from version 3 on
inline constexpr file_kind transform_coder_file{"transform_coder", 3};
inline constexpr std::string_view coder_section = "coder", norms_section = "norms", center_section = "center",
                                  axes_section = "axes", no_codes_scope = "codes";

inline void write_transform_model(const section_writer& out, const transform_model& model) {
  metadata_writer coder;
  coder.u8(static_cast<std::uint8_t>(model.metric)).u64(model.dim()).f32(model.row_norm).f32(model.mean_offset);
  out.add(coder_section, std::move(coder));
  metadata_writer norms;
  norms.u8(model.kept_norm ? 1 : 0).u8(model.value_offset ? 1 : 0);
  out.add(norms_section, std::move(norms));
  out.add(center_section, std::span<const float>(model.center));
  out.add_stream(axes_section, [&model](section_sink& sink) {
    std::vector<float> axis(model.dim());
    for (std::size_t i = 0; i < model.dims(); ++i) {
      model.axes.copy_row(i, axis);
      sink.write(std::span<const float>(axis));
    }
  });
  const section_writer codes = out.scope(no_codes_scope);
  level_format format = model.format;
  format.fingerprint = 0;  // which follows from what is written
  write_level_shape(codes, format, 0);
  codes.add(levels_section, std::span<const std::uint8_t>());
  for (std::size_t f = 0; f < row_factors; ++f)
    if (model.format.factors[f]) codes.add(factor_sections[f], std::span<const std::byte>());
}

/// @throws error errc::format, errc::checksum or errc::io.
inline transform_model read_transform_model(const section_reader& in) {
  metadata_reader coder = in.metadata(coder_section);
  transform_model model;
  const std::uint8_t kind = coder.u8();
  if (kind > static_cast<std::uint8_t>(metric::cosine)) coder.refuse("metric ", kind);
  model.metric = static_cast<embit::metric>(kind);
  const std::uint64_t dim = coder.u64();
  model.row_norm = coder.f32();
  model.mean_offset = coder.f32();
  if (!is_positive(model.row_norm) || !is_finite(model.mean_offset))
    coder.refuse("a norm of rows of ", model.row_norm, " and an offset of ", model.mean_offset);
  model.kept_norm = model.value_offset = false;
  if (in.contains(norms_section)) {
    metadata_reader norms = in.metadata(norms_section);
    const std::uint8_t kept = norms.u8(), of_values = norms.u8();
    if (kept > 1 || of_values > 1) norms.refuse("norms ", +kept, " and ", +of_values);
    model.kept_norm = kept == 1;
    model.value_offset = of_values == 1;
  }
  model.format = read_level_shape(in.scope(no_codes_scope)).format;

  const auto center = in.array<float>(center_section, dim);
  model.center.assign(center.begin(), center.end());
  const std::size_t dims = model.format.dims();
  if (dims > model.dim()) coder.refuse(dims, " dimensions of codes where rows have ", dim);
  const auto axes = in.array<float>(axes_section, std::uint64_t{dims} * dim);
  if (!all_finite(center.data(), center.size()) || !all_finite(axes.data(), axes.size()))
    raise(errc::format, in.path(), ": sections '", center_section, "' and '", axes_section, "': not finite");
  model.axes = row_panels(matrix_view<const float>(axes.data(), dims, model.dim()));
  model.set_levels();
  return model;
}

}  // namespace embit::inline EMBIT_ABI::detail
