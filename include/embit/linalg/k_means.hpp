// k-means: centroids that rows are assigned to, such that these are near.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/io/metadata.hpp>
#include <embit/kernel/centroid_panels.hpp>
#include <embit/kernel/nearest_centroids.hpp>
#include <embit/linalg/detail/k_means/lloyd.hpp>
#include <embit/linalg/detail/k_means/rounds.hpp>
#include <embit/linalg/detail/k_means/tree.hpp>
#include <embit/linalg/k_means_options.hpp>
#include <embit/linalg/mean.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Centroids, and what is nearest to them: a partition of float rows. Immutable; copies share their state; safe to use
/// from many threads.
class k_means {
 public:
  using query_view = matrix_view<const float>;
  using distance_type = float;
  using workspace = nearest_centroids::scratch;  ///< what one thread works with

  /// @param centroids  at least one, of at least one dimension
  /// @param spherical  they are unit vectors, and rows are assigned by direction
  /// @throws error errc::argument for none, errc::not_finite.
  explicit k_means(matrix<float> centroids, bool spherical = false) {
    if (centroids.rows() == 0 || centroids.cols() == 0)
      raise(errc::argument, "k_means: ", centroids.rows(), " x ", centroids.cols(), " centroids");
    nearest_centroids nearest(centroids, spherical ? centroid_score::product : centroid_score::distance);
    centroid_panels panels(centroids, spherical);
    state_ =
        std::make_shared<const state>(state{std::move(centroids), std::move(nearest), std::move(panels), spherical});
  }

  /// How many centroids there are.
  std::size_t size() const noexcept { return state_->centroids.rows(); }
  std::size_t dim() const noexcept { return state_->centroids.cols(); }
  std::size_t width() const noexcept { return dim(); }
  bool spherical() const noexcept { return state_->spherical; }
  /// size × dim
  const matrix<float>& centroids() const& noexcept { return state_->centroids; }
  const matrix<float>& centroids() const&& = delete;

  /// The nearest centroid of each row (the one with the largest product, where spherical) and its squared distance,
  /// exactly but for the rounding of floats, ties by the smaller number. The same for a row alone or among others, on
  /// any number of threads. O(n · size · dim).
  /// @param rows  n × dim
  /// @throws error errc::shape for another dimension, errc::not_finite.
  std::vector<neighbor<float>> assign(matrix_view<const float> rows,
                                      const executor_ref& executor = inline_executor{}) const {
    if (rows.cols() != dim()) raise(errc::shape, "rows: dimension ", rows.cols(), ", the centroids have ", dim());
    detail::require_finite(rows, "rows");
    std::vector<neighbor<float>> nearest(rows.rows());
    std::vector<memory> of_worker(executor.concurrency());
    run_ranges(executor, rows.rows(), centroid_panels::tile, executor.concurrency() * 16,
               [&](std::size_t first, std::size_t last, std::size_t worker) {
                 memory& m = of_worker[worker];
                 m.assigned.resize(last - first);
                 state_->panels.assign(rows.middle_rows(first, last - first), m.assigned, m.panels);
                 for (std::size_t i = first; i < last; ++i) {
                   const row_id c = m.assigned[i - first].centroid;
                   nearest[i] = {c, detail::squared_distance(rows[i].data(), state_->centroids[c].data(), dim())};
                 }
               });
    return nearest;
  }

  /// The `count` nearest centroids to one query (all, where there are fewer), nearest first, by distances that are
  /// computed in 8 bits: see `nearest_centroids`. Valid until `s` is used again. O(size · dim).
  /// @param query  dim finite numbers
  std::span<const neighbor<float>> nearest(std::span<const float> query, std::size_t count, workspace& s) const {
    return state_->nearest(query, count, s);
  }

  static constexpr file_kind file{"k_means", 1};

  /// The sections of the file that `save` writes: "shape", u8 1 for spherical; "centroids", a matrix.
  void write_to(const section_writer& out) const {
    metadata_writer shape;
    shape.u8(spherical() ? 1 : 0);
    out.add("shape", std::move(shape));
    detail::add_matrix(out, "centroids", state_->centroids);
  }
  /// @throws error errc::format, errc::checksum or errc::io.
  static k_means read_from(const section_reader& in) {
    metadata_reader shape = in.metadata("shape");
    const std::uint8_t spherical = shape.u8();
    if (spherical > 1) shape.refuse("spherical ", +spherical);
    return read_centroids(in, spherical == 1);
  }
  /// The section "centroids" alone. @throws error as `read_from` does.
  static k_means read_centroids(const section_reader& in, bool spherical = false) {
    matrix<float> centroids = detail::take_matrix(in, "centroids");
    if (centroids.rows() == 0) raise(errc::format, in.path(), ": section 'centroids': no centroids");
    constexpr double most = (std::numeric_limits<float>::max)() / 4;
    for (std::size_t c = 0; c < centroids.rows(); ++c)
      if (detail::square_of(centroids[c]) > most)
        raise(errc::format, in.path(), ": section 'centroids': the squared norm of row ", c, " is no float");
    return k_means(std::move(centroids), spherical);
  }

 private:
  struct state {
    matrix<float> centroids;
    embit::nearest_centroids nearest;
    centroid_panels panels;
    bool spherical;
  };
  struct memory {
    centroid_panels::scratch panels;
    std::vector<assigned_row> assigned;
  };

  detail::shared_state<const state> state_;
};

