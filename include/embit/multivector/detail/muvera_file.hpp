// How a fixed dimensional encoder stands in a file.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/multivector/detail/muvera_parts.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Sections: "options", and the numbers of `muvera_parts` under their names, empty where there are none.
inline constexpr file_kind muvera_file{"muvera", 1};

inline void write_parts(const section_writer& out, const muvera_parts& parts) {
  const muvera_options& o = parts.options;
  metadata_writer options;
  options.u64(o.dim).u64(o.repetitions).u64(o.simhash_bits).u64(o.projected_dim).u64(o.final_dim);
  options.u8(static_cast<std::uint8_t>(o.planes)).u8(static_cast<std::uint8_t>(o.projection));
  options.u8(static_cast<std::uint8_t>(o.partitions)).u8(static_cast<std::uint8_t>(o.order)).u8(o.fill_empty);
  out.add("options", std::move(options));
  out.add("planes", std::span<const float>(parts.planes));
  out.add("flips", std::span<const float>(parts.flips));
  out.add("transform_rows", std::span<const std::uint32_t>(parts.transform_rows));
  out.add("dense", std::span<const float>(parts.dense));
  out.add("sketch", std::span<const std::uint32_t>(parts.sketch));
  out.add("final_sketch", std::span<const std::uint32_t>(parts.final_sketch));
  out.add("hash_center", std::span<const float>(parts.centers.hash));
  out.add("value_center", std::span<const float>(parts.centers.document_values));
}

template <class T>
std::vector<T> read_vector(const section_reader& in, std::string_view name, std::size_t expected) {
  const auto values = in.array<T>(name, expected);
  if constexpr (std::is_same_v<T, float>) require_finite_section(in, name, std::span<const float>(values));
  return std::vector<T>(values.begin(), values.end());
}

inline void require_below(const section_reader& in, std::span<const std::uint32_t> values, std::size_t bound,
                          std::string_view name) {
  for (const std::uint32_t x : values)
    if (x >= bound) raise(errc::format, in.path(), ": section '", name, "': ", x, " where all are below ", bound);
}

template <class Enum>
Enum read_choice(metadata_reader& in, Enum last) {
  const std::uint8_t value = in.u8();
  if (value > static_cast<std::uint8_t>(last)) in.refuse("choice ", int{value});
  return static_cast<Enum>(value);
}

inline muvera_parts read_parts(const section_reader& in) {
  muvera_parts parts;
  muvera_options& o = parts.options;
  auto options = in.metadata("options");
  for (std::size_t* x : {&o.dim, &o.repetitions, &o.simhash_bits, &o.projected_dim, &o.final_dim})
    *x = static_cast<std::size_t>(options.u64());
  o.planes = read_choice(options, fde_planes::structured);
  o.projection = read_choice(options, fde_projection::count_sketch);
  o.partitions = read_choice(options, fde_partitions::unit);
  o.order = read_choice(options, fde_order::gray);
  o.fill_empty = options.u8() != 0;
  check_options(o, [&](const auto&... what) { options.refuse(what...); });
  const bool gaussian = o.planes == fde_planes::gaussian;
  const bool dense = !keeps_tokens(o) && o.projection == fde_projection::dense;
  const bool sketch = !keeps_tokens(o) && o.projection == fde_projection::count_sketch;
  const std::size_t planes = parts.plane_count(), size = parts.transform_size();
  parts.planes = read_vector<float>(in, "planes", gaussian ? planes * o.dim : 0);
  parts.flips =
      read_vector<float>(in, "flips", gaussian ? 0 : (planes + size - 1) / size * hadamard_planes::rounds * size);
  parts.transform_rows = read_vector<std::uint32_t>(in, "transform_rows", gaussian ? 0 : planes);
  require_below(in, parts.transform_rows, size, "transform_rows");
  parts.dense = read_vector<float>(in, "dense", dense ? o.repetitions * o.projected_dim * o.dim : 0);
  parts.sketch = read_vector<std::uint32_t>(in, "sketch", sketch ? o.repetitions * o.dim : 0);
  require_below(in, parts.sketch, 2 * parts.columns(), "sketch");
  parts.final_sketch = read_vector<std::uint32_t>(in, "final_sketch", o.final_dim == 0 ? 0 : parts.unprojected_dim());
  require_below(in, parts.final_sketch, 2 * o.final_dim, "final_sketch");
  parts.centers.hash = read_vector<float>(in, "hash_center", in.count<float>("hash_center") == 0 ? 0 : o.dim);
  parts.centers.document_values =
      read_vector<float>(in, "value_center", in.count<float>("value_center") == 0 ? 0 : o.dim);
  return parts;
}

}  // namespace embit::inline EMBIT_ABI::detail
