// Which store an index keeps its rows in for a kernel, and what rows it takes.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/codes/kept_in.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/kernel/set_similarity.hpp>

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI {

namespace detail {

template <class K, class Source>
concept NamesStore = requires {
  typename K::template store_for<Source>;
};
template <class K, class Source>
concept ScansRuns = requires {
  typename K::batch::run_type::template store_for<Source>;
};

/// Codes that are only viewed are copied, everything else stays as it is.
template <class Source>
struct rows_as_they_lie {
  using type = Source;
};
template <std::size_t Bits>
struct rows_as_they_lie<code_view<Bits>> {
  using type = code_store<Bits>;
};

template <class Source, class K>
struct scan_store : rows_as_they_lie<Source> {};
template <class Source, class K>
  requires NamesStore<K, Source>
struct scan_store<Source, K> {
  using type = typename K::template store_for<Source>;
};
template <class Source, class K>
  requires(!NamesStore<K, Source> && SetKernel<K>)
struct scan_store<Source, K> {
  using type = codes_kept_in<Source, popcount_store>;
};
template <class Source, class K>
  requires(!NamesStore<K, Source> && !SetKernel<K> && ScansRuns<K, Source>)
struct scan_store<Source, K> {
  using type = typename K::batch::run_type::template store_for<Source>;
};

}  // namespace detail

/// The store that an index keeps of `Source` for a kernel: `K::store_for<Source>` where the kernel names one, else the
/// one whose runs its batch scans (`store_for` of the run), groups by popcount for the similarities of sets, and the
/// rows as they are for every other kernel.
template <class Source, class K>
using scan_store_t = typename detail::scan_store<Source, K>::type;

namespace detail {

template <class Store>
concept TellsRowsView = requires {
  typename Store::rows_view;
};

/// What rows are added to a store as: `Store::rows_view` where it has one, else plain codes, or rows of floats.
template <class Store>
struct rows_view {
  using type = matrix_view<const float>;
};
template <CodeStore Store>
  requires(!TellsRowsView<Store>)
struct rows_view<Store> {
  using type = code_view<>;
};
template <TellsRowsView Store>
struct rows_view<Store> {
  using type = typename Store::rows_view;
};

/// A store given as itself, or as rows that it can be built from. The deduction guides of an index say which.
template <class Store>
struct store_argument {
  store_argument(Store store) : value(std::move(store)) {}
  template <class Source>
    requires(!std::same_as<Source, Store> && std::convertible_to<const Source&, typename rows_view<Store>::type> &&
             std::constructible_from<Store, typename rows_view<Store>::type>)
  store_argument(const Source& source) : value(typename rows_view<Store>::type(source)) {}

  template <class Source>
    requires(!std::same_as<Source, Store> && !std::convertible_to<const Source&, typename rows_view<Store>::type> &&
             std::convertible_to<const Source&, code_view<>> && std::constructible_from<Store, code_view<>>)
  store_argument(const Source& source) : value(code_view<>(source)) {}

  template <class Source>
    requires(std::is_trivially_copyable_v<Store>&& std::convertible_to<Source, Store> && !Lasting<Source>)
  store_argument(Source&&)
  = delete;  // the rows that the store views would be gone

  Store value;
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
