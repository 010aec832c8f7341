// The kinds of index there are, for programs that choose one at run time.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <string_view>

namespace embit::inline EMBIT_ABI {

enum class index_kind {
  flat,         ///< `flat_index`
  multi_index,  ///< `multi_index`, exact
  lsh_table,    ///< `lsh_table`, approximate
  ivf,          ///< `ivf_index`, approximate
  prefix,       ///< `prefix_index`, exact unless a search says otherwise
  other         ///< another: a wrapper, or one of the user's own
};

namespace detail {

/// The kind of the index that a file of this kind holds.
constexpr index_kind index_kind_of(std::string_view file) noexcept {
  if (file == "flat_index") return index_kind::flat;
  if (file == "multi_index") return index_kind::multi_index;
  if (file == "lsh_table") return index_kind::lsh_table;
  if (file == "ivf_index") return index_kind::ivf;
  if (file == "prefix_index") return index_kind::prefix;
  return index_kind::other;
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
