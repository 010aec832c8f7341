// The rows of an index in its file: a store of their own, or a matrix of floats.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/io/save.hpp>

#include <concepts>

namespace embit::inline EMBIT_ABI::detail {

/// Rows that can be part of a file: of a store that can be one itself, or floats.
template <class Store>
concept SavableRows = Savable<Store> || std::same_as<Store, matrix<float>>;
template <class Store>
concept LoadableRows = Loadable<Store> || std::same_as<Store, matrix<float>>;

/// Adds the sections under "store/", or "rows" for floats.
/// @throws error errc::not_finite for floats that no reader would take.
template <SavableRows Store>
void write_rows(const section_writer& out, const Store& store) {
  if constexpr (Savable<Store>) {
    write_part<Store>(out, "store", store);
  } else {
    require_finite(store.view(), "rows");
    out.add_stream("rows", [&store](section_sink& sink) { write_matrix(sink, store); });
  }
}

/// What `write_rows` wrote.
/// @throws error errc::format, errc::kind for another store, errc::checksum or errc::io.
template <LoadableRows Store>
Store read_rows(const section_reader& in) {
  if constexpr (Loadable<Store>)
    return read_part<Store>(in, "store");
  else
    return take_matrix(in, "rows");
}

}  // namespace embit::inline EMBIT_ABI::detail
