// Distances to codes whose numbers, of 4 or 8 bits, name entries of tables that a query brings along.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/level_scan.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// How rows of bare bytes are kept, which kernels of levels refuse. Nibble 2i of a row is the low one of its byte i.
inline level_format byte_format(std::size_t bytes, encoder_fingerprint fingerprint = 0) {
  return {.segments = {}, .table_bytes = bytes, .fingerprint = fingerprint};
}

/// A query against such codes: `distance(row) = base + Σ entries`, one a number of the row. Entries are rounded to
/// whole multiples of a step, so that sums are sums of whole numbers, the same to the bit at every SIMD level.
class table_query {
 public:
  table_query() = default;
  /// One that is scanned as levels are.
  explicit table_query(level_query levels) : nibbles_(std::move(levels)) {}

  /// @param bits        of a number of the codes: 4 or 8
  /// @param entries     2^bits for each number of a row
  /// @param query_bits  of an entry, 4 to 14, with 4 bits: up to 8 cost a lookup a number, more two. Those of numbers
  ///                    of 8 bits are rounded to 16.
  /// @throws error errc::argument for other bits, errc::not_finite for entries that are not finite.
  void assign(std::size_t bits, std::span<const float> entries, float base, std::size_t query_bits) {
    if (bits != 4 && bits != 8)
      raise(errc::argument, "table_query: numbers of ", bits, " bits where 4 or 8 are possible");
    wide_ = bits == 8;
    if (wide_)
      round(entries, base);
    else
      nibbles_.assign_entries(entries, query_bits, base);
  }

  bool wide() const noexcept { return wide_; }
  /// Of codes of 4 bits.
  const level_query& nibbles() const& noexcept { return nibbles_; }
  const level_query& nibbles() const&& = delete;

  /// O(bytes of the row).
  float operator()(const level_row& row) const noexcept {
    if (!wide_) return nibbles_(row);
    const std::uint8_t* code = row.run.row(row.index);
    std::uint32_t sum = 0;
    for (std::size_t p = 0; p < row.run.row_bytes; ++p) sum += entries_[256 * p + code[p * level_block_rows]];
    return distance(sum);
  }

  /// The distances of the rows of a block, of codes of 8 bits.
  void score(const std::uint8_t* block, std::size_t row_bytes,
             std::array<float, level_block_rows>& distances) const noexcept {
    std::array<std::uint32_t, level_block_rows> sums{};
    const std::uint16_t* table = entries_.data();
    for (std::size_t p = 0; p < row_bytes; ++p, table += 256, block += level_block_rows)
      for (std::size_t r = 0; r < level_block_rows; ++r) sums[r] += table[block[r]];
    for (std::size_t r = 0; r < level_block_rows; ++r) distances[r] = distance(sums[r]);
  }

 private:
  float distance(std::uint32_t sum) const noexcept { return detail::fused(unit_, static_cast<float>(sum), base_); }

  void round(std::span<const float> entries, float base) {
    const std::size_t numbers = entries.size() / 256;
    const auto [least_of_all, widest] = detail::extent_of_entries(entries, 256);
    constexpr std::size_t most_sum = std::size_t{1} << 31, most_steps = 65535;
    const std::size_t steps = (std::min)(most_steps, most_sum / std::max<std::size_t>(numbers, 1));
    const double inverse = widest > 0 ? static_cast<double>(steps) / widest : 0.;
    entries_.resize(entries.size());
    for (std::size_t n = 0; n < entries.size(); n += 256) {
      const double least{(std::ranges::min)(entries.subspan(n, 256))};
      for (std::size_t e = n; e < n + 256; ++e)
        entries_[e] = static_cast<std::uint16_t>((double{entries[e]} - least) * inverse + .5);
    }
    unit_ = static_cast<float>(widest / static_cast<double>(steps));
    base_ = static_cast<float>(double{base} + least_of_all);
  }

  bool wide_ = false;
  level_query nibbles_;
  std::vector<std::uint16_t> entries_;
  float unit_ = 0, base_ = 0;
};

/// Queries of one call, prepared for scanning. Immutable once filled, shared by the workers of the call, each with its
/// scratch. Codes of 4 bits are scanned by byte shuffles (`level_batch`), 16 or 32 rows a lookup: André, Kermarrec and
/// Le Scouarnec, "Cache locality is not enough: high-performance nearest neighbor search with product quantization fast
/// scan", VLDB 2015. Those of 8 bits by plain loads.
class table_batch {
 public:
  using run_type = level_run;
  using scratch = level_batch::scratch;

