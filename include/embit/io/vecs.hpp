// Matrices in .fvecs, .bvecs and .ivecs files, the format of the TEXMEX corpora: each row is its dimension as a
// 32-bit number and then its elements (float, byte or 32-bit number), little-endian.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/io/dtype.hpp>
#include <embit/io/file.hpp>
#include <embit/io/file_content.hpp>
#include <embit/io/metadata.hpp>
#include <embit/io/row_range.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// The rows of an open vecs file, all of one dimension. It views the file.
template <class S>
class vecs_file {
 public:
  explicit vecs_file(const input_file& file) : file_(file) {
    require_little_endian(file_.path());
    if (file_.size() == 0) return;
    dim_ = dim_at(0, 0);
    if (row_bytes() > file_.size()) {
      refuse_known_content(file_, expected);
      raise(errc::truncated, file_.path(), ": row 0 at byte 0: dimension ", dim_, " needs ", row_bytes(),
            " bytes, the file has ", file_.size());
    }
    if (file_.size() % row_bytes() != 0) raise_broken();
  }

  explicit vecs_file(const input_file&&) = delete;

  const std::string& path() const noexcept { return file_.path(); }
  std::size_t dim() const noexcept { return dim_; }
  std::uint64_t row_bytes() const noexcept { return 4 + std::uint64_t{dim_} * sizeof(S); }
  std::size_t rows() const noexcept { return dim_ == 0 ? 0 : static_cast<std::size_t>(file_.size() / row_bytes()); }

  /// Rows from `first` on, as many as `out` has.
  template <class T>
  void read(std::size_t first, matrix_view<T> out) const {
    each_row(first, out.rows(), [&](std::size_t row, const std::byte* numbers) {
      if (const std::size_t fitted = convert_numbers<S>(numbers, out[row - first]); fitted != dim_)
        refuse_number<T>(dtype_of<S>, path(), ": row ", row, " at byte ", row * row_bytes(), ": element ", fitted);
    });
  }

 private:
  static constexpr std::string_view expected = "a file of vectors, each after its dimension,";

  /// Calls `f(row, numbers)` for whole rows, each found to have the dimension of the first.
  template <class F>
  void each_row(std::size_t first, std::size_t count, F f) const {
    constexpr std::size_t chunk_size = std::size_t{1} << 18;
    const auto bytes = static_cast<std::size_t>(row_bytes());
    const std::size_t step = std::max<std::size_t>(1, chunk_size / bytes);
    aligned_vector<std::byte> chunk((std::min)(step, count) * bytes);
    for (std::size_t done = 0; done < count; done += step) {
      const std::size_t rows = (std::min)(step, count - done);
      file_.read((first + done) * row_bytes(), std::span(chunk).first(rows * bytes));
      for (std::size_t i = 0; i < rows; ++i) {
        std::int32_t dim = 0;
        std::memcpy(&dim, chunk.data() + i * bytes, 4);
        require_dim(dim, first + done + i);
        f(first + done + i, chunk.data() + i * bytes + 4);
      }
    }
  }

  std::size_t dim_at(std::uint64_t offset, std::size_t row) const {
    std::int32_t dim = 0;
    if (file_.size() - offset < 4)
      raise(errc::truncated, path(), ": row ", row, " at byte ", offset, ": truncated, ", file_.size() - offset,
            " bytes are left");
    file_.read(offset, std::as_writable_bytes(std::span(&dim, 1)));
    if (dim <= 0) {
      refuse_known_content(file_, expected);
      raise(errc::format, path(), ": row ", row, " at byte ", offset, ": dimension ", dim);
    }
    return static_cast<std::size_t>(dim);
  }

  void require_dim(std::int64_t dim, std::size_t row) const {
    if (dim != static_cast<std::int64_t>(dim_))
      raise(errc::format, path(), ": row ", row, " at byte ", row * row_bytes(), ": dimension ", dim,
            " where the rows before have ", dim_);
  }

  /// The size is no multiple of that of a row: finds out whether a row differs or the last one is cut off.
  [[noreturn]] EMBIT_COLD void raise_broken() const {
    refuse_known_content(file_, expected);
    const std::size_t whole = rows();
    each_row(0, whole, [](std::size_t, const std::byte*) {});
    require_dim(static_cast<std::int64_t>(dim_at(whole * row_bytes(), whole)), whole);
    raise(errc::truncated, path(), ": row ", whole, " at byte ", whole * row_bytes(), ": truncated, ",
          file_.size() - whole * row_bytes(), " of ", row_bytes(), " bytes are there");
  }

  const input_file& file_;
  std::size_t dim_ = 0;
};

template <class S, class T>
matrix<T> read_vecs(std::string path, row_range range) {
  static_assert(is_convertible<T>(dtype_of<S>), "embit: whole numbers cannot hold the floats of an .fvecs file");
  const input_file file(std::move(path));
  const vecs_file<S> stored(file);
  auto rows = matrix<T>::uninitialized(rows_within(range, stored.rows(), file.path()), stored.dim());
  stored.read(range.first, rows.view());
  return rows;
}

template <class S>
void write_vecs(std::string path, matrix_view<const S> rows) {
  require_little_endian(path);
  if (!rows.empty() && (rows.cols() == 0 || rows.cols() > std::size_t{(std::numeric_limits<std::int32_t>::max)()}))
    raise(errc::shape, path, ": rows of ", rows.cols(), " elements cannot be written");
  const auto dim = static_cast<std::int32_t>(rows.cols());
  atomic_file file(std::move(path));
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    file.write(std::as_bytes(std::span(&dim, 1)));
    file.write(std::as_bytes(rows[i]));
  }
  file.commit();
}

}  // namespace detail

/// Reads rows of floats, as T. An empty file is a matrix of no rows. Nothing is allocated before the first dimension
/// agrees with the size of the file.
/// @throws error errc::format naming row and byte when dimensions differ or are not positive, errc::truncated when the
///         file is cut off,
///         errc::kind for a file of another format, errc::out_of_range when `range` begins past the end, errc::argument
///         for a number that T cannot hold, errc::io; all with the path.
template <FileNumber T = float>
matrix<T> read_fvecs(std::string path, row_range range = {}) {
  return detail::read_vecs<float, T>(std::move(path), range);
}

/// Reads rows of bytes, as T; see read_fvecs.
template <FileNumber T = std::uint8_t>
matrix<T> read_bvecs(std::string path, row_range range = {}) {
  return detail::read_vecs<std::uint8_t, T>(std::move(path), range);
}

/// Reads rows of 32-bit whole numbers, as T; see read_fvecs.
template <FileNumber T = std::int32_t>
matrix<T> read_ivecs(std::string path, row_range range = {}) {
  return detail::read_vecs<std::int32_t, T>(std::move(path), range);
}

/// Each writes one file, which appears when it is complete.
/// @throws error errc::shape for rows without elements, errc::io
inline void write_fvecs(std::string path, matrix_view<const float> rows) {
  detail::write_vecs<float>(std::move(path), rows);
}
inline void write_bvecs(std::string path, matrix_view<const std::uint8_t> rows) {
  detail::write_vecs<std::uint8_t>(std::move(path), rows);
}
inline void write_ivecs(std::string path, matrix_view<const std::int32_t> rows) {
  detail::write_vecs<std::int32_t>(std::move(path), rows);
}

}  // namespace embit::inline EMBIT_ABI
