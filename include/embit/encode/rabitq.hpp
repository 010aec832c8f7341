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
#include <embit/encode/detail/code_rotation.hpp>
#include <embit/encode/detail/rabitq/file.hpp>
#include <embit/encode/detail/rabitq/model.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/kernel/asymmetric.hpp>
#include <embit/kernel/mapped_symmetric.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct rabitq_estimator_options {
  /// To which queries are rounded, 4 to 14. With AVX2 a scan by 4 or 8 is the fastest, by 5 to 7 up to a third slower
  /// (6 the slowest), by 9 and more it takes about twice as long
  std::size_t query_bits = 8;
  float epsilon = 1.9f;  ///< deviations that the bound allows for; 1.9 fails for about 2 rows in 100
  bool bound = true;     ///< pass over rows by their first bits, where the codes were made to be refined
};

/// A distance and how far, at so many deviations, the true one is from it.
struct bounded_distance {
  float distance;
  float error;
};

/// Scores codes of one encoder against each other: both sides are quantized.
using rabitq_symmetric = mapped_symmetric<detail::rabitq_code_map>;

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
  explicit rabitq(detail::rabitq_model model) {
    model.format.fingerprint = model.fingerprint();
    model_ = std::make_shared<const detail::rabitq_model>(std::move(model));
  }

  std::size_t dim() const noexcept { return model_->dim(); }
  std::size_t bits_per_dim() const noexcept { return model_->bits; }
  embit::metric metric() const noexcept { return model_->metric; }
  /// What is subtracted from rows (from unit rows, for the cosine): dim numbers, or none for zero.
  std::span<const float> centroid() const& noexcept { return model_->centroid; }
  std::span<const float> centroid() const&& = delete;
  /// Changes with everything that codes depend on.
  encoder_fingerprint fingerprint() const noexcept { return format().fingerprint; }
  /// Of a code with what is kept beside it.
  std::size_t bytes_per_row() const noexcept { return model_->format.row_bytes() + model_->format.factor_bytes(); }
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
  /// The code of one row, a batch of one.
  template <detail::SingleRow Row>
  level_store encode(const Row& row) const {
    const std::span<const float> numbers(row);
    return encode(matrix_view<const float>(numbers.data(), 1, numbers.size()));
  }

  /// The rows that codes stand for, of unit rows for the cosine: as near as can be said without their norms. The mean
  /// squared error is at most about .363, .119, .0374, .0115 and .0035 of the mean |row − centroid|² for 1 to 5 bits.
  /// O(n · dim · log dim), or O(n · dim²) of a rotation that was drawn from all.
  /// @throws error errc::shape for codes of another format.
  matrix<float> decode(const level_view& codes) const {
    if (!codes.empty()) detail::require_level_format(*codes.format(), format());
    return model_->rows_of(codes);
  }

  /// The kernel that estimates the distance of float queries to codes: squared distances for l2, minus the inner
  /// product, 1 − cos. An estimated squared distance of a near row may be below zero. It lets an index pass over rows
  /// by their first bits where the codes were made to be refined; about as many of the true neighbours are then missed
  /// as `epsilon` says.
  /// @throws error errc::argument for query bits outside 4 to 14 or an epsilon that is negative or not finite.
  estimator_type estimator(rabitq_estimator_options options = {}) const {
    require_epsilon(options.epsilon);
    return estimator_type(detail::rabitq_map(model_, options.bound ? options.epsilon : 0.f), options.query_bits);
  }

  /// The kernel that scores codes by codes, on the same scale.
  rabitq_symmetric symmetric() const { return rabitq_symmetric(detail::rabitq_code_map(model_)); }

  /// The estimated distance of a query to each of some codes, and how far off it may be: the true distance lies within
  /// `error` for all but about 6 of 100 rows (fewer near the query) at the epsilon of 1.9. Squared distances that are
  /// estimated below zero are 0 here. O(rows · bytes of a row).
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
      const float distance = kernel(prepared, codes[i]);
      found.push_back({model_->metric == embit::metric::l2 ? (std::max)(distance, 0.f) : distance,
                       static_cast<float>(beside * double{mapped.terms[0].error})});
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

}  // namespace embit::inline EMBIT_ABI
