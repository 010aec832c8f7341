// Matrices in HDF5 files, such as those of ann-benchmarks. Needs the HDF5 library, which the user links.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/io/dtype.hpp>
#include <embit/io/file_content.hpp>
#include <embit/io/row_range.hpp>

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
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

/// The numbers of a dataset: what they are in the file, and as what the library hands them out.
struct hdf5_number {
  dtype type;
  std::size_t stored;  // bytes of one in the file
  dtype read;          // of the memory type
  hid_t memory;        // the library's name of it, in this machine's byte order; stays the library's
};

/// Whether an enumeration is what h5py makes of bool: a byte of two values, 0 and 1.
inline bool is_hdf5_bool(hid_t type) {
  if (H5Tget_size(type) != 1 || H5Tget_nmembers(type) != 2) return false;
  std::array<std::uint8_t, 2> values{};
  for (unsigned i = 0; i < 2; ++i)
    if (H5Tget_member_value(type, i, &values[i]) < 0) return false;
  return (values[0] == 0 && values[1] == 1) || (values[0] == 1 && values[1] == 0);
}

/// @throws error errc::format for what is no number.
inline hdf5_number hdf5_type_of(hid_t type, const std::string& what) {
  const H5T_class_t kind = H5Tget_class(type);
  const std::size_t size = H5Tget_size(type);
  if (kind == H5T_FLOAT && size == 2) {  // the library widens them, exactly
    std::size_t sign = 0, exponent = 0, exponent_bits = 0, mantissa = 0, mantissa_bits = 0;
    H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits);
    return {exponent_bits == 5 ? dtype::f16 : dtype::bf16, 2, dtype::f32, H5T_NATIVE_FLOAT};
  }
  if (kind == H5T_FLOAT && size == 4) return {dtype::f32, 4, dtype::f32, H5T_NATIVE_FLOAT};
  if (kind == H5T_FLOAT && size == 8) return {dtype::f64, 8, dtype::f64, H5T_NATIVE_DOUBLE};
  if (kind == H5T_ENUM && is_hdf5_bool(type)) return {dtype::boolean, 1, dtype::boolean, type};  // as the bytes are
  if (kind == H5T_INTEGER && std::has_single_bit(size) && size <= 8) {
    const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
    const std::size_t log = static_cast<std::size_t>(std::countr_zero(size));
    const std::array<hid_t, 4> whole{H5T_NATIVE_INT8, H5T_NATIVE_INT16, H5T_NATIVE_INT32, H5T_NATIVE_INT64};
    const std::array<hid_t, 4> natural{H5T_NATIVE_UINT8, H5T_NATIVE_UINT16, H5T_NATIVE_UINT32, H5T_NATIVE_UINT64};
    const auto found = static_cast<dtype>(static_cast<std::size_t>(is_signed ? dtype::i8 : dtype::u8) + log);
    return {found, size, found, is_signed ? whole[log] : natural[log]};
  }
  raise(errc::format, what, ": neither whole numbers of 8 to 64 bits nor floats of 16, 32 or 64 nor bools");
}

/// Refuses sizes that the bytes in the file cannot be the numbers of: deflate makes them at most 1032 times smaller.
inline void require_hdf5_size(hid_t dataset, std::array<hsize_t, 2> shape, std::size_t element,
                              const std::string& what) {
  const hsize_t stored = H5Dget_storage_size(dataset);
  const hdf5_handle creation(H5Dget_create_plist(dataset), H5Pclose);
  const bool packed = H5Pget_layout(*creation) == H5D_CHUNKED;
  constexpr hsize_t most = (std::numeric_limits<std::ptrdiff_t>::max)();
  const bool fits = shape[1] == 0 || shape[0] <= most / element / shape[1];
  const hsize_t bytes = fits ? shape[0] * shape[1] * element : 0;
  if (!fits || (packed ? bytes / 1032 > stored : bytes != stored))
    raise(errc::format, what, ": ", shape[0], " x ", shape[1], " numbers of ", element, " bytes where ", stored,
          " bytes are stored");
}

