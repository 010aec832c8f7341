// Embeddings from files, made ready for hashing.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/io/read_matrix.hpp>

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace example {

/// The rows of a .npy, .fvecs or .bvecs file as floats.
/// @throws std::runtime_error or embit::error naming the file when it has no rows, or numbers that are not finite.
inline embit::matrix<float> read_vectors(const std::filesystem::path& path) {
  auto rows = embit::read_matrix<float>(path);
  if (rows.rows() == 0 || rows.cols() == 0)
    throw std::runtime_error(path.string() + ": " + std::to_string(rows.rows()) + " rows of dimension " +
                             std::to_string(rows.cols()) + ", there is nothing to search");
  for (std::size_t i = 0; i < rows.rows(); ++i)
    for (std::size_t j = 0; j < rows.cols(); ++j)
      if (!std::isfinite(rows[i][j]))
        throw std::runtime_error(path.string() + ": row " + std::to_string(i) + ", column " + std::to_string(j) +
                                 " is " + std::to_string(rows[i][j]));
  return rows;
}

/// Moves the mean of `base` to the origin, and `queries` along with it. Distances stay as they are, and planes through
/// the origin then cut through the middle of the rows.
inline void center(embit::matrix<float>& base, embit::matrix<float>& queries) {
  std::vector<double> mean(base.cols());
  for (std::size_t i = 0; i < base.rows(); ++i)
    for (std::size_t j = 0; j < mean.size(); ++j) mean[j] += base[i][j];
  for (double& m : mean) m /= static_cast<double>(base.rows());
  for (auto* rows : {&base, &queries})
    for (std::size_t i = 0; i < rows->rows(); ++i)
      for (std::size_t j = 0; j < mean.size(); ++j) (*rows)[i][j] -= static_cast<float>(mean[j]);
}

}  // namespace example
