// Inverted lists over float rows: near centroids are found first, and of their rows the codes of residuals are scanned.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/results.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/index/detail/ivf/file.hpp>
#include <embit/index/detail/ivf/plan.hpp>
#include <embit/index/detail/ivf/row_distances.hpp>
#include <embit/index/detail/ivf/search.hpp>
#include <embit/index/detail/ivf_levels/coding.hpp>
#include <embit/index/detail/ivf_levels/file.hpp>
#include <embit/index/detail/ivf_levels/lists.hpp>
#include <embit/index/detail/ivf_levels/residuals.hpp>
#include <embit/index/detail/ivf_levels/search.hpp>
#include <embit/index/index_memory.hpp>
#include <embit/index/probed_queries.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/level_run_scan.hpp>
#include <embit/kernel/nearest_centroids.hpp>
#include <embit/linalg/k_means.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/top_k.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct ivf_levels_options {
  embit::metric metric = embit::metric::l2;
  std::size_t probes = 0;      ///< lists that a query looks at; 0: a sixteenth of them
  std::size_t query_bits = 6;  ///< to which mapped queries are rounded, 4 to 14
};

/// Approximate search of float rows by their distance (squared for l2, minus the inner product, 1 − cos), which is
/// estimated: a row is kept as the code of what it has beside the centroid of its list. A query looks at the rows of
/// the lists with the nearest centroids, `probes()` of them, and at more until k rows are found, so that only an index
/// of fewer rows has shorter answers. Scored again with the rows themselves, a few times k candidates give the true
/// neighbours: see `retriever`, and `fit_ivf`, which makes such an index and chooses the probes.
///
/// Results are the k smallest estimates of the rows in the lists, ties by the smaller row: the same for every number of
/// threads and batch size. `{queries, probes}` asks for other probes than are set. Const members may be called from
/// many threads at once. Jégou et al., "Product quantization for nearest neighbor search", IEEE TPAMI 2011, section 4
/// (lists of residuals).
template <class Coder, class Exec>
class ivf_levels : public detail::index_frame<ivf_levels<Coder, Exec>, probed_queries<matrix_view<const float>>, float,
                                              std::less<>, ivf_statistics> {
  using frame =
      detail::index_frame<ivf_levels, probed_queries<matrix_view<const float>>, float, std::less<>, ivf_statistics>;
  friend frame;

  static_assert(ResidualCoder<Coder>, "ivf_levels: its first argument codes no residuals; give a rabitq");
  static_assert(Executor<Exec>,
                "ivf_levels: its last argument runs no work; give inline_executor, thread_pool or the like");

 public:
  using coder_type = Coder;
  using typename frame::query_view;
  using codes_view = matrix_view<const float>;  ///< rows to add

  /// @param rows   n × dim
  /// @param cells  of the rows (of unit rows, for the cosine), one a list; not spherical
  /// @param coder  for residuals of such rows: of the metric l2, of inner products for that metric; with no centroid
  /// @throws error errc::shape for another dimension, errc::argument for a spherical partition, query bits outside 4 to
  ///         14, and a zero row under the cosine, errc::not_finite naming the row.
  ivf_levels(matrix_view<const float> rows, const k_means& cells, Coder coder, ivf_levels_options options = {},
             Exec executor = {})
      : frame(0), executor_(std::move(executor)), query_bits_(options.query_bits) {
    if (cells.spherical()) raise(errc::argument, "ivf: a spherical partition has no residuals");
    if (coder.dim() != cells.dim())
      raise(errc::shape, "ivf: a coder of ", coder.dim(), " dimensions, cells of ", cells.dim());
    detail::require_query_bits(query_bits_);
    space_ = std::make_shared<const space>(std::move(coder), cells.centroids(), options.metric);
    set_probes(options.probes == 0 ? cells.size() / 16 + 1 : options.probes);
    require_rows(rows);
    const auto coded = detail::code_rows(space_->residuals, rows, executor_);
    means_ = coded.means();
    const bool offsets = space_->residuals.euclidean() || this->coder().format().has(row_factor::offset);
    lists_ = detail::level_lists(detail::list_format(this->coder().format(), offsets, coded, means_), coded.sizes());
    this->grow(rows.rows(), [&] { coded.write(lists_, means_, 0); });
    drift_.built = coded.distances();
  }

  ivf_levels(const ivf_levels&) = default;
  ivf_levels(ivf_levels&&) = default;
  /// Nothing has changed when it throws.
  ivf_levels& operator=(const ivf_levels& other) { return *this = ivf_levels(other); }
  ivf_levels& operator=(ivf_levels&&) = default;
  ~ivf_levels() = default;

  /// Numbers of a row.
  std::size_t width() const noexcept { return dim(); }
  std::size_t dim() const noexcept { return space_->residuals.dim(); }
  embit::metric metric() const noexcept { return space_->residuals.metric(); }
  const Coder& coder() const& noexcept { return space_->residuals.coder(); }
  const Coder& coder() const&& = delete;
  Exec executor() const noexcept { return executor_; }

  std::size_t list_count() const noexcept { return lists_.size(); }
  /// Rows in a list, removed ones included.
  std::size_t list_size(std::size_t list) const noexcept { return lists_.rows(list); }
  /// Lists that a query looks at.
  std::size_t probes() const noexcept { return probes_; }
  /// @param probes  more than there are lists: all of them
  /// @throws error errc::argument for 0.
  void set_probes(std::size_t probes) {
    if (probes == 0) raise(errc::argument, "probes: 0, but at least 1 list must be looked at");
    probes_ = (std::min)(probes, space_->nearest.size());
  }

  /// The k nearest rows in exactly `probes` lists: fewer where these have fewer. What probes are planned by.
  /// @throws error as `search` does; errc::argument for no probes.
  knn_result<float> search_in_lists(matrix_view<const float> queries, std::size_t k, std::size_t probes,
                                    ivf_statistics* statistics = nullptr) const {
    require_queries(queries);
    detail::require_neighbors(k);
    if (probes == 0) raise(errc::argument, "probes: 0, but at least 1 list must be looked at");
    knn_result<float> result;
    result.reset(queries.size(), (std::min)(k, this->rows()));
    const row_choice all = this->rows_left().choose(accept_all{});
    if (queries.size() != 0 && this->rows() != 0)
      answer(queries, all, {(std::min)(probes, list_count()), false}, result, statistics);
    return result;
  }

  /// The lists that a query looks at first, nearest first.
  /// @param query  `dim()` numbers
  /// @param count  at most `list_count()`
  /// @throws error errc::shape for another dimension, errc::not_finite.
  std::vector<row_id> nearest_lists(std::span<const float> query, std::size_t count) const {
    const matrix_view<const float> asked(query.data(), 1, query.size());
    require_queries(asked);
    const auto moved = space_->residuals.moved(asked);
    nearest_centroids::scratch scratch;
    std::vector<row_id> lists;
    for (const auto& list : space_->nearest(moved[0], (std::min)(count, list_count()), scratch))
      lists.push_back(list.id);
    return lists;
  }
  /// The list of each row. O(rows).
  std::vector<row_id> lists_of_rows() const {
    std::vector<row_id> list_of(this->rows());
    lists_.for_each_place(
        [&](std::size_t list, std::size_t place) { list_of[lists_.ids()[place]] = static_cast<row_id>(list); });
    return list_of;
  }

  /// Candidates that are worth being scored again for k neighbours.
  std::size_t candidates(std::size_t k) const noexcept {
    return k > most_neighbors ? k : (k * candidates_for_ten_ + 9) / 10;
  }
  /// @param for_ten  how many for 10 neighbours; others in proportion
  /// @throws error errc::argument for fewer than 10, or more than 2^20.
  void set_candidates(std::size_t for_ten) {
    if (for_ten < 10 || for_ten > most_candidates)
      raise(errc::argument, "candidates: ", for_ten, " for 10 neighbours, where 10 to ", most_candidates,
            " are possible");
    candidates_for_ten_ = for_ten;
  }

  /// What was found when it was planned, by rising probes; nothing where it was not.
  std::span<const recall_at_probe> recall_at_probes() const& noexcept { return curve_; }
  std::span<const recall_at_probe> recall_at_probes() const&& = delete;
  void set_recall_at_probes(std::vector<recall_at_probe> measured) { curve_ = std::move(measured); }

  index_memory memory() const noexcept {
    return {lists_.code_memory(), lists_.memory() + space_->nearest.bytes() + space_->residuals.memory(),
            this->rows_left().memory(), 0};
  }
  /// Of a row in a full block: its code, its factors and its number.
  std::size_t bytes_per_row() const noexcept { return lists_.bytes_per_row() + sizeof(row_id); }

  /// Adds rows; returns the id of the first, the others follow. O(rows · lists · dim).
  /// @throws error errc::shape for another dimension, errc::not_finite, also for one so much farther out than those the
  /// index was made of that its factors do not fit 16 bits, errc::argument for a zero row under the cosine; the index
  /// is unchanged then.
  row_id add(matrix_view<const float> rows) {
    require_rows(rows);
    const auto coded = detail::code_rows(space_->residuals, rows, executor_);
    coded.require_factors(lists_.format(), means_);
    const row_id first = this->grow(rows.rows(), [&] {
      lists_.make_room(coded.sizes());
      coded.write(lists_, means_, this->rows());
    });
    drift_.added += coded.distances();
    return first;
  }

  /// How far rows that were added lie from their centroids, by mean squared distance, as a multiple of that of the rows
  /// that the index was made of: 1 where they are alike. Beyond 1.1 or so it is time for `retrain`, and the measured
  /// recall is not to be relied on.
  double drift() const noexcept { return drift_.ratio((std::numeric_limits<double>::min)()); }

  /// Searches by the lists, codes and probes of another index of the same rows from now on. Which rows were removed,
  /// and how often rows were numbered anew, stays as it is.
  /// @throws error errc::argument for an index of another number of rows; nothing has changed then.
  void replace_lists(ivf_levels fresh) {
    if (fresh.rows() != this->rows())
      raise(errc::argument, "replace_lists: an index of ", fresh.rows(), " rows for one of ", this->rows());
    static_cast<frame&>(fresh) = *this;
    *this = std::move(fresh);
  }

  /// Drops removed rows and numbers the others anew, in their order. Returns the new id of every old one, `no_row` for
  /// those removed. O(rows · bytes of a row).
  std::vector<row_id> compact() {
    return this->renumber([&](const auto& numbering) { lists_ = lists_.renumbered(numbering.renumbered); });
  }

  static constexpr file_kind file{"ivf_levels", 2};
  /// What `load_mapped` leaves in the file: codes and their factors, and which rows they are.
  static constexpr bool stays_in_file = true;

  /// The sections of the file that `save` writes: "options" (u8 metric, u64 query bits, u64 probes, u64 candidates),
  /// "distances" (u64 rows, f64 sum of their squared distances to centroids, of those that the index was made of and of
  /// those added since), the coder under "coder/", "centroids" (a matrix), "means" (f32 a list, of offsets),
  /// "list_sizes" (u32); places in the order of the lists, each of which takes whole blocks of 32, their codes under
  /// "codes/" and their rows in "ids" (u32, 2^32 - 1 where there is none; in version 1 a list begins where the one
  /// before ends); "recall" (u32 points, of each u32 probes, f64 recall), and which rows are left. The executor is not
  /// among them.
  void write_to(const section_writer& out) const requires Savable<Coder> {
    metadata_writer values;
    values.u8(static_cast<std::uint8_t>(metric())).u64(query_bits_).u64(probes_).u64(candidates_for_ten_);
    out.add("options", std::move(values));
    metadata_writer distances;
    drift_.write_to(distances);
    out.add("distances", std::move(distances));
    detail::write_part<Coder>(out, "coder", coder());
    detail::add_matrix(out, "centroids", space_->residuals.centroids());
    out.add("means", std::span<const float>(means_));
    detail::write_level_lists(out, lists_);
    detail::write_curve(out, curve_, &recall_at_probe::probes);
    this->rows_left().write_to(out);
  }

  /// @throws error errc::format, errc::kind, errc::checksum or errc::io.
  static ivf_levels read_from(const section_reader& in, Exec executor = {}) requires Loadable<Coder> {
    metadata_reader values = in.metadata("options");
    const std::uint8_t metric_number = values.u8();
    const std::uint64_t query_bits = values.u64(), probes = values.u64(), candidates = values.u64();
    if (metric_number > static_cast<std::uint8_t>(metric::cosine) || query_bits < 4 || query_bits > 14 ||
        candidates < 10 || candidates > most_candidates)
      values.refuse("metric ", +metric_number, ", ", query_bits, " query bits, ", candidates, " candidates");
    const k_means cells = k_means::read_centroids(in);
    auto coder = detail::read_part<Coder>(in, "coder");
    if (coder.dim() != cells.dim()) values.refuse("a coder of ", coder.dim(), " dimensions, cells of ", cells.dim());
    if (probes == 0 || probes > cells.size()) values.refuse(probes, " probes of ", cells.size(), " lists");
    ivf_levels index(matrix_view<const float>(nullptr, 0, cells.dim()), cells, std::move(coder),
                     {.metric = static_cast<embit::metric>(metric_number),
                      .probes = static_cast<std::size_t>(probes),
                      .query_bits = static_cast<std::size_t>(query_bits)},
                     std::move(executor));
    index.candidates_for_ten_ = static_cast<std::size_t>(candidates);
    index.means_ = detail::read_numbers(in, "means", cells.size());
    auto lists = detail::read_level_lists(in);
    if (lists.size() != cells.size() || !detail::same_rows(lists.format(), index.lists_.format()))
      values.refuse(lists.size(), " lists of ", lists.format().row_bytes(), " bytes a row, ", cells.size(),
                    " centroids");
    std::size_t rows = 0;
    for (std::size_t list = 0; list < lists.size(); ++list) rows += lists.rows(list);
    index.grow(rows, [&] { index.lists_ = std::move(lists); });
    if (in.contains("distances")) {  // older files have none
      metadata_reader distances = in.metadata("distances");
      index.drift_ = detail::list_drift::read_from(distances);
    }
    index.curve_ = detail::read_recall(in, cells.size());
    index.read_rows_left(in);
    return index;
  }

 private:
  static constexpr std::size_t most_candidates = std::size_t{1} << 20;
  static constexpr std::size_t most_neighbors = (std::numeric_limits<std::size_t>::max)() / most_candidates;
  /// Queries that together look at each list once, and as many as one worker holds.
  static constexpr std::size_t fewest_together = 32, most_together = 512;
  /// Rows of the lists of one query that take longer than to wake threads for them.
  static constexpr std::size_t worth_threads = 20'000;

  struct space {
    space(Coder coder, matrix<float> cells, embit::metric metric)
        : residuals(std::move(coder), std::move(cells), metric),
          nearest(residuals.moved_centroids(),
                  residuals.euclidean() ? centroid_score::distance : centroid_score::product) {}

    detail::residual_space<Coder> residuals;
    nearest_centroids nearest;
  };
  struct workspace {
    // Of one worker, or of all queries that it answers together.
    std::vector<detail::list_query_memory> queries = std::vector<detail::list_query_memory>(1);
    std::vector<row_id> wanted;
    detail::list_wishes wishes;
    std::size_t memory() const noexcept { return 0; }
    void trim() noexcept {
      if (queries.size() > 1) queries.resize(1);
    }
  };

  void require_rows(matrix_view<const float> rows) const {
    if (rows.cols() != dim()) raise(errc::shape, "rows: dimension ", rows.cols(), ", the index takes ", dim());
    detail::require_finite(rows, "rows");
    space_->residuals.require_directions(rows, "rows");
  }

  void require_queries(const query_view& asked) const {
    detail::require_width(asked.queries(), dim());
    detail::require_finite(asked.queries(), "queries");
  }

  /// How one search looks for rows.
  struct probing {
    std::size_t probes;
    bool extend;  // to more lists until k rows are found
  };
  /// Of a bitset, as many lists as have as many of its members as the probes have rows.
  probing probing_of(const query_view& asked, const row_choice& choice) const noexcept {
    const std::size_t probes = asked.probes() == 0 ? std::size_t{probes_} : asked.probes();
    const std::size_t members = detail::known_members(choice, this->rows(), this->rows());
    return {detail::widened_probes(probes, members, this->rows(), list_count()), true};
  }

  /// Asks for a list that is about to be scanned.
  void prefetch(std::size_t list) const noexcept {
    constexpr std::size_t most = 4096;
    const level_run run = lists_.first_run(list);
    prefetch_run(run);
    prefetch_bytes(space_->residuals.centroids()[list].data(), dim() * sizeof(float), most);
  }

  /// Scans one list for a query.
  template <class Sink>
  void scan(const detail::list_queries& asked, std::size_t q, std::size_t list, detail::list_query_memory& memory,
            Sink& sink, ivf_statistics& did) const {
    const float base = space_->residuals.base(asked, q, list) + means_[list];
    sink.ids = lists_.ids().data();
    lists_.for_each_run(list, [&](const level_run& run, std::size_t first) {
      sink.first = first;
      memory.scan(memory.query, run, base, sink);
    });
    ++did.lists;
    did.rows_scanned += lists_.rows(list);
  }

  void start(const detail::list_queries& asked, std::size_t q, detail::list_query_memory& memory) const {
    memory.query.assign(lists_.format(), asked.mapped.z[q], query_bits_,
                        {.base = 0, .error = 0, .scale = space_->residuals.scale()});
  }

  /// Blocks of lists for a query: where few rows may be found, those that have them.
  template <class Sink>
  ivf_statistics scan_blocks(const detail::list_queries& asked, std::size_t q,
                             std::span<const detail::level_lists::chosen_block> blocks,
                             detail::list_query_memory& memory, Sink& sink) const {
    ivf_statistics did;
    sink.ids = lists_.ids().data();
    const level_run all = lists_.run();
    float base = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const auto& block = blocks[i];
      if (i == 0 || block.list != blocks[i - 1].list) {
        base = space_->residuals.base(asked, q, block.list) + means_[block.list];
        ++did.lists;
      }
      sink.first = block.first;
      memory.scan(memory.query, all.part(block.first, block.first + block.rows), base, sink);
      did.rows_scanned += block.rows;
    }
    did.offers = sink.offers;
    return did;
  }

  /// The nearest lists first, then as many more as it takes to find k rows.
  template <class Sink, class Enough>
  ivf_statistics scan_lists(const detail::list_queries& asked, std::size_t q, std::size_t from, std::size_t probes,
                            detail::list_query_memory& memory, Sink& sink, const Enough& enough) const {
    constexpr std::size_t ahead = 2;
    ivf_statistics did;
    auto lists = space_->nearest(asked.moved[q], probes, memory.centroids);
    for (std::size_t i = from; i < list_count(); ++i) {
      if (i >= probes && enough()) break;
      if (i == lists.size()) lists = space_->nearest(asked.moved[q], list_count(), memory.centroids);
      if (i + ahead < lists.size()) prefetch(lists[i + ahead].id);
      scan(asked, q, lists[i].id, memory, sink, did);
    }
    did.offers = sink.offers;
    return did;
  }

  ivf_statistics answer_one(const detail::list_queries& asked, std::size_t q, std::size_t from,
                            const row_choice& choice, const probing& how, detail::list_query_memory& memory) const {
    detail::level_knn_sink sink{memory.top, choice};
    const auto enough = [&] { return !how.extend || memory.top.full(); };
    return scan_lists(asked, q, from, how.probes, memory, sink, enough);
  }

  /// Queries [first, last) of `asked`, together: each reads its nearest list first, which bounds what it looks for,
  /// then all read list by list.
  ivf_statistics answer_together(const detail::list_queries& asked, const row_choice& choice, const probing& how,
                                 std::size_t k, workspace& work) const {
    const std::size_t count = asked.constant.size(), probes = how.probes;
    ivf_statistics statistics;
    if (work.queries.size() < count) work.queries.resize(count);
    work.wanted.clear();
    const auto read = [&](std::size_t q, std::size_t list) {
      const row_choice own = choice.for_query(q);
      detail::level_knn_sink sink{work.queries[q].top, own};
      scan(asked, q, list, work.queries[q], sink, statistics);
      statistics.offers += sink.offers;
    };
    for (std::size_t q = 0; q < count; ++q) {
      detail::list_query_memory& memory = work.queries[q];
      start(asked, q, memory);
      memory.top.reset(k, lists_.ids().data());
      const auto lists = space_->nearest(asked.moved[q], probes, work.queries[0].centroids);
      for (const auto& list : lists) work.wanted.push_back(list.id);
    }
    for (std::size_t q = 0; q < count; ++q) read(q, work.wanted[q * probes]);
    work.wishes.assign(work.wanted, probes, list_count());
    for (std::size_t list = 0; list < list_count(); ++list)
      for (std::uint32_t i = work.wishes.first[list]; i < work.wishes.first[list + 1]; ++i)
        if (const std::size_t q = work.wishes.queries[i]; work.wanted[q * probes] != list) read(q, list);
    for (std::size_t q = 0; q < count; ++q)
      if (how.extend && !work.queries[q].top.full())
        statistics += answer_one(asked, q, probes, choice.for_query(q), how, work.queries[q]);
    return statistics;
  }

  void answer(const query_view& asked, const row_choice& choice, knn_result<float>& result,
              ivf_statistics* statistics) const {
    if (is_sparse(choice)) return answer_members(asked.queries(), choice, result, statistics);
    const probing how = probing_of(asked, choice);
    if (asked.size() < executor_.concurrency() && how.probes * this->rows() / list_count() >= worth_threads)
      return answer_by_threads(asked.queries(), choice, how, result, statistics);
    answer(asked.queries(), choice, how, result, statistics);
  }

  bool is_sparse(const row_choice& choice) const noexcept {
    return detail::is_sparse(detail::known_members(choice, this->rows(), this->rows()), this->rows());
  }

  /// Calls `search(q, asked, memory)` for each query, where `asked` has it alone.
  template <class Search>
  void for_each_alone(matrix_view<const float> queries, ivf_statistics* statistics, const Search& search) const {
    std::vector<ivf_statistics> of_worker(executor_.concurrency());
    detail::for_each_query(executor_, queries.rows(), [&](std::size_t q, std::size_t worker) {
      const auto work = workspaces_.take();
      const detail::list_queries asked = space_->residuals.prepare(queries.middle_rows(q, 1));
      start(asked, 0, work->queries[0]);
      of_worker[worker] += search(q, asked, work->queries[0]);
    });
    for (std::size_t w = 0; w < of_worker.size() && statistics != nullptr; ++w) *statistics += of_worker[w];
  }

  /// The rows that may be found, few, whatever their lists.
  void answer_members(matrix_view<const float> queries, const row_choice& choice, knn_result<float>& result,
                      ivf_statistics* statistics) const {
    const auto blocks = lists_.blocks_with([&](row_id row) { return choice(row); });
    for_each_alone(queries, statistics,
                   [&](std::size_t q, const detail::list_queries& asked, detail::list_query_memory& memory) {
                     memory.top.reset(result.k(), lists_.ids().data());
                     const row_choice own = choice.for_query(q);
                     detail::level_knn_sink sink{memory.top, own};
                     const ivf_statistics did = scan_blocks(asked, 0, blocks, memory, sink);
                     result.assign(q, memory.top.sorted());
                     return did;
                   });
  }

  /// Each query by all workers, which share its lists. Where these do not have k rows it is begun anew by one.
  void answer_by_threads(matrix_view<const float> queries, const row_choice& choice, const probing& how,
                         knn_result<float>& result, ivf_statistics* statistics) const {
    std::vector<detail::list_share> shares(executor_.concurrency());
    nearest_centroids::scratch scratch;
    std::vector<neighbor<float>> all;
    for (std::size_t q = 0; q < queries.rows(); ++q) {
      const detail::list_queries asked = space_->residuals.prepare(queries.middle_rows(q, 1));
      const row_choice own = choice.for_query(q);
      const auto lists = space_->nearest(asked.moved[0], how.probes, scratch);
      run_bulk(executor_, shares.size(), [&](std::size_t i, std::size_t) {
        detail::list_share& mine = shares[i];
        start(asked, 0, mine.memory);
        mine.memory.top.reset(result.k(), lists_.ids().data());
        detail::level_knn_sink sink{mine.memory.top, own};
        for (std::size_t l = i; l < lists.size(); l += shares.size()) {
          if (l + 2 * shares.size() < lists.size()) prefetch(lists[l + 2 * shares.size()].id);
          scan(asked, 0, lists[l].id, mine.memory, sink, mine.did);
        }
        mine.did.offers += sink.offers;
        const auto best = mine.memory.top.sorted();
        mine.found.assign(best.begin(), best.end());
      });
      all.clear();
      for (const detail::list_share& each : shares) all.insert(all.end(), each.found.begin(), each.found.end());
      if (how.extend && all.size() < result.k()) {
        start(asked, 0, shares[0].memory);
        shares[0].memory.top.reset(result.k(), lists_.ids().data());
        shares[0].did += answer_one(asked, 0, 0, own, how, shares[0].memory);
        const auto best = shares[0].memory.top.sorted();
        all.assign(best.begin(), best.end());
      }
      result.assign(q, select_top_k<std::less<>>(all, result.k()));
    }
    for (const detail::list_share& each : shares)
      if (statistics != nullptr) *statistics += each.did;
  }

  void answer(matrix_view<const float> queries, const row_choice& choice, const probing& how, knn_result<float>& result,
              ivf_statistics* statistics) const {
    const std::size_t workers = executor_.concurrency();
    const std::size_t together = std::clamp<std::size_t>(queries.rows() / workers, 1, most_together);
    const std::size_t grain = together < fewest_together ? 1 : together;
    std::vector<ivf_statistics> of_worker(workers);
    run_ranges(executor_, queries.rows(), grain, queries.rows(),
               [&](std::size_t first, std::size_t last, std::size_t worker) {
                 const auto work = workspaces_.take();
                 const detail::list_queries asked = space_->residuals.prepare(queries.middle_rows(first, last - first));
                 if (last - first > 1) {
                   of_worker[worker] += answer_together(asked, choice.from_query(first), how, result.k(), *work);
                 } else {
                   start(asked, 0, work->queries[0]);
                   work->queries[0].top.reset(result.k(), lists_.ids().data());
                   of_worker[worker] += answer_one(asked, 0, 0, choice.for_query(first), how, work->queries[0]);
                 }
                 for (std::size_t q = first; q < last; ++q) result.assign(q, work->queries[q - first].top.sorted());
               });
    for (std::size_t w = 0; w < workers && statistics != nullptr; ++w) *statistics += of_worker[w];
  }

  range_result<float> answer_range(const query_view& from, float radius, const row_choice& choice,
                                   ivf_statistics* statistics) const {
    const matrix_view<const float> queries = from.queries();
    const std::size_t probes = probing_of(from, choice).probes;
    std::vector<std::vector<neighbor<float>>> found(queries.rows());
    const bool sparse = is_sparse(choice);
    std::vector<detail::level_lists::chosen_block> blocks;
    if (sparse) blocks = lists_.blocks_with([&](row_id row) { return choice(row); });
    for_each_alone(
        queries, statistics, [&](std::size_t q, const detail::list_queries& asked, detail::list_query_memory& memory) {
          const row_choice own = choice.for_query(q);
          detail::level_range_sink sink{found[q], own, radius};
          const ivf_statistics did = sparse ? scan_blocks(asked, 0, blocks, memory, sink)
                                            : scan_lists(asked, 0, 0, probes, memory, sink, [] { return true; });
          std::ranges::sort(found[q], neighbor_order<std::less<>>{});
          return did;
        });
    return range_result<float>(found);
  }

  detail::shared_state<const space> space_;
  detail::level_lists lists_;
  std::vector<float> means_;  // of the offsets of each list
  [[no_unique_address]] Exec executor_;
  std::size_t query_bits_ = 6, probes_ = 1, candidates_for_ten_ = 100;
  std::vector<recall_at_probe> curve_;
  detail::list_drift drift_;
  mutable reuse_pool<workspace> workspaces_;
};

}  // namespace embit::inline EMBIT_ABI
