// Inverted lists of B-bit codes in files.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/shared_array.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/ivf/list_rows.hpp>
#include <embit/index/detail/ivf_levels/lists.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/io/save.hpp>
#include <embit/store/level_layout.hpp>
#include <embit/store/level_store.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Whether rows of two formats have the same codes and factors, in whatever units.
inline bool same_rows(const level_format& a, const level_format& b) {
  return a.segments == b.segments && a.factors == b.factors && a.half_factors == b.half_factors;
}

/// @throws error errc::format for other than `count` numbers, and for those that are not finite.
inline std::vector<float> read_numbers(const section_reader& in, std::string_view name, std::size_t count) {
  const auto numbers = in.array<float>(name, count);
  require_finite_section(in, name, std::span<const float>(numbers));
  return {numbers.begin(), numbers.end()};
}

/// "list_sizes", "ids" and "codes/", as ivf_levels says.
inline void write_level_lists(const section_writer& out, const level_lists& lists) {
  struct kept_lists {
    std::vector<std::uint32_t> sizes;
    level_lists laid;
  };
  auto saved = std::make_shared<kept_lists>();
  for (std::size_t list = 0; list < lists.size(); ++list)
    saved->sizes.push_back(static_cast<std::uint32_t>(lists.rows(list)));
  std::vector<row_id> same(std::accumulate(saved->sizes.begin(), saved->sizes.end(), std::size_t{0}));
  std::iota(same.begin(), same.end(), row_id{0});
  saved->laid = lists.renumbered(same);
  out.add("list_sizes", std::span<const std::uint32_t>(saved->sizes));
  write_part<level_store>(out, "codes", saved->laid.store());
  // The writer keeps this, and by it what all of these sections view.
  out.add_stream("ids", [saved](section_sink& sink) { sink.write(saved->laid.ids()); });
}

/// Of files that have the rows of each list behind those of the one before.
inline level_lists read_packed_level_lists(const section_reader& in) {
  const auto codes = read_part<level_store>(in, "codes");
  const packed_rows rows = read_packed_rows(in, codes.size());
  level_lists lists(codes.format(), std::vector<std::size_t>(rows.sizes.begin(), rows.sizes.end()));
  std::size_t at = 0;
  for (std::size_t list = 0; list < rows.sizes.size(); ++list)
    for (std::size_t i = 0; i < rows.sizes[list]; ++i, ++at) lists.put(lists.take_place(list, rows.ids[at]), codes[at]);
  return lists;
}

/// Lists where they lie in a mapped file.
inline level_lists map_level_lists(const section_reader& in, std::span<const std::size_t> sizes) {
  const section_reader scope = in.scope("codes");
  require_part(scope, "codes", levels_file);
  level_shape shape = read_level_shape(scope);
  struct kept_file {
    level_format format;
    shared_array<row_id> ids;
  };
  const auto kept = std::make_shared<const kept_file>(
      kept_file{std::move(shape.format), in.shared<row_id>("ids", in.count<row_id>("ids"))});
  return level_lists(view_levels(scope, kept->format, shape.rows), sizes, {kept->ids.data(), kept->ids.size()}, kept);
}

/// @throws error as `read_list_sizes` and `require_listed_rows` do.
inline level_lists read_level_lists(const section_reader& in) {
  const auto listed = in.array<std::uint32_t>("list_sizes");
  const std::vector<std::size_t> sizes(listed.begin(), listed.end());
  const std::size_t places = level_lists::places_of(sizes);
  if (in.count<row_id>("ids") != places) return read_packed_level_lists(in);
  const level_lists lists = in.maps()
                                ? map_level_lists(in, sizes)
                                : level_lists(read_part<level_store>(in, "codes"), sizes, in.array<row_id>("ids"));
  if (lists.run().rows != places)
    refuse_section(in, "list_sizes", "lists of ", places, " places for ", lists.run().rows);
  require_listed_rows(in, lists.ids(), std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}), listed,
                      [&](std::size_t list) { return lists.first_place(list); });
  return lists;
}

}  // namespace embit::inline EMBIT_ABI::detail
