// Approximate search of binary codes by inverted lists: near centroids are found first, and their rows are scanned.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/grouped_rows.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/results.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/index/detail/ivf/code_lists.hpp>
#include <embit/index/detail/ivf/file.hpp>
#include <embit/index/detail/ivf/plan.hpp>
#include <embit/index/detail/ivf/row_distances.hpp>
#include <embit/index/detail/ivf/search.hpp>
#include <embit/index/index_memory.hpp>
#include <embit/index/probed_queries.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/search/code_partition.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/search/k_majority.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// How an ivf_index is built and searched.
struct ivf_options {
  std::size_t lists = 0;            ///< 1 to as many as there are codes; 0: planned from how many codes there are
  std::size_t probes = 0;           ///< lists that a query looks at; 0: as many as reach `target_recall`
  double target_recall = .95;       ///< above 0, at most 1
  std::size_t typical_k = 10;       ///< neighbours that the recall is measured of
  std::size_t rows_per_list = 50;   ///< codes that centroids are found from, for each list; 0: all
  std::size_t iterations = 6;       ///< of the search for centroids
  progress_callback progress = {};  ///< of the same; stopping it keeps the centroids there are
};

/// Approximate nearest neighbours of binary codes by Hamming distance: codes are kept in lists, those of the nearest of
/// some centroids (`fit_k_majority`), and a query looks at the lists of the nearest centroids. `ivf_index{codes,
/// {.target_recall = .95}, rng}` plans the lists, and takes as many probes as found that share of the nearest
/// neighbours of codes of its own that the centroids were not found from; what it measured is `recall_at_probes()`. A
/// search looks at more lists where these have fewer than k rows that may be found, and where a filter leaves few it
/// reads them one by one, so that results are shorter than k only where there are fewer rows.
///
/// Results are sorted by (distance, row), the same for every SIMD level, number of threads and batch size and however
/// rows were added to the same lists; with all lists probed they are those of `flat_index`. Codes that are equal share
/// a list, which is as long as they are many: see `list_size`. Queries of another width are refused (errc::shape).
/// Const members may be called from many threads at once; what changes the index needs it to itself. A copy shares the
/// codes. Jégou et al., "Product quantization for nearest neighbor search", IEEE TPAMI 2011, section 4 (inverted
/// lists).
template <class Exec>
class ivf_index : public detail::index_frame<ivf_index<Exec>, probed_queries<code_view<>>, std::uint32_t, std::less<>,
                                             ivf_statistics> {
  using frame = detail::index_frame<ivf_index, probed_queries<code_view<>>, std::uint32_t, std::less<>, ivf_statistics>;
  friend frame;

  static_assert(Executor<Exec>,
                "ivf_index: its last argument runs no work; give inline_executor, thread_pool or the like");

 public:
  using kernel_type = hamming;
  using codes_view = code_view<>;
  using typename frame::query_view;

  /// O(lists² · rows_per_list + lists · rows), each times words.
  /// @throws error errc::argument for more lists than codes, a recall that is not above 0 and at most 1, a typical_k of
  /// 0, bits beyond the width; errc::shape for a width of 0.
  template <std::uniform_random_bit_generator Rng>
  explicit ivf_index(code_view<> codes, const ivf_options& options, Rng& rng, Exec executor = {})
      : frame(codes.size()), executor_(std::move(executor)), target_recall_(options.target_recall) {
    detail::require_recall(options.target_recall);
    detail::require_neighbors(options.typical_k, "typical_k");
    require_clean_tails(codes, "codes");
    fingerprint_ = codes.fingerprint();
    build(codes, options, rng);
  }
  /// Over cells that were found elsewhere. `calibrate` chooses probes; until then all lists are looked at.
  /// @throws error errc::argument for no cells, errc::shape for codes of another width.
  explicit ivf_index(code_view<> codes, code_partition cells, Exec executor = {})
      : frame(codes.size()), executor_(std::move(executor)), partition_(std::move(cells)) {
    if (partition_.size() == 0) raise(errc::argument, "cells: none, but at least 1 is needed");
    require_clean_tails(codes, "codes");
    fingerprint_ = codes.fingerprint();
    probes_ = list_count();
    fill(codes);
  }

  ivf_index(const ivf_index&) = default;
  ivf_index(ivf_index&&) = default;
  /// Nothing has changed when it throws.
  ivf_index& operator=(const ivf_index& other) { return *this = ivf_index(other); }
  ivf_index& operator=(ivf_index&&) = default;
  ~ivf_index() = default;

  /// Bits of the codes.
  std::size_t width() const noexcept { return partition_.width(); }
  /// Of the encoder that made the rows; 0: not known. Queries that another one made are refused.
  encoder_fingerprint fingerprint() const noexcept { return this->of_several_encoders() ? 0 : fingerprint_; }
  const code_partition& partition() const& noexcept { return partition_; }
  const code_partition& partition() const&& = delete;
  Exec executor() const noexcept { return executor_; }
  std::size_t list_count() const noexcept { return partition_.size(); }
  /// Rows in a list, removed ones included.
  /// @throws error errc::out_of_range for a list that is not there.
  std::size_t list_size(std::size_t list) const {
    if (list >= list_count()) raise(errc::out_of_range, "list: ", list, ", the index has ", list_count());
    return lists_.rows_in(list);
  }

  /// Lists that a query looks at, unless it says otherwise.
  std::size_t probes() const noexcept { return probes_; }
  /// @param probes  more than there are lists: all of them
  /// @throws error errc::argument for 0.
  void set_probes(std::size_t probes) {
    if (probes == 0) raise(errc::argument, "probes: 0, but at least 1 list must be looked at");
    probes_ = (std::min)(probes, list_count());
  }
  /// What share of the nearest neighbours so many lists had, rising, as it was measured when the index was built, or by
  /// `calibrate`. Empty where there was nothing to measure by.
  const std::vector<recall_at_probe>& recall_at_probes() const& noexcept { return recall_; }
  const std::vector<recall_at_probe>& recall_at_probes() const&& = delete;

  /// Measures `recall_at_probes` anew by queries like those that will come, exactly, and sets the probes to the fewest
  /// that reach the recall. O(queries · rows · words).
  /// @throws error errc::shape for queries of another width, errc::argument for a recall that is not above 0 and at
  /// most 1, or k = 0.
  void calibrate(code_view<> queries, double target_recall = .95, std::size_t k = 10) {
    detail::require_recall(target_recall);
    detail::require_neighbors(k);
    detail::require_width(queries, width());
    if (!queries.empty()) measure(queries, {}, target_recall, k, true);
    target_recall_ = target_recall;
  }

  index_memory memory() const noexcept {
    return {lists_.code_memory(), lists_.table_memory() + partition_.memory(), this->rows_left().memory(),
            workspaces_.memory()};
  }

  /// Whether codes of this width can be added at all.
  /// @throws error as `add` does.
  void check_add(code_view<> codes) const {
    if (codes.size() != 0 && codes.bits() != width())
      raise(errc::shape, "codes: width ", codes.bits(), ", the index holds rows of width ", width());
    require_clean_tails(codes, "codes");
    static_cast<void>(detail::joined_fingerprint(codes.fingerprint(), fingerprint_, this->rows()));
  }

  /// Adds codes to the lists of the nearest centroids; returns the id of the first, the others follow. Amortized
  /// O(codes · lists · words).
  /// @throws error errc::shape for another width, errc::argument for bits beyond the width or too many rows; the index
  /// is unchanged then.
  row_id add(code_view<> codes) {
    check_add(codes);
    const encoder_fingerprint joined =
        codes.empty() ? fingerprint_ : detail::joined_fingerprint(codes.fingerprint(), fingerprint_, this->rows());
    const auto cells = partition_.assign(codes, executor_);
    const row_id first = this->grow(
        codes.size(), [&] { lists_.append(codes, this->rows(), [&](std::size_t i) { return cells[i].id; }); });
    for (const auto& cell : cells) drift_.added.count(cell.distance);
    fingerprint_ = joined;
    return first;
  }

  /// How far codes that were added lie from their centroids, as a multiple of how far those lie that the index was made
  /// of: 1 where they are alike. Beyond 1.1 or so `retrain` is due, and the measured recall is not to be relied on.
  double drift() const noexcept {
    return drift_.ratio(.5);  // bits, so that one cell a code is no reason to retrain
  }

  /// Finds centroids, lists and probes anew from the rows there are, as if the index were built of them; rows keep
  /// their numbers.
  /// @param options  as of the constructor
  /// @throws error as the constructor does; the index is unchanged then.
  template <std::uniform_random_bit_generator Rng>
  void retrain(const ivf_options& options, Rng& rng) {
    ivf_index fresh(codes(), options, rng, executor_);
    lists_ = std::move(fresh.lists_);
    partition_ = std::move(fresh.partition_);
    recall_ = std::move(fresh.recall_);
    probes_ = fresh.probes_;
    target_recall_ = fresh.target_recall_;
    drift_ = fresh.drift_;
  }
  /// With planned lists and probes for the recall that the index was built for.
  template <std::uniform_random_bit_generator Rng>
  void retrain(Rng& rng) {
    retrain({.target_recall = target_recall_}, rng);
  }

  /// Drops removed rows and numbers the others anew, in their order. Returns the new id of every old one, `no_row` for
  /// those removed. O(rows · words).
  std::vector<row_id> compact() {
    return this->renumber(
        [&](const auto& numbering) { lists_ = in_order([&](row_id row) { return numbering.renumbered[row]; }); });
  }

  static constexpr file_kind file{"ivf_index", 3};
  /// What `load_mapped` leaves in the file: the codes, and which rows they are.
  static constexpr bool stays_in_file = true;

  /// The sections of the file that `save` writes: "options" (u64 probes, f64 target recall, and u64 rows, f64 sum of
  /// their distances to centroids of those it was built of and of those added since), the centroids under "partition/",
  /// "list_sizes" (u32); places in the order of the lists, of which each begins with a block of 8, and all are filled
  /// up to a multiple of 512, their codes under "codes/" and their rows in "ids" (u32, any where there is none), and in
  /// "places" (u32) that of each row; "recall" (u32 points, of each u32 probes, f64 recall), "fingerprint" (u64, of the
  /// encoder) where that is known, and which rows are left. In versions 1 and 2 places are not filled up, and there are
  /// no "places". The executor is not among them.
  void write_to(const section_writer& out) const {
    metadata_writer values;
    values.u64(probes_).f64(target_recall_);
    drift_.write_to(values);
    out.add("options", std::move(values));
    detail::write_part<code_partition>(out, "partition", partition_);
    detail::write_lists(out, lists_);
    detail::write_curve(out, recall_, &recall_at_probe::probes);
    if (fingerprint_ != 0) {
      metadata_writer fingerprint;
      fingerprint.u64(fingerprint_);
      out.add("fingerprint", std::move(fingerprint));
    }
    this->rows_left().write_to(out);
  }

  /// @throws error errc::format, errc::kind, errc::checksum or errc::io.
  static ivf_index read_from(const section_reader& in, Exec executor = {}) {
    ivf_index index(std::move(executor), detail::read_lists(in));
    metadata_reader values = in.metadata("options");
    const std::uint64_t probes = values.u64();
    index.target_recall_ = values.f64();
    index.drift_ = detail::list_drift::read_from(values);
    index.partition_ = detail::read_part<code_partition>(in, "partition");
    if (probes == 0 || probes > index.list_count() || index.list_count() != index.lists_.lists())
      values.refuse(probes, " probes, ", index.list_count(), " centroids, ", index.lists_.lists(), " lists");
    if (!detail::is_positive(index.target_recall_) || index.target_recall_ > 1 || index.width() != index.lists_.width())
      values.refuse("recall ", index.target_recall_, ", codes of ", index.lists_.width(), " bits, centroids of ",
                    index.width());
    index.probes_ = static_cast<std::size_t>(probes);
    index.recall_ = detail::read_recall(in, index.list_count());
    if (in.contains("fingerprint")) index.fingerprint_ = in.metadata("fingerprint").u64();
    index.read_rows_left(in);
    return index;
  }

 private:
  using worker = detail::ivf_worker;

  ivf_index(Exec executor, detail::code_lists lists)
      : frame(lists.rows()), executor_(std::move(executor)), lists_(std::move(lists)) {}

  /// Centroids are found from codes that recall is not measured by.
  template <class Rng>
  void build(code_view<> codes, const ivf_options& options, Rng& rng) {
    constexpr std::size_t most_held_out = 500;
    const std::size_t n = codes.size();
    if (options.lists > n) raise(errc::argument, "lists: ", options.lists, ", more than the ", n, " codes there are");
    const std::size_t lists = options.lists != 0 ? options.lists : detail::planned_lists(n, options.target_recall);
    const std::size_t held = (std::min)({most_held_out, n / 8, n - (std::min)(lists, n)});
    const std::size_t per = options.rows_per_list;
    const std::size_t train = per == 0 || per > (n - held) / lists ? n - held : per * lists;
    const auto rows = detail::draw_rows(n, held + train, rng);
    if (n == 0) {
      partition_ = code_partition(code_store<>(1, codes.bits()));
    } else {
      const code_store<> sample(codes, std::span(rows).subspan(held));
      partition_ = fit_k_majority(
          sample,
          {.clusters = lists, .rows_per_cluster = 0, .iterations = options.iterations, .progress = options.progress},
          rng, executor_);
    }
    fill(codes);
    probes_ = list_count();
    if (held != 0) {
      const auto asked = std::span(rows).first(held);
      measure(code_store<>(codes, asked), asked, options.target_recall, options.typical_k, options.probes == 0);
    }
    if (options.probes != 0) set_probes(options.probes);
  }

  void fill(code_view<> codes) {
    const auto cells = partition_.assign(codes, executor_);
    const detail::grouped_rows members = detail::rows_by_cell(cells, list_count());
    std::vector<std::uint32_t> sizes(list_count());
    for (std::size_t list = 0; list < sizes.size(); ++list)
      sizes[list] = static_cast<std::uint32_t>(members.size(list));
    lists_ = detail::code_lists(code_rows{codes}, detail::laid_lists(sizes, members.rows(), members.rows()));
    drift_ = {};
    for (const auto& cell : cells) drift_.built.count(cell.distance);
  }

  /// Codes that are viewed, as a store.
  struct code_rows {
    using code_type = code_span<>;
    code_view<> codes;
    std::size_t size() const noexcept { return codes.size(); }
    std::size_t bits() const noexcept { return codes.bits(); }
    void copy_row(std::size_t row, std::span<word> out) const noexcept {
      std::copy_n(codes[row].data(), codes.words(), out.data());
    }
  };

  template <class Number>
  detail::code_lists in_order(Number&& number) const {
    return detail::code_lists(lists_.store(), lists_.in_order(number, no_row));
  }

  /// All codes, in the order of the rows.
  code_store<> codes() const {
    code_store<> all(this->rows(), width());
    for (std::size_t row = 0; row < all.size(); ++row) lists_.copy_row(static_cast<row_id>(row), all.row(row));
    return all;
  }

  /// @param own  the rows that the queries are, which do not count as their neighbours; or none
  void measure(code_view<> queries, std::span<const row_id> own, double target_recall, std::size_t k, bool set) {
    const std::size_t most = 4 * k + own.size() / queries.size();  // some more, as equally near ones count too
    const row_choice left = this->rows_left().choose(accept_all{});
    const block_store<>& store = lists_.store();
    row_bitset held(store.size());
    std::vector<std::uint32_t> list_at(store.size());
    lists_.for_each_place([&](std::size_t list, std::size_t place) {
      list_at[place] = static_cast<std::uint32_t>(list);
      if (left(lists_.row_at(place))) held.set(place);
    });
    knn_result<std::uint32_t> near_places;  // a scan of all is what many queries together do fastest
    near_places.reset(queries.size(), (std::min)(most, this->size()));
    detail::knn_workspace<hamming, block_store<>> work;
    if (this->size() != 0)
      detail::exhaustive_knn(hamming{}, store, executor_, queries, row_choice(held), near_places, work, nullptr);
    detail::probe_recall recall(list_count(), k);
    code_partition::workspace memory;
    std::vector<std::size_t> rank_of(list_count()), ranks;
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const auto order = partition_.nearest(queries[q], list_count(), memory);
      for (std::size_t rank = 0; rank < order.size(); ++rank) rank_of[order[rank].id] = rank;
      ranks.clear();
      std::uint32_t farthest = 0;
      for (const auto& n : near_places[q]) {
        if (!own.empty() && lists_.row_at(n.id) == own[q]) continue;
        if (ranks.size() < k) farthest = n.distance;
        if (n.distance <= farthest) ranks.push_back(rank_of[list_at[n.id]]);
      }
      recall.add(ranks);
    }
    recall_ = recall.curve();
    if (set) probes_ = recall.probes_for(target_recall);
  }

  void require_queries(const query_view& asked) const { detail::require_width(asked.queries(), width()); }

  std::size_t members_of(const row_choice& choice) const noexcept {
    return detail::known_members(choice, this->rows(), this->size());
  }
  std::size_t probes_of(const query_view& asked, std::size_t members) const noexcept {
    return detail::widened_probes(asked.probes() != 0 ? asked.probes() : std::size_t{probes_}, members, this->rows(),
                                  list_count());
  }

  template <class Sink>
  void scan_list(std::size_t list, worker& mine, Sink& sink) const {
    ++mine.did.lists;
    lists_.for_each_run(list, [&](const block_run& run, const row_id* ids) {
      sink.ids = ids;
      mine.query.scan(run, mine.scratch, sink);
      mine.did.rows_scanned += run.rows;
    });
  }

  /// The nearest lists first; more of them as long as `enough()` is false. @param done  lists that were looked at
  /// before
  template <class Sink, class Enough>
  void scan_lists(std::span<const word> query, std::size_t probes, worker& mine, Sink& sink, Enough&& enough,
                  std::size_t done = 0) const {
    constexpr std::size_t ahead = 2;
    for (; done < list_count(); probes = (std::min)(4 * probes, list_count())) {
      const auto order = partition_.nearest(query, probes, mine.partition);
      for (std::size_t i = done; i < (std::min)(done + ahead, order.size()); ++i) lists_.prefetch(order[i].id);
      for (std::size_t i = done; i < order.size(); ++i) {
        if (i + ahead < order.size()) lists_.prefetch(order[i + ahead].id);
        scan_list(order[i].id, mine, sink);
      }
      done = order.size();
      if (enough()) break;
    }
  }

  /// The chosen rows themselves.
  template <class Sink>
  void read_members(std::span<const word> query, const row_choice& choice, worker& mine, Sink& sink) const {
    mine.code.resize(words_for(width()));
    const hamming distance;
    choice.for_each(0, this->rows(), [&](std::size_t row) {
      lists_.copy_row(static_cast<row_id>(row), mine.code);
      ++mine.did.rows_scanned;
      sink.keep(static_cast<row_id>(row), distance(query, mine.code));
    });
  }

  /// Calls `search(workers)`, of which there is one a thread.
  template <class Search>
  void with_workers(ivf_statistics* statistics, Search&& search) const {
    const auto work = workspaces_.take();
    work->workers.resize(executor_.concurrency());
    for (worker& mine : work->workers) mine.did = {};
    search(work->workers);
    if (statistics != nullptr)
      for (const worker& mine : work->workers) *statistics += mine.did;
  }

  /// Calls `search(query, worker)` for each.
  template <class Search>
  void for_each(code_view<> queries, ivf_statistics* statistics, Search&& search) const {
    with_workers(statistics, [&](std::vector<worker>& workers) {
      detail::for_each_query(executor_, queries.size(), [&](std::size_t q, std::size_t w) {
        workers[w].query.assign(queries.middle_rows(q, 1), 0);
        search(q, workers[w]);
      });
    });
  }

  /// The lists that queries want, `each` a query, one by one for all that want it.
  void scan_wanted(code_view<> queries, std::span<const row_id> wanted, std::size_t each, const row_choice& choice,
                   worker& mine) const {
    if (each == 0) return;
    mine.wishes.assign(wanted, each, list_count());
    for (std::size_t list = 0; list < list_count(); ++list) {
      const auto some = mine.wishes.of(list);
      if (list + 1 < list_count() && !mine.wishes.of(list + 1).empty()) lists_.prefetch(list + 1);
      if (some.empty()) continue;
      mine.code.clear();
      for (const std::uint32_t q : some) mine.code.insert(mine.code.end(), queries[q].begin(), queries[q].end());
      mine.query.assign(code_view<>(mine.code.data(), some.size(), width()), lists_.rows_in(list));
      detail::list_batch_sink sink{mine.tops, some, choice};
      lists_.for_each_run(list, [&](const block_run& run, const row_id* ids) {
        sink.ids = ids;
        mine.query.scan(run, mine.scratch, sink);
        mine.did.rows_scanned += run.rows * some.size();
      });
      mine.did.lists += some.size();
      mine.did.offers += sink.offers;
    }
  }

  /// Queries together: the nearest list of each first, which bounds what it looks for, then all read list by list.
  void answer_together(code_view<> queries, const row_choice& choice, std::size_t probes, std::size_t first,
                       worker& mine, knn_result<std::uint32_t>& result) const {
    if (mine.tops.size() < queries.size()) mine.tops.resize(queries.size());
    for (std::size_t q = 0; q < queries.size(); ++q)
      mine.tops[q].reset(result.k(), static_cast<std::uint32_t>(width()));
    mine.nearest.clear();
    mine.others.clear();
    partition_.nearest(queries, probes, mine.partition, [&](std::size_t, auto lists) {
      mine.nearest.push_back(lists[0].id);
      for (const auto& list : lists.subspan(1)) mine.others.push_back(list.id);
    });
    scan_wanted(queries, mine.nearest, 1, choice, mine);
    scan_wanted(queries, mine.others, probes - 1, choice, mine);
    for (std::size_t q = 0; q < queries.size(); ++q) {
      if (!mine.tops[q].full() && probes < list_count()) {
        const row_choice own = choice.for_query(q);
        detail::list_knn_sink sink{mine.tops[q], own};
        mine.query.assign(queries.middle_rows(q, 1), 0);
        scan_lists(
            queries[q], 4 * probes, mine, sink, [&] { return mine.tops[q].full(); }, probes);
        mine.did.offers += sink.offers;
      }
      assign(first + q, mine.tops[q], mine, result);
    }
  }

  static void assign(std::size_t q, unordered_histogram_top_k& top, worker& mine, knn_result<std::uint32_t>& result) {
    const auto kept = top.kept();
    mine.found.assign(kept.begin(), kept.end());
    result.assign(q, select_top_k<std::less<>>(mine.found, result.k()));
  }

  /// Queries that together look at each list once, and as many as one worker holds.
  static constexpr std::size_t fewest_together = 32, most_together = 512;

  void answer(const query_view& asked, const row_choice& choice, knn_result<std::uint32_t>& result,
              ivf_statistics* statistics) const {
    const code_view<> queries = asked.queries();
    const std::size_t members = members_of(choice), probes = probes_of(asked, members);
    const std::size_t each = std::clamp<std::size_t>(queries.size() / executor_.concurrency(), 1, most_together);
    if (detail::is_sparse(members, this->rows()) || each < fewest_together || list_count() == 0)
      return answer_each(queries, choice, probes, result, statistics);
    with_workers(statistics, [&](std::vector<worker>& workers) {
      run_ranges(executor_, queries.size(), each, queries.size(),
                 [&](std::size_t first, std::size_t last, std::size_t w) {
                   answer_together(queries.middle_rows(first, last - first), choice.from_query(first), probes, first,
                                   workers[w], result);
                 });
    });
  }

  void answer_each(code_view<> queries, const row_choice& choice, std::size_t probes, knn_result<std::uint32_t>& result,
                   ivf_statistics* statistics) const {
    const bool sparse = detail::is_sparse(members_of(choice), this->rows());
    for_each(queries, statistics, [&](std::size_t q, worker& mine) {
      mine.top.reset(result.k(), static_cast<std::uint32_t>(width()));
      const row_choice own = choice.for_query(q);
      detail::list_knn_sink sink{mine.top, own};
      if (sparse)
        read_members(queries[q], own, mine, sink);
      else
        scan_lists(queries[q], probes, mine, sink, [&] { return mine.top.full(); });
      mine.did.offers += sink.offers;
      assign(q, mine.top, mine, result);
    });
  }

  range_result<std::uint32_t> answer_range(const query_view& asked, std::uint32_t radius, const row_choice& choice,
                                           ivf_statistics* statistics) const {
    const std::size_t members = members_of(choice), probes = probes_of(asked, this->rows());
    const bool sparse = detail::is_sparse(members, this->rows());
    std::vector<std::vector<neighbor<std::uint32_t>>> lists(asked.size());
    for_each(asked.queries(), statistics, [&](std::size_t q, worker& mine) {
      const row_choice own = choice.for_query(q);
      detail::list_range_sink sink{lists[q], radius, own};
      const auto query = asked.queries()[q];
      if (sparse)
        read_members(query, own, mine, sink);
      else
        scan_lists(query, probes, mine, sink, [] { return true; });
      mine.did.offers += sink.offers;
      std::sort(lists[q].begin(), lists[q].end(), neighbor_order<std::less<>>{});
    });
    return range_result<std::uint32_t>(lists);
  }

  [[no_unique_address]] Exec executor_;
  encoder_fingerprint fingerprint_ = 0;
  code_partition partition_;
  detail::code_lists lists_;
  std::vector<recall_at_probe> recall_;
  std::size_t probes_ = 1;
  double target_recall_ = .95;
  detail::list_drift drift_;
  mutable reuse_pool<detail::ivf_workspace> workspaces_;
};

template <class Source, class Rng>
ivf_index(const Source&, ivf_options, Rng&) -> ivf_index<>;
template <class Source, class Rng, class Exec>
ivf_index(const Source&, ivf_options, Rng&, Exec) -> ivf_index<Exec>;
template <class Source>
ivf_index(const Source&, code_partition) -> ivf_index<>;
template <class Source, class Exec>
  requires Executor<Exec> ivf_index(const Source&, code_partition, Exec)
->ivf_index<Exec>;

}  // namespace embit::inline EMBIT_ABI
