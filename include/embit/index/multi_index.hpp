// Exact search by tables over substrings of the codes, and by a scan where that is faster.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/results.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/index/detail/multi/multi_tables.hpp>
#include <embit/index/detail/multi/probe_queries.hpp>
#include <embit/index/detail/multi/probe_workspace.hpp>
#include <embit/index/detail/multi/search_debt.hpp>
#include <embit/index/detail/multi/statistics.hpp>
#include <embit/index/detail/multi/table_wishes.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/index_memory.hpp>
#include <embit/index/multi_index_costs.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/scan.hpp>
#include <embit/search/store_pairs.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Table layout of a multi_index that is fast: every table holds a copy of the codes in bucket order.
struct inlined_codes {
  static constexpr bool copies = true;
};

/// Table layout of a multi_index that is small: tables hold row ids, 4 bytes a row each, and read codes where they
/// lie. Up to 68 bits the tables that are chosen take at most 20 bytes a row.
struct ids_only {
  static constexpr bool copies = false;
};

/// How a multi_index is built and searched.
struct multi_index_options {
  /// Tables, each over one substring of at most 18 bits; 0 lets a model of costs choose from a sample of the codes,
  /// which leaves the tables out where a scan is faster.
  std::size_t substrings = 0;
  std::size_t typical_k = 10;  ///< neighbours that the number of tables is chosen for
  /// Radius of the range searches that the number of tables is chosen for; none: it is chosen for neighbours.
  std::optional<std::uint32_t> typical_radius = {};
  bool reorder_bits = false;  ///< spread bits that agree over different substrings: slower to build, fewer candidates
  bool bail_out = true;       ///< scan when that is predicted to be faster; false probes the tables always
  /// What the model counts with; without, the constants of the SIMD level. Not saved in files.
  std::optional<multi_index_costs> costs = {};
};

