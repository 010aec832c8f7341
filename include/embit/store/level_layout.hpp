// How B-bit codes lie in memory and in files.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

namespace embit::inline EMBIT_ABI::detail {

/// Up to eight levels, a byte each, the first lowest.
inline std::uint64_t eight_levels(const std::uint8_t* levels, std::size_t count) noexcept {
  std::uint64_t eight = 0;
  if constexpr (std::endian::native == std::endian::little) {
    if (count == 8)
      std::memcpy(&eight, levels, 8);
    else
      std::memcpy(&eight, levels, count);
  } else {
    for (std::size_t i = 0; i < count; ++i) eight |= std::uint64_t{levels[i]} << 8 * i;
  }
  return eight;
}

/// The lowest bits of eight bytes, that of the first byte lowest.
constexpr std::uint8_t gather_bits(std::uint64_t eight) noexcept {
  return static_cast<std::uint8_t>((eight & 0x0101010101010101u) * 0x0102040810204080u >> 56);
}

constexpr bool has_weights(const level_segment& s) noexcept {
  for (std::size_t i = 0; i < most_level_bits; ++i)
    if ((s.weights[i] != 0) != (i < s.bits)) return false;
  return true;
}

/// Scales of segments take the place of every factor of products; bytes that are no levels, of segments too.
constexpr bool has_possible_scales(const level_format& format) noexcept {
  const bool scales = std::ranges::any_of(format.segments, [](const level_segment& s) { return s.scaled; });
  if (!scales && format.table_bytes == 0) return true;
  for (std::size_t f = 0; f < row_factors; ++f)
    if (format.factors[f] && static_cast<row_factor>(f) != row_factor::offset) return false;
  return format.table_bytes == 0 || format.segments.empty();
}

/// Dimensions of a segment: of which sums and products of two do not overflow.
inline constexpr std::uint64_t most_segment_dims = std::uint64_t{1} << 32;

/// @throws error errc::argument.
inline void require_format(const level_format& format) {
  for (std::size_t i = 0; i < format.segments.size(); ++i) {
    const level_segment& s = format.segments[i];
    if (s.dims == 0 || s.dims > most_segment_dims)
      raise(errc::argument, "format: segment ", i, " has ", s.dims, " dimensions, not 1 to ", most_segment_dims);
    if (s.bits < 1 || s.bits > most_level_bits)
      raise(errc::argument, "format: segment ", i, " has ", s.bits, " bits where 1 to 8 are possible");
    if (!is_positive(s.step)) raise(errc::argument, "format: segment ", i, " has a step of ", s.step);
    if (!has_weights(s)) raise(errc::argument, "format: segment ", i, " has not one weight above 0 a bit");
  }
  if (!has_possible_scales(format))
    raise(errc::argument, "format: scales of segments, or bytes that are no levels, beside ", format.segments.size(),
          " segments or factors that they exclude");
  for (const float unit : format.units)
    if (!is_positive(unit)) raise(errc::argument, "format: a unit of ", unit, " for factors");
}

/// The kind of file that stores of levels write. Its sections, in this order:
///   "shape"    u64 rows, u32 segments; of each u64 dimensions, u32 bits, f32 step, 8 × u8 weights of planes; then a
///   bit a factor
///              as u8, u8 1 for factors of 16 bits, 5 × f32 units; from version 2 on, u64 fingerprint of the encoder;
///              from version 3 on, of each segment u8 1 where it is scaled, then u64 bytes that are no levels
///   "levels"   ⌈rows / 32⌉ blocks of 32 rows (see `level_run`), rows beyond the last zero
///   "offset", "scale", "coarse_scale", "error", "inverse_norm"   a number a row, where the format has them, then zeros
///              for the rows that the last block lacks
inline constexpr file_kind levels_file{"levels", 3};
/// As what codes are written: version 1 where nobody knows who made them, 3 where earlier ones cannot say how they
/// look.
inline file_kind levels_file_of(const level_format& format) noexcept {
  if (format.table_bytes != 0 || format.has_scales()) return {levels_file.name, 3};
  return {levels_file.name, format.fingerprint == 0 ? 1u : 2u};
}
inline constexpr std::string_view level_shape_section = "shape", levels_section = "levels";
inline constexpr std::array<std::string_view, row_factors> factor_sections{"offset", "scale", "coarse_scale", "error",
                                                                           "inverse_norm"};

inline void write_level_shape(const section_writer& out, const level_format& format, std::size_t rows) {
  metadata_writer values;
  values.u64(rows).u32(static_cast<std::uint32_t>(format.segments.size()));
  for (const level_segment& s : format.segments) {
    values.u64(s.dims).u32(static_cast<std::uint32_t>(s.bits));
    values.f32(s.step);
    for (const std::uint8_t w : s.weights) values.u8(w);
  }
  std::uint8_t mask = 0;
  for (std::size_t f = 0; f < row_factors; ++f)
    mask = static_cast<std::uint8_t>(mask | (format.factors[f] ? 1u << f : 0u));
  values.u8(mask).u8(format.half_factors ? 1 : 0);
  for (const float unit : format.units) values.f32(unit);
  const bool extended = format.table_bytes != 0 || format.has_scales();
  if (format.fingerprint != 0 || extended) values.u64(format.fingerprint);
  if (extended) {
    for (const level_segment& s : format.segments) values.u8(s.scaled ? 1 : 0);
    values.u64(format.table_bytes);
  }
  out.add(level_shape_section, std::move(values));
}

struct level_shape {
  level_format format;
  std::size_t rows = 0;
};

inline void read_level_scales(metadata_reader& values, level_format& format) {
  for (level_segment& s : format.segments) {
    const std::uint8_t scaled = values.u8();
    if (scaled > 1) values.refuse("a segment of scale ", +scaled);
    s.scaled = scaled == 1;
  }
  const std::uint64_t bytes = values.u64();
  if (bytes > most_segment_dims) values.refuse("a row of ", bytes, " bytes");
  format.table_bytes = static_cast<std::size_t>(bytes);
  if (!has_possible_scales(format)) values.refuse("scales of segments beside factors of rows");
}

/// @throws error errc::format for a shape that cannot be, or that does not agree with the sizes of the sections.
inline level_shape read_level_shape(const section_reader& in) {
  metadata_reader values = in.metadata(level_shape_section);
  level_shape shape;
  const std::uint64_t rows = values.u64();
  const std::uint32_t segments = values.u32();
  if (rows > (std::numeric_limits<row_id>::max)()) values.refuse(rows, " rows, more than row ids can number");
  for (std::uint32_t i = 0; i < segments; ++i) {
    level_segment s;
    const std::uint64_t dims = values.u64();
    if (dims == 0 || dims > most_segment_dims) values.refuse("a segment of ", dims, " dimensions");
    s.dims = static_cast<std::size_t>(dims);
    s.bits = values.u32();
    if (s.bits < 1 || s.bits > most_level_bits) values.refuse("a segment of ", s.bits, " bits");
    s.step = values.f32();
    for (std::uint8_t& w : s.weights) w = values.u8();
    if (!is_positive(s.step) || !has_weights(s)) values.refuse("a segment of no values");
    shape.format.segments.push_back(s);
  }
  const std::uint8_t mask = values.u8(), halves = values.u8();
  if (mask >> row_factors != 0 || halves > 1) values.refuse("factors ", mask, " of size ", halves);
  shape.format.half_factors = halves == 1;
  for (std::size_t f = 0; f < row_factors; ++f) {
    shape.format.factors[f] = (mask >> f & 1) != 0;
    shape.format.units[f] = values.f32();
    if (!is_positive(shape.format.units[f])) values.refuse("a unit of factors");
  }
  if (values.remaining() != 0) shape.format.fingerprint = values.u64();
  if (values.remaining() != 0) read_level_scales(values, shape.format);
  shape.rows = static_cast<std::size_t>(rows);

  const auto require = [&](std::string_view section, std::uint64_t found, std::uint64_t expected) {
    if (found != expected)
      raise(errc::format, in.path(), ": section '", section, "' at byte ", in.info(section).offset, ": ", found,
            " bytes where ", rows, " rows take ", expected);
  };
  const std::uint64_t blocks = (rows + level_block_rows - 1) / level_block_rows;
  const std::uint64_t row_bytes = shape.format.row_bytes();
  if (blocks != 0 && row_bytes > (std::numeric_limits<std::uint64_t>::max)() / (blocks * level_block_rows))
    values.refuse(rows, " rows of ", row_bytes, " bytes");
  require(levels_section, in.count<std::uint8_t>(levels_section), blocks * level_block_rows * row_bytes);
  for (std::size_t f = 0; f < row_factors; ++f)
    if (shape.format.factors[f])
      require(factor_sections[f], in.count<std::uint8_t>(factor_sections[f]),
              blocks * level_block_rows * (shape.format.half_factors ? sizeof(half) : sizeof(float)));
  return shape;
}

/// Levels and factors where they lie in a mapped file.
/// @param format  of the shape that `read_level_shape` gave; must outlive the run
inline level_run view_levels(const section_reader& in, const level_format& format, std::size_t rows) {
  level_run run{.format = &format,
                .codes = in.view<std::uint8_t>(levels_section, in.count<std::uint8_t>(levels_section)).data(),
                .row_bytes = format.row_bytes(),
                .first_row = 0,
                .rows = rows};
  for (std::size_t f = 0; f < row_factors; ++f)
    if (format.factors[f])
      run.factors[f] = in.view<std::byte>(factor_sections[f], in.count<std::byte>(factor_sections[f])).data();
  return run;
}

/// Refuses bits set where no code has any: in the padding of planes, or in rows beyond the last.
/// @throws error errc::format naming the file and the row.
inline void require_clean_levels(const level_run& run, std::string_view path) {
  const std::size_t padded = run.blocks() * level_block_rows;
  for (std::size_t row = 0; row < padded; ++row) {
    const std::uint8_t* byte = run.row(row);
    const auto require_clean = [&](std::size_t used) {
      if (*byte >> (row < run.rows ? used : 0) != 0)
        raise(errc::format, path, ": section '", levels_section, "': row ", row, " has bits set where codes have none");
      byte += level_block_rows;
    };
    for (std::size_t p = 0; p < run.format->table_bytes; ++p) require_clean(8);
    for (const level_segment& s : run.format->segments) {
      for (std::size_t plane = 0; plane < s.bits; ++plane)
        for (std::size_t p = 0; p < s.plane_bytes(); ++p) require_clean(std::min<std::size_t>(s.dims - 8 * p, 8));
      if (s.scaled) require_clean(8);
    }
  }
}

/// @throws error errc::format naming the file and the row.
inline void require_finite_factors(const level_run& run, std::string_view path) {
  for (std::size_t f = 0; f < row_factors; ++f)
    for (std::size_t row = 0; row < run.rows && run.factors[f] != nullptr; ++row)
      if (!is_finite(run.factor(static_cast<row_factor>(f), row)))
        raise(errc::format, path, ": section '", factor_sections[f], "': row ", row, " is not finite");
}

}  // namespace embit::inline EMBIT_ABI::detail
