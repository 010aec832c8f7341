// What float rows and queries are to inverted lists: residuals of rows in codes, and terms of distances that belong to
// the query, to the list, or to the row.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/asymmetric.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/linalg/mean.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

inline double dot_of(std::span<const float> a, std::span<const float> b) noexcept {
  return double{ops_at<pair_ops>(active_isa()).product(a.data(), b.data(), a.size())};
}

/// What a query brings to its distances in every list.
struct list_queries {
  matrix<float> plain;          // unit queries for the cosine, else as they are
  matrix<float> moved;          // these less the middle
  mapped_queries mapped;        // in the space of the codes
  std::vector<float> constant;  // the part of their distances that belongs to no list and no row
};

/// Distances to rows of lists. With c the centroid of a list, r = row − c, y and s the code of r and its scale, T the
/// linear part of the map of queries z = T q + z₀, and D(q, y) = base(q) + offset + σ s ⟨z(q), y⟩ what the coder
/// estimates of a query and a row of its own,
///   l2             D(q − c, y) = base(q − c) + [offset − σ s ⟨T c, y⟩] + σ s ⟨z(q), y⟩
///   inner product  −⟨q, c⟩ + D(q, y)
/// where base(q − c) = |q − c|² + linear terms, so that one table of ⟨z(q), ·⟩ serves all lists: a list only changes
/// the base, a row has its own offset, computed once. Offsets are kept less the mean of their list, in units of 16
/// bits. All vectors are taken less the mean of the centroids for l2. The cosine is l2 of unit vectors, halved.
template <ResidualCoder Coder>
class residual_space {
 public:
  /// @param centroids  lists × dim
  residual_space(Coder coder, matrix<float> centroids, embit::metric metric)
      : coder_(std::move(coder)), metric_(metric), middle_(centroids.cols(), 0.f), centroids_(std::move(centroids)) {
    if (euclidean()) middle_ = mean_row(centroids_);
    estimator_.emplace(coder_.estimator());
    const auto& map = estimator_->map();
    const mapped_queries zero = map(matrix<float>(1, dim()));
    origin_ = {zero.z[0].begin(), zero.z[0].end()};
    base_ = zero.terms[0].base;
    scale_ = zero.terms[0].scale;
    constants_.assign(centroids_.rows(), 0.);
    if (!euclidean()) return;
    const matrix<float> moved = moved_centroids();
    const mapped_queries of = map(moved);
    for (std::size_t c = 0; c < moved.rows(); ++c) constants_[c] = -linear(of.terms[c].base, moved[c]) + base_;
  }

  std::size_t dim() const noexcept { return middle_.size(); }
  embit::metric metric() const noexcept { return metric_; }
  const Coder& coder() const noexcept { return coder_; }
  bool euclidean() const noexcept { return metric_ != metric::inner_product; }
  /// What multiplies the product of a query and the values of a row.
  float scale() const noexcept { return static_cast<float>(share() * scale_); }
  /// As they were given, one a list.
  const matrix<float>& centroids() const noexcept { return centroids_; }
  /// As `moved` makes rows and queries.
  matrix<float> moved_centroids() const {
    matrix<float> moved(centroids_);
    for (std::size_t c = 0; c < moved.rows(); ++c) subtract_middle(moved[c]);
    return moved;
  }
  std::size_t memory() const noexcept {
    return centroids_.rows() * (centroids_.cols() * sizeof(float) + sizeof(double));
  }

  /// Unit vectors for the cosine, else the same; less the middle. @param which  rows taken, or all
  matrix<float> moved(matrix_view<const float> rows, std::span<const row_id> which) const {
    auto out = matrix<float>::uninitialized(which.size(), rows.cols());
    for (std::size_t i = 0; i < which.size(); ++i) move(rows[which[i]], out[i]);
    return out;
  }
  matrix<float> moved(matrix_view<const float> rows) const {
    auto out = matrix<float>::uninitialized(rows.rows(), rows.cols());
    for (std::size_t i = 0; i < rows.rows(); ++i) move(rows[i], out[i]);
    return out;
  }

  /// @throws error errc::argument naming a zero row where it needs a direction.
  void require_directions(matrix_view<const float> rows, const char* what) const {
    for (std::size_t i = 0; i < rows.rows() && metric_ == metric::cosine; ++i)
      if (!(dot_of(rows[i], rows[i]) > 0)) raise(errc::argument, what, ": row ", i, " is zero and has no direction");
  }

