// What was found by how much work, measured when an index was planned, in its file.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/metadata.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// "recall": how many points as u32, and of each u32 `effort`, f64 recall.
template <class Point>
void write_curve(const section_writer& out, const std::vector<Point>& curve, std::size_t Point::*effort) {
  metadata_writer values;
  values.u32(static_cast<std::uint32_t>(curve.size()));
  for (const Point& point : curve) values.u32(static_cast<std::uint32_t>(point.*effort)).f64(point.recall);
  out.add("recall", std::move(values));
}

/// @param require  (metadata, a point, the one before it or none) refuses what no such curve has
template <class Point, class Require>
std::vector<Point> read_curve(const section_reader& in, std::size_t Point::*effort, const Require& require) {
  metadata_reader values = in.metadata("recall");
  std::vector<Point> curve;
  Point last;
  for (std::uint32_t left = values.u32(); left != 0; --left) {
    Point point;
    point.*effort = values.u32();
    point.recall = values.f64();
    require(values, point, last);
    curve.push_back(last = point);
  }
  return curve;
}

}  // namespace embit::inline EMBIT_ABI::detail
