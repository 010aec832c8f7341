// Which kernel scores a store when the user names none.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/kernel/inner_product.hpp>

namespace embit::inline EMBIT_ABI {

namespace detail {

template <class Store>
struct default_kernel_of {
  using type = inner_product;  // float rows
};
template <class Codes>
  requires requires(const Codes& codes) { codes.bits(); }
struct default_kernel_of<Codes> {
  using type = hamming;
};

}  // namespace detail

/// Hamming distance for binary codes, inner product for float rows.
template <class Store>
using default_kernel = typename detail::default_kernel_of<Store>::type;

}  // namespace embit::inline EMBIT_ABI
