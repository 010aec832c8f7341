// What the variants of a transform coder are made from, and the making of one.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/transform_coder.hpp>
#include <embit/fit/detail/transform/bit_allocation.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/linalg/mean.hpp>
#include <embit/linalg/pca.hpp>
#include <embit/linalg/random_rotation.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// What a principal direction weighs when bits are given out.
enum class direction_weight : std::uint8_t { equal, variance, variance_power, query };

struct transform_variant {
  direction_weight weight = direction_weight::equal;
  bool centered = true;  ///< at the mean, else at zero
  /// Directions that share a scale of each row: all of equal bits, or cut into as many; none for 0.
  std::size_t scaled = 0;
};

/// What all variants are made from. Rows and queries have length 1 where the metric is cosine.
struct transform_training {
  embit::metric metric = embit::metric::cosine;
  matrix<float> rows;     // in random order
  matrix<float> queries;  // to choose by, where some were given
  principal_components components;
  std::vector<double> mean_along;    // ⟨mean, direction⟩ a direction
  std::vector<double> query_square;  // E[⟨query, direction⟩²] a direction, as scores see queries

  double weight(direction_weight kind, std::size_t i) const {
    const double variance = components.variances[i];
    switch (kind) {
      case direction_weight::equal: return 1;
      case direction_weight::variance: return variance;
      case direction_weight::variance_power: return variance * std::sqrt(variance);
      case direction_weight::query: return variance * query_square[i];
    }
    return 0;
  }
};

/// Copies of the picked rows, of length 1 for the cosine.
inline matrix<float> picked_rows(matrix_view<const float> rows, std::span<const std::size_t> picked,
                                 embit::metric metric) {
  matrix<float> out(picked.size(), rows.cols());
  for (std::size_t i = 0; i < picked.size(); ++i) std::ranges::copy(rows[picked[i]], out[i].begin());
  if (metric == metric::cosine) scale_to_unit(out);
  return out;
}

/// E[⟨query, direction⟩²] of the given queries, where squared distances see them from the mean.
inline std::vector<double> query_squares(const principal_components& components, matrix_view<const float> queries,
                                         embit::metric metric) {
  matrix<float> along(queries.rows(), components.directions.rows());
  gemm(metric == metric::l2 ? centered(queries, components.mean) : matrix<float>(queries), components.directions,
       along);
  std::vector<double> squares(along.cols());
  for (std::size_t q = 0; q < along.rows(); ++q)
    for (std::size_t i = 0; i < squares.size(); ++i) squares[i] += double{along[q][i]} * double{along[q][i]};
  for (double& s : squares) s /= static_cast<double>(std::max<std::size_t>(along.rows(), 1));
  return squares;
}

/// @param sample  queries to weigh directions by, of which `held_out` at most are chosen by, or none: then queries are
///                taken to be like rows.
template <class Engine, Executor Exec>
transform_training prepare_transform_training(matrix_view<const float> rows, matrix_view<const float> sample,
                                              embit::metric metric, std::size_t held_out, Engine& engine,
                                              const Exec& executor) {
  const auto shuffled = [&](std::size_t count) {
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    shuffle(std::span(order), engine);
    return order;
  };
  transform_training t;
  t.metric = metric;
  t.rows = picked_rows(rows, shuffled(rows.rows()), metric);
  if (!sample.empty()) {
    const auto query_order = shuffled(sample.rows());
    t.queries = picked_rows(sample, std::span(query_order).first((std::min)(held_out, sample.rows())), metric);
  }

  t.components = fit_pca(t.rows.view(), {}, executor);
  const principal_components& pca = t.components;
  for (std::size_t i = 0; i < pca.variances.size(); ++i) {
    t.mean_along.push_back(double{dot(pca.mean.data(), pca.directions[i].data(), pca.mean.size())});
    const double seen = metric == metric::l2 ? 0 : t.mean_along[i];
    t.query_square.push_back(double{pca.variances[i]} + seen * seen);
  }
  if (!sample.empty()) {
    matrix<float> all(sample);
    if (metric == metric::cosine) scale_to_unit(all);
    t.query_square = query_squares(t.components, all, metric);
  }
  return t;
}

/// Rows of `directions`, picked and rotated at random among themselves. O(picked² · dim).
template <class Engine>
void rotate_directions(const matrix<float>& directions, std::span<const std::size_t> picked, Engine& engine,
                       matrix_view<float> out) {
  matrix<float> chosen(picked.size(), directions.cols());
  for (std::size_t i = 0; i < picked.size(); ++i) std::ranges::copy(directions[picked[i]], chosen[i].begin());
  gemm(random_rotation(picked.size(), engine), row_panels::of_columns(chosen.view()), out);
}

/// The coder that spends `bytes` bytes a row by one kind of weights, without factors.
template <class Engine>
transform_model make_transform_model(const transform_training& from, transform_variant variant, std::size_t bytes,
                                     Engine& engine) {
  constexpr float least_deviation = 1e-20f;  // below it inverse steps leave the range of floats
  const principal_components& pca = from.components;
  std::vector<double> weights(pca.variances.size()), squares(pca.variances.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = from.weight(variant.weight, i);
    squares[i] = pca.variances[i] + (variant.centered ? 0. : from.mean_along[i] * from.mean_along[i]);
  }
  const std::vector<bit_group> groups = allocate_groups(weights, variant.scaled, bytes);

  transform_model model;
  model.metric = from.metric;
  model.center = variant.centered ? pca.mean : std::vector<float>(pca.mean.size(), 0.f);
  if (model.metric == metric::l2)
    model.mean_offset = static_cast<float>(std::accumulate(squares.begin(), squares.end(), 0.));
  double kept_square = 0;
  std::size_t dims = 0, first = 0;
  for (const bit_group& g : groups) dims += g.directions.size();
  matrix<float> axes(dims, pca.mean.size());
  for (const bit_group& g : groups) {
    const std::size_t count = g.directions.size();
    rotate_directions(pca.directions, g.directions, engine, axes.view().middle_rows(first, count));
    first += count;
    double square = 0;
    for (const std::size_t i : g.directions) square += squares[i];
    kept_square += square;
    const auto deviation = static_cast<float>(std::sqrt(square / static_cast<double>(count)));
    model.format.segments.push_back(g.quantizer->segment(count, deviation > least_deviation ? deviation : 1.f));
    model.format.segments.back().scaled = variant.scaled != 0;
  }
  model.row_norm = kept_square > 0 ? static_cast<float>(std::sqrt(kept_square)) : 1.f;
  model.set_levels();
  model.axes = row_panels(axes);
  return model;
}

}  // namespace embit::inline EMBIT_ABI::detail
