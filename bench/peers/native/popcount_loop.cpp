// Compiled with -march=native, and without embit: no inline function is shared with the rest of the program.
#include "popcount_loop.hpp"

#include <algorithm>

namespace native {

namespace {

template <std::size_t Words>
std::uint32_t distance(const std::uint64_t* a, const std::uint64_t* b) {
  std::uint32_t d = 0;
  for (std::size_t w = 0; w < Words; ++w) d += static_cast<std::uint32_t>(__builtin_popcountll(a[w] ^ b[w]));
  return d;
}

template <std::size_t Words>
std::vector<std::pair<std::uint32_t, std::uint32_t>> search(const std::uint64_t* codes, std::size_t n,
                                                            const std::uint64_t* query, std::size_t k) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> heap;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t d = distance<Words>(codes + i * Words, query);
    if (heap.size() == k && d >= heap.front().first) continue;
    if (heap.size() == k) {
      std::pop_heap(heap.begin(), heap.end());
      heap.pop_back();
    }
    heap.emplace_back(d, static_cast<std::uint32_t>(i));
    std::push_heap(heap.begin(), heap.end());
  }
  std::sort_heap(heap.begin(), heap.end());
  return heap;
}

}  // namespace

std::vector<std::pair<std::uint32_t, std::uint32_t>> popcount_loop(const std::uint64_t* codes, std::size_t n,
                                                                   std::size_t words, const std::uint64_t* query,
                                                                   std::size_t k) {
  switch (words) {
    case 2: return search<2>(codes, n, query, k);
    case 4: return search<4>(codes, n, query, k);
    case 8: return search<8>(codes, n, query, k);
    case 16: return search<16>(codes, n, query, k);
    default: return {};
  }
}

}  // namespace native
