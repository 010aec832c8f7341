// Keys of an lsh_table, and what it is asked: queries with the keys and margins that they have.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/codes/plan_bands.hpp>
#include <embit/codes/substring.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/hash_ids.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Tables of an lsh_table; each takes at least 4 bytes a row.
inline constexpr std::size_t most_lsh_tables = std::size_t{1} << 16;

inline void require_lsh(std::size_t tables, std::size_t bits) {
  if (tables == 0 || tables > most_lsh_tables)
    raise(errc::argument, "tables: ", tables, ", not 1 to ", most_lsh_tables);
  if (bits == 0 || bits > 32) raise(errc::argument, "bits: ", bits, " a key, not 1 to 32");
}
inline void require_lsh_width(std::size_t tables, std::size_t bits, std::size_t width) {
  require_lsh(tables, bits);
  if (tables > width / bits)
    raise(errc::argument, "tables: ", tables, " of ", bits, " bits, but codes of ", width, " bits");
}
inline std::uint32_t lsh_key(std::span<const word> code, std::size_t table, std::size_t bits) noexcept {
  return static_cast<std::uint32_t>(substring(code, {table * bits, bits}));
}
inline std::uint32_t band_key(std::span<const word> code, bit_range band) noexcept {
  if (band.length <= 32) return static_cast<std::uint32_t>(substring(code, band));
  std::uint64_t key = 0;
  for (std::size_t done = 0; done < band.length; done += word_bits)
    key = mix_bits(key ^ substring(code, {band.first + done, (std::min)(word_bits, band.length - done)}));
  return static_cast<std::uint32_t>(key >> 32);
}
inline void require_keys(matrix_view<const std::uint32_t> keys, std::size_t bits) {
  for (std::size_t i = 0; i < keys.rows(); ++i)
    for (const std::uint32_t key : keys[i])
      if (key >> (bits - 1) > 1) raise(errc::argument, "keys: row ", i, " has ", key, ", beyond ", bits, " bits");
}

}  // namespace detail

/// The keys that an lsh_table cuts from codes: bits [t · bits, (t + 1) · bits) for table t, rows × tables.
/// @throws error errc::argument unless there are 1 to 32 bits a key and tables · bits within the width.
inline matrix<std::uint32_t> lsh_keys(code_view<> codes, std::size_t tables, std::size_t bits) {
  detail::require_lsh_width(tables, bits, codes.bits());
  auto keys = matrix<std::uint32_t>::uninitialized(codes.size(), tables);
  for (std::size_t i = 0; i < codes.size(); ++i)
    for (std::size_t t = 0; t < tables; ++t) keys[i][t] = detail::lsh_key(codes[i], t, bits);
  return keys;
}

/// The keys of the bands of signatures, rows × bands: for an `lsh_table` of 32 bits a key that is given its keys. A
/// band wider than 32 bits is hashed to them, so that two that differ have one key by chance in 2⁻³².
///
///     const auto plan = plan_bands({.hashes = 128, .bits_per_hash = 8, .similarity = .7});
///     const lsh_table table{codes, band_keys(codes, plan, 8), {.tables = plan.bands, .bits = 32}};
///     table.search({queries, band_keys(queries, plan, 8)}, 10);
/// @throws error errc::argument for no bands, no hashes, no bits, or more of them than a signature has.
inline matrix<std::uint32_t> band_keys(code_view<> signatures, const band_plan& plan, std::size_t bits_per_hash) {
  const std::size_t hashes = bits_per_hash == 0 ? 0 : signatures.bits() / bits_per_hash;
  if (plan.bands == 0 || plan.hashes == 0 || plan.bands > hashes / plan.hashes)
    raise(errc::argument, "bands: ", plan.bands, " of ", plan.hashes, " hashes of ", bits_per_hash,
          " bits, a signature has ", signatures.bits());
  const std::size_t width = plan.hashes * bits_per_hash;
  auto keys = matrix<std::uint32_t>::uninitialized(signatures.size(), plan.bands);
  for (std::size_t i = 0; i < signatures.size(); ++i)
    for (std::size_t b = 0; b < plan.bands; ++b) keys[i][b] = detail::band_key(signatures[i], {b * width, width});
  return keys;
}

/// A batch of queries to an lsh_table: what its scorer takes, and where they have them, keys and margins.
/// Views, for the length of a search.
template <class View>
class lsh_queries {
 public:
  /// Queries alone: their keys are cut from them.
  /// @param probes  buckets in each table; 0 for as many as the index was told
  template <class Source>
    requires(std::convertible_to<const Source&, View>)
  lsh_queries(const Source& queries, std::size_t probes = 0) : queries_(queries), probes_(probes) {}

  /// Codes with margins, queries × (tables · bits): what flipping each bit of the keys costs. `probes` · tables
  /// buckets are then looked up over all tables, the cheapest first. (`sign_projection::margins` has one a bit.)
  lsh_queries(View queries, matrix_view<const float> margins, std::size_t probes = 0)
      : queries_(queries), margins_(margins), probes_(probes) {}

  /// Queries with keys, queries × tables; or queries × (p · tables), the p keys of a query in a table being those in
  /// columns t, t + tables, …: exactly these p buckets are then looked up.
  lsh_queries(View queries, matrix_view<const std::uint32_t> keys, std::size_t probes = 0)
      : queries_(queries), keys_(keys), probes_(probes) {}

  /// Queries with keys, queries × tables, and margins.
  lsh_queries(View queries, matrix_view<const std::uint32_t> keys, matrix_view<const float> margins,
              std::size_t probes = 0)
      : queries_(queries), keys_(keys), margins_(margins), probes_(probes) {}

  std::size_t size() const noexcept { return queries_.size(); }
  const View& queries() const noexcept { return queries_; }
  const matrix_view<const std::uint32_t>& keys() const noexcept { return keys_; }
  const matrix_view<const float>& margins() const noexcept { return margins_; }
  std::size_t probes() const noexcept { return probes_; }
  /// Some of the batch, with their keys and margins. @throws error errc::out_of_range beyond its end.
  lsh_queries middle_rows(std::size_t first, std::size_t count) const {
    const auto of = [&](const auto& rows) { return rows.empty() ? rows : rows.middle_rows(first, count); };
    return lsh_queries(queries_.middle_rows(first, count), of(keys_), of(margins_), probes_);
  }

 private:
  View queries_;
  matrix_view<const std::uint32_t> keys_;
  matrix_view<const float> margins_;
  std::size_t probes_ = 0;
};

}  // namespace embit::inline EMBIT_ABI
