// The rows of an lsh_table: what they take, and in files.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/io/save.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

/// Rows that can be part of a file: of a store that can be one itself, or floats.
template <class Store>
concept SavableRows = Loadable<Store> || std::same_as<Store, matrix<float>>;

/// Adds the sections under "store/", or "rows" for floats.
/// @throws error errc::not_finite for floats that no reader would take.
template <SavableRows Store>
void write_rows(const section_writer& out, const Store& store) {
  if constexpr (Loadable<Store>) {
    write_part<Store>(out, "store", store);
  } else {
    require_finite(store.view(), "rows");
    out.add_stream("rows", [&store](section_sink& sink) { write_matrix(sink, store); });
  }
}

/// What `write_rows` wrote.
/// @throws error errc::format, errc::kind for another store, errc::checksum or errc::io.
template <SavableRows Store>
Store read_rows(const section_reader& in) {
  if constexpr (Loadable<Store>)
    return read_part<Store>(in, "store");
  else
    return take_matrix(in, "rows");
}

/// The keys of `rows` rows, table after table.
/// @throws error errc::format for another number of keys and for keys beyond their bits, errc::checksum or errc::io.
inline aligned_vector<std::uint32_t> read_lsh_keys(const section_reader& in, std::size_t rows, std::uint64_t tables,
                                                   std::size_t bits) {
  const auto refuse = [&](const auto&... parts) {
    raise(errc::format, in.path(), ": section 'keys' at byte ", in.info("keys").offset, ": ", parts...);
  };
  const std::size_t count = in.count<std::uint32_t>("keys");
  if (rows == 0 ? count != 0 : count % rows != 0 || count / rows != tables)
    refuse(count, " keys of ", rows, " rows in ", tables, " tables");
  auto keys = in.array<std::uint32_t>("keys");
  for (const std::uint32_t key : keys)
    if (key >> (bits - 1) > 1) refuse("key ", key, ", beyond ", bits, " bits");
  return keys;
}

}  // namespace embit::inline EMBIT_ABI::detail
