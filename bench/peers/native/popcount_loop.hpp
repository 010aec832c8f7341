// The search that one writes without a library, compiled for the machine it is built on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace native {

/// The k nearest of n codes of `words` words to one query: popcounts row by row, a heap of (distance, row).
std::vector<std::pair<std::uint32_t, std::uint32_t>> popcount_loop(const std::uint64_t* codes, std::size_t n,
                                                                   std::size_t words, const std::uint64_t* query,
                                                                   std::size_t k);

}  // namespace native
