// Approximate search by tables of keys: rows that share a bucket with a query, or lie in one near by, are compared.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/bits/code_view.hpp>
#include <embit/bits/substring.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/results.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/lsh_probe_order.hpp>
#include <embit/index/detail/lsh_scorer.hpp>
#include <embit/index/detail/lsh_segments.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/index_memory.hpp>
#include <embit/search/default_kernel.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/search/rows.hpp>
#include <embit/search/top_k.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
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
  std::size_t tables = 0;  ///< at least 1
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

/// A batch of queries to an lsh_table: what its scorer takes, and where they have them, keys and margins.
/// Views, for the length of a search.
template <class View>
class lsh_queries {
 public:
  /// Queries alone: their keys are cut from them.
  /// @param probes  buckets in each table; 0 for as many as the index was told
  template <class Source>
    requires std::convertible_to<const Source&, View> lsh_queries(const Source& queries, std::size_t probes = 0)
        : queries_(queries), probes_(probes) {}

    /// Codes with margins, queries × (tables · bits): what flipping each bit of the keys costs. `probes` · tables
    /// buckets are then looked up over all tables, the cheapest first. (`sign_projection::margins` has one a bit.)
    lsh_queries(View queries, matrix_view<const float> margins, std::size_t probes = 0)
        : queries_(queries), margins_(margins), probes_(probes) {}

    /// Queries with keys, queries × tables; or queries × (p · tables), the p keys of a query in a table being those in
    /// columns t, t + tables, …: exactly these p buckets are then looked up.
    lsh_queries(View queries, matrix_view<const std::uint32_t> keys, std::size_t probes = 0)
        : queries_(queries), keys_(keys), probes_(probes) {}

    /// Queries with keys, queries × tables, and margins.
    lsh_queries(View queries, matrix_view<const std::uint32_t> keys, matrix_view<const float> margins,
                std::size_t probes = 0)
        : queries_(queries), keys_(keys), margins_(margins), probes_(probes) {}

    std::size_t size() const noexcept { return queries_.size(); }
    const View& queries() const noexcept { return queries_; }
    const matrix_view<const std::uint32_t>& keys() const noexcept { return keys_; }
    const matrix_view<const float>& margins() const noexcept { return margins_; }
    std::size_t probes() const noexcept { return probes_; }

   private:
    View queries_;
    matrix_view<const std::uint32_t> keys_;
    matrix_view<const float> margins_;
    std::size_t probes_ = 0;
};

namespace detail {

/// A store that rows can be added to.
template <class Store>
concept GrowingStore = requires(Store& store, typename rows_view<Store>::type added) {
  store.append(added);
};

inline void require_lsh(std::size_t tables, std::size_t bits) {
  if (tables == 0) raise(errc::argument, "tables: 0, but at least 1 is needed");
  if (bits == 0 || bits > 32) raise(errc::argument, "bits: ", bits, " a key, not 1 to 32");
}
inline void require_lsh_width(std::size_t tables, std::size_t bits, std::size_t width) {
  require_lsh(tables, bits);
  if (tables > width / bits)
    raise(errc::argument, "tables: ", tables, " of ", bits, " bits, but codes of ", width, " bits");
}
inline std::uint32_t lsh_key(std::span<const word> code, std::size_t table, std::size_t bits) noexcept {
  return static_cast<std::uint32_t>(substring(code, {table * bits, bits}));
}
inline void require_keys(matrix_view<const std::uint32_t> keys, std::size_t bits) {
  for (std::size_t i = 0; i < keys.rows(); ++i)
    for (const std::uint32_t key : keys[i])
      if (key >> (bits - 1) > 1) raise(errc::argument, "keys: row ", i, " has ", key, ", beyond ", bits, " bits");
}

}  // namespace detail

/// The keys that an lsh_table cuts from codes: bits [t · bits, (t + 1) · bits) for table t, rows × tables.
/// @throws error errc::argument unless there are 1 to 32 bits a key and tables · bits within the width.
inline matrix<std::uint32_t> lsh_keys(code_view<> codes, std::size_t tables, std::size_t bits) {
  detail::require_lsh_width(tables, bits, codes.bits());
  matrix<std::uint32_t> keys(codes.size(), tables);
  for (std::size_t i = 0; i < codes.size(); ++i)
    for (std::size_t t = 0; t < tables; ++t) keys[i][t] = detail::lsh_key(codes[i], t, bits);
  return keys;
}

