// Transforms one after another, fitted once and applied to both sides.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/io/save.hpp>
#include <embit/linalg/transform.hpp>

#include <concepts>
#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// Applies its stages in order. Database and queries must go through the same one. Immutable where its stages are.
template <FloatTransform... Stages>
  requires(sizeof...(Stages) > 0)
class pipeline {
 public:
  /// @throws error errc::shape when a stage does not take what the one before gives, naming both.
  explicit pipeline(Stages... stages) : pipeline(std::tuple<Stages...>(std::move(stages)...)) {}

  /// @throws error as the other constructor does.
  explicit pipeline(std::tuple<Stages...> stages) : stages_(std::move(stages)) {
    std::size_t number = 0, given = dim();
    each([&](const auto& stage) {
      if (stage.dim() != given)
        raise(errc::shape, "pipeline: stage ", number, " takes ", stage.dim(), " dimensions where ", given, " come");
      given = stage.output_dim();
      ++number;
    });
  }

  std::size_t dim() const noexcept { return std::get<0>(stages_).dim(); }
  std::size_t output_dim() const noexcept { return std::get<sizeof...(Stages) - 1>(stages_).output_dim(); }
  const std::tuple<Stages...>& stages() const& noexcept { return stages_; }
  const std::tuple<Stages...>& stages() const&& = delete;

  /// The rows (n × dim) through all stages, n × output_dim.
  /// @throws error as the stages do.
  template <Executor Exec = inline_executor>
  matrix<float> apply(matrix_view<const float> rows, const Exec& executor = {}) const {
    matrix<float> current = std::get<0>(stages_).apply(rows, executor);
    bool first = true;
    each([&](const auto& stage) {
      if (first)
        first = false;
      else if constexpr (InPlaceTransform<std::remove_cvref_t<decltype(stage)>>)
        stage.apply_in_place(current.view(), executor);
      else
        current = stage.apply(current, executor);
    });
    return current;
  }

  /// The rows (n × output_dim) back through all stages.
  /// @throws error as the stages do.
  template <Executor Exec = inline_executor>
    requires(InvertibleTransform<Stages>&&...)
  matrix<float> apply_inverse(matrix_view<const float> rows, const Exec& executor = {})
  const { return back(rows, executor, std::make_index_sequence<sizeof...(Stages)>{}); }

  static constexpr file_kind file{"pipeline", 1};

  /// The sections of the file that `save` writes: those of stage i under "i/".
  void write_to(const section_writer& out) const requires(Savable<Stages>&&...) {
    std::size_t number = 0;
    each([&](const auto& stage) { detail::write_part(out, std::to_string(number++), stage); });
  }
  /// @throws error errc::format, errc::checksum or errc::io; errc::kind for other stages, errc::shape for stages that
  /// do
  ///         not fit each other.
  static pipeline read_from(const section_reader& in) requires(Loadable<Stages>&&...) {
    return read_stages(in, std::make_index_sequence<sizeof...(Stages)>{});
  }

 private:
  template <class F>
  void each(const F& f) const {
    std::apply([&](const Stages&... stages) { (f(stages), ...); }, stages_);
  }

  template <class Exec, std::size_t... Is>
  matrix<float> back(matrix_view<const float> rows, const Exec& executor, std::index_sequence<Is...>) const {
    matrix<float> current(rows);
    ((current = std::get<sizeof...(Is) - 1 - Is>(stages_).apply_inverse(current, executor)), ...);
    return current;
  }

  template <std::size_t... Is>
  static pipeline read_stages(const section_reader& in, std::index_sequence<Is...>) {
    std::tuple<Stages...> stages{detail::read_part<Stages>(in, std::to_string(Is))...};
    std::size_t given = std::get<0>(stages).dim();
    const auto require = [&](std::size_t number, const auto& stage) {
      if (stage.dim() != given)
        raise(errc::shape, in.path(), ": section '", number, "': takes ", stage.dim(), " dimensions where ", given,
              " come");
      given = stage.output_dim();
    };
    (require(Is, std::get<Is>(stages)), ...);
    return pipeline(std::move(stages));
  }

  std::tuple<Stages...> stages_;
};

namespace detail {

/// What a stage of `fit_pipeline` becomes: itself, or what it makes of rows.
template <class Stage>
struct fitted_stage {
  using type = std::remove_cvref_t<std::invoke_result_t<const Stage&, matrix_view<const float>>>;
  static_assert(FloatTransform<type>, "embit: a stage is a transform, or makes one from rows");
};
template <FloatTransform Stage>
struct fitted_stage<Stage> {
  using type = Stage;
};
template <class Stage>
using fitted_stage_t = typename fitted_stage<Stage>::type;

template <class Stage>
fitted_stage_t<Stage> fit_stage(matrix_view<const float> rows, const Stage& stage) {
  if constexpr (FloatTransform<Stage>) {
    require_columns(rows, stage.dim());
    return stage;
  } else {
    return stage(rows);
  }
}

template <class Stage, class... Rest>
std::tuple<fitted_stage_t<Stage>, fitted_stage_t<Rest>...> fit_stages(matrix_view<const float> rows, const Stage& stage,
                                                                      const Rest&... rest) {
  auto fitted = fit_stage(rows, stage);
  if constexpr (sizeof...(Rest) == 0) {
    return std::tuple(std::move(fitted));
  } else {
    const matrix<float> next = fitted.apply(rows);
    return std::tuple_cat(std::tuple(std::move(fitted)), fit_stages(next, rest...));
  }
}

}  // namespace detail

/// Fits every stage to what the stages before it make of `rows` (n × dim). A stage is a ready transform, or a function
/// that fits one:
///
///     const auto prepare = fit_pipeline(x, fit_centering, [](auto rows) { return fit_whitening(rows, {.dims = 64});
///     }); codes = lsh.encode(prepare.apply(x));  // and so for the queries
///
/// @throws error as the stages do.
template <class... Stages>
  requires(sizeof...(Stages) > 0)
pipeline<detail::fitted_stage_t<Stages>...> fit_pipeline(matrix_view<const float> rows, const Stages&... stages) {
  return pipeline<detail::fitted_stage_t<Stages>...>(detail::fit_stages(rows, stages...));
}

}  // namespace embit::inline EMBIT_ABI
