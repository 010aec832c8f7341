// Rows of a store as queries to it.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/level_store.hpp>

#include <concepts>
#include <span>

namespace embit::inline EMBIT_ABI::detail {

template <class Store>
concept CopiesCodes = CodeStore<Store> && !std::convertible_to<const Store&, level_view> &&
                      std::constructible_from<code_store<>, const Store&, std::span<const row_id>>;

/// Copies of some rows of a store, which can be read as a batch of queries: codes, B-bit codes or floats.
template <class Store>
struct stored_rows;

template <CopiesCodes Store>
struct stored_rows<Store> {
  using type = code_store<>;
  static type copy(const Store& store, std::span<const row_id> rows) { return type(store, rows); }
};
template <class Store>
  requires std::convertible_to<const Store&, level_view>
struct stored_rows<Store> {
  using type = level_store;
  static type copy(const Store& store, std::span<const row_id> rows) { return type(level_view(store), rows); }
};
template <class Store>
  requires std::convertible_to<const Store&, matrix_view<const float>>
struct stored_rows<Store> {
  using type = matrix<float>;
  static type copy(const Store& store, std::span<const row_id> rows) {
    return type(matrix_view<const float>(store), rows);
  }
};

/// Whether rows of a store can be queries of this kind.
template <class Store, class Queries>
concept OwnQueries = requires {
  typename stored_rows<Store>::type;
}
&&std::convertible_to<const typename stored_rows<Store>::type&, Queries>;

}  // namespace embit::inline EMBIT_ABI::detail
