// Which edges the vertices of a graph have: occlusion pruning, edges back, and a way to every vertex.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/graph/vertices.hpp>
#include <embit/kernel/l2.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// The edges of every vertex while they are chosen: `most_edges` places each, `no_edge` beyond the last.
class edge_table {
 public:
  edge_table() = default;
  explicit edge_table(std::size_t vertices) : to_(vertices * most_edges, vertex_layout::no_edge) {}

  std::size_t vertices() const noexcept { return to_.size() / most_edges; }
  std::span<row_id> places(std::size_t vertex) noexcept { return {to_.data() + vertex * most_edges, most_edges}; }
  std::span<const row_id> of(std::size_t vertex) const noexcept {
    const row_id* const first = to_.data() + vertex * most_edges;
    std::size_t count = 0;
    while (count < most_edges && first[count] != vertex_layout::no_edge) ++count;
    return {first, count};
  }
  void set(std::size_t vertex, std::span<const row_id> edges) noexcept {
    const auto out = places(vertex);
    std::fill(std::copy(edges.begin(), edges.end(), out.begin()), out.end(), vertex_layout::no_edge);
  }

 private:
  std::vector<row_id> to_;
};

/// How edges are chosen.
struct edge_rule {
  std::size_t degree = most_edges;
  /// A candidate is occluded by an edge whose end is so many times nearer to it than the vertex is, squared. Jayaram
  /// Subramanya et al., "DiskANN", NeurIPS 2019, section 2.2 (there α).
  float alpha2 = 1.2f;
};

/// The distance of two rows.
inline float between(const vertex_store& rows, row_id a, row_id b) noexcept {
  return squared_l2(rows.row(a).data(), rows.row(b).data(), rows.layout().dims);
}

/// Chooses edges among candidates: those that no edge chosen before occludes, nearest first, then the nearest of the
/// others as long as there is place.
class edge_choice {
 public:
  using candidate = neighbor<float>;

  /// @param candidates  put in order; may hold a row twice, and the vertex itself, which are dropped
  /// @return            valid until the next choice
  std::span<const row_id> operator()(const vertex_store& rows, row_id vertex, std::vector<candidate>& candidates,
                                     const edge_rule& rule) {
    std::sort(candidates.begin(), candidates.end(), neighbor_order<std::less<>>{});
    const auto end = std::unique(candidates.begin(), candidates.end(),
                                 [](const candidate& a, const candidate& b) { return a.id == b.id; });
    candidates.erase(end, candidates.end());
    std::erase_if(candidates, [=](const candidate& c) { return c.id == vertex; });
    kept_.clear();
    occluded_.clear();
    for (const candidate& c : candidates) {
      if (kept_.size() == rule.degree) break;
      const bool hidden =
          std::ranges::any_of(kept_, [&](row_id edge) { return rule.alpha2 * between(rows, edge, c.id) < c.distance; });
      (hidden ? occluded_ : kept_).push_back(c.id);
    }
    const std::size_t more = (std::min)(rule.degree - kept_.size(), occluded_.size());
    kept_.insert(kept_.end(), occluded_.begin(), occluded_.begin() + static_cast<std::ptrdiff_t>(more));
    return kept_;
  }

 private:
  std::vector<row_id> kept_, occluded_;
};

/// Of each vertex the vertices whose first edges lead to it, ascending.
class edges_back {
 public:
  edges_back(const edge_table& edges, std::size_t first_edges) : first_(edges.vertices() + 1) {
    const auto leading = [&](std::size_t v) { return edges.of(v).first((std::min)(first_edges, edges.of(v).size())); };
    for (std::size_t v = 0; v < edges.vertices(); ++v)
      for (const row_id to : leading(v)) ++first_[to + 1];
    for (std::size_t v = 0; v < edges.vertices(); ++v) first_[v + 1] += first_[v];
    from_.resize(first_.back());
    std::vector<std::size_t> at(first_.begin(), first_.end() - 1);
    for (std::size_t v = 0; v < edges.vertices(); ++v)
      for (const row_id to : leading(v)) from_[at[to]++] = static_cast<row_id>(v);
  }
  std::span<const row_id> to(std::size_t vertex) const noexcept {
    return std::span<const row_id>(from_).subspan(first_[vertex], first_[vertex + 1] - first_[vertex]);
  }

 private:
  std::vector<std::size_t> first_;
  std::vector<row_id> from_;
};

