// Hamming distance between binary codes.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/hamming_scan.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

namespace embit::inline EMBIT_ABI {

/// The number of bits in which two codes differ.
struct hamming {
  static constexpr std::string_view name = "hamming";  ///< in files

  using query_view = code_view<>;
  using distance_type = std::uint32_t;
  using compare = std::less<>;
  using batch = hamming_batch;

  std::span<const word> prepare(std::span<const word> query) const noexcept { return query; }

  /// One pair of codes of equal width; where many codes are compared, `prepare_batch` and its scan are far faster.
  std::uint32_t operator()(std::span<const word> query, std::span<const word> code) const noexcept {
    EMBIT_ASSERT(query.size() == code.size());
    std::uint32_t distance = 0;
    for (std::size_t w = 0; w < code.size(); ++w)
      distance += static_cast<std::uint32_t>(std::popcount(query[w] ^ code[w]));
    return distance;
  }

  /// No two codes of `bits` bits differ in more.
  static constexpr std::uint32_t max_distance(std::size_t bits) noexcept { return static_cast<std::uint32_t>(bits); }

  /// Prepares `queries` for comparing with about `rows` codes in interleaved blocks.
  void prepare_batch(code_view<> queries, std::size_t rows, batch& into) const { into.assign(queries, rows); }
};

static_assert(Kernel<hamming>);

}  // namespace embit::inline EMBIT_ABI
