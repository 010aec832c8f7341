// What sums of projected tokens by hash partition are made with, and what they are kept in.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Tokens that are worked on at once: a vector has one lane for each.
inline constexpr std::size_t token_lanes = 16;
/// Blocks of that many tokens that share one pass over the planes.
inline constexpr std::size_t token_blocks = 2;
/// More tokens than a set may have: their numbers share 32 bits with a distance.
inline constexpr std::uint32_t max_set_tokens = std::uint32_t{1} << 26;
/// Planes of a product that lie beside one another.
inline constexpr std::size_t product_group = 10;

constexpr std::size_t round_up(std::size_t n, std::size_t to) noexcept { return (n + to - 1) / to * to; }

/// Rows of a product with tokens, `product_group` of them side by side, dimension by dimension; zeros fill up.
class product_rows {
 public:
  product_rows() = default;
  product_rows(std::span<const float> rows, std::size_t dim)
      : count_(rows.size() / dim), dim_(dim), values_(round_up(count_, product_group) * dim, 0.f) {
    for (std::size_t i = 0; i < count_; ++i)
      for (std::size_t j = 0; j < dim; ++j) values_[at(i, j)] = rows[i * dim + j];
  }

  std::size_t count() const noexcept { return count_; }
  std::size_t padded() const noexcept { return round_up(count_, product_group); }
  std::size_t dim() const noexcept { return dim_; }
  const float* group(std::size_t first_row) const noexcept { return values_.data() + first_row * dim_; }
  float operator()(std::size_t row, std::size_t column) const noexcept { return values_[at(row, column)]; }

 private:
  std::size_t at(std::size_t i, std::size_t j) const noexcept {
    return i / product_group * product_group * dim_ + j * product_group + i % product_group;
  }

  std::size_t count_ = 0;
  std::size_t dim_ = 0;
  aligned_vector<float> values_;
};

/// Planes that are rows of randomised Hadamard transforms H·D₃·H·D₂·H·D₁: `rounds` sign flips and transforms each.
struct hadamard_planes {
  static constexpr std::size_t rounds = 3;
  std::size_t size = 0;             ///< of a transform: the least power of two that is not below the dimension
  aligned_vector<float> flips;      ///< transforms · rounds · size, ±1
  std::vector<std::uint32_t> rows;  ///< of plane j in its transform; a transform serves `size` planes

  std::size_t transforms() const noexcept { return size == 0 ? 0 : flips.size() / (rounds * size); }
};

/// How tokens are turned into the numbers that are summed.
enum class token_projection : std::uint8_t { identity, dense, sketch };

/// A hash of tokens into partitions, and a projection of them, for each of several repetitions.
struct token_plan {
  std::size_t dim = 0;
  std::size_t repetitions = 0;
  std::size_t bits = 0;     ///< of a partition's number, at most 16
  std::size_t columns = 0;  ///< numbers of a projected token

  product_rows planes;  ///< repetitions · bits of them; none where they are structured
  hadamard_planes structured;
  aligned_vector<float> thresholds;  ///< of every plane for a token of norm 1

  token_projection projection = token_projection::identity;
  product_rows dense;                      ///< repetitions · columns
  std::vector<std::uint32_t> sketch_ends;  ///< end of the list of every column, repetition by repetition
  std::vector<std::uint32_t> sketch_rows;  ///< the dimensions of each list, as `signed_row` has them

  std::size_t partitions() const noexcept { return std::size_t{1} << bits; }
  /// Dimensions and columns filled up to whole vectors.
  std::size_t width() const noexcept { return round_up(dim, token_lanes); }
  std::size_t stride() const noexcept { return round_up(columns, token_lanes); }
  /// Where a dimension, or its negative, lies among the transposed tokens.
  std::uint32_t signed_row(std::size_t dimension, bool negative) const noexcept {
    return static_cast<std::uint32_t>((dimension + (negative ? width() : 0)) * token_lanes);
  }
};

