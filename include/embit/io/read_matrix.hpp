// Reads a matrix from whatever format its file name says.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/io/dtype.hpp>
#include <embit/io/file_content.hpp>
#include <embit/io/npy.hpp>
#include <embit/io/row_range.hpp>
#include <embit/io/vecs.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// Reads a .npy, .fvecs, .bvecs or .ivecs file (or .NPY and so on), or some of its rows, as a matrix of T.
/// @throws error errc::argument for any other name, else what the reader of the format throws.
template <FileNumber T = float>
matrix<T> read_matrix(std::string path, row_range range = {}) {
  if (detail::has_extension(path, ".npy")) return read_npy<T>(std::move(path), range);
  if (detail::has_extension(path, ".bvecs")) return read_bvecs<T>(std::move(path), range);
  if (detail::has_extension(path, ".ivecs")) return read_ivecs<T>(std::move(path), range);
  if (detail::has_extension(path, ".fvecs")) {
    if constexpr (detail::is_convertible<T>(dtype::f32))
      return read_fvecs<T>(std::move(path), range);
    else
      detail::require_convertible<T>(dtype::f32, path);
  }
  const std::string_view is = detail::describe_file(path);
  raise(errc::argument, path, ": files that end in .npy, .fvecs, .bvecs or .ivecs can be read",
        is.empty() ? "" : "; this one is ", is);
}

}  // namespace embit::inline EMBIT_ABI
