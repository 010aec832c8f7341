// The greatest inner product of every query token over the tokens of a document, stamped once per SIMD level. Included
// inside the namespace of a level, which defines EMBIT_STAMP_TARGET and `lanes16`. Query tokens lie in panels of 16, so
// that products of a tile stay in registers and meet their maximum there.
// SPDX-License-Identifier: MIT
#ifdef EMBIT_STAMP_TARGET

/// best = max(best, products of `Panels` panels with `Rows` rows).
template <std::size_t Rows, std::size_t Panels>
EMBIT_STAMP_TARGET inline void max_tile(const float* panel, std::size_t dim, const float* const* rows, float* best) {
  lanes16::vector sum[Rows * Panels];
#pragma GCC unroll 32
  for (std::size_t i = 0; i < Rows * Panels; ++i) sum[i] = lanes16::zero();
  for (std::size_t k = 0; k < dim; ++k) {
    lanes16::vector query[Panels];
#pragma GCC unroll 32
    for (std::size_t p = 0; p < Panels; ++p) query[p] = lanes16::load(panel + (p * dim + k) * token_lanes);
#pragma GCC unroll 32
    for (std::size_t i = 0; i < Rows; ++i) {
      const lanes16::vector value = lanes16::broadcast(rows[i][k]);
#pragma GCC unroll 32
      for (std::size_t p = 0; p < Panels; ++p) sum[i * Panels + p] = lanes16::fma(value, query[p], sum[i * Panels + p]);
    }
  }
#pragma GCC unroll 32
  for (std::size_t p = 0; p < Panels; ++p) {
    lanes16::vector most = lanes16::load(best + p * token_lanes);
#pragma GCC unroll 32
    for (std::size_t i = 0; i < Rows; ++i) most = lanes16::maximum(most, sum[i * Panels + p]);
    lanes16::store(best + p * token_lanes, most);
  }
}

template <std::size_t Panels>
EMBIT_STAMP_TARGET inline void max_panels_of(const float* panel, std::size_t dim, const float* values,
                                             std::size_t stride, std::size_t count, float* best) {
  constexpr std::size_t tile = lanes16::max_rows;
  for (std::size_t first = 0; first < count; first += tile) {
    const float* rows[tile];
    // A row that is taken twice changes no maximum.
    for (std::size_t i = 0; i < tile; ++i) rows[i] = values + (std::min)(first + i, count - 1) * stride;
    max_tile<tile, Panels>(panel, dim, rows, best);
  }
}

/// best[q] = max(best[q], products of query token q with `count` rows), for `panels` panels of query tokens.
EMBIT_STAMP_TARGET inline void max_products(const float* panel, std::size_t panels, std::size_t dim,
                                            const float* values, std::size_t stride, std::size_t count, float* best) {
  for (; panels >= lanes16::max_panels; panels -= lanes16::max_panels) {
    max_panels_of<lanes16::max_panels>(panel, dim, values, stride, count, best);
    panel += lanes16::max_panels * dim * token_lanes;
    best += lanes16::max_panels * token_lanes;
  }
  if (panels != 0) max_panels_of<1>(panel, dim, values, stride, count, best);
}

/// Adds what two nibbles of a code say to two sums; their tables lie beside each other.
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE void add_nibbles(const float* table, word bits, lanes16::vector& even,
                                                        lanes16::vector& odd) {
  even = lanes16::add(even, lanes16::load(table + (bits & 15) * token_lanes));
  odd = lanes16::add(odd, lanes16::load(table + (16 + (bits >> 4 & 15)) * token_lanes));
}

/// The same where rows are signs: the product with every nibble of a row is looked up in `tables`, panel by panel and
/// nibble by nibble, 16 patterns of 16 query tokens each. There are an even number of nibbles.
EMBIT_STAMP_TARGET inline void max_signs(const float* tables, std::size_t panels, std::size_t nibbles,
                                         const word* codes, std::size_t words, std::size_t count, float* best) {
  constexpr std::size_t pair = 2 * 16 * token_lanes;
  for (std::size_t p = 0; p < panels; ++p, tables += nibbles * 16 * token_lanes) {
    lanes16::vector most = lanes16::load(best + p * token_lanes);
    for (std::size_t row = 0; row < count; ++row) {
      const word* code = codes + row * words;
      const float* table = tables;
      lanes16::vector even = lanes16::zero(), odd = lanes16::zero();
      for (std::size_t w = 0; w < nibbles / 16; ++w, table += 8 * pair) {
        const word bits = code[w];
#pragma GCC unroll 8
        for (std::size_t n = 0; n < 8; ++n) add_nibbles(table + n * pair, bits >> 8 * n, even, odd);
      }
      if (nibbles % 16 != 0) {
        word bits = code[nibbles / 16];
        for (std::size_t n = 0; n < nibbles % 16; n += 2, bits >>= 8, table += pair)
          add_nibbles(table, bits, even, odd);
      }
      most = lanes16::maximum(most, lanes16::add(even, odd));
    }
    lanes16::store(best + p * token_lanes, most);
  }
}

#endif  // EMBIT_STAMP_TARGET
