// A graph over float rows: each vertex has the codes of its neighbours beside it, and is found by walking to ever
// nearer ones.
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
#include <embit/core/moved.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/results.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/graph/build.hpp>
#include <embit/index/detail/graph/change.hpp>
#include <embit/index/detail/graph/edges.hpp>
#include <embit/index/detail/graph/equal_rows.hpp>
#include <embit/index/detail/graph/file.hpp>
#include <embit/index/detail/graph/rows.hpp>
#include <embit/index/detail/graph/space.hpp>
#include <embit/index/detail/graph/vertices.hpp>
#include <embit/index/detail/graph/walk.hpp>
#include <embit/index/graph_queries.hpp>
#include <embit/index/index_memory.hpp>
#include <embit/index/ivf_levels.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/level_scan.hpp>
#include <embit/kernel/nearest_centroids.hpp>
#include <embit/linalg/k_means.hpp>
#include <embit/linalg/mean.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/search/row_choice.hpp>

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

struct graph_options {
  embit::metric metric = embit::metric::l2;
  std::size_t degree = 32;      ///< edges of a vertex, 2 to 32
  std::size_t ef = 64;          ///< candidates that a search for up to 10 neighbours keeps
  std::size_t query_bits = 6;   ///< to which mapped queries are rounded, 4 to 14
  std::size_t probes = 0;       ///< lists in which neighbours are looked for while it is made; 0: a 64th, at least 16
  std::size_t candidates = 80;  ///< of these lists, for the edges of a row
};

