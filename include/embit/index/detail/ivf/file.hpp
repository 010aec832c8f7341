// Inverted lists of codes in files.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/ivf/code_lists.hpp>
#include <embit/index/detail/ivf/list_rows.hpp>
#include <embit/index/detail/ivf/plan.hpp>
#include <embit/index/detail/recall_curve.hpp>
#include <embit/io/save.hpp>
#include <embit/search/live_rows.hpp>
#include <embit/store/block_layout.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// The codes of an index as its lists are laid in the file, as a store that is read when this is written.
struct saved_lists {
  const block_store<>& store;
  laid_lists laid;

  using code_type = code_span<>;
  std::size_t size() const noexcept { return laid.from.size(); }
  std::size_t bits() const noexcept { return store.bits(); }
  void copy_row(std::size_t place, std::span<word> out) const noexcept { store.copy_row(laid.from[place], out); }

  static constexpr file_kind file = codes_file;
  void write_to(const section_writer& out) const { write_codes(out, *this); }
};

/// "list_sizes", "ids", "places" and "codes/", as ivf_index says.
inline void write_lists(const section_writer& out, const code_lists& lists) {
  const auto saved = std::make_shared<const saved_lists>(
      saved_lists{lists.store(), lists.in_order([](row_id row) { return row; }, no_row)});
  out.add("list_sizes", std::span<const std::uint32_t>(saved->laid.sizes));
  // The writer keeps this, and by it what all of these sections view.
  out.add_stream("ids", [saved](section_sink& sink) { sink.write(std::span<const row_id>(saved->laid.ids)); });
  out.add("places", std::span<const std::uint32_t>(saved->laid.places));
  write_part<saved_lists>(out, "codes", *saved);
}

/// Of files that have the rows of each list behind those of the one before.
inline code_lists read_packed_lists(const section_reader& in) {
  const auto codes = read_part<code_store<>>(in, "codes");
  const auto [sizes, ids] = read_packed_rows(in, codes.size());
  std::vector<row_id> order(ids.size());
  std::iota(order.begin(), order.end(), row_id{0});
  return code_lists(codes, laid_lists(sizes, order, ids));
}

/// @throws error as `read_list_sizes` and `require_listed_rows` do, and errc::format for rows in other places.
inline code_lists read_lists(const section_reader& in) {
  if (!in.contains("places")) return read_packed_lists(in);
  auto codes = read_part<block_store<>>(in, "codes");
  const std::size_t rows = in.count<std::uint32_t>("places");
  const auto sizes = read_list_sizes(in, rows);
  std::vector<std::uint32_t> first;
  const std::size_t places = laid_lists::lay(sizes, first);
  if (codes.size() != places) refuse_section(in, "list_sizes", "lists of ", places, " places for ", codes.size());
  auto ids = in.shared<row_id>("ids", places);
  auto place_of = in.shared<std::uint32_t>("places", rows);
  require_listed_rows(in, {ids.data(), ids.size()}, rows, sizes, [&](std::size_t list) { return first[list]; });
  for (std::size_t row = 0; row < rows; ++row)
    if (place_of[row] >= places || ids[place_of[row]] != row)
      refuse_section(in, "places", "row ", row, " at ", place_of[row], ", where it is not");
  return code_lists(std::move(codes), sizes, std::move(ids), std::move(place_of));
}

/// @throws error errc::format for a curve that does not rise, or leaves what there is.
inline std::vector<recall_at_probe> read_recall(const section_reader& in, std::size_t lists) {
  const auto rising = [&](const metadata_reader& values, const recall_at_probe& point, const recall_at_probe& last) {
    if (point.probes <= last.probes || point.probes > lists || !is_between(point.recall, last.recall, 1.))
      values.refuse("recall ", point.recall, " at ", point.probes, " of ", lists, " lists, after ", last.recall, " at ",
                    last.probes);
  };
  return read_curve(in, &recall_at_probe::probes, rising);
}

}  // namespace embit::inline EMBIT_ABI::detail