/// Exact nearest neighbours by Hamming distance among codes of 32 to 512 bits, in time that grows slower than the
/// number of rows where the codes have structure: rows near a query agree with it in some substring but for few bits
/// (Norouzi, Punjani and Fleet, "Fast exact search in Hamming space with multi-index hashing", TPAMI 2014). Results
/// are those of `flat_index`, ties by the smaller row included. A search predicts its cost as it goes and scans the
/// codes instead where that is cheaper; a batch large enough for a faster scan is scanned at once. Nothing is timed:
/// costs are counted in constants of the SIMD level, or those of the options, and a choice is changed for a gain of 1.3
/// times only, so that the same codes have the same tables, and searches the same statistics, in every run.
/// Const members may be called from many threads at once; `add`, `remove` and `compact` need the index to themselves.
template <class Layout, class Exec>
class multi_index : public detail::index_frame<multi_index<Layout, Exec>, code_view<>, std::uint32_t, std::less<>,
                                               multi_index_statistics> {
  using frame = detail::index_frame<multi_index, code_view<>, std::uint32_t, std::less<>, multi_index_statistics>;
  friend frame;

  static_assert(Executor<Exec>,
                "multi_index: its last argument runs no work; give inline_executor, thread_pool or the like");

 public:
  using codes_view = code_view<>;
  using store_type = block_store<>;
  using layout_type = Layout;
  using frame::rows;
  using typename frame::bound_type;
  using typename frame::neighbor_type;

  static constexpr std::size_t min_width = 32, max_width = 512;

  /// @param codes  a `code_store`, a `code_view`, or a `block_store`, which is kept as it is
  /// @throws error errc::shape for a width beyond 32 to 512 bits, errc::argument for a number of substrings that does
  /// not fit the width, for typical_k = 0, and for bits beyond the width. O(rows · words · substrings).
  explicit multi_index(detail::store_argument<block_store<>> codes, multi_index_options options = {},
                       Exec executor = {})
      : frame(codes.value.size()),
        options_(options),
        executor_(std::move(executor)),
        store_(checked(std::move(codes.value), options)),
        tables_(store_, wishes(options), executor_) {}

  /// The same with the executor alone.
  template <std::same_as<Exec> E>
  explicit multi_index(detail::store_argument<block_store<>> codes, E executor)
      : multi_index(std::move(codes), multi_index_options{}, std::move(executor)) {}

  /// No codes, and of no width: the first to be added say what it is.
  multi_index() requires std::default_initializable<Exec> : frame(0), options_{} {}

  multi_index(const multi_index&) = default;
  multi_index(multi_index&&) = default;
  /// Nothing has changed when it throws.
  multi_index& operator=(const multi_index& other) { return *this = multi_index(other); }
  multi_index& operator=(multi_index&&) = default;
  ~multi_index() = default;

  /// Bits of the codes.
  std::size_t width() const noexcept { return store_.bits(); }
  /// Tables there are: 0 where scanning is faster.
  std::size_t substrings() const noexcept { return tables_.empty() ? 0 : tables_.keys().size(); }
  const block_store<>& store() const& noexcept { return store_; }
  const block_store<>& store() const&& = delete;
  multi_index_options options() const noexcept { return options_; }
  Exec executor() const noexcept { return executor_; }

  index_memory memory() const noexcept {
    return {store_.memory(), tables_.memory(), this->rows_left().memory(), workspaces_.memory(),
            this->removed_of(store_.memory())};
  }

  /// Finds every pair of rows within `radius` of each other, the radius included: deduplication. Calls
  /// `found(a, b, distance)` once a pair, with a < b, one call at a time and in no particular order; where it returns
  /// bool, false ends the search. Pairs are streamed: memory does not grow with their number. The rows are joined as by
  /// the free `pairs_within`, on a copy of the codes.
  /// @param filter  only pairs of two rows that it accepts are found
  /// @throws error errc::shape for a bitset of another size, errc::argument for a negative radius; what `found` throws.
  template <class Found, RowFilter Filter = accept_all>
    requires std::invocable<Found&, row_id, row_id, std::uint32_t>
  void pairs_within(bound_type radius, Found&& found, const Filter& filter = {}) const {
    this->report_pairs(found, filter, [&](const row_choice& choice, detail::pair_report<std::uint32_t>& report) {
      detail::store_pairs(hamming{}, store_, executor_, radius, choice, report);
    });
  }

  /// Adds rows; returns the id of the first, the others follow. New rows are scanned until they are a third of those in
  /// the tables, or until searches have spent as much on that as the tables take to build: then these are built anew,
  /// so that adds copy a row O(1) times amortized, or have been paid for by searches. After adds without searches
  /// between, `compact` builds them, too. Where a scan was faster than tables, they are tried again once there are
  /// twice as many rows.
  /// @throws error errc::shape for another width, errc::argument for bits beyond the width or too many rows; the
  /// index is unchanged then.
  row_id add(code_view<> codes) {
    if (width() == 0 && rows() == 0) {
      *this = multi_index(block_store<>(codes), options_, executor_);
      return 0;
    }
    return this->grow(codes.size(), [&] {
      if (!rebuild_pays(rows() + codes.size())) {
        store_.append(codes);
      } else {
        block_store<> all = store_;
        all.append(codes);
        rebuild(std::move(all));
      }
    });
  }

  /// Drops removed rows, numbers the others anew, in their order, and builds the tables anew. Returns the new id of
  /// every old one, `no_row` for those removed.
  std::vector<row_id> compact() {
    return this->renumber([&](const auto& numbering) { rebuild(block_store<>(store_, numbering.survivors)); });
  }

  static constexpr file_kind file{"multi_index", 1};

  /// The sections of the file that `save` writes: "options" (u64 substrings, u64 typical_k, u8 each for reorder_bits,
  /// bail_out and inlined codes, and u32 typical_radius where there is one), the codes under "store/", and which rows
  /// are left. Tables are not among them: to build them takes less time than to read them would.
  void write_to(const section_writer& out) const {
    metadata_writer options;
    options.u64(options_.substrings).u64(options_.typical_k);
    options.u8(options_.reorder_bits).u8(options_.bail_out).u8(Layout::copies);
    if (options_.typical_radius) options.u32(*options_.typical_radius);
    out.add("options", std::move(options));
    detail::write_part<block_store<>>(out, "store", store_);
    this->rows_left().write_to(out);
  }
  /// Whether a file holds an index with inlined codes, or one of ids only.
  static bool has_inlined_codes(const section_reader& in) {
    metadata_reader values = in.metadata("options");
    values.u64();
    values.u64();
    values.u8();
    values.u8();
    return values.u8() == 1;
  }
  /// Reads the codes and builds the tables, those of this machine where their number is left to the model of costs.
  /// @throws error errc::format, errc::kind for an index of the other layout, errc::checksum or errc::io.
  static multi_index read_from(const section_reader& in, Exec executor = {}) {
    metadata_reader values = in.metadata("options");
    const std::uint64_t substrings = values.u64(), typical_k = values.u64();
    const std::uint8_t reorder = values.u8(), bail_out = values.u8(), copies = values.u8();
    std::optional<std::uint32_t> typical_radius;
    if (values.remaining() != 0) typical_radius = values.u32();
    if (reorder > 1 || bail_out > 1 || copies > 1 || typical_k == 0) values.refuse("options that cannot be");
    if ((copies == 1) != Layout::copies)
      raise(errc::kind, in.path(), ": section 'options': a multi_index ",
            copies == 1 ? "with inlined codes" : "of ids only", " where the other layout is expected");
    auto store = detail::read_part<block_store<>>(in, "store");
    const std::size_t bits = store.bits();
    if (bits < min_width || bits > max_width) values.refuse("codes of ", bits, " bits");
    if (substrings != 0 && (substrings < fewest_substrings(bits) || substrings > bits / detail::shortest_key))
      values.refuse(substrings, " substrings of codes of ", bits, " bits");
    multi_index index(std::move(store),
                      {.substrings = static_cast<std::size_t>(substrings),
                       .typical_k = static_cast<std::size_t>(typical_k),
                       .typical_radius = typical_radius,
                       .reorder_bits = reorder == 1,
                       .bail_out = bail_out == 1},
                      std::move(executor));
    index.read_rows_left(in);
    return index;
  }

 private:
  static detail::table_wishes wishes(const multi_index_options& options) {
    return {options.substrings,   options.typical_k, options.typical_radius,
            options.reorder_bits, options.bail_out,  costs(options)};
  }
  static multi_index_costs costs(const multi_index_options& options) {
    return options.costs ? *options.costs : multi_index_costs::of(active_isa());
  }

  static std::size_t fewest_substrings(std::size_t bits) noexcept {
    return (bits + detail::longest_key - 1) / detail::longest_key;
  }

  static block_store<> checked(block_store<> store, const multi_index_options& options) {
    const std::size_t bits = store.bits();
    if (bits < min_width || bits > max_width)
      raise(errc::shape, "codes: ", bits, " bits; a multi_index takes ", min_width, " to ", max_width);
    const std::size_t fewest = fewest_substrings(bits);
    const std::size_t most = bits / detail::shortest_key;
    if (options.substrings != 0 && (options.substrings < fewest || options.substrings > most))
      raise(errc::argument, "substrings: ", options.substrings, ", but codes of ", bits, " bits take ", fewest, " to ",
            most);
    detail::require_neighbors(options.typical_k, "typical_k");
    return store;
  }

  // Whether an add that ends with so many rows builds the tables anew.
  bool rebuild_pays(std::size_t grown) const noexcept {
    const std::size_t most_scanned = tables_.empty() ? tables_.rows() : tables_.rows() / 3;
    if (grown - tables_.rows() > (std::max)(most_scanned, detail::fewest_rows)) return true;
    return !tables_.empty() && static_cast<double>(debt_.lost()) > tables_.build_cost(store_);
  }
  void rebuild(block_store<> codes) {
    tables_ = detail::multi_tables<Layout::copies>(codes, wishes(options_), executor_);
    store_ = std::move(codes);
    debt_ = {};
  }

  void require_queries(const code_view<>& queries) const {
    detail::require_width(queries, width());
    require_clean_tails(queries, "queries");
  }
  // The share of rows that may be found, from a few of them; where each query has a filter, from those of some.
  double share_of(const row_choice& choice, std::size_t queries) const {
    if (choice.all()) return 1;
    constexpr std::size_t asked = 64;
    std::size_t accepted = 0;
    for (std::size_t i = 0; i < asked; ++i)
      accepted += choice.for_query(i % queries)(static_cast<row_id>(static_cast<std::uint64_t>(i) * rows() / asked));
    return static_cast<double>(accepted) / asked;
  }

  // What a scan costs each query of a batch, or no limit where probing was asked for.
  double scan_cost(std::size_t queries) const {
    if (!options_.bail_out) return detail::infinity<double>();
    return costs(options_).scan.for_each_of(queries, executor_.concurrency(), tables_.rows(), store_.words());
  }

  void answer(const code_view<>& queries, const row_choice& choice, knn_result<std::uint32_t>& result,
              multi_index_statistics* statistics) const {
    const auto work = workspaces_.take();
    const double share = tables_.empty() ? 0 : share_of(choice, queries.size());
    // Among fewer rows the k-th neighbour is as far as a later one among all.
    const auto sought = static_cast<std::size_t>(static_cast<double>(result.k()) / (std::max)(share, 1e-3));
    const auto outlook = tables_.expect((std::min)(sought, rows()));
    const double limit = scan_cost(queries.size());
    if (tables_.empty() || (options_.bail_out && (share == 0 || outlook.cost > detail::worth_trying * limit))) {
      detail::exhaustive_knn(hamming{}, store_, executor_, queries, choice, result, work->scan,
                             statistics != nullptr ? &statistics->scan : nullptr);
      if (statistics != nullptr) statistics->scanned += queries.size();
      return;
    }
    owe_tail(queries.size());
    detail::probe_nearest<Layout::copies>({tables_, store_, executor_, queries, choice, limit, *work, statistics},
                                          outlook.distance, result);
  }

  range_result<std::uint32_t> answer_range(const code_view<>& queries, std::uint32_t radius, const row_choice& choice,
                                           multi_index_statistics* statistics) const {
    const double limit = scan_cost(queries.size());
    if (tables_.empty() || tables_.cost_within(radius) > detail::worth_trying * limit) {
      if (statistics != nullptr) statistics->scanned += queries.size();
      return detail::exhaustive_range(hamming{}, store_, executor_, queries, radius, choice,
                                      statistics != nullptr ? &statistics->scan : nullptr);
    }
    const auto work = workspaces_.take();
    owe_tail(queries.size());
    return detail::probe_within<Layout::copies>({tables_, store_, executor_, queries, choice, limit, *work, statistics},
                                                radius);
  }

  // So many queries scan the rows that are not yet in the tables.
  void owe_tail(std::size_t queries) const {
    const double each = costs(options_).scan.for_each_of(1, 1, rows() - tables_.rows(), store_.words());
    debt_.add(each * static_cast<double>(queries));
  }

  multi_index_options options_;
  [[no_unique_address]] Exec executor_{};
  block_store<> store_;
  detail::multi_tables<Layout::copies> tables_;
  mutable detail::search_debt debt_;
  mutable reuse_pool<detail::probe_workspace> workspaces_;
};

template <class Source>
multi_index(const Source&) -> multi_index<>;
template <class Source>
multi_index(const Source&, multi_index_options) -> multi_index<>;
template <class Source, Executor Exec>
multi_index(const Source&, Exec) -> multi_index<inlined_codes, Exec>;
template <class Source, class Exec>
multi_index(const Source&, multi_index_options, Exec) -> multi_index<inlined_codes, Exec>;

}  // namespace embit::inline EMBIT_ABI
