// The rows that vertices stand for, as far as a search may find them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/graph/equal_rows.hpp>
#include <embit/index/detail/graph/space.hpp>
#include <embit/index/detail/graph/vertices.hpp>
#include <embit/index/detail/graph/walk.hpp>
#include <embit/search/row_choice.hpp>

#include <algorithm>
#include <cstddef>

namespace embit::inline EMBIT_ABI::detail {

/// What one search of a graph is for.
struct graph_wish {
  std::size_t members = 0;  // rows that may be found, as far as is known
  std::size_t ef = 1;
  std::size_t most = 1;           // rows of a vertex that are wanted
  const float* radius = nullptr;  // rows within it do not count among the `ef` candidates
  bool all_count = false;         // whatever may be found
  row_id without = vertex_layout::no_edge;

  /// Whether it is faster to read all members than to walk: of a walk that finds `ef` of them, all visits count, each
  /// of which costs as much as so many rows that are read one after another.
  bool reads_all(std::size_t rows) const noexcept {
    constexpr double rows_in_visit = 20;
    const double visits =
        static_cast<double>(ef) * static_cast<double>(rows) / static_cast<double>(std::max<std::size_t>(members, 1));
    return static_cast<double>(members) <= rows_in_visit * visits;
  }
};

struct vertex_rows {
  const vertex_store& vertices;
  const equal_rows& equal;
  const row_choice& choice;

  /// Whether any of the rows that a vertex stands for may be found.
  bool accepts(row_id vertex) const {
    if (choice(vertex)) return true;
    bool any = false;
    equal.for_each(vertex, [&](row_id row) { return !(any = choice(row)); });
    return any;
  }

  /// Calls `take(row, distance)` for those that may be found, at most `most` of them.
  template <class Take>
  void take_of(row_id vertex, float distance, std::size_t most, const Take& take) const {
    if (!equal.is_vertex(vertex)) return;  // a damaged file may have edges to such
    if (choice(vertex)) {
      take(vertex, distance);
      --most;
    }
    if (equal.none() || most == 0) return;
    equal.for_each(vertex, [&](row_id row) {
      if (!choice(row)) return true;
      take(row, distance);
      return --most != 0;
    });
  }

  /// The same for every row.
  template <class Take>
  void take_all(const point_query& query, const Take& take, graph_statistics& did) const {
    choice.for_each(0, vertices.size(), [&](std::size_t row) {
      ++did.scanned;
      take(static_cast<row_id>(row), query(vertices.row(row).data()).reported);
    });
  }
};

}  // namespace embit::inline EMBIT_ABI::detail
