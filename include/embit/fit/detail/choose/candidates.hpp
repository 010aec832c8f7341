// The encoders that can be had for so many bytes a row.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/half.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/chosen_encoder.hpp>
#include <embit/encode/transform_coder.hpp>
#include <embit/fit/fit_itq.hpp>
#include <embit/fit/fit_product_quantizer.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/fit/fit_recurrent.hpp>
#include <embit/fit/fit_transform_coder.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// A way to spend the bytes.
struct encoder_candidate {
  std::string name;
  /// Nothing where rows like these cannot be had in as many bytes.
  std::function<std::optional<chosen_encoder>(matrix_view<const float> rows, rng draws, const progress_callback&)> fit;
};

/// What RaBitQ may keep beside codes of so many bits, if anything that fits: for l2 a scale and an offset, for inner
/// products a scale at least, for the cosine nothing at least.
inline std::optional<rabitq_options> rabitq_options_within(std::size_t dim, embit::metric metric, std::size_t bytes,
                                                           std::size_t bits) {
  const std::size_t code = (dim + 7) / 8 * bits, factor = bits <= 6 ? sizeof(half) : sizeof(float);
  rabitq_options options{.bits_per_dim = bits, .metric = metric};
  if (code + 2 * factor <= bytes) return options;
  if (metric == metric::l2) return {};
  options.center = rabitq_center::zero;
  if (code + factor <= bytes) return options;
  if (metric != metric::cosine || code > bytes) return {};
  options.scales = rabitq_scales::dropped;
  return options;
}

/// Those of the most bits that fit, and, where these leave no room for factors, those of a bit less.
inline void add_rabitq(std::size_t dim, embit::metric metric, std::size_t bytes, std::vector<encoder_candidate>& all) {
  for (std::size_t bits = (std::min)(most_level_bits, bytes / ((dim + 7) / 8)); bits >= 1; --bits) {
    const auto options = rabitq_options_within(dim, metric, bytes, bits);
    if (!options) continue;
    all.push_back({"rabitq, bits a dimension: " + std::to_string(bits),
                   [options = *options](auto rows, rng draws, const auto& progress) {
                     return std::optional(chosen_encoder(fit_rabitq(rows, options, draws, progress)));
                   }});
    if (options->center == rabitq_center::chosen) return;
  }
}

/// Of up to a bit a dimension, where the bytes are no more than such codes of others take with their factors.
template <Executor Exec>
void add_product(std::size_t dim, embit::metric metric, std::size_t bytes, bool wide, const Exec& executor,
                 std::vector<encoder_candidate>& all) {
  constexpr std::size_t rounds = 12;  // more hardly change what is found
  const std::size_t most = (dim + 7) / 8, code = (std::min)(bytes, most);
  if (bytes > most + 2 * sizeof(half)) return;
  for (const std::size_t bits : {std::size_t{4}, std::size_t{8}}) {
    if (bits == 8 && !wide) return;
    all.push_back({bits == 8 ? "product codes of 8 bits" : "product codes of 4 bits",
                   [=](auto rows, rng draws, const auto& progress) {
                     const product_quantizer_options options{
                         .bytes_per_row = code, .bits_per_number = bits, .metric = metric, .rounds = rounds};
                     return std::optional(
                         chosen_encoder(fit_product_quantizer(rows, options, draws, progress, executor)));
                   }});
  }
}

/// Signs of rotated principal directions (`train_itq`) as levels of 1 bit, whose step makes them stand for the rows as
/// nearly as one step for all can.
template <Executor Exec>
transform_coder fit_sign_levels(matrix_view<const float> rows, const transform_coder_options& options, rng draws,
                                const progress_callback& progress, const Exec& executor) {
  constexpr std::size_t most_rows = 4096, iterations = 20;
  const std::size_t factor_bytes = transform_factor_bytes(rows.cols(), options);
  const std::size_t code_bytes = options.bytes_per_row - (options.metric == metric::l2 ? factor_bytes : 0);
  matrix<float> sample(rows, draw_rows(rows.rows(), (std::min)(most_rows, rows.rows()), draws));
  if (options.metric == metric::cosine) scale_to_unit(sample);
  const itq_options how{.bits = (std::min)(8 * code_bytes, rows.cols()), .iterations = iterations};
  const itq_model signs = train_itq(sample, how, draws, progress, executor);

  transform_model model;
  model.metric = options.metric;
  model.center = signs.mean;
  model.axes = row_panels(signs.encoder().planes());
  model.format.segments = {level_segment::uniform(how.bits, 1)};
  const transform_coordinates at = model.coordinates(sample);
  double along = 0, square = 0;
  for (const float z : at.z.values()) along += std::abs(double{z});
  for (const double s : at.square) square += s;
  const auto step = static_cast<float>(along / static_cast<double>(at.z.values().size()));
  if (step > 0) model.format.segments[0].step = step;
  if (model.metric == metric::l2) model.mean_offset = static_cast<float>(square / static_cast<double>(sample.rows()));
  model.set_levels();
  set_factors(model, factor_bytes);
  return transform_coder(std::move(model));
}

}  // namespace embit::inline EMBIT_ABI::detail
