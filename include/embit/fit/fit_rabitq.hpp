// Fitting of RaBitQ: the rotation drawn, centroid and scales chosen on held-out rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/progress.hpp>
#include <embit/encode/rabitq.hpp>
#include <embit/eval/held_out.hpp>
#include <embit/fit/detail/rabitq/calibrate.hpp>
#include <embit/linalg/fht_kac.hpp>
#include <embit/linalg/mean.hpp>
#include <embit/linalg/random_rotation.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <random>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What is subtracted from rows before they are rotated.
enum class rabitq_center {
  chosen,  ///< what serves held-out rows better, the mean or nothing
  mean,
  zero
};

/// How the step of the grid is chosen.
enum class rabitq_encoding {
  fast,  ///< for every row the best of five about the one that fits a normal distribution
  exact  ///< for every row the best of all: tens of times slower, a little more accurate in few dimensions
};

/// Whether each row keeps what scales its estimates.
enum class rabitq_scales {
  chosen,  ///< dropped where rows are unit vectors (cosine, no centroid) and held-out recall falls by .005 at most
  kept,
  dropped  ///< only for the cosine without a centroid: estimates are unbiased over rows, no longer for each
};

struct rabitq_options {
  std::size_t bits_per_dim = 1;  ///< 1 to 8
  embit::metric metric = embit::metric::l2;
  rabitq_center center = rabitq_center::chosen;
  std::span<const float> centroid = {};  ///< of as many numbers as rows, instead of what `center` says
  rabitq_encoding encoding = rabitq_encoding::fast;
  rotation_kind rotation = rotation_kind::fht_kac;
  rabitq_scales scales = rabitq_scales::chosen;
  bool refine = false;  ///< keep two more factors a row, with which a scan passes over rows by their first bits
  bool compress_factors = true;  ///< into 16 bits each, up to 6 bits a dimension; beyond, that would cost accuracy
};

namespace detail {

inline void require_rabitq_options(matrix_view<const float> rows, const rabitq_options& options) {
  if (rows.rows() == 0 || rows.cols() == 0) raise(errc::argument, "rabitq: ", rows.rows(), " x ", rows.cols(), " rows");
  if (options.bits_per_dim < 1 || options.bits_per_dim > most_level_bits)
    raise(errc::argument, "rabitq: ", options.bits_per_dim, " bits a dimension where 1 to 8 are possible");
  const auto c = options.centroid;
  if (!c.empty() && c.size() != rows.cols())
    raise(errc::shape, "centroid: ", c.size(), " dimensions where the rows have ", rows.cols());
  require_finite(matrix_view<const float>(c.data(), c.empty() ? 0 : 1, c.size()), "centroid");
  require_finite(rows, "rows");
  if (options.scales == rabitq_scales::dropped &&
      (options.metric != metric::cosine || !c.empty() || options.center == rabitq_center::mean || options.refine))
    raise(errc::argument,
          "rabitq: only codes for the cosine, without a centroid and not to be refined, can do without "
          "scales");
}

/// The mean of the rows, of unit rows for the cosine.
inline std::vector<float> rabitq_mean(matrix_view<const float> rows, embit::metric metric) {
  if (metric != metric::cosine) return mean_row(rows);
  std::vector<double> sum(rows.cols());
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    double square = 0;
    for (const float x : rows[i]) square += double{x} * double{x};
    const double inverse = square > 0 ? 1 / std::sqrt(square) : 0;
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += inverse * double{rows[i][k]};
  }
  std::vector<float> mean(sum.size());
  std::ranges::transform(sum, mean.begin(),
                         [&](double s) { return static_cast<float>(s / static_cast<double>(rows.rows())); });
  return mean;
}

template <std::uniform_random_bit_generator Engine>
code_rotation draw_rotation(std::size_t dim, rotation_kind kind, Engine& engine) {
  if (kind == rotation_kind::fht_kac) return code_rotation(fht_kac(dim, engine));
  return code_rotation(random_rotation(dim, engine));
}

/// What rows are taken from, and whether they keep what scales their estimates.
struct rabitq_variant {
  std::vector<float> centroid;
  bool scales;
};

/// What there is to choose from; the first is taken where there are too few rows to choose.
inline std::vector<rabitq_variant> rabitq_variants(matrix_view<const float> rows, const rabitq_options& options) {
  std::vector<rabitq_variant> variants;
  const bool cosine = options.metric == metric::cosine;
  if (!options.centroid.empty()) return {{{options.centroid.begin(), options.centroid.end()}, true}};
  if (options.center != rabitq_center::zero && options.scales != rabitq_scales::dropped)
    variants.push_back({rabitq_mean(rows, options.metric), true});
  if (options.center != rabitq_center::mean) {
    if (options.scales != rabitq_scales::dropped) variants.push_back({{}, true});
    if (cosine && !options.refine && options.scales != rabitq_scales::kept) variants.push_back({{}, false});
  }
  return variants;
}

/// The variants as `held_out::choose` takes them: of those of about the same recall the one of the fewest bytes.
struct rabitq_choice {
  matrix_view<const float> rows;
  const rabitq_options& options;
  code_rotation rotation;
  std::vector<rabitq_variant> variants;

  std::size_t size() const noexcept { return variants.size(); }
  std::optional<rabitq_model> make(std::size_t i) const {
    rabitq_model model{.bits = options.bits_per_dim,
                       .metric = options.metric,
                       .swept = options.encoding == rabitq_encoding::exact,
                       .centroid = variants[i].centroid,
                       .rotation = rotation,
                       .format = {}};
    calibrate(model, rows, variants[i].scales, options.refine, options.compress_factors && options.bits_per_dim <= 6);
    return model;
  }
  static product_scores scores(const rabitq_model& model, matrix_view<const float> from,
                               matrix_view<const float> queries) {
    return scores_of(model, from, queries);
  }
  static double worth(const rabitq_model&, double recall) noexcept { return recall; }
  static std::size_t cost(const rabitq_model& model) noexcept { return model.format.factor_bytes(); }
};

}  // namespace detail

/// An encoder for rows like these. The rotation is drawn from `engine`; centroid and scales are, unless given, chosen
/// by the recall of up to 128 of the rows as queries against up to 2048 others. Of variants within .005 of the best the
/// one that keeps the fewest bytes is taken. O(n · dim + dim³).
/// @param rows      n × dim. Rows of zeros, constant columns and fewer rows than dimensions are no errors.
/// @param progress  told after each variant; `objective` is 1 − recall. False stops and keeps the best so far.
/// @throws error errc::argument for no rows, bits outside 1 … 8 and options that exclude one another, errc::shape for a
///         centroid of another dimension, errc::not_finite naming the row.
template <std::uniform_random_bit_generator Engine>
rabitq fit_rabitq(matrix_view<const float> rows, rabitq_options options, Engine& engine,
                  const progress_callback& progress = {}) {
  detail::require_rabitq_options(rows, options);
  const detail::rabitq_choice choice{rows, options, detail::draw_rotation(rows.cols(), options.rotation, engine),
                                     detail::rabitq_variants(rows, options)};
  std::optional<held_out> held;
  if (choice.size() > 1) held = detail::draw_held_out(rows, options.metric, engine);
  if (!held) return rabitq(*choice.make(0));
  constexpr double tolerance = .005;
  return rabitq(*held->choose(choice, tolerance, [&](const judged_variant& judged) {
    return detail::go_on(progress, {"rabitq", judged.number, choice.size(), 1 - judged.worth});
  }));
}

}  // namespace embit::inline EMBIT_ABI