  list_queries prepare(matrix_view<const float> queries) const {
    list_queries q{plain(queries), {}, {}, {}};
    q.moved = q.plain;
    for (std::size_t i = 0; i < queries.rows(); ++i) subtract_middle(q.moved[i]);
    q.mapped = estimator_->map()(q.moved);
    q.constant.resize(queries.rows());
    for (std::size_t i = 0; i < queries.rows(); ++i)
      q.constant[i] = static_cast<float>(
          share() * (euclidean() ? linear(q.mapped.terms[i].base, q.moved[i]) : double{q.mapped.terms[i].base}));
    return q;
  }

  /// The base of the distances of a query to the rows of a list, but for the mean of their offsets.
  float base(const list_queries& q, std::size_t i, std::size_t list) const noexcept {
    const auto& pair = ops_at<pair_ops>(active_isa());
    const float own = euclidean() ? pair.squared_difference(q.plain[i].data(), centroids_[list].data(), dim())
                                  : -pair.product(q.plain[i].data(), centroids_[list].data(), dim());
    return q.constant[i] + static_cast<float>(share()) * (own + static_cast<float>(constants_[list]));
  }

  /// Codes of rows of one list, and what their offsets and scales are, before any rounding.
  struct coded {
    level_store codes;
    std::vector<float> offsets, scales;
    double squares = 0;  // the sum of the squared lengths of the residuals
  };
  /// @param rows  as `moved` makes them
  coded encode(std::size_t list, matrix_view<const float> rows) const {
    matrix<float> centroid(matrix_view<const float>(centroids_[list].data(), 1, dim()));
    subtract_middle(centroid[0]);
    matrix<float> residuals(rows);
    for (std::size_t i = 0; i < rows.rows(); ++i)
      for (std::size_t j = 0; j < dim(); ++j) residuals[i][j] -= centroid[0][j];
    mapped_queries turned;  // T c
    if (euclidean()) {
      turned = estimator_->map()(centroid);
      for (std::size_t j = 0; j < origin_.size(); ++j) turned.z[0][j] -= origin_[j];
    }
    coded made{coder_.encode(residuals), std::vector<float>(rows.rows()), std::vector<float>(rows.rows(), 1.f)};
    const bool scaled = made.codes.format().has(row_factor::scale),
               offset = made.codes.format().has(row_factor::offset);
    std::vector<float> values(origin_.size());
    for (std::size_t i = 0; i < rows.rows(); ++i) {
      made.squares += dot_of(residuals[i], residuals[i]);
      if (scaled) made.scales[i] = made.codes.factor(i, row_factor::scale);
      double own = offset ? double{made.codes.factor(i, row_factor::offset)} : 0.;
      if (euclidean()) {
        made.codes[i].decode(values);
        own -= scale_ * double{made.scales[i]} * dot_of(turned.z[0], values);
      }
      made.offsets[i] = static_cast<float>(share() * own);
    }
    return made;
  }

 private:
  void subtract_middle(std::span<float> row) const noexcept {
    for (std::size_t j = 0; j < row.size(); ++j) row[j] -= middle_[j];
  }

  matrix<float> plain(matrix_view<const float> rows) const {
    matrix<float> out(rows);
    for (std::size_t i = 0; i < rows.rows() && metric_ == metric::cosine; ++i) direct(rows[i], out[i]);
    return out;
  }

  /// The direction of a row, for the cosine.
  void direct(std::span<const float> row, std::span<float> out) const noexcept {
    double inverse = 1;
    if (metric_ == metric::cosine) {
      double square = 0;
      for (const float x : row) square += double{x} * double{x};
      inverse = square > 0 ? 1 / std::sqrt(square) : 0;
    }
    for (std::size_t j = 0; j < row.size(); ++j)
      out[j] = inverse == 1 ? row[j] : static_cast<float>(double{row[j]} * inverse);
  }
  void move(std::span<const float> row, std::span<float> out) const noexcept {
    direct(row, out);
    subtract_middle(out);
  }

  /// Of half squared distances for the cosine.
  double share() const noexcept { return metric_ == metric::cosine ? .5 : 1.; }
  /// base(x) = |x|² + linear(x) + base(0)
  double linear(float base, std::span<const float> x) const noexcept { return double{base} - dot_of(x, x) - base_; }

  Coder coder_;
  std::optional<typename Coder::estimator_type> estimator_;
  embit::metric metric_;
  std::vector<float> middle_, origin_;
  matrix<float> centroids_;
  std::vector<double> constants_;
  double base_ = 0, scale_ = 0;
};

}  // namespace embit::inline EMBIT_ABI::detail
