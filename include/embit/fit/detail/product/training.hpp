// Codewords and the rotation of a product quantizer, trained by turns.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/product_quantizer.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/linalg/mean.hpp>
#include <embit/linalg/pca.hpp>
#include <embit/linalg/procrustes.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Principal directions in an order that gives every subspace about the same product of variances: by falling variance,
/// each to the subspace of the least product that has room. Ge et al., CVPR 2013, section 3.2.
inline matrix<float> allocated_directions(const principal_components& pca, std::size_t numbers) {
  constexpr float least_variance = 1e-30f;
  const std::size_t dim = pca.variances.size();
  std::vector<double> products(numbers, 0.);  // logarithms, above that of the largest variance to the same power
  std::vector<std::size_t> filled(numbers, 0);
  matrix<float> out(dim, dim);
  const double largest = std::log(double{(std::max)(pca.variances[0], least_variance)});
  for (std::size_t i = 0; i < dim; ++i) {
    std::size_t best = numbers;
    for (std::size_t m = 0; m < numbers; ++m)
      if (filled[m] < subspace_of(m, numbers, dim).dims && (best == numbers || products[m] < products[best])) best = m;
    products[best] += std::log(double{(std::max)(pca.variances[i], least_variance)}) - largest + 1e3;
    std::ranges::copy(pca.directions[i], out[subspace_of(best, numbers, dim).first + filled[best]++].begin());
  }
  return out;
}

/// What rows are trained on, and what is found in each round.
template <Executor Exec>
class product_training {
 public:
  /// @param rows  centered
  product_training(matrix<float> rows, std::size_t numbers, std::size_t words, matrix<float> rotation, rng draws,
                   const Exec& executor)
      : rows_(std::move(rows)),
        numbers_(numbers),
        rotation_(std::move(rotation)),
        z_(rows_.rows(), rows_.cols()),
        words_(words, rows_.cols()),
        assigned_(rows_.rows(), numbers),
        executor_(&executor) {
    rotate();
    const std::vector<row_id> drawn = draw_rows(rows_.rows(), (std::min)(words, rows_.rows()), draws);
    for (std::size_t c = 0; c < words; ++c) std::ranges::copy(z_[drawn[c % drawn.size()]], words_[c].begin());
  }

  const matrix<float>& rotation() const noexcept { return rotation_; }
  const matrix<float>& words() const noexcept { return words_; }

  /// Assigns rows to the nearest codewords and moves these to the means of their rows; those without rows begin again
  /// at the row of the subspace that is worst off. Returns the mean squared error before.
  double improve_words() {
    const codebooks books(numbers_, words_);
    std::vector<double> errors(numbers_);
    run_bulk(*executor_, numbers_, [&](std::size_t m, std::size_t) { errors[m] = improve(books, m); });
    double sum = 0;
    for (const double e : errors) sum += e;
    return sum / static_cast<double>(rows_.rows());
  }

  /// The rotation that brings rows nearest to their codewords; where they say next to nothing, as of directions without
  /// variance, it stays what it was. (A multiple of it beside the correlation cannot make the error larger: what is
  /// maximized is no less than at the old rotation, and the part that is added is largest there. And it spares
  /// `nearest_rotation` what is singular, which takes it long.)
  void improve_rotation() {
    matrix<float> y(z_.rows(), z_.cols());
    for (std::size_t i = 0; i < y.rows(); ++i)
      for (std::size_t m = 0; m < numbers_; ++m) {
        const subspace s = subspace_of(m, numbers_, y.cols());
        std::ranges::copy(words_[assigned_[i][m]].subspan(s.first, s.dims),
                          y[i].begin() + static_cast<std::ptrdiff_t>(s.first));
      }
    matrix<double> correlation = cross_product(y, rows_, *executor_);
    double square = 0;
    for (const double x : correlation.values()) square += x * x;
    const double stay = 1e-3 * std::sqrt(square);
    for (std::size_t i = 0; i < rotation_.values().size(); ++i)
      correlation.values()[i] += stay * double{rotation_.values()[i]};
    const matrix<double> best = nearest_rotation(correlation.view());
    std::ranges::transform(best.values(), rotation_.values().begin(), [](double x) { return static_cast<float>(x); });
    rotate();
  }

 private:
  void rotate() { gemm(rows_, rotation_, z_, *executor_); }

  double improve(const codebooks& books, std::size_t m) {
    const subspace s = subspace_of(m, numbers_, z_.cols());
    if (s.dims == 0) return 0;
    constexpr std::size_t chunk = 512;
    matrix<float> products(chunk, books.size);
    std::vector<std::uint8_t> found(chunk);
    matrix<double> sums(books.size, s.dims, 0.);
    std::vector<std::size_t> counts(books.size);
    std::vector<double> off(z_.rows());
    double error = 0;
    for (std::size_t first = 0; first < z_.rows(); first += chunk) {
      const auto part = columns_of(z_.view().middle_rows(first, (std::min)(chunk, z_.rows() - first)), s);
      books.nearest(m, part, products.view().middle_rows(0, part.rows()), found);
      for (std::size_t i = 0; i < part.rows(); ++i) {
        const std::size_t c = found[i];
        assigned_[first + i][m] = found[i];
        ++counts[c];
        for (std::size_t k = 0; k < s.dims; ++k) {
          const double x{part[i][k]}, d = x - double{words_[c][s.first + k]};
          sums[c][k] += x;
          off[first + i] += d * d;
        }
        error += off[first + i];
      }
    }
    for (std::size_t c = 0; c < books.size; ++c) {
      const std::span<float> word = words_[c].subspan(s.first, s.dims);
      if (counts[c] == 0) {
        const auto worst = std::ranges::max_element(off);
        *worst = 0;
        const auto row = static_cast<std::size_t>(worst - off.begin());
        std::copy_n(z_[row].begin() + static_cast<std::ptrdiff_t>(s.first), s.dims, word.begin());
        continue;
      }
      for (std::size_t k = 0; k < s.dims; ++k)
        word[k] = static_cast<float>(sums[c][k] / static_cast<double>(counts[c]));
    }
    return error;
  }

  matrix<float> rows_;
  std::size_t numbers_;
  matrix<float> rotation_, z_, words_;
  matrix<std::uint8_t> assigned_;
  const Exec* executor_;
};

}  // namespace embit::inline EMBIT_ABI::detail
