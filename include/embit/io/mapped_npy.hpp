// A matrix in a .npy file, used where it lies.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/io/detail/npy_header.hpp>
#include <embit/io/dtype.hpp>
#include <embit/io/mapped_file.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// A .npy file seen as a matrix without a copy, which takes microseconds whatever its size: for files of just the type
/// T, in this machine's byte order and row after row; `read_npy` converts all others. An array of one dimension is a
/// column. What holds for `mapped_file` holds here: others must not cut the file short. The numbers are not looked at,
/// so that NaN is found only by those who are given the view. Movable, and moved-from it has no rows.
template <FileNumber T>
class mapped_npy {
 public:
  mapped_npy() = default;

  /// @throws error what read_npy_header throws; errc::shape for what is no matrix; errc::argument naming what must be
  ///         converted, which read_npy does: another type, another byte order, Fortran order or numbers that do not lie
  ///         aligned.
  explicit mapped_npy(std::string path) : mapped_npy(input_file(std::move(path))) {}

  mapped_npy(mapped_npy&& other) noexcept
      : file_(std::move(other.file_)), view_(std::exchange(other.view_, matrix_view<const T>())) {}
  mapped_npy& operator=(mapped_npy&& other) noexcept {
    if (this == &other) return *this;
    file_ = mapped_file(std::move(other.file_));
    view_ = std::exchange(other.view_, matrix_view<const T>());
    return *this;
  }
  ~mapped_npy() = default;

  const std::string& path() const noexcept { return file_.path(); }
  std::size_t rows() const noexcept { return view_.rows(); }
  std::size_t cols() const noexcept { return view_.cols(); }

  /// The matrix, for as long as this object lives or what it is moved to.
  matrix_view<const T> view() const& noexcept { return view_; }
  matrix_view<const T> view() const&& = delete;
  operator matrix_view<const T>() const& noexcept { return view_; }
  operator matrix_view<const T>() const&& = delete;

  /// How the rows will be read, see `mapped_file::advise`.
  void advise(access_pattern pattern) const noexcept { file_.advise(pattern); }
  /// @throws error errc::changed, see `mapped_file`.
  void require_unchanged_size() const { file_.require_unchanged_size(); }

 private:
  explicit mapped_npy(input_file file) {
    const npy_header header = detail::read_npy_header(file);
    detail::require_npy_matrix(header, file.path());
    const auto refuse = [&](const auto&... why) {
      raise(errc::argument, file.path(), ": ", why..., " and cannot be mapped as ", name_of(dtype_of<T>),
            "; read_npy reads it");
    };
    if (header.type != dtype_of<T>) refuse("holds ", name_of(header.type));
    if (const auto why = detail::reason_to_convert(header); !why.empty()) refuse(why);
    if (header.offset % alignof(T) != 0) refuse("its numbers begin at byte ", header.offset);
    mapped_file mapped(std::move(file));
    const std::byte* const numbers = header.rows() == 0 ? nullptr : mapped.bytes().data() + header.offset;
    view_ = {reinterpret_cast<const T*>(numbers), header.rows(), header.cols()};
    file_ = std::move(mapped);
  }

  mapped_file file_;
  matrix_view<const T> view_;
};

}  // namespace embit::inline EMBIT_ABI