/// Approximate search of float rows by their distance (squared for l2, minus the inner product, 1 − cos), which is
/// exact of what is found: each row is a vertex with edges to at most 32 others that are near and in different
/// directions, and beside it lie the codes of these. A query enters at the rows nearest to the centroids nearest to it,
/// reads a vertex, estimates the distances of its neighbours, and goes on with the nearest of `ef` candidates until all
/// of them have been read. Where rows have no clusters, a query alone is answered several times as fast as by inverted
/// lists, for 700 bytes a row and more: see `fit_graph`, which makes such an index and chooses `ef`.
///
/// The index holds the rows. Those that are equal are one vertex. Rows that a filter refuses are read, and not found;
/// where it lets so few through that reading these alone is faster, that is what is done, as are all rows of an index
/// of a few hundred: then nothing is missed. Results are the same for every number of threads and batch size.
/// `{queries, ef}` asks for another number of candidates than is set. Const members may be called from many threads at
/// once. Gou et al., "SymphonyQG", SIGMOD 2025 (arXiv 2411.12229), section 3 (codes of neighbours beside a vertex);
/// Jayaram Subramanya et al., "DiskANN", NeurIPS 2019, section 2 (edges).
template <ResidualCoder Coder, Executor Exec = inline_executor>
class graph_index
    : public detail::index_frame<graph_index<Coder, Exec>, graph_queries, float, std::less<>, graph_statistics> {
  using frame = detail::index_frame<graph_index, graph_queries, float, std::less<>, graph_statistics>;
  friend frame;

 public:
  using coder_type = Coder;
  using query_view = graph_queries;
  using codes_view = matrix_view<const float>;  ///< rows to add

  /// The points that graph and lists compare by their squared distances, one a row: the rows themselves for l2, unit
  /// rows for the cosine, rows of one coordinate more for inner products.
  static matrix<float> points_of(matrix_view<const float> rows, embit::metric metric) {
    return detail::graph_points::of(rows, metric).placed(rows);
  }

  /// @param rows        n × dim
  /// @param cells       of their points, not spherical: where neighbours are looked for; searches begin at up to 256
  /// @param list_coder  for what points have beside their centroids: of l2, with no centroid; 2 bits are good
  /// @param coder       for what neighbours have beside a vertex: likewise, of 1 bit
  /// @param progress    of the stage "graph", how many rows have neighbours
  /// @throws error errc::shape for another dimension, errc::argument for a spherical partition, a degree outside 2 to
  ///         32, query bits outside 4 to 14, an ef of 0, and a zero row under the cosine, errc::not_finite naming the
  ///         row, also for one whose squared length is no float; errc::stopped.
  graph_index(matrix_view<const float> rows, const k_means& cells, Coder list_coder, Coder coder,
              graph_options options = {}, Exec executor = {}, const progress_callback& progress = {})
      : graph_index(detail::graph_points::of(rows, options.metric), cells, std::move(coder), options,
                    std::move(executor)) {
    require_rows(rows);
    if (list_coder.dim() != cells.dim())
      raise(errc::shape, "graph: a coder of ", list_coder.dim(), " dimensions, cells of ", cells.dim());
    this->grow(rows.rows(), [&] { build(rows, cells, std::move(list_coder), options, progress); });
  }

  graph_index(const graph_index&) = default;
  graph_index(graph_index&&) = default;
  /// Nothing has changed when it throws.
  graph_index& operator=(const graph_index& other) { return *this = graph_index(other); }
  graph_index& operator=(graph_index&&) = default;
  ~graph_index() = default;

  /// Numbers of a row.
  std::size_t width() const noexcept { return dim(); }
  std::size_t dim() const noexcept { return points().dim; }
  embit::metric metric() const noexcept { return points().metric; }
  const Coder& coder() const& noexcept { return core_->space.coder(); }
  const Coder& coder() const&& = delete;
  Exec executor() const noexcept { return executor_; }
  /// Edges that a vertex has at most.
  std::size_t degree() const noexcept { return core_->rule.degree; }

  /// The vertex that a row is: itself, or the smaller one that it is equal to.
  /// @throws error errc::out_of_range for a row that is not there.
  row_id vertex_of(row_id row) const {
    this->require_row(row);
    return equal_.vertex_of(row);
  }
  /// Where edges of a vertex lead to; of a row that another stands for nowhere. Valid until the index changes.
  /// @throws error errc::out_of_range for a row that is not there.
  std::span<const row_id> edges(row_id vertex) const& {
    this->require_row(vertex);
    return vertices_.edges(vertex);
  }
  std::span<const row_id> edges(row_id) const&& = delete;
  /// Where searches begin: at those of the nearest centroids, at others where these lead nowhere.
  std::vector<row_id> entries() const {
    std::vector<row_id> all;
    for (const row_id entry : entries_)
      if (entry != detail::vertex_layout::no_edge) all.push_back(entry);
    return all;
  }

  /// Candidates that a search for k neighbours keeps: what was set for up to 10, two more for each beyond.
  std::size_t ef(std::size_t k = 10) const noexcept {
    const std::size_t more =
        k > planned ? (std::min)(2 * (k - planned), (std::numeric_limits<row_id>::max)() + std::size_t{0}) : 0;
    return (std::max)(ef_ + more, k);
  }
  /// @throws error errc::argument for 0.
  void set_ef(std::size_t ef) {
    if (ef == 0) raise(errc::argument, "ef: 0, but at least 1 candidate must be kept");
    ef_ = ef;
  }

  /// The k nearest of each of some rows among the others, found as if this row were not in the graph: what ef is
  /// planned by. Valid for rows that are not removed.
  /// @throws error errc::out_of_range for a row that is not there, errc::argument for k = 0 and an ef below k.
  knn_result<float> search_others(std::span<const row_id> of, std::size_t k, std::size_t ef) const {
    detail::require_neighbors(k);
    if (ef < k) raise(errc::argument, "ef: ", ef, " candidates for ", k, " neighbours");
    matrix<float> queries(of.size(), dim());
    for (std::size_t i = 0; i < of.size(); ++i) {
      this->require_row(of[i]);
      std::ranges::copy(vertices_.row(of[i]).first(dim()), queries[i].begin());
    }
    knn_result<float> result;
    result.reset(of.size(), k);
    for_each_batch(queries, nullptr,
                   [&](const detail::graph_batch& batch, std::size_t q, std::size_t of_all, auto& memory) {
                     const row_id own = of[of_all];
                     detail::graph_wish wish{.members = this->size(), .ef = ef, .most = k, .all_count = true};
                     bool alone = true;
                     equal_.for_each(own, [&](row_id) { return alone = false; });
                     if (alone) wish.without = own;
                     const auto others = [own](row_id row) { return row != own; };
                     const auto did = nearest(batch, q, this->rows_left().choose(others), wish, k, memory);
                     result.assign(of_all, memory.top.sorted());
                     return did;
                   });
    return result;
  }

  index_memory memory() const noexcept {
    return {vertices_.memory(),
            equal_.memory() + core_->nearest.bytes() + core_->centroids.values().size_bytes() +
                entries_.capacity() * sizeof(row_id),
            this->rows_left().memory(), 0};
  }
  /// Of a vertex: its row, its edges, codes and factors.
  std::size_t bytes_per_row() const noexcept { return vertices_.bytes_each(); }

  /// Adds rows; returns the id of the first, the others follow. Each is searched for and linked with what is found.
  /// @throws error errc::shape for another dimension, errc::not_finite, errc::argument for a zero row under the cosine;
  /// the index is unchanged then.
  row_id add(matrix_view<const float> rows) {
    require_rows(rows);
    if (rows.rows() <= added_together) return add_together(rows);
    graph_index next = *this;
    const auto first = static_cast<row_id>(this->rows());
    for (std::size_t begin = 0; begin < rows.rows(); begin += added_together)
      next.add_together(rows.middle_rows(begin, (std::min)(added_together, rows.rows() - begin)));
    *this = std::move(next);
    return first;
  }

  /// Drops removed rows and numbers the others anew, in their order. Edges that led to removed rows lead to neighbours
  /// of these, and there is a way to every row again. Returns the new id of every old one, `no_row` for those removed.
  /// O(rows · bytes of a vertex).
  std::vector<row_id> compact() {
    return this->renumber([&](const auto& numbering) {
      if (numbering.survivors.size() == this->rows()) return;
      detail::compacted_graph<Coder> kept(core_->space, vertices_, equal_, entries_, core_->rule, numbering.survivors,
                                          core_->units, executor_);
      vertices_ = std::move(kept.vertices);
      equal_ = std::move(kept.equal);
      entries_ = std::move(kept.entries);
      unchecked_ = 0;
    });
  }

  /// What was found when it was planned, by rising ef; nothing where it was not.
  std::span<const recall_at_ef> recall_at_efs() const& noexcept { return curve_; }
  std::span<const recall_at_ef> recall_at_efs() const&& = delete;
  void set_recall_at_efs(std::vector<recall_at_ef> measured) { curve_ = std::move(measured); }

  static constexpr file_kind file{"graph_index", 1};
  /// What `load_mapped` leaves in the file: the vertices, with their rows.
  static constexpr bool stays_in_file = true;

  /// The sections of the file that `save` writes: "options" (u8 metric, u64 dim, f64 reach, u64 degree, u64 ef, u64
  /// query bits, u8 whether factors are halves, f32 units of offsets and of scales, u64 rows that were added since it
  /// was made sure that all can be reached), the coder under "coder/", "centroids" (a matrix), "middle" (f32),
  /// "entries" (u32 a centroid, 2^32 - 1 for none), "vertices" (each a row of f32, 32 codes as in a block of levels, 32
  /// offsets and 32 scales, u32 edges, 2^32 - 1 beyond the last; rows and vertices padded to 64 bytes), "equal" (u32 a
  /// row) where rows are equal, "recall" (u32 points, of each u32 ef, f64 recall), and which rows are left. The
  /// executor is not among them.
  void write_to(const section_writer& out) const requires Savable<Coder> {
    metadata_writer values;
    values.u8(static_cast<std::uint8_t>(metric())).u64(dim()).f64(points().reach).u64(degree()).u64(ef_);
    values.u64(query_bits_).u8(core_->format.half_factors).f32(core_->units.offset).f32(core_->units.scale);
    values.u64(unchecked_);
    out.add("options", std::move(values));
    detail::write_part<Coder>(out, "coder", coder());
    detail::add_matrix(out, "centroids", core_->centroids);
    out.add("middle", core_->space.middle());
    out.add("entries", std::span<const row_id>(entries_));
    detail::write_vertices(out, vertices_);
    detail::write_equal_rows(out, equal_, this->rows());
    detail::write_curve(out, curve_, &recall_at_ef::ef);
    this->rows_left().write_to(out);
  }

  /// @throws error errc::format, errc::kind, errc::checksum or errc::io.
  static graph_index read_from(const section_reader& in, Exec executor = {}) requires Loadable<Coder> {
    metadata_reader values = in.metadata("options");
    const std::uint8_t metric_number = values.u8();
    const std::uint64_t dim = values.u64();
    const double reach = values.f64();
    const std::uint64_t degree = values.u64(), ef = values.u64(), query_bits = values.u64();
    const std::uint8_t halves = values.u8();
    const detail::factor_units units{values.f32(), values.f32()};
    const std::uint64_t added = values.u64();
    if (metric_number > static_cast<std::uint8_t>(metric::cosine) || degree < 2 || degree > detail::most_edges ||
        ef == 0 || ef > (std::numeric_limits<row_id>::max)() || query_bits < 4 || query_bits > 14 || halves > 1)
      values.refuse("metric ", +metric_number, ", degree ", degree, ", ef ", ef, ", ", query_bits, " query bits");
    if (!detail::is_between(reach, 0., 0x1p130) || !detail::is_positive(units.offset) ||
        !detail::is_positive(units.scale))
      values.refuse("reach ", reach, ", units ", units.offset, " and ", units.scale);
    const k_means cells = k_means::read_centroids(in);
    auto coder = detail::read_part<Coder>(in, "coder");
    const detail::graph_points points{static_cast<embit::metric>(metric_number), static_cast<std::size_t>(dim), reach};
    if (dim > cells.dim() || points.dims() != cells.dim() || coder.dim() != cells.dim() || cells.size() == 0)
      values.refuse("rows of ", dim, " numbers, ", cells.size(), " cells of ", cells.dim(), ", a coder of ",
                    coder.dim());
    graph_index index(points, cells, std::move(coder),
                      {.metric = points.metric,
                       .degree = static_cast<std::size_t>(degree),
                       .ef = static_cast<std::size_t>(ef),
                       .query_bits = static_cast<std::size_t>(query_bits)},
                      std::move(executor), detail::read_numbers(in, "middle", cells.dim()));
    core made = *index.core_;
    made.format.half_factors = halves != 0;
    made.units = units;
    index.core_ = std::make_shared<const core>(std::move(made));
    auto vertices = detail::read_vertices(in, index.layout());
    const std::size_t rows = vertices.size();
    if (added > rows) values.refuse(added, " rows that were added, of ", rows);
    index.entries_ = detail::read_entries(in, cells.size(), rows);
    index.equal_ = detail::read_equal_rows(in, rows);
    if (!in.maps()) detail::require_vertices(in, vertices, index.equal_);
    index.curve_ = detail::read_recall_at_efs(in);
    index.grow(rows, [&] { index.vertices_ = std::move(vertices); });
    index.unchecked_ = static_cast<std::size_t>(added);
    index.read_rows_left(in);
    return index;
  }

 private:
  /// Neighbours that ef is set for, and rows that are added at once.
  static constexpr std::size_t planned = 10, added_together = 128;
  /// Candidates for the edges of a row that is added.
  static constexpr std::size_t ef_of_added = 96;

  struct core {
    detail::graph_space<Coder> space;
    matrix<float> centroids;
    nearest_centroids nearest;
    level_format format;  // of neighbours, with units of 1
    detail::factor_units units;
    detail::edge_rule rule;
  };
  using workspace = detail::graph_memory;

  /// Of no rows.
  graph_index(const detail::graph_points& points, const k_means& cells, Coder coder, const graph_options& options,
              Exec executor, std::vector<float> middle = {})
      : frame(0), executor_(std::move(executor)), query_bits_(options.query_bits) {
    if (cells.spherical() || cells.size() == 0)
      raise(errc::argument, "graph: a spherical partition, or one of no cells, has no residuals");
    if (cells.dim() != points.dims() || coder.dim() != points.dims())
      raise(errc::shape, "graph: cells of ", cells.dim(), " dimensions and a coder of ", coder.dim(), " for points of ",
            points.dims());
    if (options.degree < 2 || options.degree > detail::most_edges)
      raise(errc::argument, "degree: ", options.degree, " where 2 to ", detail::most_edges, " are possible");
    detail::require_query_bits(query_bits_);
    set_ef(options.ef);
    level_format format{.segments = coder.format().segments};
    format.factors[static_cast<std::size_t>(row_factor::offset)] = true;
    format.factors[static_cast<std::size_t>(row_factor::scale)] = true;
    format.half_factors = true;
    if (middle.empty()) middle = mean_row(cells.centroids());
    core_ = std::make_shared<const core>(core{{points, std::move(coder), std::move(middle)},
                                              matrix<float>(cells.centroids()),
                                              nearest_centroids(cells.centroids()),
                                              std::move(format),
                                              {},
                                              {.degree = options.degree}});
    entries_.assign(cells.size(), detail::vertex_layout::no_edge);
    vertices_ = detail::vertex_store(layout());
  }

  const detail::graph_points& points() const noexcept { return core_->space.points(); }
  detail::vertex_layout layout() const noexcept {
    return {points().dims(), core_->format.row_bytes(), core_->format.half_factors};
  }

  void require_rows(matrix_view<const float> rows) const {
    if (rows.cols() != dim()) raise(errc::shape, "rows: dimension ", rows.cols(), ", the index takes ", dim());
    require_lengths(rows, "rows");
    for (std::size_t i = 0; i < rows.rows() && metric() == metric::cosine; ++i)
      if (!(detail::graph_points::length(rows[i]) > 0))
        raise(errc::argument, "rows: row ", i, " is zero and has no direction");
  }

  void require_queries(const query_view& asked) const {
    detail::require_width(asked.queries(), dim());
    require_lengths(asked.queries(), "queries");
  }

  static void require_lengths(matrix_view<const float> rows, const char* what) {
    constexpr double most = 0x1p120;
    detail::require_finite(rows, what);
    for (std::size_t i = 0; i < rows.rows(); ++i)
      if (const double square = detail::graph_points::length(rows[i]); square > most)
        raise(errc::not_finite, what, ": row ", i, " is too long: its squared length is ", square);
  }

  void require_search(const query_view& asked, std::size_t k) const {
    if (asked.ef() != 0 && asked.ef() < k)
      raise(errc::argument, "ef: ", asked.ef(), " candidates for ", k, " neighbours");
  }

  void build(matrix_view<const float> rows, const k_means& cells, Coder list_coder, const graph_options& options,
             const progress_callback& progress) {
    core made = *core_;
    made.format.half_factors = detail::halves_suffice(points(), rows, cells, core_->space.middle());
    core_ = std::make_shared<const core>(std::move(made));
    vertices_ = detail::vertex_store(layout());
    detail::write_points(vertices_, points(), rows, 0);
    vertices_.grow(rows.rows());
    const std::vector<row_id> first = detail::first_equal(vertices_);
    equal_ = detail::equal_rows(first);
    std::vector<row_id> which;
    for (row_id row = 0; row < first.size(); ++row)
      if (first[row] == row) which.push_back(row);
    if (which.empty()) return;
    const bool as_given = metric() == metric::l2 && equal_.none();
    matrix<float> copies = as_given ? matrix<float>() : detail::points_in(vertices_, which);
    const matrix_view<const float> compared = as_given ? rows : copies.view();
    const std::size_t probes = options.probes != 0 ? options.probes : std::max<std::size_t>(cells.size() / 64, 16);
    detail::edge_table edges;
    {
      const ivf_levels<Coder, Exec> lists(compared, cells, std::move(list_coder), {.probes = probes}, executor_);
      edges = detail::edges_from_lists(vertices_, lists, compared, which, {.candidates = options.candidates},
                                       core_->rule, executor_, progress);
      set_entries(detail::medoids(vertices_, core_->centroids, lists.lists_of_rows(), which));
    }
    edges = detail::with_edges_back(vertices_, edges, core_->rule, executor_);
    detail::connection(vertices_, edges, entries_, degree(), [&](std::size_t v) { return first[v] == v; });
    set_units(edges, which);
    detail::code_vertices(core_->space, vertices_, edges, which, core_->units, executor_);
  }

  /// At some of the medoids of all lists.
  void set_entries(std::span<const row_id> medoids) {
    const std::vector<row_id> lists = detail::lists_to_enter(medoids);
    entries_.clear();
    for (const row_id list : lists) entries_.push_back(medoids[list]);
    core made = *core_;
    made.centroids = matrix<float>(made.centroids, lists);
    made.nearest = nearest_centroids(made.centroids);
    core_ = std::make_shared<const core>(std::move(made));
  }

  /// By what some of the vertices need.
  void set_units(const detail::edge_table& edges, std::span<const row_id> which) {
    constexpr std::size_t enough = 1024;
    std::vector<row_id> some;
    const std::size_t step = std::max<std::size_t>(which.size() / enough, 1);
    for (std::size_t i = 0; i < which.size(); i += step) some.push_back(which[i]);
    const detail::coded_vertices<Coder> coded(core_->space, vertices_, some,
                                              [&](std::size_t i) { return edges.of(some[i]); });
    core made = *core_;
    made.units = coded.units();
    core_ = std::make_shared<const core>(std::move(made));
  }

  row_id add_together(matrix_view<const float> rows) {
    return this->grow(rows.rows(), [&] {
      const std::size_t before = this->rows(), after = before + rows.rows();
      vertices_.reserve(after);
      detail::write_points(vertices_, points(), rows, before);
      const auto batch = core_->space.prepare(rows, true);
      std::vector<std::vector<neighbor<float>>> found(rows.rows());
      detail::for_each_query(executor_, rows.rows(), [&](std::size_t q, std::size_t) {
        const auto memory = workspaces_.take();
        graph_statistics did;
        const auto query = core_->space.query(batch, q);
        const auto entered = start(batch, q, *memory);
        walk_of(batch, q, query, ef_of_added)(
            entered, memory->pool, *memory, [](row_id, float) { return true; },
            [&](row_id vertex, float distance) {
              found[q].push_back({vertex, distance});
            },
            did);
      });
      detail::added_vertices<Coder> added(core_->space, vertices_, equal_, core_->rule, before, std::move(found));
      const bool check = (unchecked_ + rows.rows()) * checked_share >= after;
      if (check) added.connect(entries_or(added.first_vertex()));
      added.encode(executor_);
      added.own(vertices_, equal_);
      added.write(vertices_, equal_, core_->units);
      if (!std::ranges::any_of(entries_, [](row_id e) { return e != detail::vertex_layout::no_edge; }))
        entries_ = entries_or(added.first_vertex());
      unchecked_ = check ? 0 : unchecked_ + rows.rows();
    });
  }

  /// Where searches begin once there is this vertex.
  std::vector<row_id> entries_or(row_id vertex) const {
    std::vector<row_id> all = entries_;
    if (std::ranges::all_of(all, [](row_id e) { return e == detail::vertex_layout::no_edge; })) all[0] = vertex;
    return all;
  }

  /// Prepares a query and enters where centroids are nearest to it.
  std::span<const neighbor<float>> start(const detail::graph_batch& batch, std::size_t q,
                                         detail::graph_memory& memory) const {
    constexpr std::size_t entered = 2;
    memory.query.assign(core_->format, batch.mapped.z[q], query_bits_,
                        {.base = 0, .error = 0, .scale = core_->space.scale()});
    return core_->nearest(batch.points[q], entered, memory.centroids);
  }

  detail::graph_walk walk_of(const detail::graph_batch& batch, std::size_t q, const detail::point_query& query,
                             std::size_t ef, row_id without = detail::vertex_layout::no_edge) const {
    return {vertices_, core_->format, core_->units, query, batch.constant[q], entries_, ef, most_candidates(), without};
  }
  std::size_t most_candidates() const noexcept { return std::max<std::size_t>(this->rows() / 16, 4096); }

  /// Visits vertices near a query, or reads all rows of the choice.
  template <class Take>
  graph_statistics answer_one(const detail::graph_batch& batch, std::size_t q, const row_choice& choice,
                              const detail::graph_wish& wish, detail::graph_memory& memory, const Take& take,
                              const std::function<void()>& again) const {
    graph_statistics did;
    const auto query = core_->space.query(batch, q);
    const detail::vertex_rows rows{vertices_, equal_, choice};
    if (wish.reads_all(this->rows())) {
      rows.take_all(query, take, did);
      return did;
    }
    const auto entered = start(batch, q, memory);
    const auto walk = walk_of(batch, q, query, wish.ef, wish.without);
    const auto visit = [&](row_id vertex, float distance) { rows.take_of(vertex, distance, wish.most, take); };
    const auto all = [](row_id, float) { return true; };
    if (wish.radius == nullptr && wish.all_count) {
      walk(entered, memory.pool, memory, all, visit, did);
      return did;
    }
    const float within = wish.radius == nullptr ? 0 : query.squared(*wish.radius);
    const auto counts = [&](row_id vertex, float distance) {
      return (wish.radius == nullptr || distance > within) && (wish.all_count || rows.accepts(vertex));
    };
    if (!walk(entered, memory.counted_pool, memory, counts, visit, did)) {
      again();
      rows.take_all(query, take, did);
    }
    return did;
  }

  /// Leaves the k nearest in the memory.
  graph_statistics nearest(const detail::graph_batch& batch, std::size_t q, const row_choice& choice,
                           const detail::graph_wish& wish, std::size_t k, detail::graph_memory& memory) const {
    memory.top.reset(k);
    return answer_one(
        batch, q, choice, wish, memory, [&](row_id row, float distance) { memory.top.offer(row, distance); },
        [&] { memory.top.reset(k); });
  }

  void answer(const query_view& asked, const row_choice& choice, knn_result<float>& result,
              graph_statistics* statistics) const {
    const detail::graph_wish wish{.members = detail::known_members(choice, this->rows(), this->size()),
                                  .ef = asked.ef() == 0 ? this->ef(result.k()) : asked.ef(),
                                  .most = result.k(),
                                  .all_count = choice.all()};
    for_each_batch(asked.queries(), statistics,
                   [&](const detail::graph_batch& batch, std::size_t q, std::size_t of_all, auto& memory) {
                     const auto did = nearest(batch, q, choice.for_query(of_all), wish, result.k(), memory);
                     result.assign(of_all, memory.top.sorted());
                     return did;
                   });
  }

  range_result<float> answer_range(const query_view& asked, float radius, const row_choice& choice,
                                   graph_statistics* statistics) const {
    const detail::graph_wish wish{.members = detail::known_members(choice, this->rows(), this->size()),
                                  .ef = asked.ef() == 0 ? this->ef() : asked.ef(),
                                  .most = this->rows(),
                                  .radius = &radius,
                                  .all_count = choice.all()};
    std::vector<std::vector<neighbor<float>>> found(asked.size());
    for_each_batch(asked.queries(), statistics,
                   [&](const detail::graph_batch& batch, std::size_t q, std::size_t of_all, auto& memory) {
                     auto& list = found[of_all];
                     const auto take = [&](row_id row, float distance) {
                       if (!detail::is_nan(distance) && distance <= radius) list.push_back({row, distance});
                     };
                     const auto did =
                         answer_one(batch, q, choice.for_query(of_all), wish, memory, take, [&] { list.clear(); });
                     std::ranges::sort(list, neighbor_order<std::less<>>{});
                     return did;
                   });
    return range_result<float>(found);
  }

  /// Calls `f(batch, number in the batch, number of all, memory)` for each query, those of a batch mapped together.
  template <class F>
  void for_each_batch(matrix_view<const float> asked, graph_statistics* statistics, const F& f) const {
    constexpr std::size_t together = 32;
    std::vector<graph_statistics> of_worker(executor_.concurrency());
    run_ranges(executor_, asked.size(), 1, (std::max)(asked.size() / together, executor_.concurrency()),
               [&](std::size_t first, std::size_t last, std::size_t worker) {
                 const auto memory = workspaces_.take();
                 for (std::size_t begin = first; begin < last; begin += together) {
                   const std::size_t count = (std::min)(together, last - begin);
                   const auto batch = core_->space.prepare(asked.middle_rows(begin, count));
                   for (std::size_t q = 0; q < count; ++q) of_worker[worker] += f(batch, q, begin + q, *memory);
                 }
               });
    for (std::size_t w = 0; w < of_worker.size() && statistics != nullptr; ++w) *statistics += of_worker[w];
  }

  /// Of the rows that are looked at when it is made sure that all can be reached, those added since may be this few.
  static constexpr std::size_t checked_share = 1000;

  detail::shared_state<const core> core_;
  detail::vertex_store vertices_;
  detail::equal_rows equal_;
  std::vector<row_id> entries_;  // of each centroid a vertex near it, or none
  [[no_unique_address]] Exec executor_;
  std::size_t query_bits_ = 6, ef_ = 64;
  detail::moved_value<> unchecked_;  // rows added since it was made sure that all can be reached
  std::vector<recall_at_ef> curve_;
  mutable reuse_pool<workspace> workspaces_;
};

}  // namespace embit::inline EMBIT_ABI