/// What the tokens of one set have added up to. The token that came first into a partition is kept beside the sum.
struct token_sums {
  aligned_vector<float> sums;    ///< repetitions · partitions · stride
  aligned_vector<float> firsts;  ///< the same and, after each repetition, one more row that is never read; or nothing
  std::vector<std::uint32_t> counts;       ///< repetitions · partitions
  std::vector<std::uint32_t> first_token;  ///< likewise, where the count is not 0
  std::uint32_t tokens = 0;
  double norms = 0;  ///< sum of the norms of the tokens

  void clear(const token_plan& plan, bool keep_firsts) {
    const std::size_t cells = plan.repetitions * plan.partitions();
    sums.assign(cells * plan.stride(), 0.f);
    firsts.resize(keep_firsts ? (cells + plan.repetitions) * plan.stride() : 0);
    counts.assign(cells, 0);
    first_token.resize(cells);
    tokens = 0;
    norms = 0;
  }
};

/// How the sums of a document become its encoding.
struct document_form {
  bool fill = true;  ///< empty partitions take the first token of the nearest one
  bool unit = true;  ///< partitions have the mean norm of the tokens; else each is the mean of its tokens
  std::vector<std::uint32_t> places;  ///< of the partitions in the encoding; none where they are in order
  aligned_vector<float> shifts;       ///< repetitions · stride, taken away from every projected token; or nothing
};

/// Memory that adding tokens works in.
struct token_scratch {
  aligned_vector<float> tokens;      ///< token_blocks times the transposed tokens and their negatives
  aligned_vector<float> transform;   ///< one Hadamard transform, transposed
  aligned_vector<float> products;    ///< of the dense projection
  aligned_vector<float> projected;   ///< one block of one repetition: transposed, and as rows
  std::vector<std::uint16_t> masks;  ///< a bit a token: the signs of all planes, token_blocks of them beside each other
  std::vector<std::uint16_t> codes;  ///< of one block: repetitions · token_lanes
  aligned_vector<float> zeros;       ///< the row of a token that is not there
  aligned_vector<float> scales;      ///< a partition, filled up to whole vectors
  std::vector<std::uint32_t> keys;   ///< a partition
  std::vector<std::uint16_t> nearest;  ///< a partition

  void fit(const token_plan& plan) {
    tokens.resize(token_blocks * 2 * plan.width() * token_lanes);
    transform.resize(plan.structured.size * token_lanes);
    products.resize(plan.projection == token_projection::dense ? plan.dense.padded() * token_lanes : 0);
    projected.resize(2 * token_lanes * token_lanes);
    masks.resize(token_blocks * (round_up(plan.repetitions * plan.bits, product_group) + 1));
    codes.resize(plan.repetitions * token_lanes);
    zeros.assign(plan.width(), 0.f);
    scales.assign(round_up(plan.partitions(), token_lanes), 0.f);
    keys.resize(plan.partitions());
    nearest.resize(plan.partitions());
  }
};

/// Adds `count` ≤ 32 tokens, each a row of plan.width() floats of which those beyond plan.dim are zero. Returns how
/// many were added: all, or none from the first block on that has a token whose norm is not finite.
using add_tokens_function = std::size_t (*)(const token_plan& plan, token_scratch& scratch, token_sums& sums,
                                            const float* const* rows, std::size_t count);

/// Writes the repetitions · partitions · columns numbers of a document of at least one token.
using finish_document_function = void (*)(const token_plan& plan, const document_form& form, token_scratch& scratch,
                                          const token_sums& sums, float* out);

/// The functions of one level that add up tokens.
struct token_ops {
  static constexpr std::string_view operation = "token_sums";

  add_tokens_function add;
  finish_document_function finish_document;
};

/// The functions of one level that find the best products of query tokens.
struct chamfer_ops {
  static constexpr std::string_view operation = "chamfer";

  void (*products)(const float* panel, std::size_t panels, std::size_t dim, const float* values, std::size_t stride,
                   std::size_t count, float* best);
  void (*signs)(const float* tables, std::size_t panels, std::size_t nibbles, const word* codes, std::size_t words,
                std::size_t count, float* best);
};

}  // namespace embit::inline EMBIT_ABI::detail
