// How a graph changes: rows that are linked with what a search found, and what is left without those removed.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/graph/build.hpp>
#include <embit/index/detail/graph/edges.hpp>
#include <embit/index/detail/graph/equal_rows.hpp>
#include <embit/index/detail/graph/space.hpp>
#include <embit/index/detail/graph/vertices.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Whether two rows are equal; both zeros are.
inline bool are_equal(const vertex_store& rows, row_id a, row_id b) {
  return std::ranges::equal(rows.row(a), rows.row(b));
}

/// Rows that are about to be added, their edges, and those that other vertices get: everything that may fail is done
/// before anything changes.
template <ResidualCoder Coder>
class added_vertices {
 public:
  /// @param rows    with the points of the new ones behind its last
  /// @param before  rows so far
  /// @param found   of each new row, vertices near it and their distances
  added_vertices(const graph_space<Coder>& space, const vertex_store& rows, const equal_rows& equal,
                 const edge_rule& rule, std::size_t before, std::vector<std::vector<neighbor<float>>> found)
      : space_(space), rows_(rows), equal_(equal), rule_(rule), before_(before) {
    for (std::size_t i = 0; i < found.size(); ++i) vertex_of_.push_back(equal_to(row_at(i), found[i]));
    std::vector<std::pair<row_id, row_id>> back;  // to, from
    for (std::size_t i = 0; i < found.size(); ++i) {
      const row_id row = row_at(i);
      if (vertex_of_[i] != row) continue;
      auto& candidates = found[i];
      for (std::size_t j = 0; j < vertex_of_.size(); ++j)
        if (j != i && vertex_of_[j] == row_at(j)) candidates.push_back({row_at(j), between(rows, row, row_at(j))});
      if (candidates.size() > most_considered) {
        std::nth_element(candidates.begin(), candidates.begin() + most_considered, candidates.end(),
                         neighbor_order<std::less<>>{});
        candidates.resize(most_considered);
      }
      const auto edges = choose_(rows, row, candidates, rule);
      edges_[row] = {edges.begin(), edges.end()};
      for (std::size_t e = 0; e < (std::min)(edges.size(), reversed); ++e) back.emplace_back(edges[e], row);
    }
    link_back(back);
  }

  /// A vertex to begin with, where there is no other.
  row_id first_vertex() const noexcept { return edges_.empty() ? vertex_layout::no_edge : edges_.begin()->first; }

  /// Makes sure that there is a way to each vertex. O(rows · degree).
  void connect(std::span<const row_id> entries) {
    const std::size_t after = before_ + vertex_of_.size();
    edge_table all(after);
    for (std::size_t v = 0; v < before_; ++v) all.set(v, rows_.edges(v));
    for (const auto& [vertex, edges] : edges_) all.set(vertex, edges);
    connection connected(rows_, all, entries, rule_.degree, [&](std::size_t v) {
      return v < before_ ? equal_.is_vertex(v) : vertex_of_[v - before_] == v;
    });
    for (const row_id v : std::move(connected).changed()) {
      const auto edges = all.of(v);
      edges_[v].assign(edges.begin(), edges.end());
    }
  }

  /// @throws error as the coder does.
  template <Executor Exec>
  void encode(const Exec& executor) {
    std::vector<row_id> which;
    for (const auto& each : edges_) which.push_back(each.first);
    const std::size_t parts = (which.size() + vertices_together - 1) / vertices_together;
    coded_.resize(parts);
    run_bulk(executor, parts, [&](std::size_t p, std::size_t) {
      const auto rest = std::span<const row_id>(which).subspan(p * vertices_together);
      const auto part = rest.first((std::min)(vertices_together, rest.size()));
      coded_[p].emplace(space_, rows_, part,
                        [&](std::size_t i) { return std::span<const row_id>(edges_.find(part[i])->second); });
    });
  }
  /// Makes what is to be changed the index's own.
  void own(vertex_store& rows, equal_rows& equal) const {
    for (const auto& each : edges_)
      if (each.first < before_) rows.own(each.first);
    if (!equal.none() || edges_.size() < vertex_of_.size() || has_equal()) equal.reserve(before_ + vertex_of_.size());
  }
  void write(vertex_store& rows, equal_rows& equal, const factor_units& units) const {
    rows.grow(before_ + vertex_of_.size());
    for (const auto& part : coded_) part->write(rows, units);
    for (std::size_t i = 0; i < vertex_of_.size(); ++i)
      if (vertex_of_[i] != row_at(i)) equal.join(row_at(i), vertex_of_[i], before_ + vertex_of_.size());
  }

 private:
  static constexpr std::size_t most_considered = 64, reversed = 20;

  row_id row_at(std::size_t i) const noexcept { return static_cast<row_id>(before_ + i); }
  bool has_equal() const noexcept {
    for (std::size_t i = 0; i < vertex_of_.size(); ++i)
      if (vertex_of_[i] != row_at(i)) return true;
    return false;
  }

  /// The vertex that a new row is equal to, or itself.
  row_id equal_to(row_id row, std::span<const neighbor<float>> found) const {
    row_id vertex = row;
    for (const auto& n : found)
      if (!(n.distance > 0) && n.id < vertex && are_equal(rows_, row, n.id)) vertex = n.id;
    for (std::size_t j = 0; vertex == row && j < vertex_of_.size(); ++j)
      if (vertex_of_[j] == row_at(j) && are_equal(rows_, row, row_at(j))) vertex = row_at(j);
    return vertex;
  }

