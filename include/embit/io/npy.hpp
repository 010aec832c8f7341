// Matrices in NumPy's .npy files.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/io/detail/npy_header.hpp>
#include <embit/io/dtype.hpp>
#include <embit/io/file.hpp>
#include <embit/io/metadata.hpp>
#include <embit/io/row_range.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Rows from `first` on of a matrix that lies column after column: pieces of columns, each read and spread over `out`.
template <class T>
void read_columns(const input_file& file, const stored_numbers& stored, std::size_t all_rows, std::size_t first,
                  matrix_view<T> out) {
  constexpr std::size_t piece = 4096;  // numbers: large enough to read, and the rows it goes to stay in the cache
  std::vector<T> column((std::min)(piece, out.rows()));
  for (std::size_t row = 0; row < out.rows(); row += piece) {
    const auto part = std::span(column).first((std::min)(piece, out.rows() - row));
    for (std::size_t j = 0; j < out.cols(); ++j) {
      read_numbers(file, stored, std::uint64_t{j} * all_rows + first + row, part);
      for (std::size_t i = 0; i < part.size(); ++i) out[row + i][j] = part[i];
    }
  }
}

}  // namespace detail

/// The type and shape of a .npy file (versions 1 to 3), its size checked against the file.
/// @throws error errc::io, errc::truncated, errc::format, errc::version or errc::kind with the path and the offset.
inline npy_header read_npy_header(std::string path) { return detail::read_npy_header(input_file(std::move(path))); }

/// Reads a .npy file, or some of its rows, as a matrix of T. An array of one dimension is a column: its n numbers are n
/// rows of one. Floats take any type of number, rounding it; whole numbers take whole numbers that fit; bools are 0 and
/// 1 (`from_bools` of embit/adapt/bit_order.hpp packs them into codes). Numbers of either byte order are read, and
/// arrays in Fortran order are transposed. Nothing is allocated before the sizes agree with the file.
/// @throws error errc::shape for none or more than two dimensions or rows without elements, errc::argument for numbers
///         that T cannot hold, errc::out_of_range when `range` begins past the end, errc::io, errc::truncated,
///         errc::format, errc::version or, for a file of another format, errc::kind, all with the path.
template <FileNumber T>
matrix<T> read_npy(std::string path, row_range range = {}) {
  const input_file file(std::move(path));
  const npy_header header = detail::read_npy_header(file);
  detail::require_npy_matrix(header, file.path());
  detail::require_convertible<T>(header.type, file.path());
  const std::size_t cols = header.cols();
  auto numbers = matrix<T>::uninitialized(detail::rows_within(range, header.rows(), file.path()), cols);
  const detail::stored_numbers stored{header.type, header.offset, header.order};
  if (header.fortran_order && cols > 1)
    detail::read_columns(file, stored, header.rows(), range.first, numbers.view());
  else
    detail::read_numbers(file, stored, std::uint64_t{range.first} * cols, numbers.values());
  return numbers;
}

/// Writes a matrix as a .npy file of version 1 and of its own number type; the file appears when it is complete.
/// @throws error errc::io
template <class T>
  requires FileNumber<std::remove_const_t<T>>
void write_npy(std::string path, matrix_view<T> numbers) {
  detail::require_little_endian(path);
  constexpr dtype type = dtype_of<std::remove_const_t<T>>;
  const std::string start = detail::npy_start(type, numbers.rows(), numbers.cols());
  atomic_file file(std::move(path));
  file.write(std::as_bytes(std::span(start)));
  for (std::size_t i = 0; i < numbers.rows(); ++i) file.write(std::as_bytes(numbers[i]));
  file.commit();
}

/// @copydoc write_npy
template <FileNumber T>
void write_npy(std::string path, const matrix<T>& numbers) {
  write_npy(std::move(path), numbers.view());
}

}  // namespace embit::inline EMBIT_ABI
