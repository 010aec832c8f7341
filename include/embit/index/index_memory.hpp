// What an index takes.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/matrix.hpp>

#include <concepts>
#include <cstddef>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Bytes that a store has allocated; none for one that shows what lies elsewhere.
template <class Store>
std::size_t rows_memory(const Store& store) noexcept {
  if constexpr (requires { store.memory(); })
    return store.memory();
  else if constexpr (std::same_as<Store, matrix<float>>)
    return store.values().size_bytes();
  else
    return 0;
}

}  // namespace detail

/// Bytes that an index has allocated.
struct index_memory {
  std::size_t codes = 0;    ///< the codes themselves
  std::size_t tables = 0;   ///< whatever makes searching them faster
  std::size_t rows = 0;     ///< which rows were removed
  std::size_t lists = 0;    ///< lists of candidates that searches have left for the next to use; copies have none
  std::size_t removed = 0;  ///< of the codes, those of removed rows, which `compact` gives back
  std::size_t total() const noexcept { return codes + tables + rows + lists; }
};

}  // namespace embit::inline EMBIT_ABI
