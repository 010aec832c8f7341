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
#include <embit/encode/transform_coder.hpp>
#include <embit/eval/held_out.hpp>
#include <embit/fit/detail/transform/training.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Rows as their codes stand for them, along the axes and seen from the center, and their offsets.
struct decoded_rows {
  matrix<float> values;
  std::vector<double> offsets;
};

template <Executor Exec>
decoded_rows decoded(const transform_model& model, matrix_view<const float> rows, const Exec& executor) {
  decoded_rows out{matrix<float>(rows.rows(), model.dims()), std::vector<double>(rows.rows())};
  constexpr std::size_t chunk = 512;
  run_ranges(executor, rows.rows(), chunk, rows.rows() / chunk + 1,
             [&](std::size_t first, std::size_t last, std::size_t) {
               auto at = model.coordinates(rows.middle_rows(first, last - first));
               transform_code code;
               for (std::size_t i = first; i < last; ++i) {
                 model.quantize(at.z[i - first], at.square[i - first], code);
                 model.decode(code, out.values[i].data());
                 out.offsets[i] = model.offset(at, i - first, code);
               }
             });
  return out;
}

/// How a coder's codes of `rows` score queries, floats or their codes: a row as its code stands for it, and what is
/// added to the product.
template <Executor Exec>
product_scores scores_of(const transform_model& model, matrix_view<const float> rows, matrix_view<const float> queries,
                         bool symmetric, const Exec& executor) {
  decoded_rows codes = decoded(model, rows, executor);
  product_scores out{{}, std::move(codes.values), {}, {}};
  const bool l2 = model.metric == metric::l2, offset = l2 || model.keeps(row_factor::offset);
  if (offset)
    for (const double o : codes.offsets) out.added.push_back(static_cast<float>(l2 ? -o / 2 : -o));
  if (!symmetric) {
    out.queries = model.along_axes(model.moved_queries(queries));
    return out;
  }
  out.queries = decoded(model, queries, executor).values;
  if (offset) return out;
  const matrix<float> center = model.along_axes(matrix_view<const float>(model.center.data(), 1, model.dim()));
  for (std::size_t q = 0; q < out.queries.rows(); ++q)
    for (std::size_t j = 0; j < model.dims(); ++j) out.queries[q][j] += center[0][j];
  return out;
}

inline constexpr std::size_t all_directions = std::size_t(-1);
/// The first is the rotation that every other must beat.
inline constexpr std::array transform_variants{
    transform_variant{direction_weight::equal, true},
    transform_variant{direction_weight::equal, false},
    transform_variant{direction_weight::variance, true},
    transform_variant{direction_weight::query, true},
    transform_variant{direction_weight::variance_power, true},
    transform_variant{direction_weight::equal, true, all_directions},
    transform_variant{direction_weight::variance, true, all_directions},
};

/// What a row may take.
struct transform_budget {
  std::size_t bytes = 0;
  std::size_t factor_bytes = 0;  ///< of each factor, taken off the bytes of codes; 0 where they come on top

  /// Of codes beside so many factors; none where these leave nothing.
  std::size_t code_bytes(std::size_t factors) const noexcept {
    return bytes > factors * factor_bytes ? bytes - factors * factor_bytes : 0;
  }
};

/// The variants as `held_out::choose` takes them, each without factors and, where rows may keep them, with a scale, an
/// offset and both; those with scales of segments with an offset or none, the scales being in the bytes of codes: a
/// factor that comes on top must find half a hundredth more. The offset of l2 is always kept, of rows or, in place of
/// an offset more, of values.
template <class Engine, Executor Exec>
class transform_choice {
 public:
  transform_choice(const transform_training& from, transform_budget budget, bool may_keep, bool symmetric,
                   Engine& engine, const Exec& executor)
      : from_(&from),
        budget_(budget),
        keepings_(may_keep ? 4 : 1),
        symmetric_(symmetric),
        engine_(&engine),
        executor_(&executor) {
    make_for(0, from.metric == metric::l2 ? 1 : 0);
  }

  /// Without factors.
  const transform_model& first() const noexcept { return made_; }

  std::size_t size() const noexcept { return transform_variants.size() * keepings_; }

  std::optional<transform_model> make(std::size_t i) {
    const std::size_t of = i / keepings_, kept = i % keepings_;
    const bool scaled = kept % 2 != 0, other = kept / 2 != 0, l2 = from_->metric == metric::l2;
    if (other && !l2 && !transform_variants[of].centered) return {};
    if (scaled && transform_variants[of].scaled != 0) return {};
    make_for(of, (scaled ? 1u : 0u) + (l2 || other ? 1u : 0u));
    if (made_.dims() == 0) return {};
    transform_model model = made_;
    model.keep(row_factor::scale, scaled);
    model.keep(row_factor::offset, l2 || other);
    model.value_offset = l2 && other;
    return model;
  }
  product_scores scores(const transform_model& model, matrix_view<const float> rows,
                        matrix_view<const float> queries) const {
    return scores_of(model, rows, queries, symmetric_, *executor_);
  }
  double worth(const transform_model& model, double recall) const noexcept {
    const double worth_a_factor = budget_.factor_bytes == 0 ? .005 : 0.;
    return recall - worth_a_factor * (model.keeps(row_factor::scale) + model.keeps(row_factor::offset));
  }
  static int cost(const transform_model&) noexcept { return 0; }  // their worth has it

 private:
  // The one that there is, or another where it is of another variant or of other bytes.
  void make_for(std::size_t variant, std::size_t factors) {
    const std::size_t bytes = budget_.code_bytes(factors);
    if (variant == made_variant_ && bytes == made_bytes_) return;
    made_ = make_transform_model(*from_, transform_variants[variant], bytes, *engine_);
    made_variant_ = variant;
    made_bytes_ = bytes;
  }

  const transform_training* from_;
  transform_budget budget_;
  std::size_t keepings_;
  bool symmetric_;
  Engine* engine_;
  const Exec* executor_;
  transform_model made_;  // the last one, without factors
  std::size_t made_variant_ = transform_variants.size(), made_bytes_ = 0;
};

/// The variant of the highest recall of the held-out queries, against some thousand rows. The first where there is
/// nothing to choose by.
template <class Engine, Executor Exec>
transform_model choose_transform_model(const transform_training& from, transform_budget budget, bool may_keep,
                                       bool symmetric, std::size_t asking, Engine& engine,
                                       const progress_callback& progress, const Exec& executor) {
  constexpr std::size_t most_rows = 8192, neighbors = 10, least_queries = 8, least_rows = 80;
  transform_choice choice(from, budget, may_keep, symmetric, engine, executor);
  transform_model first = choice.first();
  if (from.queries.empty() ? from.rows.rows() < least_rows : from.queries.rows() < least_queries) return first;
  const matrix<float> rows(from.rows.view().middle_rows(0, (std::min)(from.rows.rows(), most_rows)));
  const auto metric = from.metric == metric::l2 ? metric::l2 : metric::inner_product;  // cosine: unit rows
  const held_out held = from.queries.empty()
                            ? held_out(rows, (std::min)(asking, rows.rows()), metric, neighbors, executor)
                            : held_out(rows, from.queries, metric, neighbors, executor);
  const auto told = [&](const judged_variant& judged) {
    return go_on(progress, {"transform_coder", judged.number, choice.size(), 1 - judged.best});
  };
  return held.choose(choice, 0., told, executor).value_or(std::move(first));
}

}  // namespace embit::inline EMBIT_ABI::detail
