// Exhaustive search: every query meets every row.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/results.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/index/detail/saved_rows.hpp>
#include <embit/index/index_memory.hpp>
#include <embit/io/save.hpp>
#include <embit/search/compiled.hpp>
#include <embit/search/default_kernel.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/search/index_parts.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/search/query_bounds.hpp>
#include <embit/search/require_queries.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/rows.hpp>
#include <embit/search/saved_kernel.hpp>
#include <embit/search/scan.hpp>
#include <embit/search/scan_store.hpp>
#include <embit/search/set_scan.hpp>
#include <embit/search/store_pairs.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/level_store.hpp>
#include <embit/store/popcount_store.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Exact search by scoring every row. `flat_index{codes}` keeps binary codes in interleaved blocks and searches
/// them by Hamming distance; `flat_index{store, kernel, executor}` scores any store with any kernel that takes its
/// rows, in the layout that the kernel scans best (`scan_store_t`). Results are sorted by (distance, row), the same for
/// every SIMD level, number of threads and batch size; a search takes O(queries · rows · width). Queries of another
/// width are refused (errc::shape), also bits beyond the width (errc::argument), NaN and infinity (errc::not_finite).
/// An index that was moved from is empty, and can be assigned to. Const members may be called from many threads at
/// once; `add`, `remove` and `compact` need the index to themselves.
template <class Store, class K, class Exec>
class flat_index : public detail::index_frame<flat_index<Store, K, Exec>, typename K::query_view,
                                              typename K::distance_type, typename K::compare, search_statistics> {
  using frame = detail::index_frame<flat_index, typename K::query_view, typename K::distance_type, typename K::compare,
                                    search_statistics>;
  friend frame;

  static_assert(Executor<Exec>,
                "flat_index: its last argument runs no work; give inline_executor, thread_pool or the like");
  static_assert(
      detail::holds_rows<Store>,
      "flat_index: its first argument holds no rows; give codes as a code_store or a code_view (pack.hpp makes "
      "them of signs), floats as a matrix or a matrix_view");
  static_assert(detail::scores_rows<K, Store>,
                "flat_index: this kernel does not score rows of this store; binary codes take hamming{} or jaccard{}, "
                "rows of floats take l2{} or inner_product{}");
  static_assert(
      detail::scores_without_throwing<K, Store>,
      "flat_index: the operator() of this kernel must be noexcept and the kernel copyable; work that may throw "
      "belongs into its prepare()");

 public:
  using store_type = Store;
  using kernel_type = K;
  using query_view = typename K::query_view;
  using distance_type = typename K::distance_type;
  using codes_view = typename detail::rows_view<Store>::type;
  using typename frame::bound_type;

  /// @param store  the rows; codes in another layout than `Store` are copied into it
  /// @throws error errc::not_finite for NaN or infinity in float rows or tokens, but for those of a
  /// `mapped_token_store`, which is not read (its `verify` does that); errc::shape or errc::argument as the kernel
  /// does.
  explicit flat_index(detail::store_argument<Store> store, K kernel = {}, Exec executor = {})
      : frame(store.value.size()),
        store_(std::move(store.value)),
        kernel_(std::move(kernel)),
        executor_(std::move(executor)) {
    detail::require_finite_rows(store_);
    if constexpr (requires { kernel_.require_format(store_.format()); })
      kernel_.require_format(store_.format());
    else if constexpr (requires { kernel_.require_width(std::size_t{}); })
      kernel_.require_width(width());
    detail::require_same_encoder(detail::known_fingerprint(kernel_), detail::known_fingerprint(store_), "kernel");
  }

  /// The same with the executor alone.
  template <std::same_as<Exec> E>
  explicit flat_index(detail::store_argument<Store> store, E executor) requires std::default_initializable<K>
      : flat_index(std::move(store), K{}, std::move(executor)) {}

  /// No rows, and of no width: the first to be added say what it is.
  flat_index() requires(
      std::default_initializable<Store>&& std::default_initializable<K>&& std::default_initializable<Exec>)
      : frame(0) {}

  flat_index(const flat_index&) = default;
  flat_index(flat_index&&) = default;
  /// Nothing has changed when it throws.
  flat_index& operator=(const flat_index& other) { return *this = flat_index(other); }
  flat_index& operator=(flat_index&&) = default;
  ~flat_index() = default;

  /// Bits of the codes, or numbers of the float rows.
  std::size_t width() const noexcept { return detail::width_of(store_); }
  const Store& store() const& noexcept { return store_; }
  const Store& store() const&& = delete;
  const K& kernel() const& noexcept { return kernel_; }
  const K& kernel() const&& = delete;
  Exec executor() const noexcept { return executor_; }

  index_memory memory() const noexcept {
    const std::size_t codes = detail::rows_memory(store_);
    return {codes, 0, this->rows_left().memory(), workspaces_.memory(), this->removed_of(codes)};
  }

  /// Finds every pair of rows within `radius` of each other, the radius included: deduplication. Calls
  /// `found(a, b, distance)` once a pair, with a < b, one call at a time and in no particular order; where it returns
  /// bool, false ends the search. Pairs are streamed: memory does not grow with their number. Hamming distances are
  /// joined as by the free `pairs_within`, on a copy of the codes; others take O(rows² · width / 2).
  /// @param filter  only pairs of two rows that it accepts are found
  /// @throws error errc::shape for a bitset of another size, errc::not_finite or errc::argument for the radius as
  /// `range_search` has it; what `found` throws.
  template <class Found, RowFilter Filter = accept_all>
    requires std::invocable<Found&, row_id, row_id, distance_type> && CodeStore<Store> &&
        detail::CodeQueries<query_view>
  void pairs_within(bound_type radius, Found&& found, const Filter& filter = {}) const {
    this->report_pairs(found, filter, [&](const row_choice& choice, detail::pair_report<distance_type>& report) {
      detail::store_pairs(kernel_, store_, executor_, radius, choice, report);
    });
  }

  /// The distances of each query to the given rows, query by query; removed rows included.
  /// @throws error errc::shape for queries of another width, errc::out_of_range for a row that is not there.
  std::vector<distance_type> distances_to(query_view queries, std::span<const row_id> rows) const {
    detail::require_queries(kernel_, queries, store_);
    for (const row_id row : rows) this->require_row(row);
    std::vector<distance_type> distances;
    distances.reserve(queries.size() * rows.size());
    detail::row_tile<Store, 1> at(store_);
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const auto query = kernel_.prepare(queries[q]);
      for (const row_id row : rows) {
        at.clear();
        at.add(row);
        distances.push_back(kernel_(query, at[0]));
      }
    }
    return distances;
  }

  /// Whether the store takes these rows.
  /// @throws error as `add` does.
  void check_add(codes_view codes) const requires requires(const Store& store, codes_view rows) {
    store.check_append(rows);
  }
  { store_.check_append(codes); }

  /// Adds rows; returns the id of the first, the others follow.
  /// @throws error errc::shape for another width, errc::argument for bits beyond the width or too many rows; the
  /// index is unchanged then.
  row_id add(codes_view codes) requires detail::GrowingStore<Store> {
    detail::require_finite_rows(codes);
    if constexpr (std::constructible_from<Store, codes_view> && detail::RowsOfWidth<Store>)
      if (width() == 0 && this->rows() == 0) {
        *this = flat_index(Store(codes), kernel_, executor_);
        return 0;
      }
    return this->grow(codes.size(), [&] { store_.append(codes); });
  }

  row_id add(codes_view) requires ReadOnlyStore<Store>
  = delete;  // copy its codes into a code_store to add to them

  /// Drops removed rows and numbers the others anew, in their order. Returns the new id of every old one, `no_row`
  /// for those removed. O(rows · width).
  std::vector<row_id> compact() requires std::constructible_from<Store, const Store&, std::span<const row_id>> {
    return this->renumber([&](const auto& numbering) { store_ = Store(store_, numbering.survivors); });
  }

  static constexpr file_kind file{"flat_index", 2};
  /// Version 1 where the kernel is the default one of the store, or has no name.
  static constexpr file_kind written{"flat_index", detail::saves_kernel<K, Store> ? 2 : 1};

  /// The sections of the file that `save` writes: "kernel" (its name as text, then its parameters) where it has a name
  /// and is not the default one of the store, those of the store under "store/", or of floats the matrix "rows",
  /// and which rows are left. The executor is not among them, nor a kernel of the user's own.
  void write_to(const section_writer& out) const requires detail::SavableRows<Store> {
    detail::write_kernel<K, Store>(out, kernel_);
    detail::write_rows(out, store_);
    this->rows_left().write_to(out);
  }

  /// @param kernel    of the index, given again where files do not name it; `executor` likewise
  /// @throws error errc::format, errc::kind for another store or another kernel, errc::checksum or errc::io.
  static flat_index read_from(const section_reader& in, K kernel,
                              Exec executor = {}) requires detail::LoadableRows<Store> {
    detail::require_kernel<K, Store>(in, kernel);
    return read_rows(in, std::move(kernel), std::move(executor));
  }
  static flat_index read_from(const section_reader& in) requires(
      detail::LoadableRows<Store>&& std::default_initializable<K>) {
    return read_rows(in, detail::read_kernel<K, Store>(in), {});
  }

 private:
  static flat_index read_rows(const section_reader& in, K kernel, Exec executor) {
    flat_index index(detail::read_rows<Store>(in), std::move(kernel), std::move(executor));
    index.read_rows_left(in);
    return index;
  }

  void require_queries(const query_view& queries) const { detail::require_queries(kernel_, queries, store_); }

  void answer(const query_view& queries, const row_choice& choice, knn_result<distance_type>& result,
              search_statistics* statistics) const {
    const auto work = workspaces_.take();
    detail::exhaustive_knn(kernel_, store_, executor_, queries, choice, result, *work, statistics);
  }
  range_result<distance_type> answer_range(const query_view& queries, const detail::query_bounds<distance_type>& radius,
                                           const row_choice& choice, search_statistics* statistics) const {
    return detail::exhaustive_range(kernel_, store_, executor_, queries, radius, choice, statistics);
  }
  range_result<distance_type> answer_by_row(const query_view& queries,
                                            const detail::query_bounds<distance_type>& radius, const row_choice& choice,
                                            search_statistics* statistics) const requires detail::in_row_order<Store> {
    return detail::exhaustive_range(kernel_, store_, executor_, queries, radius, choice, statistics,
                                    detail::list_order::by_row);
  }

  Store store_{};
  [[no_unique_address]] K kernel_{};
  [[no_unique_address]] Exec executor_{};
  mutable reuse_pool<detail::knn_workspace<K, Store>> workspaces_;
};

template <class Source>
flat_index(const Source&) -> flat_index<scan_store_t<Source, default_kernel<Source>>, default_kernel<Source>>;
template <class Source, class K>
flat_index(const Source&, K) -> flat_index<scan_store_t<Source, K>, K>;
template <class Source, Executor Exec>
flat_index(const Source&, Exec)
    -> flat_index<scan_store_t<Source, default_kernel<Source>>, default_kernel<Source>, Exec>;
template <class Source, class K, class Exec>
flat_index(const Source&, K, Exec) -> flat_index<scan_store_t<Source, K>, K, Exec>;

}  // namespace embit::inline EMBIT_ABI
