// Which rows the lists of an index have, in its file.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_reader.hpp>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

template <class... What>
[[noreturn]] void refuse_section(const section_reader& in, std::string_view name, const What&... what) {
  raise(errc::format, in.path(), ": section '", name, "' at byte ", in.info(name).offset, ": ", what...);
}

/// The section "list_sizes": how many rows each list has, `rows` in all.
/// @throws error errc::format for another number of rows in all.
inline aligned_vector<std::uint32_t> read_list_sizes(const section_reader& in, std::size_t rows) {
  auto sizes = in.array<std::uint32_t>("list_sizes");
  if (const auto total = std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0}); total != rows)
    refuse_section(in, "list_sizes", "lists of ", total, " rows in all where there are ", rows);
  return sizes;
}

/// Looks at the section "ids", the row of each place.
/// @param first_of  the place that a list begins at
/// @throws error errc::format for lists that do not have each of `rows` rows once, in order within each.
template <class FirstOf>
void require_listed_rows(const section_reader& in, std::span<const row_id> ids, std::size_t rows,
                         std::span<const std::uint32_t> sizes, FirstOf&& first_of) {
  std::vector<bool> seen(rows);
  for (std::size_t list = 0; list < sizes.size(); ++list)
    for (std::size_t i = 0; i < sizes[list]; ++i) {
      const row_id* const id = &ids[first_of(list) + i];
      if (*id >= rows || seen[*id] || (i != 0 && *id < id[-1]))
        refuse_section(in, "ids", "row ", *id, " at ", first_of(list) + i,
                       ", which is there twice, out of order, or not one of ", rows);
      seen[*id] = true;
    }
}

/// The rows of lists that follow one another without a gap, as older files have them.
struct packed_rows {
  aligned_vector<std::uint32_t> sizes;
  aligned_vector<row_id> ids;
};

/// @throws error as above.
inline packed_rows read_packed_rows(const section_reader& in, std::size_t rows) {
  packed_rows read{read_list_sizes(in, rows), in.array<row_id>("ids", rows)};
  std::vector<std::size_t> first(read.sizes.size());
  std::exclusive_scan(read.sizes.begin(), read.sizes.end(), first.begin(), std::size_t{0});
  require_listed_rows(in, read.ids, rows, read.sizes, [&](std::size_t list) { return first[list]; });
  return read;
}

}  // namespace embit::inline EMBIT_ABI::detail
