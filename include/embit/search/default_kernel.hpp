// Which kernel scores a store when the user names none.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/fwd.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/kernel/levels.hpp>

#include <concepts>
#include <cstddef>

namespace embit::inline EMBIT_ABI {

namespace detail {

template <class Store>
struct default_kernel_of {
  using type = inner_product;  // float rows
};
template <class Codes>
concept HasBits = requires(const Codes& codes) {
  codes.bits();
};
template <class Codes>
concept HasLevels = HasBits<Codes> && requires(const Codes& codes, std::size_t row) {
  { codes[row] } -> std::same_as<level_row>;
};

template <HasBits Codes>
struct default_kernel_of<Codes> {
  using type = hamming;
};
template <HasLevels Codes>
struct default_kernel_of<Codes> {
  using type = symmetric;
};

template <class Store>
concept NamesKernel = requires {
  typename Store::default_kernel;
};
template <class Store>
struct kernel_of_store : default_kernel_of<Store> {};
template <NamesKernel Store>
struct kernel_of_store<Store> {
  using type = typename Store::default_kernel;
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