  /// @throws error errc::unsupported for a level that this machine cannot run.
  void reset(std::size_t bits, std::size_t queries, isa level = active_isa()) {
    wide_ = bits == 8;
    nibbles_.reset(wide_ ? 0 : queries, level);
    queries_.resize(wide_ ? queries : 0);
  }
  /// To be reset and filled with queries that are scanned as levels are.
  level_batch& as_levels() & noexcept {
    wide_ = false;
    return nibbles_;
  }
  void assign(std::size_t query, std::size_t bits, std::span<const float> entries, float base, std::size_t query_bits) {
    if (wide_)
      queries_[query].assign(bits, entries, base, query_bits);
    else
      nibbles_[query].assign_entries(entries, query_bits, base);
  }

  std::size_t size() const noexcept { return wide_ ? queries_.size() : nibbles_.size(); }

  /// Offers to `sink` every pair of a query and a row of `run` within `sink.limit(query)`, as `level_batch` does.
  template <class Sink>
  void scan(const level_run& run, scratch& memory, Sink& sink) const {
    if (!wide_) return nibbles_.scan(run, memory, sink);
    std::array<float, level_block_rows> distances;
    for (std::size_t block = 0; block < run.blocks(); ++block)
      for (std::size_t q = 0; q < queries_.size(); ++q) {
        const std::size_t first = block * level_block_rows;
        queries_[q].score(run.codes + first * run.row_bytes, run.row_bytes, distances);
        const std::size_t rows = (std::min)(level_block_rows, run.rows - first);
        const auto limit = sink.limit(q);
        for (std::size_t r = 0; r < rows; ++r)
          if (!limit || detail::is_near(distances[r], *limit))
            sink.offer(q, static_cast<row_id>(run.first_row + first + r), distances[r]);
      }
  }

 private:
  bool wide_ = false;
  level_batch nibbles_;
  std::vector<table_query> queries_;  // of codes of 8 bits
};

/// The tables of some queries.
struct table_entries {
  matrix<float> entries;    ///< queries × numbers of a row · 2^bits
  std::vector<float> base;  ///< one a query: what is added to its sums
};

/// Makes tables of queries, floats or codes: a cheap handle that shares the encoder's state.
template <class M>
concept TableMap = std::copy_constructible<M> && requires(const M& map, const typename M::query_view& queries) {
  { map.bits() } -> std::convertible_to<std::size_t>;
  { map.format() } -> std::convertible_to<const level_format&>;
  { map(queries) } -> std::same_as<table_entries>;
};

/// Scores codes of bytes by the tables that a map makes of queries, the smallest first.
template <TableMap Map>
class table_scan {
 public:
  using query_view = typename Map::query_view;
  using distance_type = float;
  using compare = std::less<>;
  using batch = table_batch;

  /// @param query_bits  to which entries of codes of 4 bits are rounded: up to 8 cost a lookup a number, 9 to 14 two
  /// @throws error errc::argument for query bits outside 4 to 14.
  explicit table_scan(Map map, std::size_t query_bits = 8) : map_(std::move(map)), query_bits_(query_bits) {
    detail::require_query_bits(query_bits);
  }

  /// Numbers of a query of floats.
  std::size_t dim() const noexcept requires requires(const Map& map) { map.dim(); }
  { return map_.dim(); }
  const Map& map() const& noexcept { return map_; }
  const Map& map() const&& = delete;
  /// What the codes must look like.
  const level_format& format() const& noexcept { return map_.format(); }
  const level_format& format() const&& = delete;
  /// @throws error errc::shape for codes of another format, errc::argument for those of another encoder.
  void require_format(const level_format& codes) const { detail::require_level_format(codes, format()); }

  /// @throws error as the map does.
  table_query prepare(std::span<const float> query) const requires std::same_as<query_view, matrix_view<const float>> {
    return prepared(query_view(query.data(), 1, query.size()));
  }
  table_query prepare(const level_row& query) const requires std::same_as<query_view, level_view> {
    return prepared(level_view(query.run).middle_rows(query.index, 1));
  }

  /// @param code  of the map's format
  float operator()(const table_query& query, const level_row& code) const noexcept { return query(code); }

  /// @throws error as the map does.
  void prepare_batch(const query_view& queries, std::size_t, batch& into) const {
    into.reset(map_.bits(), queries.size());
    if (queries.size() == 0) return;
    const table_entries tables = map_(queries);
    for (std::size_t q = 0; q < queries.size(); ++q)
      into.assign(q, map_.bits(), tables.entries[q], tables.base[q], query_bits_);
  }

 private:
  table_query prepared(const query_view& one) const {
    const table_entries tables = map_(one);
    table_query query;
    query.assign(map_.bits(), tables.entries[0], tables.base[0], query_bits_);
    return query;
  }

  Map map_;
  std::size_t query_bits_;
};

}  // namespace embit::inline EMBIT_ABI
