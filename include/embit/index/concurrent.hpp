// Any index, searched by many threads while another changes it.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/search_arguments.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/search/compacted.hpp>
#include <embit/search/encoded_search.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// An index that any number of threads search while others add and remove: a search sees the index as it was at one
/// moment, with every change that had returned by then and none that began later. Changes are made one at a time to a
/// copy, which then takes the place of the index; searches never wait for them. All members may be called from any
/// thread at any time: of several writers each waits for its turn and changes what the one before left, so that no
/// change is lost. Only `update` may not change the index again from inside `change`, which would wait for itself.
///
/// A change costs a copy of the index: of a `flat_index` that is its list of chunks, the chunk that is appended to, and
/// a bit a row once rows were removed; of an index with tables it is all of them. `update` makes many changes for one
/// copy.
template <class Index>
class concurrent_index : public detail::encoded_search<concurrent_index<Index>, typename Index::query_view,
                                                       typename Index::distance_type, index_id_t<Index>> {
  using encoded = detail::encoded_search<concurrent_index, typename Index::query_view, typename Index::distance_type,
                                         index_id_t<Index>>;

  static_assert(std::copy_constructible<Index>,
                "concurrent_index: its index must be copyable, as every change makes a copy");

 public:
  using encoded::range_search;
  using encoded::search;
  using encoded::search_into;
  using index_type = Index;
  using id_type = index_id_t<Index>;
  using query_view = typename Index::query_view;
  using codes_view = typename Index::codes_view;
  using distance_type = typename Index::distance_type;
  using compare = typename Index::compare;
  using bound_type = search_bound<distance_type, compare>;

  explicit concurrent_index(Index index) : current_(std::make_shared<const Index>(std::move(index))) {}

  /// The index as it is now; it does not change any more, and lives as long as someone holds it. For several searches
  /// that must agree with one another.
  std::shared_ptr<const Index> snapshot() const {
    const std::lock_guard lock(swap_);
    return current_;
  }

  std::size_t size() const { return snapshot()->size(); }

  /// Of the encoder that made the rows; 0: not known.
  encoder_fingerprint fingerprint() const { return detail::known_fingerprint(*snapshot()); }
  /// As `search` of the index, for as many neighbours or a number for each query.
  template <class Count, class... Options>
  auto search(query_view queries, const Count& k, const Options&... options) const
      -> decltype(std::declval<const Index&>().search(queries, k, options...)) {
    return snapshot()->search(queries, k, options...);
  }
  /// As `search_into` of the index.
  template <class Result, class... Options>
    requires requires(const Index& index, const query_view& queries, std::size_t k, Result& result,
                      const Options&... options) {
      index.search_into(queries, k, result, options...);
    }
  void search_into(query_view queries, neighbor_count k, Result& result, const Options&... options) const {
    snapshot()->search_into(queries, k, result, options...);
  }
  /// As `pairs_within` of the index.
  template <class Found, class... Options>
    requires requires(const Index& index, const bound_type& radius, Found& found, const Options&... options) {
      index.pairs_within(radius, found, options...);
    }
  void pairs_within(bound_type radius, Found&& found, const Options&... options) const {
    snapshot()->pairs_within(radius, found, options...);
  }
  /// As `range_search` of the index, within a radius or one for each query.
  template <class Radius, class... Options>
  auto range_search(query_view queries, const Radius& radius, const Options&... options) const
      -> decltype(std::declval<const Index&>().range_search(queries, radius, options...)) {
    return snapshot()->range_search(queries, radius, options...);
  }

  /// As `add` of the index.
  template <class... Arguments>
  auto add(codes_view codes, const Arguments&... arguments)
      -> decltype(std::declval<Index&>().add(codes, arguments...)) {
    return update([&](Index& index) { return index.add(codes, arguments...); });
  }
  /// As `remove` of the index.
  template <class Row>
  bool remove(Row row) {
    return update([&](Index& index) { return index.remove(row); });
  }
  /// As `compact` of the index. Rows have other numbers in snapshots that are taken later.
  detail::compacted_t<Index> compact() {
    return update([](Index& index) { return index.compact(); });
  }

  /// Calls `change(index)` on a copy of the index, which then takes its place: whatever `change` does is seen at once,
  /// or not at all where it throws. Returns what `change` returns.
  template <class Change>
  std::remove_cvref_t<std::invoke_result_t<Change&, Index&>> update(Change&& change) {
    const std::lock_guard one_at_a_time(change_);
    auto next = std::make_shared<Index>(*snapshot());
    if constexpr (std::is_void_v<decltype(change(*next))>) {
      change(*next);
      publish(std::move(next));
    } else {
      auto result = change(*next);
      publish(std::move(next));
      return result;
    }
  }

 private:
  void publish(std::shared_ptr<const Index> next) {
    const std::lock_guard lock(swap_);
    current_.swap(next);
  }  // the old index, should nobody else hold it, ends after the lock

  std::mutex change_;
  mutable std::mutex swap_;  // held for the copy of a pointer only
  std::shared_ptr<const Index> current_;
};

}  // namespace embit::inline EMBIT_ABI
