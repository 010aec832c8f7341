// Which variant of a transform coder finds most on queries that none was fitted to.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/transform_coder.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/fit/detail/transform/training.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/search/top_k.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Rows as a coder sees them once they are coded: what is multiplied with queries, and what is added to the product.
struct decoded_rows {
  matrix<float> values;
  std::vector<float> added;
};

template <Executor Exec>
decoded_rows decode_rows(const transform_model& model, matrix_view<const float> rows, const Exec& executor) {
  decoded_rows out{matrix<float>(rows.rows(), model.dims()), std::vector<float>(rows.rows())};
  constexpr std::size_t chunk = 512;
  run_ranges(executor, rows.rows(), chunk, rows.rows() / chunk + 1,
             [&](std::size_t first, std::size_t last, std::size_t) {
               auto [z, square, along] = model.coordinates(rows.middle_rows(first, last - first));
               std::vector<std::uint8_t> levels(model.dims());
               for (std::size_t i = first; i < last; ++i) {
                 const float scale = model.quantize(z[i - first], square[i - first], levels);
                 model.decode(levels, out.values[i].data());
                 for (float& x : out.values[i]) x *= scale;
                 if (model.metric == metric::l2)
                   out.added[i] = static_cast<float>(-square[i - first] / 2);
                 else if (model.keeps(row_factor::offset))
                   out.added[i] = static_cast<float>(along[i - first]);
               }
             });
  return out;
}

/// The share of the true neighbours (`truth`, k of each query) among the first k by the coder's estimates.
template <Executor Exec>
double transform_recall(const transform_model& model, matrix_view<const float> rows, matrix_view<const float> queries,
                        const knn_result<float>& truth, const Exec& executor) {
  const decoded_rows decoded = decode_rows(model, rows, executor);
  const row_panels values(decoded.values.view());
  const matrix<float> z = model.along_axes(model.moved_queries(queries));
  knn_result<float> found;
  found.reset(queries.rows(), truth.k());
  constexpr std::size_t queries_at_once = 16;
  run_ranges(executor, queries.rows(), queries_at_once, queries.rows(),
             [&](std::size_t first, std::size_t last, std::size_t) {
               matrix<float> scores(last - first, rows.rows());
               gemm(z.view().middle_rows(first, last - first), values, scores);
               std::vector<neighbor<float>> kept;
               heap_top_k<float, std::greater<>> best;
               for (std::size_t q = first; q < last; ++q) {
                 best.reset(truth.k());
                 for (std::size_t i = 0; i < rows.rows(); ++i)
                   best.offer(static_cast<row_id>(i), scores[q - first][i] + decoded.added[i]);
                 kept.assign(best.kept().begin(), best.kept().end());
                 found.assign(q, select_top_k<std::greater<>>(kept, truth.k()));
               }
             });
  return mean_recall(truth, found, truth.k(), truth.k());
}

/// The first is the rotation that every other must beat.
inline constexpr std::array transform_variants{
    transform_variant{direction_weight::equal, true},          transform_variant{direction_weight::equal, false},
    transform_variant{direction_weight::variance, true},       transform_variant{direction_weight::query, true},
    transform_variant{direction_weight::variance_power, true},
};

/// The variant of the highest recall of the held-out queries, against some thousand rows; factors that rows keep must
/// find half a hundredth more each. The first where there is nothing to choose by.
template <class Engine, Executor Exec>
transform_model choose_transform_model(const transform_training& from, std::size_t bytes, bool may_keep, Engine& engine,
                                       const progress_callback& progress, const Exec& executor) {
  constexpr std::size_t most_rows = 8192, neighbors = 10, least_queries = 8;
  constexpr double worth_a_factor = .005;
  const auto rows = from.rows.view().middle_rows(0, (std::min)(from.rows.rows(), most_rows));
  transform_model best = make_transform_model(from, transform_variants[0], bytes, engine);
  if (from.queries.rows() < least_queries) return best;
  const auto truth = ground_truth(rows, from.queries, neighbors,
                                  {.metric = from.metric == metric::l2 ? metric::l2 : metric::inner_product},
                                  executor);  // cosine: unit rows
  double best_recall = -1;
  const std::size_t total = transform_variants.size() * (may_keep ? 4 : 1);
  std::size_t done = 0;
  for (std::size_t v = 0; v < transform_variants.size(); ++v) {
    transform_model model = v == 0 ? best : make_transform_model(from, transform_variants[v], bytes, engine);
    for (std::size_t kept = 0; kept < 4; ++kept) {
      const bool scaled = kept % 2 != 0, offset = kept / 2 != 0;
      if ((kept != 0 && !may_keep) || model.dims() == 0) continue;
      if (offset && (from.metric == metric::l2 || !transform_variants[v].centered)) continue;
      model.keep(row_factor::scale, scaled);
      model.keep(row_factor::offset, offset);
      const double recall = transform_recall(model, rows, from.queries, truth, executor) -
                            worth_a_factor * static_cast<double>(scaled + offset);
      if (recall > best_recall) {
        best_recall = recall;
        best = model;
      }
      if (!go_on(progress, {"transform_coder", ++done, total, 1 - best_recall})) return best;
    }
  }
  return best;
}

}  // namespace embit::inline EMBIT_ABI::detail
