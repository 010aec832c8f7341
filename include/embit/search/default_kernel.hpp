// Which kernel scores a store when the user names none.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/kernel/inner_product.hpp>

namespace embit::inline EMBIT_ABI {

namespace detail {

template <class Store>
struct default_kernel_of {
  using type = inner_product;  // float rows
};
template <CodeStore Store>
struct default_kernel_of<Store> {
  using type = hamming;
};

}  // namespace detail

/// Hamming distance for binary codes, inner product for float rows.
template <class Store>
using default_kernel = typename detail::default_kernel_of<Store>::type;

}  // namespace embit::inline EMBIT_ABI
