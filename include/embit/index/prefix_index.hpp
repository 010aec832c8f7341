// Search of nested codes: exact by all bits, or by a funnel that narrows the rows down from few bits to all.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/codes/prefix_steps.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/results.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/search_arguments.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/index/detail/prefix/funnel.hpp>
#include <embit/index/funnel_queries.hpp>
#include <embit/index/index_memory.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/search/index_parts.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/search/prefix_scan.hpp>
#include <embit/search/query_bounds.hpp>
#include <embit/search/require_queries.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/store_pairs.hpp>
#include <embit/store/prefix_store.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Search of nested binary codes, of which the first bits alone are codes too (principal components, Matryoshka
/// embeddings, bits in the order of `fit_bit_order`), by Hamming distance. `prefix_index{codes, {32, 64, 128}}` keeps
/// the bits from each width to the next apart, so that few bits of all rows are read fast.
///
/// `search(queries, k)`, `range_search` and `pairs_within` look at all bits, and find what `flat_index` does.
/// `search(queries, k, {{32, 800}, {64, 200}})` is a funnel: the 800 nearest rows by the first 32 bits, of these the
/// 200 nearest by the first 64, of these the k nearest by all. A funnel whose steps keep all rows finds what the exact
/// search does. Filters come first: steps keep rows that may be found. `plan_funnel` chooses widths and numbers for a
/// recall. Labels, snapshots and logs around the index pass a funnel on as `funnel_queries{codes, steps}`.
///
/// Results are sorted by (distance, row), the same for every SIMD level, number of threads and batch size. Queries of
/// another width are refused (errc::shape). Const members may be called from many threads at once; what changes the
/// index needs it to itself. A copy shares the codes. An index without arguments is empty, and takes the width of the
/// first rows as its one step.
///
/// Kusupati et al., "Matryoshka representation learning", NeurIPS 2022, section 4.3 (funnel retrieval).
template <class Store, class Exec>
class prefix_index : public detail::index_frame<prefix_index<Store, Exec>, funnel_queries, std::uint32_t, std::less<>,
                                                funnel_statistics> {
  using frame = detail::index_frame<prefix_index, funnel_queries, std::uint32_t, std::less<>, funnel_statistics>;
  friend frame;

  static_assert(Executor<Exec>,
                "prefix_index: its last argument runs no work; give inline_executor, thread_pool or the like");
  static_assert(detail::NestedCodes<Store>,
                "prefix_index: its first argument holds no nested codes; give codes and widths, a prefix_store or a "
                "mapped_prefix_store");

 public:
  using store_type = Store;
  using kernel_type = hamming;
  using codes_view = code_view<>;
  using typename frame::bound_type;
  using typename frame::query_view;

  /// No rows, and of no width: the first to be added say what it is.
  prefix_index() requires(std::default_initializable<Store>&& std::default_initializable<Exec>) : frame(0) {}

  /// @param widths  ascending; that of the whole codes need not be among them. O(rows · words).
  /// @throws error errc::argument for widths that are 0, do not ascend or are beyond the codes, and for bits set beyond
  /// the width; errc::shape for codes of 0 bits.
  explicit prefix_index(code_view<> codes, std::vector<std::size_t> widths, Exec executor = {}) requires
      std::constructible_from<Store, code_view<>, std::vector<std::size_t>>
      : prefix_index(Store(codes, std::move(widths)), std::move(executor)) {}
  explicit prefix_index(Store store, Exec executor = {})
      : frame(store.size()), store_(std::move(store)), executor_(std::move(executor)) {}

  prefix_index(const prefix_index&) = default;
  prefix_index(prefix_index&&) = default;
  /// Nothing has changed when it throws.
  prefix_index& operator=(const prefix_index& other) { return *this = prefix_index(other); }
  prefix_index& operator=(prefix_index&&) = default;
  ~prefix_index() = default;

  /// Bits of the codes.
  std::size_t width() const noexcept { return store_.bits(); }
  /// The widths that a funnel may look at, ascending; the last is that of the codes.
  std::span<const std::size_t> widths() const& noexcept { return store_.steps().widths(); }
  std::span<const std::size_t> widths() const&& = delete;
  const Store& store() const& noexcept { return store_; }
  const Store& store() const&& = delete;
  Exec executor() const noexcept { return executor_; }

  index_memory memory() const noexcept {
    const std::size_t codes = detail::rows_memory(store_);
    return {codes, 0, this->rows_left().memory(), workspaces_.memory(), this->removed_of(codes)};
  }

  using frame::search;

  /// The `k` nearest rows of each query that a funnel finds. No steps: all bits of all rows are looked at.
  /// @throws error as `search` does, and errc::argument for steps of widths that the index does not have or that do not
  /// ascend, that keep fewer than k rows, or more than the step before.
  template <SearchFilter Filter = accept_all>
  knn_result<std::uint32_t> search(const query_view& queries, neighbor_count k, const std::vector<funnel_step>& funnel,
                                   const Filter& filter = {}, funnel_statistics* statistics = nullptr) const {
    return frame::search(query_view(queries.queries(), funnel), k, filter, statistics);
  }
  template <SearchFilter Filter = accept_all>
  knn_result<std::uint32_t> search(const query_view& queries, neighbor_count k,
                                   std::initializer_list<funnel_step> funnel, const Filter& filter = {},
                                   funnel_statistics* statistics = nullptr) const {
    return search(queries, k, std::vector<funnel_step>(funnel), filter, statistics);
  }

  /// Finds every pair of rows within `radius` of each other, as `flat_index` does, on a copy of the codes.
  /// @throws error as `pairs_within` of flat_index.
  template <class Found, RowFilter Filter = accept_all>
    requires std::invocable<Found&, row_id, row_id, std::uint32_t>
  void pairs_within(bound_type radius, Found&& found, const Filter& filter = {}) const {
    this->report_pairs(found, filter, [&](const row_choice& choice, detail::pair_report<std::uint32_t>& report) {
      detail::store_pairs(hamming{}, store_, executor_, radius, choice, report);
    });
  }

  /// Whether the store takes these rows.
  /// @throws error as `add` does.
  void check_add(code_view<> codes) const requires detail::GrowingStore<Store> {
    if (!takes_any_width()) return store_.check_append(codes);
    require_clean_tails(codes, "codes");
  }

  /// Adds rows; returns the id of the first, the others follow. Amortized O(rows · words).
  /// @throws error errc::shape for another width, errc::argument for bits beyond the width or too many rows; the
  /// index is unchanged then.
  row_id add(code_view<> codes) requires detail::GrowingStore<Store> {
    if (takes_any_width() && !codes.empty()) {
      *this = prefix_index(Store(codes, {}), executor_);
      return 0;
    }
    return this->grow(codes.size(), [&] { store_.append(codes); });
  }
  row_id add(code_view<>) requires ReadOnlyStore<Store>
  = delete;  // copy its codes into a prefix_store to add to them

  /// Drops removed rows and numbers the others anew, in their order. Returns the new id of every old one, `no_row`
  /// for those removed. O(rows · words).
  std::vector<row_id> compact() requires std::constructible_from<Store, const Store&, std::span<const row_id>> {
    return this->renumber([&](const auto& numbering) { store_ = Store(store_, numbering.survivors); });
  }

  static constexpr file_kind file{"prefix_index", 1};

  /// The sections of the file that `save` writes: the codes under "store/", and which rows are left. The executor is
  /// not among them.
  void write_to(const section_writer& out) const requires Savable<Store> {
    detail::write_part<Store>(out, "store", store_);
    this->rows_left().write_to(out);
  }
  /// @throws error errc::format, errc::kind, errc::checksum or errc::io.
  static prefix_index read_from(const section_reader& in, Exec executor = {}) requires Loadable<Store> {
    prefix_index index(detail::read_part<Store>(in, "store"), std::move(executor));
    index.read_rows_left(in);
    return index;
  }

 private:
  using workspace = detail::prefix_workspace<Store>;

  bool takes_any_width() const noexcept { return width() == 0 && this->rows() == 0; }

  void require_queries(const query_view& asked) const {
    detail::require_queries(hamming{}, asked.queries(), store_);
    detail::require_funnel(store_.steps(), asked.funnel());
  }
  void require_search(const query_view& asked, std::size_t k) const {
    for (const funnel_step& step : asked.funnel())
      if (step.keep < k)
        raise(errc::argument, "funnel: keeps ", step.keep, " rows at ", step.width, " bits, fewer than the ", k,
              " neighbours asked for");
  }

  detail::prefix_rows<Store> all_bits() const noexcept { return {store_, store_.steps().size()}; }
  detail::prefix_hamming<Store> by_all_bits() const noexcept { return {store_, store_.steps().size()}; }

  void answer(const query_view& asked, const row_choice& choice, knn_result<std::uint32_t>& result,
              funnel_statistics* statistics) const {
    const auto work = workspaces_.take();
    std::span<const funnel_step> funnel = asked.funnel();
    while (!funnel.empty() && funnel[0].keep >= this->rows()) funnel = funnel.subspan(1);  // it keeps all
    if (funnel.empty())
      detail::exhaustive_knn(by_all_bits(), all_bits(), executor_, asked.queries(), choice, result, work->scan,
                             statistics);
    else
      detail::funnel_knn(store_, executor_, asked.queries(), funnel, choice, result, *work, statistics);
  }
  range_result<std::uint32_t> answer_range(const query_view& asked, const detail::query_bounds<std::uint32_t>& radius,
                                           const row_choice& choice, funnel_statistics* statistics) const {
    return detail::exhaustive_range(by_all_bits(), all_bits(), executor_, asked.queries(), radius, choice, statistics);
  }

  Store store_{};
  [[no_unique_address]] Exec executor_{};
  mutable reuse_pool<workspace> workspaces_;
};

template <class Source>
  requires std::convertible_to<const Source&, code_view<>> prefix_index(const Source&, std::vector<std::size_t>)
->prefix_index<>;
template <class Source, Executor Exec>
  requires std::convertible_to<const Source&, code_view<>> prefix_index(const Source&, std::vector<std::size_t>, Exec)
->prefix_index<prefix_store, Exec>;
template <detail::NestedCodes Store>
prefix_index(Store) -> prefix_index<Store>;
template <detail::NestedCodes Store, Executor Exec>
prefix_index(Store, Exec) -> prefix_index<Store, Exec>;

}  // namespace embit::inline EMBIT_ABI
