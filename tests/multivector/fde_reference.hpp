// Fixed dimensional encodings as they are defined, in double and without any trick.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/multivector/muvera.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace support {

class fde_reference {
 public:
  explicit fde_reference(const embit::muvera& encoder)
      : options_(encoder.options()),
        centers_(encoder.centers()),
        planes_(encoder.planes()),
        projections_(encoder.projections()) {}

  /// How near the tokens come to a plane, of a unit token and a unit plane: near 0 the side is a matter of rounding.
  double least_margin(embit::row_set<const float> tokens) const {
    double least = HUGE_VAL;
    for (std::size_t t = 0; t < tokens.rows(); ++t) {
      if (!tokens.counts(t) || norm(tokens[t]) == 0) continue;  // a zero token is on no side, exactly
      for (std::size_t j = 0; j < planes_.rows(); ++j)
        // In few dimensions a structured plane may be 0 but for those that fill a transform up.
        least = norm(planes_[j]) == 0 ? 0. : std::min(least, std::abs(side(tokens[t], planes_[j])) / norm(planes_[j]));
    }
    return least;
  }

  std::vector<double> document(embit::row_set<const float> tokens) const { return encode(tokens, true); }
  std::vector<double> query(embit::row_set<const float> tokens) const { return encode(tokens, false); }

 private:
  template <class Row>
  static double norm(const Row& row) {
    double squares = 0;
    for (const double x : row) squares += x * x;
    return std::sqrt(squares);
  }

  double side(std::span<const float> token, std::span<const float> plane) const {
    const double length = norm(token);
    double sum = 0;
    for (std::size_t j = 0; j < token.size(); ++j) {
      const double center = centers_.hash.empty() ? 0. : double{centers_.hash[j]};
      sum += double{plane[j]} * ((length > 0 ? double{token[j]} / length : 0.) - (length > 0 ? center : 0.));
    }
    return sum;
  }

  std::size_t code(std::span<const float> token, std::size_t r) const {
    std::size_t bits = 0;
    for (std::size_t b = 0; b < options_.simhash_bits; ++b)
      bits |= std::size_t{side(token, planes_[r * options_.simhash_bits + b]) > 0} << b;
    return bits;
  }

  std::size_t place(std::size_t partition) const {
    if (options_.order == embit::fde_order::plain) return partition;
    // The rank of a Gray code: the word whose code it is. The first plane is the highest bit.
    std::size_t signs = 0, rank = 0;
    for (std::size_t b = 0; b < options_.simhash_bits; ++b)
      signs |= (partition >> b & 1) << (options_.simhash_bits - 1 - b);
    while ((rank ^ (rank >> 1)) != signs) ++rank;
    return rank;
  }

  std::vector<double> encode(embit::row_set<const float> tokens, bool is_document) const {
    const std::size_t partitions = std::size_t{1} << options_.simhash_bits;
    const std::size_t columns = projections_.rows() / options_.repetitions;
    std::vector<double> out(options_.repetitions * partitions * columns, 0.);
    std::vector<std::size_t> kept;
    double norms = 0;
    for (std::size_t t = 0; t < tokens.rows(); ++t)
      if (tokens.counts(t)) {
        kept.push_back(t);
        norms += norm(tokens[t]);
      }
    if (kept.empty()) return out;
    for (std::size_t r = 0; r < options_.repetitions; ++r)
      for (std::size_t c = 0; c < partitions; ++c) {
        std::vector<std::size_t> members;
        for (const std::size_t t : kept)
          if (code(tokens[t], r) == c) members.push_back(t);
        if (members.empty() && is_document && options_.fill_empty) members.push_back(nearest(tokens, kept, r, c));
        std::vector<double> cell(columns, 0.);
        for (const std::size_t t : members)
          for (std::size_t i = 0; i < columns; ++i)
            for (std::size_t j = 0; j < tokens.cols(); ++j) {
              const bool shifted = is_document && !centers_.document_values.empty();
              const double value = double{tokens[t][j]} - (shifted ? double{centers_.document_values[j]} : 0.);
              cell[i] += double{projections_[r * columns + i][j]} * value;
            }
        double scale = 1;
        if (is_document && !members.empty()) {
          scale = 1 / static_cast<double>(members.size());
          if (options_.partitions == embit::fde_partitions::unit)
            scale = norm(cell) > 0 ? norms / static_cast<double>(kept.size()) / norm(cell) : 0.;
        }
        for (std::size_t i = 0; i < columns; ++i) out[(r * partitions + place(c)) * columns + i] = cell[i] * scale;
      }
    return out;
  }

  std::size_t nearest(embit::row_set<const float> tokens, const std::vector<std::size_t>& kept, std::size_t r,
                      std::size_t partition) const {
    std::size_t best = kept.front();
    int least = 64;
    for (const std::size_t t : kept)
      if (const int distance = std::popcount(code(tokens[t], r) ^ partition); distance < least) {
        least = distance;
        best = t;
      }
    return best;
  }

  embit::muvera_options options_;
  embit::muvera_centers centers_;
  embit::matrix<float> planes_;
  embit::matrix<float> projections_;
};

}  // namespace support
