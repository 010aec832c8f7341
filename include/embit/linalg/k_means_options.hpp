// How k-means is fitted.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <cstddef>

namespace embit::inline EMBIT_ABI {

/// Where the rounds of k-means begin.
enum class k_means_start {
  sampled,           ///< rows drawn at random, each once
  k_means_plus_plus  ///< rows drawn one by one, with probability by the squared distance to those drawn before
};

struct k_means_options {
  std::size_t clusters = 0;           ///< 0: 1.5 · √rows
  std::size_t rows_per_cluster = 64;  ///< so many are drawn to be trained on; 0, or where there are fewer: all rows
  std::size_t levels = 0;       ///< 1: rounds over all clusters; 2: clusters of clusters; 0: 2 from 128 clusters on
  std::size_t iterations = 0;   ///< rounds at most; 0: 10 of one level, 6 at each of two, two passes of batches
  std::size_t refinements = 2;  ///< rounds over the clusters of two levels together
  k_means_start start = k_means_start::sampled;
  bool balanced = false;       ///< split clusters of more than twice the mean size between rounds, not only of 8 times
  bool spherical = false;      ///< for cosines: rows are taken by their direction, centroids are unit vectors
  std::size_t batch_rows = 0;  ///< rows of a round, drawn for each (one level only); 0: all
};

}  // namespace embit::inline EMBIT_ABI
