// What can be chosen of a fixed dimensional encoding.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix_view.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// The planes that cut token space into partitions.
enum class fde_planes : std::uint8_t {
  gaussian,   ///< independent Gaussian planes
  structured  ///< rows of randomised Hadamard transforms: equal in quality, a fraction of the arithmetic
};

/// How tokens are made shorter before they are added up.
enum class fde_projection : std::uint8_t {
  identity,     ///< they are not
  dense,        ///< a matrix of ±1/√p
  count_sketch  ///< every dimension is added to, or taken from, one column; all columns get as many
};

/// What stands in a partition of a document.
enum class fde_partitions : std::uint8_t {
  mean,  ///< the mean of its tokens: the paper's form, in which short documents have the longer partitions
  unit   ///< the same direction at the mean norm of the document's tokens: no document is preferred for its length
};

/// The order of the partitions in an encoding.
enum class fde_order : std::uint8_t {
  plain,  ///< plane b of a repetition is bit b of the partition's place
  gray    ///< the place is the rank of the signs as a Gray code, the first plane its highest bit
};

struct muvera_options {
  std::size_t dim = 0;           ///< of the tokens, at least 1
  std::size_t repetitions = 20;  ///< at least 1
  std::size_t simhash_bits = 5;  ///< planes a repetition, 0 to 16: 2^bits partitions
  std::size_t projected_dim =
      16;  ///< of a projected token, at most dim; 0 or dim: tokens as they are; not read for identity
  fde_planes planes = fde_planes::gaussian;
  fde_projection projection = fde_projection::count_sketch;
  fde_partitions partitions = fde_partitions::unit;
  bool fill_empty = true;     ///< an empty partition of a document takes its nearest token
  std::size_t final_dim = 0;  ///< of the whole encoding after a last count-sketch; 0: none
  fde_order order = fde_order::plain;
};

/// Vectors that are taken away from tokens. Both are optional, and of the tokens' dimension where given.
struct muvera_centers {
  /// Taken from every token, scaled to unit norm, before it is hashed: the planes then cut where the tokens are.
  std::vector<float> hash = {};
  /// Taken from the tokens of documents before they are projected: every document loses the same inner product with a
  /// query. For mean partitions of tokens as they are (identity); a short projection turns what is left of the query
  /// along the center into noise, and unit partitions scale what is left of the document.
  std::vector<float> document_values = {};
};

/// Everything random of an encoding, given instead of drawn: to reproduce the encodings of another library.
struct muvera_matrices {
  matrix_view<const float> planes;                     ///< repetitions · simhash_bits × dim
  matrix_view<const float> projection = {};            ///< dense: repetitions · projected_dim × dim, scale included
  std::span<const std::uint32_t> sketch_columns = {};  ///< count_sketch: of every dimension, repetition by repetition
  std::span<const float> sketch_signs = {};            ///< likewise, ±1
  std::span<const std::uint32_t> final_columns = {};   ///< of every number of the encoding before the last sketch
  std::span<const float> final_signs = {};             ///< likewise, ±1
};

namespace detail {

inline bool keeps_tokens(const muvera_options& o) noexcept {
  return o.projection == fde_projection::identity || o.projected_dim == 0 || o.projected_dim == o.dim;
}

inline std::size_t projected_columns(const muvera_options& o) noexcept {
  return keeps_tokens(o) ? o.dim : o.projected_dim;
}

/// Calls `refuse(text and numbers...)`, which throws, for an option that is out of range.
template <class Refuse>
void check_options(const muvera_options& o, const Refuse& refuse) {
  if (o.dim == 0) refuse("dim 0, the tokens' dimension must be given");
  if (o.repetitions == 0) refuse("0 repetitions, at least 1 is needed");
  if (o.simhash_bits > 16) refuse("simhash_bits ", o.simhash_bits, " where 16 are possible");
  if (o.projection != fde_projection::identity && o.projected_dim > o.dim)
    refuse("projected_dim ", o.projected_dim, " for tokens of dimension ", o.dim);
  constexpr std::size_t most = (std::numeric_limits<std::int32_t>::max)();
  const std::size_t cell = projected_columns(o) << o.simhash_bits;
  if (o.dim > most >> 17 || o.repetitions > most / cell)
    refuse(o.repetitions, " repetitions of 2^", o.simhash_bits, " partitions of ", projected_columns(o),
           " numbers make more than ", most);
  if (o.final_dim > o.repetitions * cell)
    refuse("final_dim ", o.final_dim, " where the encoding has ", o.repetitions * cell);
}

/// @throws error errc::argument naming the option that is out of range.
inline void require_options(const muvera_options& o) {
  check_options(o, [](const auto&... parts) { raise(errc::argument, "muvera: ", parts...); });
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
