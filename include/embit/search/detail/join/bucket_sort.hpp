// A stable counting sort over the workers of an executor.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/executor.hpp>
#include <embit/search/partition.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Puts things 0 … n - 1 into buckets, each bucket in their order: `key(i)` is the bucket of a thing, `put(i, place)`
/// is told its place among all. Bucket b then is the places [start[b], start[b + 1]). Both are called by several
/// workers at a time, for different things; `key` twice for each.
template <class Key, class Put>
void sort_into_buckets(const executor_ref& executor, std::size_t n, std::size_t buckets,
                       aligned_vector<std::uint32_t>& start, Key&& key, Put&& put) {
  constexpr std::size_t fewest_things = std::size_t{1} << 15;  // a piece
  EMBIT_ASSERT(n <= (std::numeric_limits<std::uint32_t>::max)());
  // Every piece counts into buckets of its own, which must not become more than there are things.
  const std::size_t most = (std::min)(n / fewest_things, 4 * n / (buckets + 1));
  const std::size_t pieces = std::clamp<std::size_t>(executor.concurrency(), 1, (std::max)(most, std::size_t{1}));
  std::vector<aligned_vector<std::uint32_t>> places(pieces);
  run_bulk(executor, pieces, [&](std::size_t p, std::size_t) {
    places[p].assign(buckets, 0);
    const piece part = cut(n, pieces, p);
    const auto key_of = key;  // a copy of its own, which no write to memory can change
    std::uint32_t* const counts = places[p].data();
    for (std::size_t i = part.first; i < part.last; ++i) ++counts[key_of(i)];
  });
  start.resize(buckets + 1);
  std::uint32_t sum = 0;
  for (std::size_t b = 0; b < buckets; ++b) {
    start[b] = sum;
    for (auto& counts : places) {
      const std::uint32_t count = counts[b];
      counts[b] = sum;
      sum += count;
    }
  }
  start[buckets] = sum;
  run_bulk(executor, pieces, [&](std::size_t p, std::size_t) {
    const piece part = cut(n, pieces, p);
    const auto key_of = key;
    const auto put_at = put;
    std::uint32_t* const next = places[p].data();
    for (std::size_t i = part.first; i < part.last; ++i) put_at(i, std::size_t{next[key_of(i)]++});
  });
}

}  // namespace embit::inline EMBIT_ABI::detail
