// Random codes of several kinds, and the search that every index is held against.
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace support {

enum class code_kind { uniform, clustered, two_valued, all_equal };

/// `n` codes of `bits` bits with clean tails.
inline embit::code_store<> make_codes(std::size_t n, std::size_t bits, code_kind kind, embit::rng& rng) {
  embit::code_store<> codes(n, bits), centers(std::max<std::size_t>(n / 50, 2), bits);
  const auto fill = [&](std::span<embit::word> row) {
    for (auto& w : row) w = rng();
    row.back() &= embit::tail_mask(bits);
  };
  for (std::size_t i = 0; i < centers.size(); ++i) fill(centers.row(i));
  for (std::size_t i = 0; i < n; ++i) {
    const auto row = codes.row(i);
    switch (kind) {
      case code_kind::uniform: fill(row); break;
      case code_kind::clustered: {
        centers.copy_row(embit::uniform_index(rng, centers.size()), row);
        for (auto& w : row) w ^= rng() & rng() & rng();
        row.back() &= embit::tail_mask(bits);
        break;
      }
      case code_kind::two_valued: centers.copy_row(embit::uniform_index(rng, 2), row); break;
      case code_kind::all_equal: centers.copy_row(0, row); break;
    }
  }
  return codes;
}

inline std::uint32_t hamming_distance(std::span<const embit::word> a, std::span<const embit::word> b) {
  std::uint32_t d = 0;
  for (std::size_t w = 0; w < a.size(); ++w) d += static_cast<std::uint32_t>(std::popcount(a[w] ^ b[w]));
  return d;
}

/// All rows that `accepts` lets through, scored by `distance(row)` and sorted as results are: the definition of search.
template <class Distance, class Compare, class Score, class Accept>
std::vector<embit::neighbor<Distance>> sort_all(std::size_t rows, Score&& distance, Accept&& accepts) {
  std::vector<embit::neighbor<Distance>> all;
  for (std::size_t row = 0; row < rows; ++row)
    if (accepts(static_cast<embit::row_id>(row))) all.push_back({static_cast<embit::row_id>(row), distance(row)});
  std::sort(all.begin(), all.end(), embit::neighbor_order<Compare>{});
  return all;
}

inline std::vector<embit::neighbor<std::uint32_t>> sort_by_hamming(
    embit::code_view<> codes, std::span<const embit::word> query,
    const std::function<bool(embit::row_id)>& accepts = [](embit::row_id) { return true; }) {
  return sort_all<std::uint32_t, std::less<>>(
      codes.size(), [&](std::size_t row) { return hamming_distance(codes[row], query); }, accepts);
}

/// Whether a result list is the first `k` of the sorted rows.
template <class Distance>
bool is_prefix(std::span<const embit::neighbor<Distance>> list, const std::vector<embit::neighbor<Distance>>& sorted,
               std::size_t k) {
  return list.size() == std::min(k, sorted.size()) && std::equal(list.begin(), list.end(), sorted.begin());
}

}  // namespace support
