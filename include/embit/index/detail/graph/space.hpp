// What float rows and queries are to a graph: points whose squared distances are in the order of the metric, and codes
// of what neighbours have beside a vertex.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/half.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/graph/vertices.hpp>
#include <embit/kernel/asymmetric.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// The point that a row is, such that squared distances between points are in the order of the metric: the row itself
/// for l2, a unit row for the cosine, and for inner products a row with one coordinate more, √(reach − |row|²), which
/// queries have as 0: |q − x|² = |q|² + reach − 2⟨q, x⟩. Bachrach et al., "Speeding up the Xbox recommender system
/// using a Euclidean transformation for inner-product spaces", RecSys 2014, section 3.1.
struct graph_points {
  embit::metric metric = embit::metric::l2;
  std::size_t dim = 0;  // of rows
  double reach = 0;     // the largest squared length of a row that it was made of, for inner products

  std::size_t dims() const noexcept { return dim + (metric == metric::inner_product); }

  void place(std::span<const float> row, std::span<float> out) const noexcept {
    double inverse = 1;
    if (metric == metric::cosine) {
      const double square = length(row);
      inverse = square > 0 ? 1 / std::sqrt(square) : 0;
    }
    for (std::size_t j = 0; j < dim; ++j) out[j] = inverse == 1 ? row[j] : static_cast<float>(double{row[j]} * inverse);
    if (metric == metric::inner_product) out[dim] = static_cast<float>(std::sqrt((std::max)(reach - length(row), 0.)));
  }
  matrix<float> placed(matrix_view<const float> rows) const {
    auto out = matrix<float>::uninitialized(rows.rows(), dims());
    for (std::size_t i = 0; i < rows.rows(); ++i) place(rows[i], out[i]);
    return out;
  }

  static double length(std::span<const float> row) noexcept {
    double square = 0;
    for (const float x : row) square += double{x} * double{x};
    return square;
  }
  static graph_points of(matrix_view<const float> rows, embit::metric metric) noexcept {
    graph_points points{metric, rows.cols(), 0};
    for (std::size_t i = 0; i < rows.rows() && metric == metric::inner_product; ++i)
      points.reach = (std::max)(points.reach, length(rows[i]));
    return points;
  }
};

/// One query against points: both the squared distance of the points, and what the metric says.
struct point_query {
  const float* query;
  std::size_t dims;  // numbers that count
  embit::metric metric;
  float shift;  // |q|² + reach, of inner products
  pair_function score;

  struct distance {
    float squared, reported;
  };
  distance operator()(const float* point) const noexcept {
    const float own = score(query, point, dims);
    if (metric == metric::l2) return {own, own};
    if (metric == metric::cosine) return {own, .5f * own};
    return {shift - 2 * own, -own};
  }
  /// The squared distance that is reported as this.
  float squared(float reported) const noexcept {
    return metric == metric::l2 ? reported : metric == metric::cosine ? 2 * reported : shift + 2 * reported;
  }
};

/// Queries of one call.
struct graph_batch {
  embit::metric metric = embit::metric::l2;
  matrix<float> points;
  mapped_queries mapped;        // in the space of the codes
  std::vector<float> constant;  // the part of estimated distances that belongs to no vertex
  std::vector<float> shift;
};

/// Distances to the neighbours of a vertex: a vertex is a list whose centroid is itself. With v the point of the
/// vertex, r = neighbour − v, y and s the code of r and its scale, T the linear part of the map of queries z = T q +
/// z₀, and D(q, y) = |q|² + l(q) + base + offset + σ s ⟨z(q), y⟩ what the coder estimates of a query and a row of its
/// own,
///   |q − neighbour|² ≈ D(q − v, y) = |q − v|² + l(q) + [base + offset − l(v) − σ s ⟨T v, y⟩] + σ s ⟨z(q), y⟩
/// so that one table of ⟨z(q), ·⟩ serves all vertices, the distance of the vertex is the base of its neighbours', and
/// what is in brackets is computed once. Points are mapped less their middle.
template <ResidualCoder Coder>
class graph_space {
 public:
  graph_space(graph_points points, Coder coder, std::vector<float> middle)
      : points_(points), coder_(std::move(coder)), middle_(std::move(middle)) {
    estimator_.emplace(coder_.estimator());
    const mapped_queries zero = estimator_->map()(matrix<float>(1, points_.dims()));
    origin_ = {zero.z[0].begin(), zero.z[0].end()};
    base_ = double{zero.terms[0].base};
    scale_ = zero.terms[0].scale;
  }

  const graph_points& points() const noexcept { return points_; }
  const Coder& coder() const noexcept { return coder_; }
  std::span<const float> middle() const noexcept { return middle_; }
  /// What multiplies the product of a query and the values of a row.
  float scale() const noexcept { return scale_; }

