// What an index takes.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <cstddef>

namespace embit::inline EMBIT_ABI {

/// Bytes that an index has allocated, but for the working memory that searches reuse.
struct index_memory {
  std::size_t codes = 0;   ///< the codes themselves
  std::size_t tables = 0;  ///< whatever makes searching them faster
  std::size_t rows = 0;    ///< which rows were removed
  std::size_t total() const noexcept { return codes + tables + rows; }
};

}  // namespace embit::inline EMBIT_ABI
