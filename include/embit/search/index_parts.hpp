// Whether the parts of an index fit together, so that a compiler says in a line what does not.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>
#include <embit/search/rows.hpp>
#include <embit/search/scan_store.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI::detail {

/// Rows that have a number, and a width or are no numbers themselves.
template <class Store>
inline constexpr bool holds_rows = [] {
  if constexpr (!requires(const Store& store) {
                  { store.size() } -> std::convertible_to<std::size_t>;
                })
    return false;
  else if constexpr (RowsOfWidth<Store>)
    return true;
  else if constexpr (requires(const Store& store) { store[std::size_t{}]; })
    return !std::is_arithmetic_v<std::remove_cvref_t<decltype(std::declval<const Store&>()[std::size_t{}])>>;
  else
    return false;
}();

template <class K, class Store>
concept ScoresRows = requires(const K& kernel, typename K::query_view queries, row_code_t<Store> row) {
  { kernel(kernel.prepare(queries[std::size_t{}]), row) } -> std::convertible_to<typename K::distance_type>;
};

/// Whether a kernel scores the rows of a store. Of what holds no rows nothing more is said.
template <class K, class Store>
inline constexpr bool scores_rows = [] {
  if constexpr (holds_rows<Store>)
    return ScoresRows<K, Store>;
  else
    return true;
}();

/// Whether it never throws while it does.
template <class K, class Store>
inline constexpr bool scores_without_throwing = [] {
  if constexpr (holds_rows<Store> && ScoresRows<K, Store>)
    return Kernel<K, row_code_t<Store>>;
  else
    return true;
}();

/// A store that rows can be added to.
template <class Store>
concept GrowingStore = requires(Store& store, typename rows_view<Store>::type added) {
  store.append(added);
};

/// One query where a batch of them is taken: a code, or a row of floats.
template <class Query, class Batch>
concept OneCode = !std::convertible_to<const Query&, Batch> && std::convertible_to<code_view<>, Batch> &&
                  std::convertible_to<const Query&, std::span<const word>>;
template <class Query, class Batch>
concept OneRow = !std::convertible_to<const Query&, Batch> && std::convertible_to<matrix_view<const float>, Batch> &&
                 std::convertible_to<const Query&, std::span<const float>>;
template <class Query, class Batch>
concept OneQuery = OneCode<Query, Batch> || OneRow<Query, Batch>;

/// The batch of that one query to rows of `width` bits.
/// @throws error errc::shape for a code of another number of words.
template <class Batch, OneQuery<Batch> Query>
Batch batch_of_one(const Query& query, [[maybe_unused]] std::size_t width) {
  if constexpr (OneCode<Query, Batch>) {
    const std::span<const word> code(query);
    if (code.size() != words_for(width))
      raise(errc::shape, "query: a code of ", code.size(), " words, the index holds rows of width ", width);
    return Batch(code_view<>(code.data(), 1, width));
  } else {
    const std::span<const float> row(query);
    return Batch(matrix_view<const float>(row.data(), 1, row.size()));
  }
}

}  // namespace embit::inline EMBIT_ABI::detail

namespace embit::inline EMBIT_ABI {

/// A store that shows what lies in a file, or belongs to somebody else: an index of it takes no rows.
template <class Store>
concept ReadOnlyStore = !detail::GrowingStore<Store>;

}  // namespace embit::inline EMBIT_ABI