/// Approximate nearest neighbours: every row is in one bucket of each of several tables, and what a query finds in its
/// own buckets, and in some near by, is scored. Keys are cut from binary codes, as those of `sign_lsh`, or given:
/// `lsh_table{codes, {.tables = 16, .bits = 18, .probes = 20}}` searches codes by Hamming distance;
/// `lsh_table{rows, keys, options, kernel}` scores any store by any kernel, and a reranker scores as a kernel does.
/// Near buckets are those whose keys differ in few bits, or, for queries with margins, in bits that cost least (Lv et
/// al., "Multi-probe LSH", VLDB 2007). Results are sorted by (distance, row), the same on any number of threads and
/// however the rows were added; with all buckets probed they are those of `flat_index`.
/// Const members may be called from many threads at once; `add`, `remove` and `compact` need the index to themselves.
template <class Store = code_store<>, class Scorer = default_kernel<Store>, Executor Exec = inline_executor>
class lsh_table {
 public:
  using store_type = Store;
  using query_view = lsh_queries<typename Scorer::query_view>;
  using codes_view = typename detail::rows_view<Store>::type;
  using distance_type = typename detail::scorer_types<Scorer>::distance_type;
  using compare = typename Scorer::compare;
  using neighbor_type = neighbor<distance_type>;

  /// Keys cut from the codes.
  /// @throws error errc::argument for tables and keys that do not fit the width, or no probes.
  /// O(rows · (words + tables · log rows)).
  explicit lsh_table(detail::store_argument<Store> codes, lsh_table_options options, Scorer scorer = {},
                     Exec executor = {}) requires CodeStore<Store>
      : lsh_table(std::move(codes.value), options, std::move(scorer), std::move(executor), false) {
    detail::require_lsh_width(options.tables, options.bits, width());
    insert(0, store_.size(),
           [&](std::size_t row, std::size_t t) { return detail::lsh_key(store_[row], t, options_.bits); });
  }

  /// Given keys, rows × tables, each below 2^bits; queries come with keys then.
  /// @throws error errc::shape for keys of other rows or tables, errc::argument for keys beyond 2^bits or no probes.
  explicit lsh_table(detail::store_argument<Store> rows, matrix_view<const std::uint32_t> keys,
                     lsh_table_options options, Scorer scorer = {}, Exec executor = {})
      : lsh_table(std::move(rows.value), options, std::move(scorer), std::move(executor), true) {
    require_row_keys(keys, store_.size());
    insert(0, store_.size(), [&](std::size_t row, std::size_t t) { return keys[row][t]; });
  }

  /// Rows that can be found: those added and not removed.
  std::size_t size() const noexcept { return live_; }
  /// One more than the largest row id ever given out since the last `compact`.
  std::size_t rows() const noexcept { return store_.size(); }
  /// Bits of the codes, or numbers of the float rows.
  std::size_t width() const noexcept { return detail::width_of(store_); }
  const Store& store() const noexcept { return store_; }
  const lsh_table_options& options() const noexcept { return options_; }
  const Exec& executor() const noexcept { return executor_; }

  index_memory memory() const noexcept {
    std::size_t codes = rows() * width() * sizeof(float);
    if constexpr (CodeStore<Store>) codes = rows() * words_for(width()) * sizeof(word);
    return {codes, tables_.memory(), live_rows_.data().size() * sizeof(word)};
  }

  /// The `k` nearest of each query's candidates; fewer candidates give shorter lists.
  /// @param filter      rows it refuses are not found: a predicate on `row_id`, or a `row_bitset` of `rows()` bits
  /// @param statistics  added to, where given
  /// @throws error errc::shape for queries, keys, margins or a bitset of another size, errc::argument for k = 0, keys
  /// beyond their bits, or queries without keys where none can be cut, errc::not_finite for margins.
  template <RowFilter Filter = accept_all>
  knn_result<distance_type> search(const query_view& queries, std::size_t k, const Filter& filter = {},
                                   lsh_statistics* statistics = nullptr) const {
    knn_result<distance_type> result;
    search_into(queries, k, result, filter, statistics);
    return result;
  }

