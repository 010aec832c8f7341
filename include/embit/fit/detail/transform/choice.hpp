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

/// How a coder's codes of `rows` score queries: a row as its code stands for it, and what is added to the product.
template <Executor Exec>
product_scores scores_of(const transform_model& model, matrix_view<const float> rows, matrix_view<const float> queries,
                         const Exec& executor) {
  product_scores out{model.along_axes(model.moved_queries(queries)),
                     matrix<float>(rows.rows(), model.dims()),
                     {},
                     std::vector<float>(rows.rows())};
  constexpr std::size_t chunk = 512;
  run_ranges(executor, rows.rows(), chunk, rows.rows() / chunk + 1,
             [&](std::size_t first, std::size_t last, std::size_t) {
               auto [z, square, along] = model.coordinates(rows.middle_rows(first, last - first));
               std::vector<std::uint8_t> levels(model.dims());
               for (std::size_t i = first; i < last; ++i) {
                 const float scale = model.quantize(z[i - first], square[i - first], levels);
                 model.decode(levels, out.rows[i].data());
                 for (float& x : out.rows[i]) x *= scale;
                 if (model.metric == metric::l2)
                   out.added[i] = static_cast<float>(-square[i - first] / 2);
                 else if (model.keeps(row_factor::offset))
                   out.added[i] = static_cast<float>(along[i - first]);
               }
             });
  return out;
}

/// The first is the rotation that every other must beat.
inline constexpr std::array transform_variants{
    transform_variant{direction_weight::equal, true},          transform_variant{direction_weight::equal, false},
    transform_variant{direction_weight::variance, true},       transform_variant{direction_weight::query, true},
    transform_variant{direction_weight::variance_power, true},
};

/// The variants as `held_out::choose` takes them, each without factors and, where rows may keep them, with a scale, an
/// offset and both: a factor must find half a hundredth more.
template <class Engine, Executor Exec>
class transform_choice {
 public:
  transform_choice(const transform_training& from, std::size_t bytes, bool may_keep, Engine& engine,
                   const Exec& executor)
      : from_(&from),
        bytes_(bytes),
        keepings_(may_keep ? 4 : 1),
        engine_(&engine),
        executor_(&executor),
        made_(make_transform_model(from, transform_variants[0], bytes, engine)) {}

  /// Without factors.
  const transform_model& first() const noexcept { return made_; }

  std::size_t size() const noexcept { return transform_variants.size() * keepings_; }

  std::optional<transform_model> make(std::size_t i) {
    const transform_variant& variant = transform_variants[i / keepings_];
    const std::size_t kept = i % keepings_;
    if (kept == 0 && i != 0) made_ = make_transform_model(*from_, variant, bytes_, *engine_);
    const bool scaled = kept % 2 != 0, offset = kept / 2 != 0;
    if (made_.dims() == 0 || (offset && (from_->metric == metric::l2 || !variant.centered))) return {};
    transform_model model = made_;
    model.keep(row_factor::scale, scaled);
    model.keep(row_factor::offset, offset);
    return model;
  }
  product_scores scores(const transform_model& model, matrix_view<const float> rows,
                        matrix_view<const float> queries) const {
    return scores_of(model, rows, queries, *executor_);
  }
  static double worth(const transform_model& model, double recall) noexcept {
    constexpr double worth_a_factor = .005;
    return recall - worth_a_factor * (model.keeps(row_factor::scale) + model.keeps(row_factor::offset));
  }
  static int cost(const transform_model&) noexcept { return 0; }  // their worth has it

 private:
  const transform_training* from_;
  std::size_t bytes_, keepings_;
  Engine* engine_;
  const Exec* executor_;
  transform_model made_;  // the last one, without factors
};

/// The variant of the highest recall of the held-out queries, against some thousand rows. The first where there is
/// nothing to choose by.
template <class Engine, Executor Exec>
transform_model choose_transform_model(const transform_training& from, std::size_t bytes, bool may_keep, Engine& engine,
                                       const progress_callback& progress, const Exec& executor) {
  constexpr std::size_t most_rows = 8192, neighbors = 10, least_queries = 8;
  transform_choice choice(from, bytes, may_keep, engine, executor);
  transform_model first = choice.first();
  if (from.queries.rows() < least_queries) return first;
  const auto rows = from.rows.view().middle_rows(0, (std::min)(from.rows.rows(), most_rows));
  const held_out held(matrix<float>(rows), from.queries, from.metric == metric::l2 ? metric::l2 : metric::inner_product,
                      neighbors, executor);  // cosine: unit rows
  const auto told = [&](const judged_variant& judged) {
    return go_on(progress, {"transform_coder", judged.number, choice.size(), 1 - judged.best});
  };
  return held.choose(choice, 0., told, executor).value_or(std::move(first));
}

}  // namespace embit::inline EMBIT_ABI::detail