  /// @param as_points  of rows that are to be found near other rows, as points are to one another
  graph_batch prepare(matrix_view<const float> queries, bool as_points = false) const {
    graph_batch batch;
    batch.points = points_.placed(queries);
    batch.metric = as_points ? metric::l2 : points_.metric;
    matrix<float> moved(batch.points.rows(), points_.dims());
    for (std::size_t i = 0; i < queries.rows(); ++i) {
      const auto point = batch.points[i];
      if (batch.metric == metric::inner_product) {
        point[points_.dim] = 0;
        batch.shift.push_back(static_cast<float>(graph_points::length(point) + points_.reach));
      }
      move(point, moved[i]);
    }
    batch.mapped = estimator_->map()(moved);
    for (std::size_t i = 0; i < queries.rows(); ++i)
      batch.constant.push_back(static_cast<float>(linear(batch.mapped.terms[i].base, moved[i])));
    return batch;
  }

  point_query query(const graph_batch& batch, std::size_t q) const noexcept {
    const auto& pair = ops_at<pair_ops>(active_isa());
    const bool product = batch.metric == metric::inner_product;
    return {batch.points[q].data(), product ? points_.dim : points_.dims(), batch.metric,
            product ? batch.shift[q] : 0.f, product ? pair.product : pair.squared_difference};
  }

  /// The codes of the neighbours of some vertices and their factors, 32 of each vertex, before any rounding.
  struct coded {
    level_store codes;
    std::vector<float> offsets, scales;
  };
  /// @param edges  of vertex i, `edges(i)` are at most 32 neighbours; beyond these factors are 0
  template <class Edges>
  coded encode(const vertex_store& rows, std::span<const row_id> vertices, Edges&& edges) const {
    const std::size_t dims = points_.dims();
    matrix<float> moved(vertices.size(), dims), residuals(vertices.size() * most_edges, dims);
    for (std::size_t i = 0; i < vertices.size(); ++i) {
      const auto own = rows.row(vertices[i]);
      move(own, moved[i]);
      std::size_t at = i * most_edges;
      for (const row_id to : edges(i)) {
        const auto other = rows.row(to);
        const auto out = residuals[at++];
        for (std::size_t j = 0; j < dims; ++j) out[j] = other[j] - own[j];
      }
    }
    const mapped_queries turned = estimator_->map()(moved);
    coded made{coder_.encode(residuals), std::vector<float>(residuals.rows()), std::vector<float>(residuals.rows())};
    const bool scaled = made.codes.format().has(row_factor::scale),
               offset = made.codes.format().has(row_factor::offset);
    std::vector<float> values(origin_.size()), linear_part(origin_.size());
    for (std::size_t i = 0; i < vertices.size(); ++i) {
      for (std::size_t j = 0; j < origin_.size(); ++j) linear_part[j] = turned.z[i][j] - origin_[j];
      const double constant = base_ - linear(turned.terms[i].base, moved[i]);
      const std::size_t first = i * most_edges, last = first + edges(i).size();
      for (std::size_t at = first; at < last; ++at) {
        made.scales[at] = scaled ? made.codes.factor(at, row_factor::scale) : 1.f;
        made.codes[at].decode(values);
        const double own = offset ? double{made.codes.factor(at, row_factor::offset)} : 0.;
        made.offsets[at] = static_cast<float>(own + constant -
                                              double{scale_} * double{made.scales[at]} *
                                                  double{dot(linear_part.data(), values.data(), values.size())});
      }
    }
    return made;
  }

 private:
  void move(std::span<const float> point, std::span<float> out) const noexcept {
    for (std::size_t j = 0; j < point.size(); ++j) out[j] = point[j] - middle_[j];
  }
  /// Of base(x) = |x|² + linear(x) + base(0).
  double linear(float base, std::span<const float> x) const noexcept {
    return double{base} - double{dot(x.data(), x.data(), x.size())} - base_;
  }

  graph_points points_;
  Coder coder_;
  std::optional<typename Coder::estimator_type> estimator_;
  std::vector<float> middle_, origin_;
  double base_ = 0;
  float scale_ = 0;
};

/// How the factors of neighbours are kept: as multiples of units in 16 bits, or as they are.
struct factor_units {
  float offset = 1, scale = 1;

  /// One too large for 16 bits becomes the largest: estimates of its row are wrong then, and only its visit is not.
  static void put(std::uint8_t* column, std::size_t at, float value, float unit, bool halves) noexcept {
    constexpr float most = 65504;
    if (halves) {
      const half rounded(std::clamp(value / unit, -most, most));
      std::memcpy(column + at * sizeof rounded, &rounded, sizeof rounded);
    } else {
      std::memcpy(column + at * sizeof value, &value, sizeof value);
    }
  }
};

}  // namespace embit::inline EMBIT_ABI::detail