  /// `search` into a result that is reused. `result` is unchanged when this throws for its arguments.
  template <RowFilter Filter = accept_all>
  void search_into(const query_view& queries, std::size_t k, knn_result<distance_type>& result,
                   const Filter& filter = {}, lsh_statistics* statistics = nullptr) const {
    require_queries(queries);
    if (k == 0) raise(errc::argument, "k: 0, but at least 1 neighbour must be asked for");
    if constexpr (std::same_as<Filter, row_bitset>)
      if (filter.size() != rows())
        raise(errc::shape, "filter: a bitset of ", filter.size(), " rows, the index has ", rows());
    result.reset(queries.size(), std::min(k, rows()));
    if (queries.size() == 0 || rows() == 0) return;
    if (live_rows_.size() == 0) return search_chosen(queries, result, filter, statistics);
    search_chosen(
        queries, result, [&](row_id row) { return live_rows_.test(row) && filter(row); }, statistics);
  }

  /// Adds codes; returns the id of the first, the others follow. Amortized O(log rows) sorts of a row.
  /// @throws error errc::shape for another width, errc::argument for bits beyond the width, too many rows, or an index
  /// of given keys; the index is unchanged then.
  row_id add(codes_view codes) requires CodeStore<Store> && detail::GrowingStore<Store> {
    if (keyed_) raise(errc::argument, "add: the index was given keys, which added rows need too");
    if (codes.size() != 0 && codes.bits() != width())
      raise(errc::shape, "codes: width ", codes.bits(), ", the index holds rows of width ", width());
    return append(codes, [&](std::size_t row, std::size_t t) { return detail::lsh_key(codes[row], t, options_.bits); });
  }

  /// Adds rows with their keys, rows × tables.
  /// @throws error as above, and errc::argument for an index that cuts keys from codes.
  row_id add(codes_view rows, matrix_view<const std::uint32_t> keys) requires detail::GrowingStore<Store> {
    if (!keyed_) raise(errc::argument, "add: keys were given, the index cuts them from its codes");
    require_row_keys(keys, rows.size());
    return append(rows, [&](std::size_t row, std::size_t t) { return keys[row][t]; });
  }

  /// Buckets of each table that searches look up from now on, unless their queries say otherwise.
  /// @throws error errc::argument for 0.
  void set_probes(std::size_t probes) {
    require_probes(probes);
    options_.probes = probes;
  }

  /// Takes a row out of every later search; its id is not given out again before `compact`. False if it was already
  /// removed. O(1), but O(rows) the first time.
  /// @throws error errc::out_of_range for a row that is not there.
  bool remove(row_id row) {
    if (row >= rows()) raise(errc::out_of_range, "row: ", row, ", the index has ", rows(), " rows");
    if (live_rows_.size() == 0) live_rows_ = row_bitset(rows(), true);
    if (!live_rows_.test(row)) return false;
    live_rows_.set(row, false);
    --live_;
    return true;
  }

  bool contains(row_id row) const noexcept { return row < rows() && (live_rows_.size() == 0 || live_rows_.test(row)); }

  /// Drops removed rows and numbers the others anew, in their order. Returns the new id of every old one, `no_row`
  /// for those removed; what a reranker knows of the rows has to follow.
  std::vector<row_id> compact() requires CodeStore<Store> && detail::GrowingStore<Store> {
    std::vector<row_id> renumbered(rows(), no_row);
    Store store(live_, width());
    row_id next = 0;
    for (std::size_t row = 0; row < rows(); ++row) {
      if (!contains(static_cast<row_id>(row))) continue;
      store_.copy_row(row, store.row(next));
      renumbered[row] = next++;
    }
    tables_ = tables_.renumber(renumbered, no_row, options_.tables, options_.bits, executor_);
    store_ = std::move(store);
    live_rows_ = row_bitset();
    return renumbered;
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
  };
  struct workspace {
    std::vector<worker_state> workers;
  };

