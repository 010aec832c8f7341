// The keys of an lsh_table in its file.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/io/container_reader.hpp>

#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail {

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
