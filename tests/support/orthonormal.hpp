// How far rows are from orthonormal.
#pragma once

#include <embit/core/matrix.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace support {

/// The largest entry of |R Rᵀ - I|.
template <class T>
double off_orthonormal(const embit::matrix<T>& r) {
  double worst = 0;
  for (std::size_t i = 0; i < r.rows(); ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double dot = 0;
      for (std::size_t k = 0; k < r.cols(); ++k) dot += double{r[i][k]} * double{r[j][k]};
      worst = std::max(worst, std::abs(dot - (i == j)));
    }
  return worst;
}

}  // namespace support
