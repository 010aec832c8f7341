// Which queries an index takes for its kernel and its rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/search/rows.hpp>

#include <cstddef>

namespace embit::inline EMBIT_ABI::detail {

// Queries in themselves, whatever they are held against; of a view that is not known here, nothing is asked.
template <class Queries>
void require_sound_queries(const Queries& queries) {
  if constexpr (requires { require_finite(queries, "queries"); }) require_finite(queries, "queries");
}
inline void require_sound_queries(const code_view<>& queries) { require_clean_tails(queries, "queries"); }
inline void require_sound_queries(const level_view& queries) { require_finite_factors(queries, "queries"); }

/// Refuses queries that a kernel cannot hold against the rows of a store. A kernel with `require_queries(queries,
/// store)` says itself which fit; else they are as wide as `dim()` of the kernel, or where it has none as the rows,
/// and of the same format as the rows where both have one.
/// @throws error errc::shape for queries that do not fit, errc::argument for bits beyond their width, errc::not_finite
/// for NaN or infinity, and what the kernel throws.
template <class K, class Queries, class Store>
void require_queries(const K& kernel, const Queries& queries, const Store& store) {
  if (queries.size() == 0) return;
  if constexpr (requires { kernel.require_queries(queries, store); }) {
    kernel.require_queries(queries, store);
  } else if constexpr (requires { kernel.dim(); }) {
    if (width_of(queries) != kernel.dim())
      raise(errc::shape, "queries: width ", width_of(queries), ", the kernel takes queries of ", kernel.dim());
  } else {
    if (width_of(queries) != width_of(store))
      raise(errc::shape, "queries: width ", width_of(queries), ", the index holds rows of width ", width_of(store));
    if constexpr (requires { *queries.format() == store.format(); })
      if (!(*queries.format() == store.format()))
        raise(errc::shape, "queries: codes of another format than that of the index");
  }
  require_sound_queries(queries);
}

}  // namespace embit::inline EMBIT_ABI::detail
