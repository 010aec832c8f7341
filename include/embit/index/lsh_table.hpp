// Approximate search by tables of keys: rows that share a bucket with a query, or lie in one near by, are compared.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/results.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/index/detail/lsh/probe_order.hpp>
#include <embit/index/detail/lsh/saved_keys.hpp>
#include <embit/index/detail/lsh/scorer.hpp>
#include <embit/index/detail/lsh/segments.hpp>
#include <embit/index/detail/saved_rows.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/index_memory.hpp>
#include <embit/index/lsh_queries.hpp>
#include <embit/io/save.hpp>
#include <embit/search/default_kernel.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/search/index_parts.hpp>
#include <embit/search/live_rows.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/rows.hpp>
#include <embit/search/store_pairs.hpp>
#include <embit/search/top_k.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// How an lsh_table is built and searched; `plan_lsh` chooses them for a recall.
struct lsh_table_options {
  std::size_t tables = 0;  ///< 1 to 65536
  std::size_t bits = 0;    ///< of a key, 1 to 32; keys cut from codes take the first tables · bits bits of them
  std::size_t probes = 1;  ///< buckets looked up in each table; 1 is the query's own, 2^bits are all
};

/// What searches of an lsh_table did.
struct lsh_statistics {
  std::size_t probes = 0;      ///< buckets looked up
  std::size_t found = 0;       ///< rows in them, again in every bucket
  std::size_t candidates = 0;  ///< rows that were scored, once a query

  lsh_statistics& operator+=(const lsh_statistics& other) noexcept {
    probes += other.probes;
    found += other.found;
    candidates += other.candidates;
    return *this;
  }
};