  lsh_table(Store store, lsh_table_options options, Scorer scorer, Exec executor, bool keyed)
      : options_(options),
        keyed_(keyed),
        scorer_(std::move(scorer)),
        executor_(std::move(executor)),
        store_(std::move(store)),
        live_(store_.size()) {
    detail::require_lsh(options_.tables, options_.bits);
    require_probes(options_.probes);
    detail::require_row_count(store_.size());
  }

  static void require_probes(std::size_t probes) {
    if (probes == 0) raise(errc::argument, "probes: 0, but at least 1 bucket of a table must be looked up");
  }

  template <class Key>
  void insert(std::size_t first, std::size_t count, Key&& key) {
    tables_.commit(tables_.prepare(first, count, options_.tables, options_.bits, executor_, key));
  }

  template <class Rows, class Key>
  row_id append(const Rows& added, Key&& key) {
    detail::require_row_count(rows() + added.size());
    const std::size_t first = rows();
    auto addition = tables_.prepare(first, added.size(), options_.tables, options_.bits, executor_,
                                    [&](std::size_t row, std::size_t t) { return key(row - first, t); });
    if (live_rows_.size() != 0) live_rows_.reserve(first + added.size());
    store_.append(added);
    tables_.commit(std::move(addition));
    if (live_rows_.size() != 0) live_rows_.resize(rows(), true);
    live_ += rows() - first;
    return static_cast<row_id>(first);
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
    if constexpr (!Reranker<Scorer> && queries_are_codes == CodeStore<Store>)
      if (detail::width_of(queries) != width())
        raise(errc::shape, "queries: width ", detail::width_of(queries), ", the index holds rows of width ", width());
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
    const auto margins = given.margins();
    if (margins.cols() == 0 && margins.rows() == 0) return;
    if (margins.rows() != given.size() || margins.cols() != tables * options_.bits)
      raise(errc::shape, "margins: ", margins.rows(), " x ", margins.cols(), ", for ", given.size(), " queries to ",
            tables, " tables of ", options_.bits, " bits");
    if (keys.cols() > tables) raise(errc::argument, "margins: given with ", keys.cols() / tables, " keys a table");
    detail::require_finite(margins, "margins");
  }

  template <class Accept>
  void search_chosen(const query_view& queries, knn_result<distance_type>& result, const Accept& accepts,
                     lsh_statistics* statistics) const {
    const auto work = workspaces_.take();
    work->workers.resize(executor_.concurrency());
    for (worker_state& mine : work->workers) {
      mine.begin(rows());
      mine.did = {};
    }
    constexpr std::size_t queries_at_a_time = 8;
    run_ranges(executor_, queries.size(), queries_at_a_time, queries.size(),
               [&](std::size_t first, std::size_t last, std::size_t worker) {
                 worker_state& mine = work->workers[worker];
                 for (std::size_t q = first; q < last; ++q) search_one(queries, q, accepts, result, mine);
               });
    if (statistics != nullptr)
      for (const worker_state& mine : work->workers) *statistics += mine.did;
  }

  template <class Accept>
  void search_one(const query_view& queries, std::size_t q, const Accept& accepts, knn_result<distance_type>& result,
                  worker_state& mine) const {
    const auto look = [&](std::size_t table, std::uint32_t key) {
      ++mine.did.probes;
      tables_.find(table, key, [&](std::span<const row_id> found) { mine.visit(found); });
      return mine.candidates.size() < rows();  // beyond, nothing new can come
    };
    probe(queries, q, mine, look);
    mine.did.candidates +=
        mine.scorer.score(store_, scorer_, queries.queries(), q, mine.candidates, accepts, result.k(), mine.scored);
    mine.forget();
    result.set_found(q, select_top_k<compare>(mine.scored, result.slots(q)));
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
    const std::size_t probes = std::min(queries.probes() != 0 ? queries.probes() : options_.probes, all);
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
  bool keyed_;
  [[no_unique_address]] Scorer scorer_;
  [[no_unique_address]] Exec executor_;
  Store store_;
  detail::lsh_segments tables_;
  row_bitset live_rows_;  // empty until a row is removed
  std::size_t live_;
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
