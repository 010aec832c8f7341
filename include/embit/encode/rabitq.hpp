// RaBitQ: rotated rows on a uniform grid, 1 to 8 bits a dimension, with distances estimated without bias.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/progress.hpp>
#include <embit/encode/detail/code_rotation.hpp>
#include <embit/encode/detail/rabitq/file.hpp>
#include <embit/encode/detail/rabitq/fit.hpp>
#include <embit/encode/detail/rabitq/model.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/kernel/asymmetric.hpp>
#include <embit/kernel/level_scan.hpp>
#include <embit/linalg/mean.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <utility>
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

struct rabitq_estimator_options {
  std::size_t query_bits = 8;  ///< to which queries are rounded: 4 to 7 are the fastest
  float epsilon = 1.9f;        ///< deviations that the bound allows for; 1.9 fails for about 2 rows in 100
  bool bound = true;           ///< pass over rows by their first bits, where the codes were made to be refined
};

/// A distance and how far, at so many deviations, the true one is from it.
struct bounded_distance {
  float distance;
  float error;
};

class rabitq;

/// Scores codes of one encoder against each other: both sides are quantized.
class rabitq_symmetric {
 public:
  using query_view = level_view;
  using distance_type = float;
  using compare = std::less<>;
  using batch = level_batch;

  const level_format& format() const& noexcept { return model_->format; }
  const level_format& format() const&& = delete;
  /// @throws error errc::shape for codes of another format.
  void require_format(const level_format& codes) const { detail::require_level_format(codes, format()); }

  /// @throws error errc::shape for a code of another format.
  level_query prepare(const level_row& query) const {
    level_query prepared;
    assign(query, prepared);
    return prepared;
  }
  /// @param code  of the format of the query
  float operator()(const level_query& query, const level_row& code) const noexcept { return query(code); }

  /// @throws error errc::shape for codes of another format.
  void prepare_batch(const level_view& queries, std::size_t, batch& into) const {
    into.reset(queries.size());
    for (std::size_t q = 0; q < queries.size(); ++q) assign(queries[q], into[q]);
  }

 private:
  friend class rabitq;
  explicit rabitq_symmetric(std::shared_ptr<const detail::rabitq_model> model) : model_(std::move(model)) {}

  void assign(const level_row& query, level_query& into) const {
    require_format(query.format());
    std::vector<float> z(format().dims());
    query.decode(z);
    into.assign_values(format(), z, model_->terms_of(query));
  }

  detail::shared_state<const detail::rabitq_model> model_;
};

static_assert(Kernel<rabitq_symmetric, level_row>);

/// Codes of B bits a dimension, for l2, inner product and cosine. A row less a centroid is rotated at random and put
/// on a uniform grid; its code y and the numbers kept with it (none, 2 or 4 bytes as a rule) estimate the distance to
/// a float query without bias, with an error that falls as 1 / (√dim · 2^B).
///
/// The first bits of all dimensions are the code of one bit. Immutable; copies share their state; safe to use from
/// many threads. There is one centroid: with several, distances of rows would need one more column, and rows their
/// cluster.
/// Gao and Long, "RaBitQ", SIGMOD 2024 (arXiv 2405.12497), section 3; Gao et al., "Practical and asymptotically
/// optimal quantization", SIGMOD 2025 (arXiv 2409.09913), section 3.
class rabitq {
 public:
  using estimator_type = asymmetric<detail::rabitq_map>;

  /// What `fit_rabitq` has found.
  explicit rabitq(detail::rabitq_model model)
      : model_(std::make_shared<const detail::rabitq_model>(std::move(model))) {}

  std::size_t dim() const noexcept { return model_->dim(); }
  std::size_t bits_per_dim() const noexcept { return model_->bits; }
  embit::metric metric() const noexcept { return model_->metric; }
  /// What is subtracted from rows (from unit rows, for the cosine): dim numbers, or none for zero.
  std::span<const float> centroid() const& noexcept { return model_->centroid; }
  std::span<const float> centroid() const&& = delete;
  /// Of the codes.
  const level_format& format() const& noexcept { return model_->format; }
  const level_format& format() const&& = delete;

  /// Codes of `rows` (n × dim), in order: the same code for a row alone or in a batch. O(n · dim²).
  /// A zero row has the cosine 0 with everything where scales are kept, else it counts as some unit row.
  /// @throws error errc::shape for another dimension; errc::not_finite naming the first bad row, or one so much larger
  ///         than the rows that the encoder was made for that its factors do not fit 16 bits.
  template <Executor Exec = inline_executor>
  level_store encode(matrix_view<const float> rows, const Exec& executor = {}) const {
    require_dim(rows);
    level_store store(format(), rows.rows());
    std::vector<detail::rabitq_memory> memory(executor.concurrency());
    run_ranges(executor, rows.rows(), level_block_rows, executor.concurrency() * 4,
               [&](std::size_t first, std::size_t last, std::size_t worker) {
                 model_->encode(rows, first, last, store, memory[worker]);
               });
    return store;
  }

  /// The kernel that estimates the distance of float queries to codes: squared distances for l2, minus the inner
  /// product, 1 − cos. It lets an index pass over rows by their first bits where the codes were made to be refined;
  /// about as many of the true neighbours are then missed as `epsilon` says.
  /// @throws error errc::argument for query bits outside 4 to 14 or an epsilon that is negative or not finite.
  estimator_type estimator(rabitq_estimator_options options = {}) const {
    require_epsilon(options.epsilon);
    return estimator_type(detail::rabitq_map(model_, options.bound ? options.epsilon : 0.f), options.query_bits);
  }

