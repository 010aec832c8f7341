// How a graph is made: neighbours of all rows from inverted lists, edges from these, codes beside each vertex.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/half.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/graph/edges.hpp>
#include <embit/index/detail/graph/space.hpp>
#include <embit/index/detail/graph/vertices.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/linalg/k_means.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Writes the points of rows from the vertex `first` on, for which there is room.
inline void write_points(vertex_store& to, const graph_points& points, matrix_view<const float> rows,
                         std::size_t first) {
  to.reserve(first + rows.rows());
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    to.blank(first + i);
    points.place(rows[i], {reinterpret_cast<float*>(to.owned(first + i)), points.dims()});
  }
}

/// Copies of the points of some vertices.
inline matrix<float> points_in(const vertex_store& rows, std::span<const row_id> which) {
  auto copies = matrix<float>::uninitialized(which.size(), rows.layout().dims);
  for (std::size_t i = 0; i < which.size(); ++i) std::ranges::copy(rows.row(which[i]), copies[i].begin());
  return copies;
}

/// Whether factors of 16 bits are exact enough. An offset holds twice the product of a vertex and what a neighbour has
/// beside it: where points are much farther from their middle than from each other, it is much larger than their
/// distance.
inline bool halves_suffice(const graph_points& points, matrix_view<const float> rows, const k_means& cells,
                           std::span<const float> middle) {
  constexpr std::size_t enough = 1000;
  constexpr double most_times_as_far = 100;
  constexpr std::uint64_t stride = 2654435761u;  // rows may repeat in whatever period
  std::vector<row_id> some;
  for (std::size_t i = 0; i < (std::min)(enough, rows.rows()); ++i)
    some.push_back(static_cast<row_id>(i * stride % rows.rows()));
  const matrix<float> own = points.placed(matrix<float>(rows, some));
  const auto lists = cells.assign(own);
  double from_middle = 0, from_centroids = 0;
  for (std::size_t i = 0; i < own.rows(); ++i) {
    from_middle += double{squared_l2(own[i].data(), middle.data(), own.cols())};
    from_centroids += double{squared_l2(own[i].data(), cells.centroids()[lists[i].id].data(), own.cols())};
  }
  return from_middle <= most_times_as_far * most_times_as_far * from_centroids || !(from_centroids > 0);
}

/// The neighbours that edges are chosen from.
struct neighbor_search {
  std::size_t candidates = 80;  // of the lists
  std::size_t kept = 48;        // nearest of these
};

/// Edges of each vertex to near ones that inverted lists find; the same on any number of threads.
/// @param lists   of the points of the vertices, which it numbers by their place in `which`
/// @param points  of the vertices, in this order
/// @throws error errc::stopped.
template <class Lists, Executor Exec>
edge_table edges_from_lists(const vertex_store& rows, const Lists& lists, matrix_view<const float> points,
                            std::span<const row_id> which, const neighbor_search& how, const edge_rule& rule,
                            const Exec& executor, const progress_callback& progress) {
  constexpr std::size_t at_once = 8192, grain = 128;
  struct memory {
    edge_choice choose;
    std::vector<edge_choice::candidate> candidates;
  };
  edge_table edges(rows.size());
  // Rows of one list follow one another, so that what they look at stays in the cache.
  std::vector<row_id> order(which.size());
  std::iota(order.begin(), order.end(), row_id{0});
  const std::vector<row_id> list_of = lists.lists_of_rows();
  std::ranges::stable_sort(order, {}, [&](row_id i) { return list_of[i]; });
  std::vector<memory> of_worker(executor.concurrency());
  for (std::size_t begin = 0; begin < order.size(); begin += at_once) {
    const auto part = std::span<const row_id>(order).subspan(begin, (std::min)(at_once, order.size() - begin));
    const auto found = lists.search(matrix<float>(points, part), how.candidates + 1);
    run_ranges(executor, part.size(), grain, part.size(), [&](std::size_t first, std::size_t last, std::size_t worker) {
      auto& [choose, candidates] = of_worker[worker];
      for (std::size_t i = first; i < last; ++i) {
        const row_id vertex = which[part[i]];
        candidates.clear();
        for (const auto& n : found[i])
          if (n.id != part[i]) candidates.push_back({which[n.id], between(rows, vertex, which[n.id])});
        if (candidates.size() > how.kept) {
          std::nth_element(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(how.kept),
                           candidates.end(), neighbor_order<std::less<>>{});
          candidates.resize(how.kept);
        }
        edges.set(vertex, choose(rows, vertex, candidates, rule));
      }
    });
    if (!go_on(progress, {"graph", begin + part.size(), order.size(), 0}))
      raise(errc::stopped, "graph: stopped with the neighbours of ", begin + part.size(), " rows of ", order.size());
  }
  return edges;
}

