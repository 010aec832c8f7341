// Float queries against B-bit codes: the query is not quantized like the rows, which costs no storage and ranks better.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/kernel/level_scan.hpp>

#include <cstddef>
#include <functional>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Float queries in the space of the codes, and what each adds to its distances.
struct mapped_queries {
  matrix<float> z;                        ///< queries × dimensions of the code
  std::vector<level_query_terms> terms;   ///< one a query
  row_factor factor = row_factor::scale;  ///< of rows, what multiplies products where codes have it
};

/// Takes float queries of an encoder to the space of its codes: a cheap handle that shares the encoder's state.
template <class M>
concept QueryMap = std::copy_constructible<M> && requires(const M& map, matrix_view<const float> queries) {
  { map.dim() } -> std::convertible_to<std::size_t>;
  { map.format() } -> std::convertible_to<const level_format&>;
  { map(queries) } -> std::same_as<mapped_queries>;
};

/// Scores float queries against the codes of an encoder by base + offset + scale · ⟨z, values⟩, the smallest first,
/// where z is the query as `Map` takes it to the space of the codes.
template <QueryMap Map>
class asymmetric {
 public:
  using query_view = matrix_view<const float>;
  using distance_type = float;
  using compare = std::less<>;
  using batch = level_batch;

  /// @param query_bits  to which a mapped query is rounded: up to 8 cost one lookup a nibble, 9 to 14 two
  /// @throws error errc::argument for query bits outside 4 to 14
  explicit asymmetric(Map map, std::size_t query_bits = 8) : map_(std::move(map)), query_bits_(query_bits) {
    detail::require_query_bits(query_bits);
  }

  /// Numbers of a query.
  std::size_t dim() const noexcept { return map_.dim(); }
  std::size_t query_bits() const noexcept { return query_bits_; }
  const Map& map() const& noexcept { return map_; }
  const Map& map() const&& = delete;
  /// What the codes must look like.
  const level_format& format() const& noexcept { return map_.format(); }
  const level_format& format() const&& = delete;

  /// @throws error errc::shape for codes that are not of `format()`.
  void require_format(const level_format& codes) const { detail::require_level_format(codes, format()); }

  /// @throws error errc::shape for binary codes that are not of as many bits, or where codes are of several bits a
  /// dimension.
  void require_width(std::size_t bits) const {
    const auto& segments = format().segments;
    if (segments.size() != 1 || segments[0].bits != 1 || segments[0].dims != bits || segments[0].scaled)
      raise(errc::shape, "codes: ", bits, " bits, the kernel scores ", format().dims(), " dimensions in ",
            format().row_bytes(), " bytes");
  }

  /// @throws error as the map does: errc::shape for another dimension, errc::not_finite.
  level_query prepare(std::span<const float> query) const {
    const mapped_queries mapped = map_(query_view(query.data(), 1, query.size()));
    level_query prepared;
    prepared.assign(format(), mapped.z[0], query_bits_, mapped.terms[0], mapped.factor);
    return prepared;
  }

  /// @param code  of the map's format
  float operator()(const level_query& query, const level_row& code) const noexcept { return query(code); }

  /// @param code  of as many bits as the map's format has dimensions, of 1 bit each; searched far faster as a
  ///              `level_store`
  float operator()(const level_query& query, std::span<const word> code) const noexcept { return query(code); }

  /// @throws error as `prepare`.
  void prepare_batch(query_view queries, std::size_t, batch& into) const {
    const mapped_queries mapped = map_(queries);
    into.reset(queries.size());
    for (std::size_t q = 0; q < queries.size(); ++q)
      into[q].assign(format(), mapped.z[q], query_bits_, mapped.terms[q], mapped.factor);
  }

 private:
  Map map_;
  std::size_t query_bits_;
};

}  // namespace embit::inline EMBIT_ABI