  void link_back(std::vector<std::pair<row_id, row_id>>& back) {
    std::ranges::sort(back);
    std::vector<neighbor<float>> candidates;
    for (std::size_t first = 0, last = 0; first < back.size(); first = last) {
      const row_id to = back[first].first;
      candidates.clear();
      const auto own = edges_.find(to);
      const auto has = own == edges_.end() ? rows_.edges(to) : std::span<const row_id>(own->second);
      for (const row_id edge : has) candidates.push_back({edge, between(rows_, to, edge)});
      for (; last < back.size() && back[last].first == to; ++last)
        candidates.push_back({back[last].second, between(rows_, to, back[last].second)});
      const auto edges = choose_(rows_, to, candidates, rule_);
      edges_[to] = std::vector<row_id>(edges.begin(), edges.end());
    }
  }

  const graph_space<Coder>& space_;
  const vertex_store& rows_;
  const equal_rows& equal_;
  const edge_rule& rule_;
  std::size_t before_;
  edge_choice choose_;
  std::vector<row_id> vertex_of_;                // of each new row
  std::map<row_id, std::vector<row_id>> edges_;  // of new vertices, and of others that are to be linked with them
  std::vector<std::optional<coded_vertices<Coder>>> coded_;
};

/// A graph without its removed rows.
template <ResidualCoder Coder>
struct compacted_graph {
  vertex_store vertices;
  equal_rows equal;
  std::vector<row_id> entries;

  /// @param survivors  rows that are left, ascending
  template <Executor Exec>
  compacted_graph(const graph_space<Coder>& space, const vertex_store& old, const equal_rows& old_equal,
                  std::span<const row_id> old_entries, const edge_rule& rule, std::span<const row_id> survivors,
                  const factor_units& units, const Exec& executor)
      : vertices(old.layout()) {
    constexpr row_id none = vertex_layout::no_edge;
    // The new number of what stands for an old vertex: of its rows the first that is left.
    std::vector<row_id> stands(old.size(), none), vertex_of(survivors.size()), origin;
    for (row_id i = 0; i < survivors.size(); ++i) {
      row_id& first = stands[old_equal.vertex_of(survivors[i])];
      if (first == none) first = i;
      vertex_of[i] = first;
    }
    equal = equal_rows(vertex_of);
    vertices.reserve(survivors.size());
    for (std::size_t i = 0; i < survivors.size(); ++i) {
      vertices.blank(i);
      std::memcpy(vertices.owned(i), old[survivors[i]], old.layout().codes());
    }
    vertices.grow(survivors.size());
    edge_table edges(survivors.size());
    std::vector<bool> anew(survivors.size());
    std::vector<row_id> which;
    for (std::size_t v = 0; v < old.size(); ++v)
      if (stands[v] != none) which.push_back(static_cast<row_id>(v));
    for (const row_id v : which) anew[stands[v]] = link(v, old, stands, edges, rule);
    entries.assign(old_entries.size(), none);
    bool any = false;
    for (std::size_t e = 0; e < entries.size(); ++e) {
      entries[e] = old_entries[e] == none ? none : left_near(old_entries[e], old, stands);
      any = any || entries[e] != none;
    }
    if (!any && !which.empty()) entries[0] = stands[which[0]];
    connection connected(vertices, edges, entries, rule.degree, [&](std::size_t v) { return equal.is_vertex(v); });
    for (const row_id v : std::move(connected).changed()) anew[v] = true;
    std::vector<row_id> coded;
    for (const row_id v : which) {
      const row_id now = stands[v];
      if (anew[now])
        coded.push_back(now);
      else
        copy(old[v], vertices.owned(now), edges.of(now));
    }
    std::ranges::sort(coded);
    code_vertices(space, vertices, edges, coded, units, executor);
  }

 private:
  /// Edges in new numbers; whether they are not just those there were.
  bool link(row_id v, const vertex_store& old, std::span<const row_id> stands, edge_table& edges,
            const edge_rule& rule) {
    constexpr row_id none = vertex_layout::no_edge;
    const auto own = old.edges(v);
    if (std::ranges::none_of(own, [&](row_id to) { return stands[to] == none; })) {
      const auto out = edges.places(stands[v]);
      std::ranges::transform(own, out.begin(), [&](row_id to) { return stands[to]; });
      return false;
    }
    candidates_.clear();
    const auto consider = [&](row_id to) {
      if (to != v && stands[to] != none) candidates_.push_back({to, between(old, v, to)});
    };
    for (const row_id to : own) {
      consider(to);
      if (stands[to] != none) continue;
      for (const row_id beyond : old.edges(to)) consider(beyond);
    }
    std::vector<row_id> chosen;
    for (const row_id to : choose_(old, v, candidates_, rule)) chosen.push_back(stands[to]);
    edges.set(stands[v], chosen);
    return true;
  }

  /// What is left of a vertex, or of those that its edges lead to, one after another.
  static row_id left_near(row_id v, const vertex_store& old, std::span<const row_id> stands) {
    constexpr std::size_t most = 1000;
    std::vector<row_id> order{v};
    for (std::size_t at = 0; at < order.size() && at < most; ++at) {
      if (stands[order[at]] != vertex_layout::no_edge) return stands[order[at]];
      for (const row_id to : old.edges(order[at]))
        if (std::ranges::find(order, to) == order.end()) order.push_back(to);
    }
    return vertex_layout::no_edge;
  }

  void copy(const std::uint8_t* from, std::uint8_t* to, std::span<const row_id> edges) const noexcept {
    const vertex_layout& layout = vertices.layout();
    std::memcpy(to + layout.codes(), from + layout.codes(), layout.edges() - layout.codes());
    std::memcpy(to + layout.edges(), edges.data(), edges.size_bytes());
  }

  edge_choice choose_;
  std::vector<neighbor<float>> candidates_;
};

}  // namespace embit::inline EMBIT_ABI::detail