/// Of each list the vertex that is nearest to its centroid, or no edge where it is empty.
inline std::vector<row_id> medoids(const vertex_store& rows, matrix_view<const float> centroids,
                                   std::span<const row_id> list_of, std::span<const row_id> which) {
  std::vector<row_id> medoid(centroids.rows(), vertex_layout::no_edge);
  std::vector<float> distance(centroids.rows());
  for (std::size_t i = 0; i < which.size(); ++i) {
    const row_id list = list_of[i];
    const float own = squared_l2(rows.row(which[i]).data(), centroids[list].data(), centroids.cols());
    if (medoid[list] != vertex_layout::no_edge && !(own < distance[list])) continue;
    medoid[list] = which[i];
    distance[list] = own;
  }
  return medoid;
}

/// Of the lists that have a medoid up to 256: to find the nearest of many takes longer than to walk from one that is
/// less near.
inline std::vector<row_id> lists_to_enter(std::span<const row_id> medoids) {
  constexpr std::size_t most = 256;
  std::vector<row_id> lists, chosen;
  for (row_id list = 0; list < medoids.size(); ++list)
    if (medoids[list] != vertex_layout::no_edge) lists.push_back(list);
  const std::size_t step = (lists.size() + most - 1) / most;
  for (std::size_t i = 0; i < lists.size(); i += step) chosen.push_back(lists[i]);
  return chosen;
}

/// Codes, factors and edges of some vertices, before they are written.
template <ResidualCoder Coder>
class coded_vertices {
 public:
  /// @param edges  of vertex i `edges(i)`
  template <class Edges>
  coded_vertices(const graph_space<Coder>& space, const vertex_store& rows, std::span<const row_id> vertices,
                 Edges&& edges)
      : vertices_(vertices.begin(), vertices.end()), coded_(space.encode(rows, vertices, edges)) {
    edges_.assign(vertices.size() * most_edges, vertex_layout::no_edge);
    for (std::size_t i = 0; i < vertices.size(); ++i)
      std::ranges::copy(edges(i), edges_.begin() + static_cast<std::ptrdiff_t>(i * most_edges));
  }

  /// Of factors that are kept in 16 bits, such that those of rows a thousand times as far out can be, too.
  factor_units units() const noexcept {
    constexpr float units_of_largest = 64;
    factor_units units;
    for (auto [unit, values] : {std::pair{&units.offset, &coded_.offsets}, {&units.scale, &coded_.scales}}) {
      float largest = 0;
      for (const float x : *values) largest = (std::max)(largest, std::abs(x));
      if (is_positive(largest / units_of_largest)) *unit = largest / units_of_largest;
    }
    return units;
  }

  /// Into vertices that are the store's own.
  void write(vertex_store& to, const factor_units& units) const noexcept {
    const vertex_layout& layout = to.layout();
    const std::size_t code_bytes = most_edges * layout.row_bytes;
    const level_run run = coded_.codes.run(0);
    for (std::size_t i = 0; i < vertices_.size(); ++i) {
      std::uint8_t* const at = to.owned(vertices_[i]);
      std::memcpy(at + layout.codes(), run.codes + i * code_bytes, code_bytes);
      for (std::size_t e = 0; e < most_edges; ++e) {
        units.put(at + layout.offsets(), e, coded_.offsets[i * most_edges + e], units.offset, layout.halves);
        units.put(at + layout.scales(), e, coded_.scales[i * most_edges + e], units.scale, layout.halves);
      }
      std::memcpy(at + layout.edges(), edges_.data() + i * most_edges, most_edges * sizeof(row_id));
    }
  }

 private:
  std::vector<row_id> vertices_;
  typename graph_space<Coder>::coded coded_;
  std::vector<row_id> edges_;
};

/// Vertices that are encoded together.
inline constexpr std::size_t vertices_together = 32;

/// Writes codes and edges of vertices, which are the store's own; the same on any number of threads.
/// @throws error as the coder does.
template <ResidualCoder Coder, Executor Exec>
void code_vertices(const graph_space<Coder>& space, vertex_store& rows, const edge_table& edges,
                   std::span<const row_id> which, const factor_units& units, const Exec& executor) {
  run_ranges(executor, which.size(), vertices_together, which.size(),
             [&](std::size_t first, std::size_t last, std::size_t) {
               const auto part = which.subspan(first, last - first);
               const coded_vertices<Coder> coded(space, rows, part, [&](std::size_t i) { return edges.of(part[i]); });
               coded.write(rows, units);
             });
}

}  // namespace embit::inline EMBIT_ABI::detail
