// What an index returns when it drops its removed rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI::detail {

/// The result of `Index::compact`, and void where there is none.
template <class Index>
struct compacted {
  using type = void;
};
template <class Index>
  requires requires(Index& index) { index.compact(); }
struct compacted<Index> {
  using type = std::remove_cvref_t<decltype(std::declval<Index&>().compact())>;
};
template <class Index>
using compacted_t = typename compacted<Index>::type;

}  // namespace embit::inline EMBIT_ABI::detail
