// Matrices in HDF5 files, such as those of ann-benchmarks. Needs the HDF5 library, which the user links.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/io/dtype.hpp>

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// A handle of the HDF5 library, given back at the end.
class hdf5_handle {
 public:
  hdf5_handle(hid_t id, herr_t (*close)(hid_t)) noexcept : id_(id), close_(close) {}
  hdf5_handle(const hdf5_handle&) = delete;
  hdf5_handle& operator=(const hdf5_handle&) = delete;
  ~hdf5_handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t operator*() const noexcept { return id_; }
  explicit operator bool() const noexcept { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// Keeps the library from printing what is reported as an error anyway.
class hdf5_silence {
 public:
  hdf5_silence() noexcept {
    H5Eget_auto2(H5E_DEFAULT, &print_, &argument_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  hdf5_silence(const hdf5_silence&) = delete;
  hdf5_silence& operator=(const hdf5_silence&) = delete;
  ~hdf5_silence() { H5Eset_auto2(H5E_DEFAULT, print_, argument_); }

 private:
  H5E_auto2_t print_ = nullptr;
  void* argument_ = nullptr;
};

struct hdf5_number {
  dtype type;
  hid_t memory;  // the library's name of it, in this machine's byte order; stays the library's
};

/// @throws error errc::format for what is no number.
inline hdf5_number hdf5_type_of(hid_t dataset, const std::string& what) {
  const hdf5_handle type(H5Dget_type(dataset), H5Tclose);
  const H5T_class_t kind = H5Tget_class(*type);
  const std::size_t size = H5Tget_size(*type);
  if (kind == H5T_FLOAT && size == 4) return {dtype::f32, H5T_NATIVE_FLOAT};
  if (kind == H5T_FLOAT && size == 8) return {dtype::f64, H5T_NATIVE_DOUBLE};
  if (kind == H5T_INTEGER) {
    const bool is_signed = H5Tget_sign(*type) == H5T_SGN_2;
    if (size == 1)
      return is_signed ? hdf5_number{dtype::i8, H5T_NATIVE_INT8} : hdf5_number{dtype::u8, H5T_NATIVE_UINT8};
    if (size == 2)
      return is_signed ? hdf5_number{dtype::i16, H5T_NATIVE_INT16} : hdf5_number{dtype::u16, H5T_NATIVE_UINT16};
    if (size == 4)
      return is_signed ? hdf5_number{dtype::i32, H5T_NATIVE_INT32} : hdf5_number{dtype::u32, H5T_NATIVE_UINT32};
    if (size == 8)
      return is_signed ? hdf5_number{dtype::i64, H5T_NATIVE_INT64} : hdf5_number{dtype::u64, H5T_NATIVE_UINT64};
  }
  raise(errc::format, what, ": neither whole numbers of 8 to 64 bits nor floats of 32 or 64");
}

/// Refuses sizes that the bytes in the file cannot be the numbers of: deflate makes them at most 1032 times smaller.
inline void require_hdf5_size(hid_t dataset, std::array<hsize_t, 2> shape, std::size_t element,
                              const std::string& what) {
  const hsize_t stored = H5Dget_storage_size(dataset);
  const hdf5_handle creation(H5Dget_create_plist(dataset), H5Pclose);
  const bool packed = H5Pget_layout(*creation) == H5D_CHUNKED;
  constexpr hsize_t most = std::numeric_limits<std::ptrdiff_t>::max();
  const bool fits = shape[1] == 0 || shape[0] <= most / element / shape[1];
  const hsize_t bytes = fits ? shape[0] * shape[1] * element : 0;
  if (!fits || (packed ? bytes / 1032 > stored : bytes != stored))
    raise(errc::format, what, ": ", shape[0], " x ", shape[1], " numbers of ", element, " bytes where ", stored,
          " bytes are stored");
}

}  // namespace detail

/// Reads a dataset of one or two dimensions as a matrix of T; one dimension becomes one column. Floats take any type of
/// number, rounding it; whole numbers take whole numbers that fit. In the files of ann-benchmarks the datasets are
/// "train", "test", "neighbors" and "distances". Safe from several threads only where the HDF5 library was built so.
/// @throws error errc::io for what is no HDF5 file, errc::format for a dataset that is missing, holds no numbers, or
/// has sizes that are not those of what is stored, errc::shape for other dimensions, errc::argument for numbers that T
/// cannot hold; all with path and dataset.
template <FileNumber T = float>
matrix<T> read_hdf5(const std::string& path, const std::string& dataset) {
  const detail::hdf5_silence silence;
  const std::string what = path + ": dataset '" + dataset + "'";
  const detail::hdf5_handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!file) raise(errc::io, path, ": cannot be opened as an HDF5 file");
  const detail::hdf5_handle data(H5Dopen2(*file, dataset.c_str(), H5P_DEFAULT), H5Dclose);
  if (!data) raise(errc::format, what, ": is missing");
  const detail::hdf5_handle space(H5Dget_space(*data), H5Sclose);
  const int dims = H5Sget_simple_extent_ndims(*space);
  if (dims != 1 && dims != 2) raise(errc::shape, what, ": ", dims, " dimensions where 1 or 2 are needed");
  std::array<hsize_t, 2> shape{0, 1};
  H5Sget_simple_extent_dims(*space, shape.data(), nullptr);
  const detail::hdf5_number number = detail::hdf5_type_of(*data, what);
  if (!detail::is_convertible<T>(number.type))
    raise(errc::argument, what, ": holds ", name_of(number.type), ", which ", name_of(dtype_of<T>), " cannot hold");
  detail::require_hdf5_size(*data, shape, size_of(number.type), what);

  auto values = matrix<T>::uninitialized(static_cast<std::size_t>(shape[0]), static_cast<std::size_t>(shape[1]));
  const std::size_t row_bytes = values.cols() * size_of(number.type);
  if (values.rows() == 0 || row_bytes == 0) return values;
  const std::size_t step = std::min(values.rows(), std::max<std::size_t>(1, (std::size_t{1} << 20) / row_bytes));
  std::vector<std::byte> chunk(step * row_bytes);
  for (std::size_t row = 0; row < values.rows(); row += step) {
    const std::size_t rows = std::min(step, values.rows() - row);
    const std::array<hsize_t, 2> first{row, 0}, count{rows, shape[1]};
    H5Sselect_hyperslab(*space, H5S_SELECT_SET, first.data(), nullptr, count.data(), nullptr);
    const detail::hdf5_handle memory(H5Screate_simple(dims, count.data(), nullptr), H5Sclose);
    if (H5Dread(*data, number.memory, *memory, *space, H5P_DEFAULT, chunk.data()) < 0)
      raise(errc::format, what, ": rows from ", row, " on cannot be read");
    const auto out = values.values().subspan(row * values.cols(), rows * values.cols());
    detail::with_dtype(number.type, [&](auto source) {
      const std::size_t fitted = detail::convert_numbers<decltype(source)>(chunk.data(), out);
      if (fitted != out.size())
        raise(errc::argument, what, ": row ", row + fitted / values.cols(), ", column ", fitted % values.cols(),
              " does not fit into ", name_of(dtype_of<T>));
    });
  }
  return values;
}

}  // namespace embit::inline EMBIT_ABI
