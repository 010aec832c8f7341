// Embeddings from files.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/io/read_matrix.hpp>

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace example {

/// The rows of a .npy, .fvecs or .bvecs file as floats.
/// @throws std::runtime_error or embit::error naming the file when it has no rows, or numbers that are not finite.
inline embit::matrix<float> read_vectors(const std::string& path) {
  auto rows = embit::read_matrix<float>(path);
  if (rows.rows() == 0 || rows.cols() == 0)
    throw std::runtime_error(path + ": " + std::to_string(rows.rows()) + " rows of dimension " +
                             std::to_string(rows.cols()) + ", there is nothing to search");
  for (std::size_t i = 0; i < rows.rows(); ++i)
    for (std::size_t j = 0; j < rows.cols(); ++j)
      if (!std::isfinite(rows[i][j]))
        throw std::runtime_error(path + ": row " + std::to_string(i) + ", column " + std::to_string(j) + " is " +
                                 std::to_string(rows[i][j]));
  return rows;
}

}  // namespace example
