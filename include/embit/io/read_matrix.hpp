// Reads a matrix from whatever format its file name says.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/io/npy.hpp>
#include <embit/io/vecs.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// Reads a .npy, .fvecs, .bvecs or .ivecs file as a matrix of T.
/// @throws error errc::argument for any other name, else what the reader of the format throws.
template <FileNumber T = float>
matrix<T> read_matrix(std::string path) {
  const std::string_view name = path;
  if (name.ends_with(".npy")) return read_npy<T>(std::move(path));
  if (name.ends_with(".bvecs")) return read_bvecs<T>(std::move(path));
  if (name.ends_with(".ivecs")) return read_ivecs<T>(std::move(path));
  if (name.ends_with(".fvecs")) {
    if constexpr (detail::is_convertible<T>(dtype::f32))
      return read_fvecs<T>(std::move(path));
    else
      raise(errc::argument, path, ": holds float32, which ", name_of(dtype_of<T>), " cannot hold");
  }
  raise(errc::argument, path, ": files that end in .npy, .fvecs, .bvecs or .ivecs can be read");
}

}  // namespace embit::inline EMBIT_ABI