static_assert(Partition<k_means>);

namespace detail {

/// Options with everything decided.
inline k_means_options decided(matrix_view<const float> rows, k_means_options o) {
  if (rows.rows() == 0 || rows.cols() == 0)
    raise(errc::argument, "fit_k_means: ", rows.rows(), " x ", rows.cols(), " rows");
  require_finite(rows, "rows");
  if (o.clusters == 0) o.clusters = static_cast<std::size_t>(1.5 * std::sqrt(static_cast<double>(rows.rows())));
  o.clusters = std::max<std::size_t>(o.clusters, 1);
  if (o.clusters > rows.rows())
    raise(errc::argument, "fit_k_means: ", o.clusters, " clusters of ", rows.rows(), " rows");
  if (o.levels > 2) raise(errc::argument, "fit_k_means: ", o.levels, " levels where 1 or 2 are possible");
  if (o.levels == 2 && o.batch_rows != 0) raise(errc::argument, "fit_k_means: batches with two levels");
  constexpr std::size_t worth_two_levels = 128;
  if (o.levels == 0) o.levels = o.batch_rows == 0 && o.clusters >= worth_two_levels ? 2 : 1;
  return o;
}

/// The rows to train on: so many drawn, in their order, as unit rows where spherical, else less their mean, which is
/// left in `mean`.
/// @throws error errc::argument naming a zero row, which has no direction.
inline matrix<float> training_rows(matrix_view<const float> rows, const k_means_options& options, rng& draws,
                                   std::vector<float>& mean) {
  std::size_t count = rows.rows();
  if (options.rows_per_cluster != 0 && options.rows_per_cluster < count / options.clusters)
    count = options.rows_per_cluster * options.clusters;
  std::vector<row_id> drawn = draw_rows(rows.rows(), count, draws);
  std::ranges::sort(drawn);
  matrix<float> chosen(rows, drawn);
  mean.assign(rows.cols(), 0.f);
  if (options.spherical) {
    for (std::size_t i = 0; i < count; ++i)
      if (!make_unit(chosen[i])) raise(errc::argument, "fit_k_means: row ", drawn[i], " is zero and has no direction");
    return chosen;
  }
  mean = mean_row(chosen);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = 0; j < mean.size(); ++j) chosen[i][j] -= mean[j];
  return chosen;
}

inline k_means train_k_means(matrix_view<const float> rows, const k_means_options& options, rng draws,
                             const progress_callback& progress, const executor_ref& executor) {
  std::vector<float> mean;
  const matrix<float> training = training_rows(rows, options, draws, mean);
  std::vector<row_id> which(training.rows());
  std::iota(which.begin(), which.end(), row_id{0});
  const chosen_rows all{training.view(), which};
  std::size_t rounds = options.iterations;
  if (rounds == 0 && options.batch_rows != 0)
    rounds = 2 * (training.rows() / (std::min)(options.batch_rows, training.rows()) + 1);
  if (rounds == 0) rounds = options.levels == 2 ? 6 : 10;
  std::size_t done = 0;
  const std::size_t total = rounds + (options.levels == 2 ? options.refinements : 0);
  k_means_watch watch;
  if (progress) watch = [&](double distance) { return go_on(progress, {"k_means", ++done, total, distance}); };
  matrix<float> centroids;
  if (options.levels == 2) {
    centroids = train_tree(all, options.clusters, rounds, options, executor, draws, watch);
  } else {
    centroids = start_of(all, options.clusters, options.start, draws);
    const lloyd_rounds lloyd{all, options, executor};
    if (options.batch_rows != 0)
      lloyd.run_batches(centroids, rounds, draws, watch);
    else
      lloyd.run(centroids, rounds, draws, watch);
  }
  for (std::size_t c = 0; c < centroids.rows(); ++c)
    for (std::size_t j = 0; j < mean.size(); ++j) centroids[c][j] += mean[j];
  return k_means(std::move(centroids), options.spherical);
}

}  // namespace detail

/// Centroids such that rows like these are near to one of them: rounds of assigning rows to the nearest centroid and
/// moving it to their mean (Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 1982),
/// over some of the rows. Of many clusters, first √clusters are found, then each is cut into its share, and the rounds
/// over all look at the clusters about a row only: as good as ten rounds over all where rows are clustered, several
/// times as fast.
///
/// Clusters without rows begin again at a row of a large one, and huge ones are split. Rows that are all equal are no
/// error: where there are fewer different rows than clusters, some centroids are equal, and rows are assigned to the
/// first of them. The same engine gives the same centroids on any number of threads.
/// One level takes O(rows · clusters · dim) a round, two levels O(rows · √clusters · dim), 12 times that in the rounds
/// over all; rows being those trained on, of which there is a copy.
/// @param rows      n × dim
/// @param progress  told in each round; `objective` is the mean squared distance of rows to their centroids. False
///                  stops and keeps what is reached.
/// @throws error errc::argument for no rows, more clusters than rows, options that exclude one another, and a zero row
///         where rows are taken by direction; errc::not_finite naming the row.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
k_means fit_k_means(matrix_view<const float> rows, const k_means_options& options, Engine& engine,
                    const progress_callback& progress = {}, const Exec& executor = {}) {
  const k_means_options chosen = detail::decided(rows, options);
  return detail::train_k_means(rows, chosen, rng(random_bits(engine)), progress, executor_ref(executor));
}

}  // namespace embit::inline EMBIT_ABI