/// Approximate nearest neighbours: every row is in one bucket of each of several tables, and what a query finds in its
/// own buckets, and in some near by, is scored. Keys are cut from binary codes, as those of `sign_lsh`, or given:
/// `lsh_table{codes, {.tables = 16, .bits = 18, .probes = 20}}` searches codes by Hamming distance;
/// `lsh_table{rows, keys, options, kernel}` scores any store by any kernel, and a reranker scores as a kernel does.
/// Near buckets are those whose keys differ in few bits, or, for queries with margins, in bits that cost least (Lv et
/// al., "Multi-probe LSH", VLDB 2007). Results are sorted by (distance, row), the same on any number of threads and
/// however the rows were added; with all buckets probed they are those of `flat_index`, and else some of them, fewer
/// where there are fewer candidates. Queries, keys and margins of another size are refused (errc::shape), also keys
/// beyond their bits and queries without keys where none can be cut (errc::argument), NaN and infinity
/// (errc::not_finite). A file of it holds the rows, and keys that were given.
/// Const members may be called from many threads at once; `add`, `remove` and `compact` need the index to themselves.
template <class Store, class Scorer, class Exec>
class lsh_table : public detail::index_frame<lsh_table<Store, Scorer, Exec>, lsh_queries<typename Scorer::query_view>,
                                             typename detail::scorer_types<Scorer>::distance_type,
                                             typename Scorer::compare, lsh_statistics> {
  using frame = detail::index_frame<lsh_table, lsh_queries<typename Scorer::query_view>,
                                    typename detail::scorer_types<Scorer>::distance_type, typename Scorer::compare,
                                    lsh_statistics>;
  friend frame;

  static_assert(Executor<Exec>,
                "lsh_table: its last argument runs no work; give inline_executor, thread_pool or the like");
  static_assert(detail::holds_rows<Store>,
                "lsh_table: its first argument holds no rows; give codes as a code_store or a code_view, floats as a "
                "matrix or a matrix_view, with their keys");
  static_assert(Reranker<Scorer> || detail::scores_rows<Scorer, Store>,
                "lsh_table: this scorer does not score rows of this store; binary codes take hamming{} or jaccard{}, "
                "rows of floats take l2{} or inner_product{}, and a reranker takes anything");

 public:
  using store_type = Store;
  using codes_view = typename detail::rows_view<Store>::type;
  using typename frame::bound_type;
  using typename frame::compare;
  using typename frame::distance_type;
  using typename frame::neighbor_type;
  using typename frame::query_view;

  /// Keys cut from the codes.
  /// @throws error errc::argument for tables and keys that do not fit the width, or no probes.
  /// O(rows · (words + tables · log rows)).
  explicit lsh_table(detail::store_argument<Store> codes, lsh_table_options options, Scorer scorer = {},
                     Exec executor = {}) requires CodeStore<Store>
      : lsh_table(std::move(codes.value), options, std::move(scorer), std::move(executor), false) {
    detail::require_lsh_width(options.tables, options.bits, width());
    insert_cut_keys();
  }

  /// The same with the executor alone.
  template <std::same_as<Exec> E>
  explicit lsh_table(detail::store_argument<Store> codes, lsh_table_options options,
                     E executor) requires(CodeStore<Store>&& std::default_initializable<Scorer>)
      : lsh_table(std::move(codes), options, Scorer{}, std::move(executor)) {}

  /// Given keys, rows × tables, each below 2^bits; queries come with keys then.
  /// @throws error errc::shape for keys of other rows or tables, errc::argument for keys beyond 2^bits or no probes,
  /// errc::not_finite for NaN or infinity in float rows.
  explicit lsh_table(detail::store_argument<Store> rows, matrix_view<const std::uint32_t> keys,
                     lsh_table_options options, Scorer scorer = {}, Exec executor = {})
      : lsh_table(std::move(rows.value), options, std::move(scorer), std::move(executor), true) {
    require_row_keys(keys, store_.size());
    insert_all([&](std::size_t row, std::size_t t) { return keys[row][t]; });
  }

  /// Holds nothing and takes nothing: for a member, or a map, that is assigned to later.
  lsh_table() requires(
      std::default_initializable<Store>&& std::default_initializable<Scorer>&& std::default_initializable<Exec>)
      : frame(0) {}

  lsh_table(const lsh_table&) = default;
  lsh_table(lsh_table&&) = default;
  /// Nothing has changed when it throws.
  lsh_table& operator=(const lsh_table& other) { return *this = lsh_table(other); }
  lsh_table& operator=(lsh_table&&) = default;
  ~lsh_table() = default;

  /// Bits of the codes, or numbers of the float rows.
  std::size_t width() const noexcept { return detail::width_of(store_); }
  const Store& store() const& noexcept { return store_; }
  const Store& store() const&& = delete;
  lsh_table_options options() const noexcept { return options_; }
  Exec executor() const noexcept { return executor_; }

  index_memory memory() const noexcept {
    const std::size_t codes = detail::rows_memory(store_);
    return {codes, tables_.memory(), this->rows_left().memory(), workspaces_.memory(), this->removed_of(codes)};
  }

  /// Finds every pair of rows within `radius` of each other, as `flat_index` does and not through the tables: Hamming
  /// distances are joined on a copy of the codes, others take O(rows² · width / 2). Calls `found(a, b, distance)` once
  /// a pair, with a < b; where it returns bool, false ends the search.
  /// @throws error errc::shape for a bitset of another size, errc::not_finite or errc::argument for the radius as
  /// `range_search` has it; what `found` throws.
  template <class Found, RowFilter Filter = accept_all>
    requires std::invocable<Found&, row_id, row_id, distance_type> && CodeStore<Store> && Kernel<Scorer> &&
        detail::CodeQueries<typename Scorer::query_view>
  void pairs_within(bound_type radius, Found&& found, const Filter& filter = {}) const {
    this->report_pairs(found, filter, [&](const row_choice& choice, detail::pair_report<distance_type>& report) {
      detail::store_pairs(scorer_, store_, executor_, distance_type{radius}, choice, report);
    });
  }

  /// Adds codes; returns the id of the first, the others follow. Amortized O(log rows) sorts of a row.
  /// @throws error errc::shape for another width, errc::argument for bits beyond the width, too many rows, or an index
  /// of given keys; the index is unchanged then.
  row_id add(codes_view codes) requires CodeStore<Store> && detail::GrowingStore<Store> {
    check_add(codes);
    return add_rows(codes,
                    [&](std::size_t row, std::size_t t) { return detail::lsh_key(codes[row], t, options_.bits); });
  }

  /// Whether codes of this width can be added at all.
  /// @throws error as `add` does.
  void check_add(codes_view codes) const requires CodeStore<Store> {
    if (keyed_) raise(errc::argument, "add: the index was given keys, which added rows need too");
    if (codes.size() != 0 && codes.bits() != width())
      raise(errc::shape, "codes: width ", codes.bits(), ", the index holds rows of width ", width());
    static_cast<void>(detail::joined_fingerprint(codes.fingerprint(), detail::known_fingerprint(store_), this->rows()));
  }

  /// Adds rows with their keys, rows × tables.
  /// @throws error as above, and errc::argument for an index that cuts keys from codes.
  row_id add(codes_view rows, matrix_view<const std::uint32_t> keys) requires detail::GrowingStore<Store> {
    if (!keyed_) raise(errc::argument, "add: keys were given, the index cuts them from its codes");
    require_row_keys(keys, rows.size());
    detail::require_finite_rows(rows);
    return add_rows(rows, [&](std::size_t row, std::size_t t) { return keys[row][t]; });
  }

  /// Buckets of each table that searches look up from now on, unless their queries say otherwise.
  /// @throws error errc::argument for 0.
  void set_probes(std::size_t probes) {
    require_probes(probes);
    options_.probes = probes;
  }

  /// Drops removed rows and numbers the others anew, in their order. Returns the new id of every old one, `no_row`
  /// for those removed; what a reranker knows of the rows has to follow.
  std::vector<row_id> compact() requires std::constructible_from<Store, const Store&, std::span<const row_id>> {
    return this->renumber([&](const auto& numbering) {
      Store left(store_, numbering.survivors);
      tables_ = tables_.renumber(numbering.renumbered, no_row, options_.tables, options_.bits, executor_);
      store_ = std::move(left);
    });
  }

  static constexpr file_kind file{"lsh_table", 1};

  /// The sections of the file that `save` writes: "options" (u64 tables, u64 bits, u64 probes, u8 whether keys were
  /// given), the rows under "store/", or as the matrix "rows" where they are floats; the keys of all rows, table after
  /// table (u32), in "keys" where they were given; and which rows are left. The tables are sorted anew from the keys.
  /// Scorer and executor are not among them.
  void write_to(const section_writer& out) const requires detail::SavableRows<Store> {
    metadata_writer options;
    options.u64(options_.tables).u64(options_.bits).u64(options_.probes).u8(keyed_);
    out.add("options", std::move(options));
    detail::write_rows(out, store_);
    if (keyed_)
      out.add_stream("keys", [this](section_sink& sink) {
        std::vector<std::uint32_t> keys(this->rows());
        for (std::size_t t = 0; t < options_.tables; ++t) {
          tables_.for_each(t, [&](std::uint32_t key, row_id row) { keys[row] = key; });
          sink.write(std::span<const std::uint32_t>(keys));
        }
      });
    this->rows_left().write_to(out);
  }

  /// @param scorer  of the index, given again where it is not a default one; `executor` likewise
  /// @throws error errc::format, errc::kind for another store, errc::checksum or errc::io.
  static lsh_table read_from(const section_reader& in, Scorer scorer,
                             Exec executor = {}) requires detail::LoadableRows<Store> {
    metadata_reader values = in.metadata("options");
    const std::uint64_t tables = values.u64(), bits = values.u64(), probes = values.u64();
    const std::uint8_t keyed = values.u8();
    if (tables == 0 || tables > detail::most_lsh_tables || bits == 0 || bits > 32 || probes == 0 || keyed > 1)
      values.refuse(tables, " tables of ", bits, " bits, ", probes, " probes, keys given: ", int{keyed});
    auto store = detail::read_rows<Store>(in);
    if (keyed == 0 && (!CodeStore<Store> || tables > detail::width_of(store) / bits))
      values.refuse(tables, " tables of ", bits, " bits cut from rows of width ", detail::width_of(store));
    const lsh_table_options options{static_cast<std::size_t>(tables), static_cast<std::size_t>(bits),
                                    static_cast<std::size_t>(probes)};
    lsh_table index(std::move(store), options, std::move(scorer), std::move(executor), keyed == 1);
    if (keyed == 1) {
      const auto keys = detail::read_lsh_keys(in, index.rows(), tables, options.bits);
      index.insert_all([&](std::size_t row, std::size_t t) { return keys[t * index.rows() + row]; });
    } else {
      index.insert_cut_keys();
    }
    index.read_rows_left(in);
    return index;
  }
  static lsh_table read_from(const section_reader& in) requires(
      detail::LoadableRows<Store>&& std::default_initializable<Scorer>) {
    return read_from(in, Scorer{});
  }

 private:
  // What one worker of a search writes.
  struct worker_state {
    std::vector<word> seen;  // a bit a row; all clear between queries
    std::vector<row_id> candidates;
    std::vector<neighbor_type> scored;
    detail::candidate_scorer<Store, Scorer> scorer;
    detail::flips_by_margin flips;
    lsh_statistics did;

    void visit(std::span<const row_id> rows) {
      did.found += rows.size();
      for (const row_id row : rows) {
        const word bit = word{1} << row % word_bits;
        if ((seen[row / word_bits] & bit) != 0) continue;
        candidates.push_back(row);
        seen[row / word_bits] |= bit;
      }
    }
    // Also after a search that threw: whatever was seen is a candidate.
    void begin(std::size_t rows) {
      if (seen.size() == words_for(rows)) return forget();
      candidates.clear();
      seen.assign(words_for(rows), 0);
    }
    void forget() noexcept {
      for (const row_id row : candidates) seen[row / word_bits] = 0;
      candidates.clear();
    }
    std::size_t list_memory() const noexcept {
      return candidates.capacity() * sizeof(row_id) + scored.capacity() * sizeof(neighbor_type) + scorer.memory();
    }
    std::size_t memory() const noexcept { return seen.capacity() * sizeof(word) + list_memory(); }
    void trim() noexcept {
      if (list_memory() <= most_idle_bytes) return;
      forget();
      candidates = {};
      scored = {};
      scorer = {};
    }
  };
  struct workspace {
    std::vector<worker_state> workers;

    std::size_t memory() const noexcept {
      std::size_t bytes = 0;
      for (const worker_state& mine : workers) bytes += sizeof mine + mine.memory();
      return bytes;
    }
    void trim() noexcept {
      for (worker_state& mine : workers) mine.trim();
    }
  };

  lsh_table(Store store, lsh_table_options options, Scorer scorer, Exec executor, bool keyed)
      : frame(store.size()),
        options_(options),
        keyed_(keyed),
        scorer_(std::move(scorer)),
        executor_(std::move(executor)),
        store_(std::move(store)) {
    detail::require_lsh(options_.tables, options_.bits);
    require_probes(options_.probes);
    detail::require_finite_rows(store_);
    detail::require_same_encoder(detail::known_fingerprint(scorer_), detail::known_fingerprint(store_), "scorer");
  }

  void answer(const query_view& queries, const row_choice& choice, knn_result<distance_type>& result,
              lsh_statistics* statistics) const {
    score_each(queries, statistics, [&](std::size_t q, worker_state& mine) {
      const std::size_t scored = mine.scorer.nearest(store_, scorer_, queries.queries(), q, mine.candidates,
                                                     choice.for_query(q), result.k(), mine.scored);
      result.assign(q, select_top_k<compare>(mine.scored, result.k()));
      return scored;
    });
  }

  range_result<distance_type> answer_range(const query_view& queries, distance_type radius, const row_choice& choice,
                                           lsh_statistics* statistics) const {
    std::vector<std::vector<neighbor_type>> lists(queries.size());
    score_each(queries, statistics, [&](std::size_t q, worker_state& mine) {
      const std::size_t scored = mine.scorer.within(store_, scorer_, queries.queries(), q, mine.candidates,
                                                    choice.for_query(q), radius, mine.scored);
      std::sort(mine.scored.begin(), mine.scored.end(), neighbor_order<compare>{});
      lists[q].assign(mine.scored.begin(), mine.scored.end());
      return scored;
    });
    return range_result<distance_type>(lists);
  }

  static void require_probes(std::size_t probes) {
    if (probes == 0) raise(errc::argument, "probes: 0, but at least 1 bucket of a table must be looked up");
  }

  template <class Key>
  void insert_all(Key&& key) {
    tables_.commit(tables_.prepare(0, this->rows(), options_.tables, options_.bits, executor_, key));
  }
  void insert_cut_keys() {
    if constexpr (CodeStore<Store>)
      insert_all([&](std::size_t row, std::size_t t) { return detail::lsh_key(store_[row], t, options_.bits); });
  }

  template <class Rows, class Key>
  row_id add_rows(const Rows& added, Key&& key) {
    return this->grow(added.size(), [&] {
      const std::size_t first = this->rows();
      auto addition = tables_.prepare(first, added.size(), options_.tables, options_.bits, executor_,
                                      [&](std::size_t row, std::size_t t) { return key(row - first, t); });
      store_.append(added);
      tables_.commit(std::move(addition));
    });
  }

  void require_row_keys(matrix_view<const std::uint32_t> keys, std::size_t rows) const {
    if (keys.rows() != rows || (rows != 0 && keys.cols() != options_.tables))
      raise(errc::shape, "keys: ", keys.rows(), " x ", keys.cols(), ", for ", rows, " rows in ", options_.tables,
            " tables");
    detail::require_keys(keys, options_.bits);
  }

  static constexpr bool queries_are_codes = std::convertible_to<typename Scorer::query_view, code_view<>>;

  void require_queries(const query_view& given) const {
    if (given.size() == 0) return;
    const auto& queries = given.queries();
    const std::size_t tables = options_.tables;
    if constexpr (!Reranker<Scorer> && queries_are_codes == CodeStore<Store>) detail::require_width(queries, width());
    const auto keys = given.keys();
    if (keys.cols() != 0) {
      if (keys.rows() != given.size() || keys.cols() % tables != 0)
        raise(errc::shape, "keys: ", keys.rows(), " x ", keys.cols(), ", for ", given.size(), " queries to ", tables,
              " tables");
      detail::require_keys(keys, options_.bits);
    } else if (keyed_ || !queries_are_codes) {
      raise(errc::argument, "keys: none were given, and none can be cut from the queries");
    } else if constexpr (queries_are_codes) {
      detail::require_lsh_width(tables, options_.bits, queries.bits());
    }
    if constexpr (requires { detail::require_finite(queries, "queries"); }) detail::require_finite(queries, "queries");
    const auto margins = given.margins();
    if (margins.cols() == 0 && margins.rows() == 0) return;
    if (margins.rows() != given.size() || margins.cols() != tables * options_.bits)
      raise(errc::shape, "margins: ", margins.rows(), " x ", margins.cols(), ", for ", given.size(), " queries to ",
            tables, " tables of ", options_.bits, " bits");
    if (keys.cols() > tables) raise(errc::argument, "margins: given with ", keys.cols() / tables, " keys a table");
    detail::require_finite(margins, "margins");
  }

  // Calls `score(query, worker)` once the candidates of a query are there; it returns how many of them it scored.
  template <class Score>
  void score_each(const query_view& queries, lsh_statistics* statistics, Score&& score) const {
    const auto work = workspaces_.take();
    work->workers.resize(executor_.concurrency());
    for (worker_state& mine : work->workers) {
      mine.begin(this->rows());
      mine.did = {};
    }
    detail::for_each_query(executor_, queries.size(), [&](std::size_t q, std::size_t worker) {
      worker_state& mine = work->workers[worker];
      collect(queries, q, mine);
      mine.did.candidates += score(q, mine);
      mine.forget();
    });
    if (statistics != nullptr)
      for (const worker_state& mine : work->workers) *statistics += mine.did;
  }

  // Buckets are read some time after they are known, so that memory has the time to bring them.
  void collect(const query_view& queries, std::size_t q, worker_state& mine) const {
    constexpr std::size_t waiting = 16, directory_first = 8;
    struct bucket {
      std::size_t table;
      std::uint32_t key;
    };
    std::array<bucket, waiting> coming;
    std::size_t known = 0, asked = 0, read = 0;
    const auto ask = [&] {
      const bucket& b = coming[asked++ % waiting];
      tables_.prefetch_bucket(b.table, b.key);
    };
    const auto look = [&] {
      const bucket& b = coming[read++ % waiting];
      ++mine.did.probes;
      tables_.find(b.table, b.key, [&](std::span<const row_id> found) { mine.visit(found); });
      return mine.candidates.size() < this->rows();  // beyond, nothing new can come
    };
    bool more = true;
    probe(queries, q, mine, [&](std::size_t table, std::uint32_t key) {
      tables_.prefetch_directory(table, key);
      coming[known++ % waiting] = {table, key};
      if (known - asked > directory_first) ask();
      if (known - read == waiting) more = look();
      return more;
    });
    while (more && read < known) {
      if (asked < known) ask();
      more = look();
    }
  }

  std::uint32_t key_of(const query_view& queries, std::size_t q, std::size_t table) const noexcept {
    if constexpr (queries_are_codes)
      if (queries.keys().cols() == 0) return detail::lsh_key(queries.queries()[q], table, options_.bits);
    return queries.keys()[q][table];
  }

  // Calls `look(table, key)` for the buckets of a query, in order, until it returns false.
  template <class Look>
  void probe(const query_view& queries, std::size_t q, worker_state& mine, Look&& look) const {
    const std::size_t tables = options_.tables;
    const std::size_t all = std::size_t{1} << options_.bits;
    const std::size_t probes = (std::min)(queries.probes() != 0 ? queries.probes() : options_.probes, all);
    if (queries.keys().cols() > tables) {
      const auto keys = queries.keys()[q];
      for (std::size_t i = 0; i < keys.size(); ++i)
        if (!look(i % tables, keys[i])) return;
    } else if (queries.margins().cols() != 0) {
      mine.flips.reset(queries.margins()[q], tables, options_.bits);
      detail::flips_by_margin::probe next;
      for (std::size_t i = 0; i < probes * tables && mine.flips.next(next); ++i)
        if (!look(next.table, key_of(queries, q, next.table) ^ next.mask)) return;
    } else {
      detail::flips_by_weight flips(options_.bits);
      for (std::size_t i = 0; i < probes; ++i, flips.next())
        for (std::size_t t = 0; t < tables; ++t)
          if (!look(t, key_of(queries, q, t) ^ flips.mask())) return;
    }
  }

  lsh_table_options options_;
  bool keyed_ = false;
  [[no_unique_address]] Scorer scorer_{};
  [[no_unique_address]] Exec executor_{};
  Store store_{};
  detail::lsh_segments tables_;
  mutable reuse_pool<workspace> workspaces_;
};

