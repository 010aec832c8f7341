// What a RaBitQ encoder finds out from rows: the units of its factors, and which centroid serves held-out queries best.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/rabitq.hpp>
#include <embit/eval/held_out.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Sets the format of a model and the means that go with it, from at most 4096 of the rows, evenly spread.
/// @param scales  whether rows keep their scale
inline void calibrate(rabitq_model& model, matrix_view<const float> rows, bool scales, bool refine, bool halves) {
  constexpr std::size_t most_rows = 4096;
  const std::size_t count = (std::min)(rows.rows(), most_rows), dim = model.dim();
  level_format& format = model.format;
  format.segments = {level_segment::uniform(dim, model.bits)};
  level_store scratch(format, 1);
  rabitq_memory memory;
  std::vector<double> offsets;
  double scale_sum = 0, loss_sum = 0, whole_sum = 0, most_scale = 0, most_coarse = 0, most_error = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto rotated = model.residuals(rows, i * rows.rows() / count, 1, memory);
    rabitq_row& r = memory.rows[0];
    model.quantize(rotated[0], r, scratch, 0, memory);
    offsets.push_back(model.offset(r));
    scale_sum += model.scale(r);
    loss_sum += model.loss_of(r);
    whole_sum += r.square + std::abs(r.product) + model.centroid_square();
    most_scale = (std::max)(most_scale, model.scale(r));
    most_coarse = (std::max)(most_coarse, model.coarse_scale(r));
    most_error = (std::max)(most_error, model.error(r));
  }
  const auto n = static_cast<double>(count);
  model.mean_scale = static_cast<float>(scale_sum / n);
  model.loss = loss_sum / n;
  const bool with_offset = model.metric == metric::l2 || !model.centroid.empty();
  model.mean_offset = with_offset ? static_cast<float>(std::accumulate(offsets.begin(), offsets.end(), 0.) / n) : 0.f;

  double most_offset = 0;
  for (const double o : offsets) most_offset = (std::max)(most_offset, std::abs(o - double{model.mean_offset}));
  const auto set = [&](row_factor which, bool kept, double unit) {
    const auto f = static_cast<std::size_t>(which);
    format.factors[f] = kept;
    if (kept && halves && unit > 0) format.units[f] = static_cast<float>(unit);
  };
  // Rows unlike these must fit too: units are never small against the rows as a whole, and halves reach from a
  // 16-millionth of their unit to 65504 times it.
  const double norm = std::sqrt(whole_sum / n) / std::sqrt(static_cast<double>(dim)) / 64;
  set(row_factor::offset, with_offset, (std::max)(16 * most_offset, whole_sum / n / 64));
  set(row_factor::scale, scales, (std::max)(most_scale, norm));
  set(row_factor::coarse_scale, refine, (std::max)(most_coarse, norm));
  set(row_factor::error, refine, (std::max)(most_error, norm));
  format.half_factors = halves;
}

/// Some rows as queries against some others, with their exact nearest ten: up to 128 queries against up to 2048 rows;
/// nothing where there are fewer than 100 rows.
template <std::uniform_random_bit_generator Engine>
std::optional<held_out> draw_held_out(matrix_view<const float> rows, embit::metric metric, Engine& engine) {
  if (rows.rows() < 100) return {};
  const std::size_t queries = std::min<std::size_t>(128, rows.rows() / 5);
  const std::size_t base = std::min<std::size_t>(2048, rows.rows() - queries);
  const std::vector<row_id> drawn = draw_rows(rows.rows(), queries + base, engine);
  return held_out(matrix<float>(rows, std::span(drawn).subspan(queries)),
                  matrix<float>(rows, std::span(drawn).first(queries)), metric, 10);
}

/// How a model estimates distances, the smaller the nearer, turned round.
inline product_scores scores_of(const rabitq_model& model, matrix_view<const float> rows,
                                matrix_view<const float> queries) {
  level_store store(model.format, rows.rows());
  rabitq_memory memory;
  model.encode(rows, 0, rows.rows(), store, memory);
  mapped_queries mapped = model.map(queries, 0);
  product_scores scores{std::move(mapped.z), matrix<float>(rows.rows(), model.dim())};
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    store[i].decode(scores.rows[i]);
    const float scale = -mapped.terms[0].scale;  // the same for all queries
    scores.scales.push_back(model.has(row_factor::scale) ? scale * store.factor(i, row_factor::scale) : scale);
    if (model.has(row_factor::offset)) scores.added.push_back(-store.factor(i, row_factor::offset));
  }
  return scores;
}

}  // namespace embit::inline EMBIT_ABI::detail
