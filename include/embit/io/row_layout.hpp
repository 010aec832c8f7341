// Where the rows of a matrix lie in its file, for every format whose rows can be read one by one.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/detail/npy_header.hpp>
#include <embit/io/dtype.hpp>
#include <embit/io/file.hpp>
#include <embit/io/file_content.hpp>
#include <embit/io/vecs.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace embit::inline EMBIT_ABI {

/// Numbers of a file that has no header, or none that is known: row after row from byte `offset` on.
struct raw_rows {
  dtype type = dtype::f32;
  std::size_t cols = 0;
  std::uint64_t offset = 0;
  std::size_t rows =
      (std::numeric_limits<std::size_t>::max)();  ///< else as many as there are up to the end of the file
};

/// Which rows of a file are meant where its format does not say it.
struct row_source {
  std::string section = "rows";      ///< the matrix of a file of this library; "rerank/rows" in that of a retriever
  std::optional<raw_rows> raw = {};  ///< the file is read as this, whatever its name and its first bytes
};

/// Rows of numbers in a file: row i is `cols` little-endian numbers from byte `offset` + i · `stride` on.
struct row_layout {
  dtype type = dtype::f32;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::uint64_t offset = 0;
  std::uint64_t stride = 0;
  bool counted = false;  ///< the 32 bits before each row say `cols`, as in .fvecs and .bvecs files

  std::size_t row_bytes() const noexcept { return cols * size_of(type); }
  std::uint64_t at(std::size_t row) const noexcept { return offset + row * stride; }
  /// One more than the last byte.
  std::uint64_t end() const noexcept { return rows == 0 ? offset : at(rows - 1) + row_bytes(); }
};