  /// The kernel that scores codes by codes, on the same scale.
  rabitq_symmetric symmetric() const { return rabitq_symmetric(model_); }

  /// The estimated distance of a query to each of some codes, and how far off it may be: the true distance lies within
  /// `error` for all but about 6 of 100 rows (fewer near the query) at the epsilon of 1.9. O(rows · bytes of a row).
  /// @throws error errc::shape for another dimension or codes of another format, errc::not_finite, errc::argument as
  ///         `estimator` does.
  std::vector<bounded_distance> bounded_distances(std::span<const float> query, const level_view& codes,
                                                  rabitq_estimator_options options = {}) const {
    const estimator_type kernel = estimator(options);
    const mapped_queries mapped = model_->map(matrix_view<const float>(query.data(), 1, query.size()), options.epsilon);
    level_query_terms terms = mapped.terms[0];
    if (!options.bound) terms.error = 0;
    level_query prepared;
    prepared.assign(format(), mapped.z[0], options.query_bits, terms);
    if (!codes.empty()) kernel.require_format(*codes.format());
    std::vector<bounded_distance> found;
    std::vector<float> values(dim());
    const auto spread =
        model_->gain() * std::sqrt(model_->loss / static_cast<double>(std::max<std::size_t>(dim() - 1, 1)));
    for (std::size_t i = 0; i < codes.size(); ++i) {
      codes[i].decode(values);
      double energy = 0;
      for (const float v : values) energy += double{v} * double{v};
      const float scale = model_->has(row_factor::scale) ? codes[i].factor(row_factor::scale) : model_->mean_scale;
      // s |y| = |r| / cos(r, y), and |r| tan(r, y) of it is beside r.
      const double beside = double{scale} * std::sqrt(energy) * spread;
      found.push_back({kernel(prepared, codes[i]), static_cast<float>(beside * double{mapped.terms[0].error})});
    }
    return found;
  }

  /// Rows less the centroid (unit rows, for the cosine), rotated: what codes stand for. n × dim.
  /// @throws error errc::shape for another dimension, errc::not_finite.
  matrix<float> residuals(matrix_view<const float> rows) const {
    require_dim(rows);
    detail::rabitq_memory memory;
    return matrix<float>(matrix_view<const float>(model_->residuals(rows, 0, rows.rows(), memory)));
  }

  static constexpr file_kind file{"rabitq", 1};

  /// The sections of the file that `save` writes:
  ///   "shape"     u64 dim, u32 bits, u8 metric, u8 1 for the exact encoding, u8 kind of rotation, u8 a bit a factor of
  ///               the codes, u8 1 for factors of 16 bits, 5 × f32 their units, f32 mean offset, f32 mean scale, f64
  ///               loss
  ///   "rotation"  u64 signs of `fht_kac`, or a matrix of dim × dim
  ///   "centroid"  a matrix of one row, or none for zero
  void write_to(const section_writer& out) const { detail::write_rabitq(out, *model_); }
  /// @throws error errc::format, errc::checksum or errc::io.
  static rabitq read_from(const section_reader& in) { return rabitq(detail::read_rabitq(in)); }

 private:
  void require_dim(matrix_view<const float> rows) const {
    if (rows.cols() != dim()) raise(errc::shape, "rows: dimension ", rows.cols(), ", the encoder takes ", dim());
  }
  static void require_epsilon(float epsilon) {
    if (!detail::is_finite(epsilon) || epsilon < 0) raise(errc::argument, "epsilon: ", epsilon);
  }

  detail::shared_state<const detail::rabitq_model> model_;
};

static_assert(Encoder<rabitq>);

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
  const detail::code_rotation rotation(rows.cols(), options.rotation, engine);
  auto variants = detail::rabitq_variants(rows, options);
  const bool halves = options.compress_factors && options.bits_per_dim <= 6;
  const auto model_of = [&](detail::rabitq_variant& v) {
    detail::rabitq_model model{.bits = options.bits_per_dim,
                               .metric = options.metric,
                               .swept = options.encoding == rabitq_encoding::exact,
                               .centroid = std::move(v.centroid),
                               .rotation = rotation,
                               .format = {}};
    detail::calibrate(model, rows, v.scales, options.refine, halves);
    return model;
  };
  if (variants.size() == 1) return rabitq(model_of(variants[0]));
  const detail::held_out_rows held_out(rows, options.metric, engine);
  if (held_out.empty()) return rabitq(model_of(variants[0]));

  std::vector<detail::rabitq_model> models;
  std::vector<double> recalls;
  for (detail::rabitq_variant& v : variants) {
    models.push_back(model_of(v));
    recalls.push_back(held_out.recall(models.back()));
    if (!detail::go_on(progress, {"rabitq", models.size(), variants.size(), 1 - recalls.back()})) break;
  }
  const auto best = static_cast<std::size_t>(std::ranges::max_element(recalls) - recalls.begin());
  std::size_t chosen = best;
  for (std::size_t i = 0; i < models.size(); ++i)
    if (recalls[i] >= recalls[best] - .005 && models[i].format.factor_bytes() < models[chosen].format.factor_bytes())
      chosen = i;
  return rabitq(std::move(models[chosen]));
}

}  // namespace embit::inline EMBIT_ABI