/// Chooses anew among the edges of each vertex and those that lead to it; the same on any number of threads.
template <Executor Exec>
edge_table with_edges_back(const vertex_store& rows, const edge_table& edges, const edge_rule& rule,
                           const Exec& executor) {
  constexpr std::size_t reversed = 20, most_back = 64, grain = 256;
  struct memory {
    edge_choice choose;
    std::vector<edge_choice::candidate> candidates;
  };
  const edges_back back(edges, reversed);
  edge_table both(edges.vertices());
  std::vector<memory> of_worker(executor.concurrency());
  run_ranges(executor, edges.vertices(), grain, edges.vertices(),
             [&](std::size_t first, std::size_t last, std::size_t worker) {
               auto& [choose, candidates] = of_worker[worker];
               for (std::size_t v = first; v < last; ++v) {
                 const auto vertex = static_cast<row_id>(v);
                 candidates.clear();
                 for (const row_id from : back.to(v)) candidates.push_back({from, between(rows, vertex, from)});
                 if (candidates.size() > most_back) {
                   std::nth_element(candidates.begin(), candidates.begin() + most_back, candidates.end(),
                                    neighbor_order<std::less<>>{});
                   candidates.resize(most_back);
                 }
                 for (const row_id to : edges.of(v)) candidates.push_back({to, between(rows, vertex, to)});
                 both.set(v, choose(rows, vertex, candidates, rule));
               }
             });
  return both;
}

/// Makes sure that edges lead from `entries` to every vertex, by edges in the place of others that no path needs.
class connection {
 public:
  /// @param is_vertex  of a row, whether it is one
  template <class IsVertex>
  connection(const vertex_store& rows, edge_table& edges, std::span<const row_id> entries, std::size_t degree,
             IsVertex&& is_vertex)
      : rows_(rows), edges_(edges), degree_(degree), reached_(edges.vertices()), needed_(edges.vertices()) {
    for (const row_id entry : entries)
      if (entry < edges.vertices()) reach(entry);
    for (std::size_t v = 0; v < edges.vertices(); ++v)
      if (!reached_[v] && is_vertex(v)) attach(static_cast<row_id>(v));
  }

  /// Vertices whose edges are others now, ascending.
  std::vector<row_id> changed() && {
    std::ranges::sort(changed_);
    changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
    return std::move(changed_);
  }

 private:
  void reach(row_id from) {
    if (reached_[from]) return;
    reached_[from] = true;
    std::size_t at = order_.size();
    order_.push_back(from);
    for (; at < order_.size(); ++at) {
      const row_id v = order_[at];
      const auto edges = edges_.of(v);
      for (std::size_t e = 0; e < edges.size(); ++e) {
        if (reached_[edges[e]]) continue;
        reached_[edges[e]] = true;
        needed_[v] |= 1u << e;
        order_.push_back(edges[e]);
      }
    }
  }

  /// A place for an edge that no path needs; `degree_` where there is none.
  std::size_t place_in(row_id v) const noexcept {
    const std::size_t count = edges_.of(v).size();
    if (count < degree_) return count;
    const std::uint32_t spare = ~needed_[v] & static_cast<std::uint32_t>((std::uint64_t{1} << degree_) - 1);
    return spare == 0 ? degree_ : static_cast<std::size_t>(std::bit_width(spare)) - 1;
  }

  void attach(row_id v) {
    for (const row_id to : edges_.of(v))
      if (reached_[to] && lead(to, v)) return;
    if (const row_id from = nearest_of_some(v); from != vertex_layout::no_edge && lead(from, v)) return;
    for (std::size_t i = order_.size(); i-- > 0;)
      if (lead(order_[i], v)) return;
    reach(v);  // of no entry: the graph begins here
  }
  /// Of vertices that are reached and have a place, as far as they are looked at.
  row_id nearest_of_some(row_id v) const noexcept {
    constexpr std::size_t looked_at = 1000;
    neighbor<float> nearest{vertex_layout::no_edge, infinity<float>()};
    for (std::size_t i = 0; i < order_.size(); i += order_.size() / looked_at + 1) {
      const neighbor<float> other{order_[i], between(rows_, v, order_[i])};
      if (neighbor_order<std::less<>>{}(other, nearest) && place_in(other.id) < degree_) nearest = other;
    }
    return nearest.id;
  }
  bool lead(row_id from, row_id to) {
    const std::size_t place = place_in(from);
    if (place >= degree_) return false;
    edges_.places(from)[place] = to;
    needed_[from] |= 1u << place;
    changed_.push_back(from);
    reach(to);
    return true;
  }

  const vertex_store& rows_;
  edge_table& edges_;
  std::size_t degree_;
  std::vector<bool> reached_;
  std::vector<std::uint32_t> needed_;  // of each vertex, by which edges others are reached
  std::vector<row_id> order_, changed_;
};

}  // namespace embit::inline EMBIT_ABI::detail
