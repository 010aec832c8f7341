// The nearest centroid of many rows, exactly: products of blocks, of which only the best of each row is kept.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/kernel/nearest_centroids.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What a row is assigned to, and |row − centroid|² less |row − center|², center being what `centroid_panels` says.
struct assigned_row {
  row_id centroid = 0;
  float score = 0;

  friend bool operator==(const assigned_row&, const assigned_row&) = default;
};

/// Centroids packed for products. They and the rows are taken less the mean of the centroids, so that what is common to
/// all costs no digits. An immutable value.
class centroid_panels {
 public:
  /// What one thread writes.
  class scratch {
    friend class centroid_panels;
    matrix<float> rows_;
    aligned_vector<float> products_;
  };

  /// Rows that are worth a call.
  static constexpr std::size_t tile = 96;

  centroid_panels() = default;

  /// @param centroids  any number × dim, finite, copied
  /// @param equal      the centroids have equal norms: the largest product alone decides, which for zero rows is that
  ///                   with centroid 0
  explicit centroid_panels(matrix_view<const float> centroids, bool equal = false)
      : size_(centroids.rows()), center_(centroids.cols()) {
    matrix<float> less(centroids);
    if (!equal) subtract_mean(less);
    terms_.assign(size_, 0.f);
    for (std::size_t i = 0; i < size_ && !equal; ++i) {
      double square = 0;
      for (const float x : less[i]) square += double{x} * double{x};
      terms_[i] = static_cast<float>(square);
    }
    for (std::size_t first = 0; first < size_; first += columns)
      panels_.emplace_back(less.view().middle_rows(first, (std::min)(columns, size_ - first)));
  }

  std::size_t size() const noexcept { return size_; }
  std::size_t dim() const noexcept { return center_.size(); }
  /// What is subtracted from rows: the mean of the centroids, or zeros.
  std::span<const float> center() const& noexcept { return center_; }
  std::span<const float> center() const&& = delete;

  /// The nearest centroid of each of `rows` (n × dim), ties by the smaller number: the same for a row alone or among
  /// others. O(n · size · dim).
  /// @param out  n places
  void assign(matrix_view<const float> rows, std::span<assigned_row> out, scratch& s) const {
    assign(
        rows.rows(), [&](std::size_t i) { return rows.data() + i * rows.stride(); }, out, s);
  }

  /// The same of rows that lie apart: those of `from` with the numbers `which`.
  void assign(matrix_view<const float> from, std::span<const row_id> which, std::span<assigned_row> out,
              scratch& s) const {
    assign(
        which.size(), [&](std::size_t i) { return from.data() + which[i] * from.stride(); }, out, s);
  }

 private:
  static constexpr std::size_t columns = 512;  // a block of products stays in the second-level cache

  void subtract_mean(matrix<float>& rows) {
    std::vector<double> sum(dim());
    for (std::size_t i = 0; i < size_; ++i)
      for (std::size_t j = 0; j < sum.size(); ++j) sum[j] += double{rows[i][j]};
    for (std::size_t j = 0; j < sum.size() && size_ > 0; ++j)
      center_[j] = static_cast<float>(sum[j] / static_cast<double>(size_));
    for (std::size_t i = 0; i < size_; ++i)
      for (std::size_t j = 0; j < sum.size(); ++j) rows[i][j] -= center_[j];
  }

  template <class Row>
  void assign(std::size_t n, const Row& row, std::span<assigned_row> out, scratch& s) const {
    EMBIT_ASSERT(out.size() >= n && size_ > 0);
    if (s.rows_.cols() != dim() || s.rows_.rows() != tile) s.rows_ = matrix<float>(tile, dim());
    s.products_.resize(tile * columns);
    const auto least = detail::ops_at<detail::centroid_ops>(active_isa()).least;
    for (std::size_t first = 0; first < n; first += tile) {
      const std::size_t count = (std::min)(tile, n - first);
      for (std::size_t i = 0; i < count; ++i) {
        const float* from = row(first + i);
        float* to = s.rows_[i].data();
        for (std::size_t j = 0; j < dim(); ++j) to[j] = from[j] - center_[j];
        out[first + i] = {0, detail::infinity<float>()};
      }
      for (std::size_t block = 0; block < panels_.size(); ++block) {
        const std::size_t width = panels_[block].rows();
        gemm(s.rows_.view().middle_rows(0, count), panels_[block],
             matrix_view<float>(s.products_.data(), count, width, columns));
        for (std::size_t i = 0; i < count; ++i) {
          const auto best = least(s.products_.data() + i * columns, terms_.data() + block * columns, width);
          if (best.value < out[first + i].score)
            out[first + i] = {static_cast<row_id>(block * columns + best.at), best.value};
        }
      }
    }
  }

  detail::moved_value<> size_;
  std::vector<float> center_, terms_;
  std::vector<row_panels> panels_;
};

}  // namespace embit::inline EMBIT_ABI
