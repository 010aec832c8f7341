// A project may change Eigen's defaults for itself: what embit computes with Eigen stays right.
#ifndef EIGEN_DEFAULT_TO_ROW_MAJOR  // one build of the tests sets it for everything
#define EIGEN_DEFAULT_TO_ROW_MAJOR
#endif
#define EIGEN_DEFAULT_DENSE_INDEX_TYPE int
#define EIGEN_DONT_VECTORIZE
#define EIGEN_INITIALIZE_MATRICES_BY_NAN
#define EIGEN_MAX_ALIGN_BYTES 0
#define EIGEN_NO_AUTOMATIC_RESIZING
#define EIGEN_RUNTIME_NO_MALLOC

#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/random.hpp>
#include <embit/linalg/pca.hpp>
#include <embit/linalg/symmetric_eigen.hpp>

#include <Eigen/Core>
#include <cmath>
#include <cstddef>
#include <cstdio>

namespace {

constexpr std::size_t dims = 24;

/// The largest |S v - λ v| over the pairs, S being symmetric.
double residual(const embit::matrix<double>& symmetric, const embit::eigen_pairs<double>& found) {
  double worst = 0;
  for (std::size_t i = 0; i < dims; ++i)
    for (std::size_t r = 0; r < dims; ++r) {
      double difference = -found.values[i] * found.vectors[i][r];
      for (std::size_t c = 0; c < dims; ++c) difference += symmetric[r][c] * found.vectors[i][c];
      worst = std::fmax(worst, std::abs(difference));
    }
  return worst;
}

/// Whether PCA finds the one direction, no axis, along which the rows differ.
bool finds_direction(embit::rng& rng) {
  constexpr int n = 200;
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic> rows(n, 3);  // row-major by the macro above
  for (int i = 0; i < n; ++i) {
    const float along = embit::normal(rng);
    rows.row(i) << 1 + 2 * along, 2 - 3 * along, 3 + 6 * along;
  }
  const auto directions = embit::fit_pca(embit::view(rows), {.dims = 1}).directions;
  const float cosine = (2 * directions[0][0] - 3 * directions[0][1] + 6 * directions[0][2]) / 7;
  return std::abs(std::abs(cosine) - 1) < 1e-5f;
}

}  // namespace

int main() {
  embit::rng rng{7};
  embit::matrix<double> symmetric(dims, dims);
  for (std::size_t i = 0; i < dims; ++i)
    for (std::size_t k = 0; k <= i; ++k) symmetric[i][k] = symmetric[k][i] = embit::normal(rng);
  const double worst = residual(symmetric, embit::symmetric_eigen(symmetric.view()));
  const bool right = worst < 1e-12 && finds_direction(rng);
  if (!right) std::printf("largest |S v - l v| = %g; PCA or the eigenvectors are wrong\n", worst);
  return right ? 0 : 1;
}
