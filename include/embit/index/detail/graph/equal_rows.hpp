// Rows that are equal are one vertex: which row stands for others, and which these are.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/graph/vertices.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// For each row the vertex that stands for it, mostly itself; nothing is kept as long as no rows are equal.
class equal_rows {
 public:
  equal_rows() = default;
  /// @param vertices  of the rows; a row stands for itself or for rows that follow it
  explicit equal_rows(std::span<const row_id> vertices) {
    for (std::size_t row = 0; row < vertices.size(); ++row)
      if (vertices[row] != row) join(static_cast<row_id>(row), vertices[row], vertices.size());
  }

  bool none() const noexcept { return vertex_.empty(); }
  row_id vertex_of(row_id row) const noexcept { return row < vertex_.size() ? vertex_[row] : row; }
  bool is_vertex(std::size_t row) const noexcept { return vertex_of(static_cast<row_id>(row)) == row; }
  std::size_t memory() const noexcept { return (vertex_.capacity() + next_.capacity()) * sizeof(row_id); }

  /// Makes sure that `join` of rows below `rows` cannot fail.
  void reserve(std::size_t rows) {
    vertex_.reserve(rows);
    next_.reserve(rows);
  }
  /// A row, larger than all that were joined to this vertex, is equal to it.
  void join(row_id row, row_id vertex, std::size_t rows) {
    grow(rows);
    vertex_[row] = vertex;
    const row_id last = next_[vertex];  // of a vertex the last of its rows, whose next is the first
    next_[row] = last == vertex ? row : next_[last];
    if (last != vertex) next_[last] = row;
    next_[vertex] = row;
  }
  /// Calls `visit(row)` for the rows that a vertex stands for beside itself, ascending, until it returns false.
  template <class Visit>
  void for_each(row_id vertex, Visit&& visit) const {
    if (vertex >= next_.size() || next_[vertex] == vertex) return;
    const row_id last = next_[vertex];
    for (row_id row = next_[last]; visit(row) && row != last; row = next_[row]) {
    }
  }

 private:
  void grow(std::size_t rows) {
    vertex_.reserve(rows);
    next_.reserve(rows);
    for (auto row = static_cast<row_id>(vertex_.size()); row < rows; ++row) {
      vertex_.push_back(row);
      next_.push_back(row);
    }
  }

  std::vector<row_id> vertex_, next_;
};

/// For each row the smallest that is equal to it. O(rows · log rows).
inline std::vector<row_id> first_equal(const vertex_store& rows) {
  const auto bits = [](float x) {
    std::uint32_t b;
    std::memcpy(&b, &x, sizeof b);
    return b == 0x80000000u ? 0u : b;  // both zeros are the same
  };
  std::vector<std::pair<std::uint64_t, row_id>> hashes;
  hashes.reserve(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    std::uint64_t hash = 0x9e3779b97f4a7c15u;
    for (const float x : rows.row(row)) {
      hash = (hash ^ bits(x)) * 0xbf58476d1ce4e5b9u;
      hash ^= hash >> 29;
    }
    hashes.emplace_back(hash, static_cast<row_id>(row));
  }
  std::sort(hashes.begin(), hashes.end());
  const auto equal = [&](row_id a, row_id b) {
    return std::ranges::equal(rows.row(a), rows.row(b), [&](float x, float y) { return bits(x) == bits(y); });
  };
  std::vector<row_id> first(rows.size()), of_hash;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const row_id row = hashes[i].second;
    if (i == 0 || hashes[i].first != hashes[i - 1].first) of_hash.clear();
    const auto same = std::ranges::find_if(of_hash, [&](row_id other) { return equal(row, other); });
    first[row] = same == of_hash.end() ? row : *same;
    if (first[row] == row) of_hash.push_back(row);
  }
  return first;
}

}  // namespace embit::inline EMBIT_ABI::detail