/// Refuses a file that the library could not open, by what it is where that is known.
[[noreturn]] EMBIT_COLD inline void refuse_hdf5(const std::string& path) {
  if (const std::string_view is = describe_file(path); !is.empty() && !is.starts_with("an HDF5 file"))
    raise(errc::kind, path, ": is ", is, "; an HDF5 file is expected");
  raise(errc::io, path, ": cannot be opened as an HDF5 file");
}

}  // namespace detail

/// Reads a dataset of one or two dimensions, or some of its rows, as a matrix of T; one dimension is a column: its n
/// numbers are n rows of one. Floats take any type of number, rounding it; whole numbers take whole numbers that fit;
/// bools are 0 and 1. In the files of ann-benchmarks the datasets are "train", "test", "neighbors" and "distances";
/// where the distance is Hamming, `from_bools(read_hdf5<std::uint8_t>(path, "train"))` of embit/adapt/bit_order.hpp has
/// the codes. Safe from several threads only where the HDF5 library was built so.
/// @throws error errc::io for what is no HDF5 file, errc::kind for a file of another format, errc::format for a dataset
/// that is missing, holds no numbers, or has sizes that are not those of what is stored, errc::shape for other
/// dimensions, errc::out_of_range when `range` begins past the end, errc::argument for numbers that T cannot hold; all
/// with path and dataset.
template <FileNumber T = float>
matrix<T> read_hdf5(const std::string& path, const std::string& dataset, row_range range = {}) {
  const detail::hdf5_silence silence;
  const std::string what = path + ": dataset '" + dataset + "'";
  const detail::hdf5_handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!file) detail::refuse_hdf5(path);
  const detail::hdf5_handle data(H5Dopen2(*file, dataset.c_str(), H5P_DEFAULT), H5Dclose);
  if (!data) raise(errc::format, what, ": is missing");
  const detail::hdf5_handle space(H5Dget_space(*data), H5Sclose);
  const int dims = H5Sget_simple_extent_ndims(*space);
  if (dims != 1 && dims != 2)
    raise(errc::shape, what, ": ", dims, " dimensions where one, n rows of one number, or two are needed");
  std::array<hsize_t, 2> shape{0, 1};
  H5Sget_simple_extent_dims(*space, shape.data(), nullptr);
  const detail::hdf5_handle type(H5Dget_type(*data), H5Tclose);
  const detail::hdf5_number number = detail::hdf5_type_of(*type, what);
  detail::require_convertible<T>(number.type, what);
  detail::require_hdf5_size(*data, shape, number.stored, what);

  const std::size_t cols = static_cast<std::size_t>(shape[1]);
  auto values = matrix<T>::uninitialized(detail::rows_within(range, static_cast<std::size_t>(shape[0]), what), cols);
  const std::size_t row_bytes = cols * size_of(number.read);
  if (values.rows() == 0 || row_bytes == 0) return values;
  const std::size_t step = (std::min)(values.rows(), std::max<std::size_t>(1, (std::size_t{1} << 20) / row_bytes));
  std::vector<std::byte> chunk(step * row_bytes);
  for (std::size_t row = 0; row < values.rows(); row += step) {
    const std::size_t rows = (std::min)(step, values.rows() - row);
    const std::array<hsize_t, 2> first{range.first + row, 0}, count{rows, shape[1]};
    H5Sselect_hyperslab(*space, H5S_SELECT_SET, first.data(), nullptr, count.data(), nullptr);
    const detail::hdf5_handle memory(H5Screate_simple(dims, count.data(), nullptr), H5Sclose);
    if (H5Dread(*data, number.memory, *memory, *space, H5P_DEFAULT, chunk.data()) < 0)
      raise(errc::format, what, ": rows from ", first[0], " on cannot be read");
    const auto out = values.values().subspan(row * cols, rows * cols);
    detail::with_dtype(number.read, [&](auto source) {
      const std::size_t fitted = detail::convert_numbers<decltype(source)>(chunk.data(), out);
      if (fitted != out.size())
        detail::refuse_number<T>(number.type, what, ": row ", range.first + row + fitted / cols, ", column ",
                                 fitted % cols);
    });
  }
  return values;
}

}  // namespace embit::inline EMBIT_ABI