namespace detail {

/// Formats that a name tells, and the type of their numbers where the format has one.
enum class row_format { npy, vecs, big_ann, other };
struct named_format {
  row_format format;
  dtype type = dtype::f32;
};

constexpr named_format format_of(std::string_view path) noexcept {
  if (has_extension(path, ".npy")) return {row_format::npy};
  if (has_extension(path, ".fvecs")) return {row_format::vecs, dtype::f32};
  if (has_extension(path, ".bvecs")) return {row_format::vecs, dtype::u8};
  if (has_extension(path, ".fbin")) return {row_format::big_ann, dtype::f32};
  if (has_extension(path, ".u8bin")) return {row_format::big_ann, dtype::u8};
  if (has_extension(path, ".i8bin")) return {row_format::big_ann, dtype::i8};
  return {row_format::other};
}
inline constexpr std::string_view row_file_names = ".npy, .fvecs, .bvecs, .fbin, .u8bin or .i8bin";

/// The types that rows of files have when they are read one by one.
constexpr bool is_row_type(dtype type) noexcept {
  return type == dtype::f32 || type == dtype::f16 || type == dtype::i8 || type == dtype::u8;
}

/// rows · cols numbers, one row next to the other. None of the sizes has to be true.
/// @throws error errc::argument for another type, errc::shape for rows without numbers, errc::truncated for a file that
/// is too short for them.
inline row_layout adjacent_rows(const input_file& file, dtype type, std::uint64_t rows, std::uint64_t cols,
                                std::uint64_t offset) {
  if (!is_row_type(type))
    raise(errc::argument, file.path(), ": holds ", name_of(type),
          " where float32, float16, int8 and uint8 are read row by row; read_matrix reads it");
  if (rows != 0 && cols == 0) raise(errc::shape, file.path(), ": ", rows, " rows without elements");
  const std::uint64_t there = file.size() < offset ? 0 : file.size() - offset;
  const std::uint64_t numbers = there / size_of(type);
  if (offset > file.size() || (rows != 0 && cols > numbers / rows))
    raise(errc::truncated, file.path(), ": ", there, " bytes from byte ", offset, " on are too few for ", rows, " x ",
          cols, " numbers of type ", name_of(type));
  if (rows == 0 && cols > (std::numeric_limits<std::uint32_t>::max)())
    raise(errc::shape, file.path(), ": rows of ", cols, " elements");
  row_layout layout{.type = type, .rows = static_cast<std::size_t>(rows), .cols = static_cast<std::size_t>(cols)};
  layout.offset = offset;
  layout.stride = layout.row_bytes();
  return layout;
}

inline row_layout npy_rows(const input_file& file) {
  const npy_header header = read_npy_header(file);
  require_npy_matrix(header, file.path());
  if (const auto why = reason_to_convert(header); !why.empty())
    raise(errc::argument, file.path(), ": ", why, " and cannot be read row by row; read_npy reads it");
  return adjacent_rows(file, header.type, header.rows(), header.cols(), header.offset);
}

template <class S>
row_layout vecs_rows(const input_file& file) {
  const vecs_file<S> vecs(file);
  return {dtype_of<S>, vecs.rows(), vecs.dim(), 4, vecs.row_bytes(), true};
}

/// The format of the big-ann benchmarks (.fbin, .u8bin, .i8bin): the numbers of rows and of columns, 32 bits each, and
/// the numbers, all little-endian.
inline constexpr std::size_t big_ann_start = 8;

inline row_layout big_ann_rows(const input_file& file, dtype type) {
  std::array<std::uint32_t, 2> shape{};
  if (file.size() < big_ann_start) {
    refuse_known_content(file, "a file of rows after their number and their dimension");
    raise(errc::truncated, file.path(), ": ", file.size(), " bytes, too few for a header of ", big_ann_start);
  }
  file.read(0, std::as_writable_bytes(std::span(shape)));
  const std::uint64_t there = file.size() - big_ann_start;
  const std::uint64_t numbers = std::uint64_t{shape[0]} * shape[1];
  if (there % size_of(type) != 0 || numbers != there / size_of(type)) {
    refuse_known_content(file, "a file of rows after their number and their dimension");
    raise(numbers > there / size_of(type) ? errc::truncated : errc::format, file.path(), ": ", there,
          " bytes from byte ", big_ann_start, " on are not the ", shape[0], " x ", shape[1], " numbers of type ",
          name_of(type), " that byte 0 says");
  }
  return adjacent_rows(file, type, shape[0], shape[1], big_ann_start);
}

inline row_layout raw_layout(const input_file& file, const raw_rows& raw) {
  std::size_t rows = raw.rows;
  if (raw.cols == 0) raise(errc::argument, file.path(), ": raw rows of 0 columns");
  if (rows == (std::numeric_limits<std::size_t>::max)()) {
    const std::uint64_t there = file.size() < raw.offset ? 0 : file.size() - raw.offset;
    const std::uint64_t numbers = there / size_of(raw.type);
    if (there % size_of(raw.type) != 0 || numbers % raw.cols != 0)
      raise(errc::truncated, file.path(), ": ", there, " bytes from byte ", raw.offset, " on are not rows of ",
            raw.cols, " numbers of type ", name_of(raw.type));
    rows = static_cast<std::size_t>(numbers / raw.cols);
  }
  return adjacent_rows(file, raw.type, rows, raw.cols, raw.offset);
}

/// A section that `write_matrix` wrote; its checksum is not looked at.
inline row_layout section_rows(const input_file& file, const std::string& section) {
  const auto container = container_reader::open(file.path(), {});
  const section_info& info = container.sections().info(section);
  std::array<std::uint64_t, 2> shape{};
  const auto refuse = [&](const auto&... parts) {
    raise(errc::format, file.path(), ": section '", section, "' at byte ", info.offset, ": ", parts...);
  };
  if (info.size < sizeof shape) refuse(info.size, " bytes are no matrix");
  file.read(info.offset, std::as_writable_bytes(std::span(shape)));
  const std::uint64_t bytes = info.size - sizeof shape, numbers = bytes / sizeof(float);
  const bool fits = shape[1] == 0 ? shape[0] == 0 && numbers == 0 : shape[0] == numbers / shape[1];
  if (!fits || numbers % (shape[1] == 0 ? 1 : shape[1]) != 0 || bytes % sizeof(float) != 0)
    refuse(bytes, " bytes of numbers for ", shape[0], " x ", shape[1]);
  return adjacent_rows(file, dtype::f32, shape[0], shape[1], info.offset + sizeof shape);
}

}  // namespace detail

/// Where the rows of a .npy, .fvecs, .bvecs, .fbin, .u8bin or .i8bin file lie, of a file of this library under any
/// name, or of raw numbers. Only headers are read, and sizes checked against the file.
/// @throws error errc::argument for any other name, numbers of other types or another order than row after row;
///         errc::shape, errc::format, errc::truncated, errc::kind and what else the readers of the formats throw, all
///         with the path and, where there is one, the byte.
inline row_layout read_row_layout(const input_file& file, const row_source& source = {}) {
  detail::require_little_endian(file.path());
  const std::string& path = file.path();
  if (source.raw) return detail::raw_layout(file, *source.raw);
  const detail::named_format named = detail::format_of(path);
  switch (named.format) {
    case detail::row_format::npy: return detail::npy_rows(file);
    case detail::row_format::vecs:
      return named.type == dtype::u8 ? detail::vecs_rows<std::uint8_t>(file) : detail::vecs_rows<float>(file);
    case detail::row_format::big_ann: return detail::big_ann_rows(file, named.type);
    case detail::row_format::other: break;
  }
  const std::string first = detail::start_of(file);
  const std::string_view start = first;
  if (start.starts_with(std::string_view(detail::container_magic.data(), detail::container_magic.size())))
    return detail::section_rows(file, source.section);
  const std::string_view is = describe_content(start);
  raise(errc::argument, path, ": rows of files that end in ", detail::row_file_names,
        " can be read, of files of this library, and raw numbers whose shape is given",
        is.empty() ? "" : "; this one is ", is);
}

}  // namespace embit::inline EMBIT_ABI
