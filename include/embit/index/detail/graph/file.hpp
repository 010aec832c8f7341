// The vertices of a graph in files.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/half.hpp>
#include <embit/core/shared_array.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/graph/equal_rows.hpp>
#include <embit/index/detail/graph/vertices.hpp>
#include <embit/index/detail/ivf/list_rows.hpp>
#include <embit/index/detail/recall_curve.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/metadata.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What share of the nearest neighbours searches found that kept so many candidates.
struct recall_at_ef {
  std::size_t ef = 0;
  double recall = 0;
  friend bool operator==(const recall_at_ef&, const recall_at_ef&) = default;
};

namespace detail {

/// "vertices", one behind another.
inline void write_vertices(const section_writer& out, const vertex_store& vertices) {
  out.add_stream("vertices", [kept = vertices](section_sink& sink) {
    for (std::size_t v = 0; v < kept.size(); ++v)
      sink.write(std::as_bytes(std::span<const std::uint8_t>(kept[v], kept.bytes_each())));
  });
}

/// @throws error errc::format for numbers and factors that are not finite, and edges that lead nowhere, to their own
/// vertex, to a row that another stands for, or follow a place without one.
inline void require_vertices(const section_reader& in, const vertex_store& vertices, const equal_rows& equal) {
  const vertex_layout& layout = vertices.layout();
  const std::size_t factors = 2 * most_edges;
  for (std::size_t v = 0; v < vertices.size(); ++v) {
    const std::uint8_t* const at = vertices[v];
    if (!all_finite(vertices.row(v).data(), layout.dims)) refuse_section(in, "vertices", "row ", v, " is not finite");
    const void* const columns = at + layout.offsets();
    if (layout.halves ? !all_finite(static_cast<const half*>(columns), factors)
                      : !all_finite(static_cast<const float*>(columns), factors))
      refuse_section(in, "vertices", "factors of vertex ", v, " are not finite");
    const auto* const edges = reinterpret_cast<const row_id*>(at + layout.edges());
    const std::size_t count = vertices.edges(v).size();
    for (std::size_t e = 0; e < most_edges; ++e)
      if (e < count ? edges[e] == v || !equal.is_vertex(edges[e]) : edges[e] != vertex_layout::no_edge)
        refuse_section(in, "vertices", "an edge of vertex ", v, " of ", vertices.size(), " leads to ", edges[e]);
  }
}

/// Where a file is mapped, vertices stay there and are not looked at: searches pass over edges that lead nowhere.
/// @throws error errc::format for part of a vertex.
inline vertex_store read_vertices(const section_reader& in, const vertex_layout& layout) {
  const std::size_t bytes = in.count<std::uint8_t>("vertices");
  if (bytes % layout.bytes() != 0)
    refuse_section(in, "vertices", bytes, " bytes of vertices of ", layout.bytes(), " each");
  const auto held = std::make_shared<const shared_array<std::uint8_t>>(in.shared<std::uint8_t>("vertices", bytes));
  vertex_store vertices(layout, {held->data(), held->size()}, held);
  if (in.maps()) return vertices;
  for (std::size_t v = 0; v < vertices.size(); ++v) vertices.own(v);
  vertices.forget_keeper();
  return vertices;
}

/// "equal", the vertex of every row, where rows are equal.
inline void write_equal_rows(const section_writer& out, const equal_rows& equal, std::size_t rows) {
  if (equal.none()) return;
  std::vector<row_id> vertices(rows);
  for (std::size_t row = 0; row < rows; ++row) vertices[row] = equal.vertex_of(static_cast<row_id>(row));
  out.add_stream("equal", [kept = std::move(vertices)](section_sink& sink) {
    sink.write(std::as_bytes(std::span<const row_id>(kept)));
  });
}

/// @throws error errc::format for a row that stands for others and not for itself.
inline equal_rows read_equal_rows(const section_reader& in, std::size_t rows) {
  if (!in.contains("equal")) return {};
  const auto vertices = in.array<row_id>("equal", rows);
  for (std::size_t row = 0; row < rows; ++row)
    if (vertices[row] > row || vertices[vertices[row]] != vertices[row])
      refuse_section(in, "equal", "row ", vertices[row], " stands for row ", row);
  return equal_rows({vertices.data(), vertices.size()});
}

/// "entries", of each centroid a vertex or 2^32 - 1.
/// @throws error errc::format for those that are no vertices, and where there are rows and no entry.
inline std::vector<row_id> read_entries(const section_reader& in, std::size_t centroids, std::size_t rows) {
  const auto entries = in.array<row_id>("entries", centroids);
  bool any = false;
  for (const row_id entry : entries) {
    any = any || entry < rows;
    if (entry >= rows && entry != vertex_layout::no_edge) refuse_section(in, "entries", "row ", entry, " of ", rows);
  }
  if (!any && rows != 0) refuse_section(in, "entries", "none for ", rows, " rows");
  return {entries.begin(), entries.end()};
}

/// @throws error errc::format for candidates that do not rise, and for what is no recall.
inline std::vector<recall_at_ef> read_recall_at_efs(const section_reader& in) {
  const auto rising = [](const metadata_reader& values, const recall_at_ef& point, const recall_at_ef& last) {
    if (point.ef <= last.ef || !is_between(point.recall, 0., 1.))
      values.refuse("recall ", point.recall, " at ", point.ef);
  };
  return read_curve(in, &recall_at_ef::ef, rising);
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