namespace detail {

/// The store that an lsh_table keeps: binary codes row by row, which is how candidates are read.
template <class Source>
struct lsh_store {
  using type = Source;
};
template <class Source>
  requires std::convertible_to<const Source&, code_view<>>
struct lsh_store<Source> {
  using type = code_store<>;
};
template <class Source>
using lsh_store_t = typename lsh_store<Source>::type;

}  // namespace detail

template <class Source>
lsh_table(const Source&, lsh_table_options) -> lsh_table<detail::lsh_store_t<Source>>;
template <class Source, class Scorer>
lsh_table(const Source&, lsh_table_options, Scorer) -> lsh_table<detail::lsh_store_t<Source>, Scorer>;
template <class Source, Executor Exec>
lsh_table(const Source&, lsh_table_options, Exec)
    -> lsh_table<detail::lsh_store_t<Source>, default_kernel<detail::lsh_store_t<Source>>, Exec>;
template <class Source, class Scorer, class Exec>
lsh_table(const Source&, lsh_table_options, Scorer, Exec) -> lsh_table<detail::lsh_store_t<Source>, Scorer, Exec>;
template <class Source>
lsh_table(const Source&, matrix_view<const std::uint32_t>, lsh_table_options) -> lsh_table<detail::lsh_store_t<Source>>;
template <class Source, class Scorer>
lsh_table(const Source&, matrix_view<const std::uint32_t>, lsh_table_options, Scorer)
    -> lsh_table<detail::lsh_store_t<Source>, Scorer>;
template <class Source, class Scorer, class Exec>
lsh_table(const Source&, matrix_view<const std::uint32_t>, lsh_table_options, Scorer, Exec)
    -> lsh_table<detail::lsh_store_t<Source>, Scorer, Exec>;

}  // namespace embit::inline EMBIT_ABI
