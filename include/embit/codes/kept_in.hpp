// Which store plain codes are copied into: for layouts and kernels to name stores that they do not include.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/fwd.hpp>

#include <cstddef>

namespace embit::inline EMBIT_ABI {

namespace detail {

template <class Source, template <std::size_t> class Store>
struct kept_as_codes {
  using type = Source;
};
template <std::size_t Bits, template <std::size_t> class Store>
struct kept_as_codes<code_store<Bits>, Store> {
  using type = Store<Bits>;
};
template <std::size_t Bits, template <std::size_t> class Store>
struct kept_as_codes<code_view<Bits>, Store> {
  using type = Store<Bits>;
};

template <class Source>
struct kept_as_levels {
  using type = Source;
};
template <std::size_t Bits>
struct kept_as_levels<code_store<Bits>> {
  using type = level_store;
};
template <std::size_t Bits>
struct kept_as_levels<code_view<Bits>> {
  using type = level_store;
};
template <>
struct kept_as_levels<level_view> {
  using type = level_store;
};

}  // namespace detail

/// The store of `Source` where plain codes, row after row, are to lie as `Store` has them: such a store of their width.
/// What is laid out already stays as it is.
template <class Source, template <std::size_t> class Store>
using codes_kept_in = typename detail::kept_as_codes<Source, Store>::type;

/// The store of `Source` where codes are to be levels: binary ones are levels of 1 bit.
template <class Source>
using levels_kept_in = typename detail::kept_as_levels<Source>::type;

}  // namespace embit::inline EMBIT_ABI
