// Tokens hashed, projected and summed by partition, stamped once per SIMD level. Included inside the namespace of a
// level, which defines EMBIT_STAMP_TARGET and `lanes16`. Tokens are transposed: a vector holds one dimension of 16 of
// them, so that hashing and projecting need no sums across lanes and no float of a hash is ever stored.
// SPDX-License-Identifier: MIT
#ifdef EMBIT_STAMP_TARGET

using vector = lanes16::vector;

/// Transposes up to 16 tokens, with their negatives behind them; returns whether all norms are finite.
EMBIT_STAMP_TARGET inline bool load_tokens(const token_plan& plan, const float* const* rows, std::size_t count,
                                           const float* zeros, float* out, float* norms) {
  const float* row[token_lanes];
  for (std::size_t t = 0; t < token_lanes; ++t) row[t] = t < count ? rows[t] : zeros;
  const std::size_t width = plan.width();
  float* negatives = out + width * token_lanes;
  vector squares = lanes16::zero();
  for (std::size_t j = 0; j < width; j += token_lanes) {
    lanes16::transpose(row, j, out + j * token_lanes, token_lanes);
    for (std::size_t i = j; i < j + token_lanes; ++i) {
      const vector x = lanes16::load(out + i * token_lanes);
      squares = lanes16::fma(x, x, squares);
      lanes16::store(negatives + i * token_lanes, lanes16::subtract(lanes16::zero(), x));
    }
  }
  lanes16::store(norms, lanes16::square_root(squares));
  float sum = 0;
  for (std::size_t t = 0; t < token_lanes; ++t) sum += norms[t] - norms[t];  // 0, or NaN
  return sum == 0;
}

/// Products of `Rows` rows of a group with the tokens of `Vectors` blocks.
template <std::size_t Rows, std::size_t Vectors>
struct product_sums {
  vector sum[Rows * Vectors];

  EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE void run(const float* rows, std::size_t dim, const float* tokens,
                                                  std::size_t block_stride) {
#pragma GCC unroll 32
    for (std::size_t i = 0; i < Rows * Vectors; ++i) sum[i] = lanes16::zero();
    for (std::size_t j = 0; j < dim; ++j) {
      vector x[Vectors];
#pragma GCC unroll 32
      for (std::size_t v = 0; v < Vectors; ++v) x[v] = lanes16::load(tokens + v * block_stride + j * token_lanes);
#pragma GCC unroll 32
      for (std::size_t i = 0; i < Rows; ++i) {
        const vector value = lanes16::broadcast(rows[j * product_group + i]);
#pragma GCC unroll 32
        for (std::size_t v = 0; v < Vectors; ++v)
          sum[i * Vectors + v] = lanes16::fma(value, x[v], sum[i * Vectors + v]);
      }
    }
  }
};

/// The signs of all planes for `Vectors` blocks.
template <std::size_t Vectors>
EMBIT_STAMP_TARGET inline void hash_product(const token_plan& plan, const float* tokens, std::size_t block_stride,
                                            const float* norms, std::uint16_t* masks) {
  static_assert(product_group % lanes16::product_rows == 0);
  for (std::size_t first = 0; first < plan.planes.count(); first += lanes16::product_rows) {
    const std::size_t group = first / product_group * product_group;
    product_sums<lanes16::product_rows, Vectors> products;
    products.run(plan.planes.group(group) + (first - group), plan.planes.dim(), tokens, block_stride);
#pragma GCC unroll 32
    for (std::size_t i = 0; i < lanes16::product_rows; ++i) {
      const vector threshold = lanes16::broadcast(plan.thresholds[first + i]);
#pragma GCC unroll 32
      for (std::size_t v = 0; v < Vectors; ++v) {
        const vector limit = lanes16::multiply(threshold, lanes16::load(norms + v * token_lanes));
        masks[(first + i) * token_blocks + v] =
            static_cast<std::uint16_t>(lanes16::above(products.sum[i * Vectors + v], limit));
      }
    }
  }
}

/// One pass of a Walsh–Hadamard transform over transposed tokens: `Radix` rows, `step` apart, at a time.
template <std::size_t Radix>
EMBIT_STAMP_TARGET inline void hadamard_pass(float* x, std::size_t size, std::size_t step) {
  for (std::size_t base = 0; base < size; base += Radix * step)
    for (std::size_t i = base; i < base + step; ++i) {
      vector v[Radix];
#pragma GCC unroll 8
      for (std::size_t r = 0; r < Radix; ++r) v[r] = lanes16::load(x + (i + r * step) * token_lanes);
#pragma GCC unroll 8
      for (std::size_t half = 1; half < Radix; half *= 2)
#pragma GCC unroll 8
        for (std::size_t r = 0; r < Radix; ++r)
          if ((r & half) == 0) {
            const vector a = v[r], b = v[r + half];
            v[r] = lanes16::add(a, b);
            v[r + half] = lanes16::subtract(a, b);
          }
#pragma GCC unroll 8
      for (std::size_t r = 0; r < Radix; ++r) lanes16::store(x + (i + r * step) * token_lanes, v[r]);
    }
}

EMBIT_STAMP_TARGET inline void hadamard(float* x, std::size_t size) {
  std::size_t step = 1;
  for (; 8 * step <= size; step *= 8) hadamard_pass<8>(x, size, step);
  if (4 * step <= size) {
    hadamard_pass<4>(x, size, step);
    step *= 4;
  }
  if (2 * step <= size) hadamard_pass<2>(x, size, step);
}

/// The signs of all structured planes for one block.
EMBIT_STAMP_TARGET inline void hash_structured(const token_plan& plan, const float* tokens, float* transform,
                                               const float* norms, std::uint16_t* masks) {
  const hadamard_planes& planes = plan.structured;
  const std::size_t size = planes.size, count = planes.rows.size();
  const vector norm = lanes16::load(norms);
  for (std::size_t t = 0; t * size < count; ++t) {
    const float* flips = planes.flips.data() + t * hadamard_planes::rounds * size;
    for (std::size_t j = 0; j < size; ++j) {
      const vector x = j < plan.dim ? lanes16::load(tokens + j * token_lanes) : lanes16::zero();
      lanes16::store(transform + j * token_lanes, lanes16::multiply(x, lanes16::broadcast(flips[j])));
    }
    hadamard(transform, size);
    for (std::size_t round = 1; round < hadamard_planes::rounds; ++round) {
      for (std::size_t j = 0; j < size; ++j) {
        float* at = transform + j * token_lanes;
        lanes16::store(at, lanes16::multiply(lanes16::load(at), lanes16::broadcast(flips[round * size + j])));
      }
      hadamard(transform, size);
    }
    for (std::size_t plane = t * size; plane < (std::min)(count, (t + 1) * size); ++plane) {
      const vector limit = lanes16::multiply(lanes16::broadcast(plan.thresholds[plane]), norm);
      const vector x = lanes16::load(transform + planes.rows[plane] * token_lanes);
      masks[plane * token_blocks] = static_cast<std::uint16_t>(lanes16::above(x, limit));
    }
  }
}

/// Sixteen columns of a count-sketch of 16 tokens, transposed.
EMBIT_STAMP_TARGET inline void sketch(const float* tokens, const std::uint32_t* rows, std::uint32_t begin,
                                      const std::uint32_t* ends, std::size_t columns, float* out) {
  for (std::size_t c = 0; c < token_lanes; ++c) {
    vector sum = lanes16::zero();
    if (c < columns)
#pragma GCC unroll 4
      for (const std::uint32_t end = ends[c]; begin < end; ++begin)
        sum = lanes16::add(sum, lanes16::load(tokens + rows[begin]));
    lanes16::store(out + c * token_lanes, sum);
  }
}

/// Adds 16 columns of projected tokens, a row a token, to the sums of their partitions.
EMBIT_STAMP_TARGET inline void scatter(const float* const* rows, std::size_t at, const std::uint16_t* codes,
                                       const std::uint32_t* first_cells, std::size_t count, std::size_t stride,
                                       float* sums, float* firsts) {
  for (std::size_t t = 0; t < count; ++t) {
    const vector x = lanes16::load(rows[t] + at);
    float* sum = sums + codes[t] * stride;
    lanes16::store(sum, lanes16::add(lanes16::load(sum), x));
    if (firsts != nullptr) lanes16::store(firsts + first_cells[t] * stride, x);
  }
}

/// Counts the tokens of one repetition. Tells where each would be kept as the first of its partition: the last row,
/// which is never read, for those that are not.
EMBIT_STAMP_TARGET inline void count_tokens(const std::uint16_t* codes, std::size_t count, std::size_t partitions,
                                            std::uint32_t token, std::uint32_t* counts, std::uint32_t* first_token,
                                            std::uint32_t* first_cells) {
  for (std::size_t t = 0; t < count; ++t) {
    const std::size_t code = codes[t];
    const bool first = counts[code]++ == 0;
    first_token[code] = first ? token + static_cast<std::uint32_t>(t) : first_token[code];
    first_cells[t] = static_cast<std::uint32_t>(first ? code : partitions);
  }
}

/// Projects one block for all repetitions and adds it to the sums.
EMBIT_STAMP_TARGET inline void add_block(const token_plan& plan, token_scratch& scratch, token_sums& sums,
                                         const float* tokens, const float* const* rows, std::size_t count) {
  const std::size_t stride = plan.stride(), partitions = plan.partitions();
  float* const columns = scratch.projected.data();
  float* const back = columns + token_lanes * token_lanes;
  const float *column[token_lanes], *row[token_lanes];
  for (std::size_t t = 0; t < token_lanes; ++t) row[t] = back + t * token_lanes;
  if (plan.projection == token_projection::dense)
    for (std::size_t first = 0; first < plan.dense.count(); first += lanes16::product_rows) {
      const std::size_t group = first / product_group * product_group;
      product_sums<lanes16::product_rows, 1> products;
      products.run(plan.dense.group(group) + (first - group), plan.dim, tokens, 0);
#pragma GCC unroll 32
      for (std::size_t i = 0; i < lanes16::product_rows; ++i)
        lanes16::store(scratch.products.data() + (first + i) * token_lanes, products.sum[i]);
    }
  for (std::size_t r = 0; r < plan.repetitions; ++r) {
    const std::uint16_t* codes = scratch.codes.data() + r * token_lanes;
    std::uint32_t first_cells[token_lanes];
    count_tokens(codes, count, partitions, sums.tokens, sums.counts.data() + r * partitions,
                 sums.first_token.data() + r * partitions, first_cells);
    for (std::size_t at = 0; at < stride; at += token_lanes) {
      float* const out = sums.sums.data() + r * partitions * stride + at;
      float* const firsts = sums.firsts.empty() ? nullptr : sums.firsts.data() + r * (partitions + 1) * stride + at;
      if (plan.projection == token_projection::identity) {
        scatter(rows, at, codes, first_cells, count, stride, out, firsts);
        continue;
      }
      const float* from = columns;
      if (plan.projection == token_projection::sketch) {
        const std::size_t list = r * plan.columns + at;
        sketch(tokens, plan.sketch_rows.data(), list == 0 ? 0 : plan.sketch_ends[list - 1],
               plan.sketch_ends.data() + list, plan.columns - at, columns);
      } else {
        from = scratch.products.data() + (r * plan.columns + at) * token_lanes;
      }
      for (std::size_t c = 0; c < token_lanes; ++c)
        column[c] = at + c < plan.columns ? from + c * token_lanes : scratch.zeros.data();
      lanes16::transpose(column, 0, back, token_lanes);
      scatter(row, 0, codes, first_cells, count, stride, out, firsts);
    }
  }
  sums.tokens += static_cast<std::uint32_t>(count);
}

EMBIT_STAMP_TARGET inline std::size_t add_tokens(const token_plan& plan, token_scratch& scratch, token_sums& sums,
                                                 const float* const* rows, std::size_t count) {
  const std::size_t block_stride = 2 * plan.width() * token_lanes;
  alignas(64) float norms[token_blocks * token_lanes];
  for (std::size_t b = 0; b * token_lanes < count; ++b)
    if (!load_tokens(plan, rows + b * token_lanes, (std::min)(count - b * token_lanes, token_lanes),
                     scratch.zeros.data(), scratch.tokens.data() + b * block_stride, norms + b * token_lanes))
      return 0;
  for (std::size_t t = 0; t < count; ++t) sums.norms += double{norms[t]};

  if (plan.structured.size == 0) {
    if constexpr (lanes16::product_vectors == token_blocks) {
      if (count > token_lanes)
        hash_product<token_blocks>(plan, scratch.tokens.data(), block_stride, norms, scratch.masks.data());
      else
        hash_product<1>(plan, scratch.tokens.data(), block_stride, norms, scratch.masks.data());
    } else {
      for (std::size_t b = 0; b * token_lanes < count; ++b)
        hash_product<1>(plan, scratch.tokens.data() + b * block_stride, 0, norms + b * token_lanes,
                        scratch.masks.data() + b);
    }
  }
  for (std::size_t b = 0; b * token_lanes < count; ++b) {
    const float* tokens = scratch.tokens.data() + b * block_stride;
    if (plan.structured.size != 0)
      hash_structured(plan, tokens, scratch.transform.data(), norms + b * token_lanes, scratch.masks.data() + b);
    for (std::size_t r = 0; r < plan.repetitions; ++r)
      lanes16::gather_bits(scratch.masks.data() + r * plan.bits * token_blocks + b, token_blocks, plan.bits,
                           scratch.codes.data() + r * token_lanes);
    add_block(plan, scratch, sums, tokens, rows + b * token_lanes, (std::min)(count - b * token_lanes, token_lanes));
  }
  return count;
}

/// The nearest occupied partition of every partition of one repetition, by differing bits, then by first token: one
/// exchange along every bit. O(2^bits · bits), whatever the number of tokens.
EMBIT_STAMP_TARGET inline void nearest_partitions(std::size_t bits, const std::uint32_t* counts,
                                                  const std::uint32_t* first_token, std::uint32_t* keys,
                                                  std::uint16_t* nearest) {
  constexpr std::uint32_t step = max_set_tokens, nowhere = 17 * step;
  const std::size_t partitions = std::size_t{1} << bits;
  for (std::size_t c = 0; c < partitions; ++c) {
    keys[c] = counts[c] != 0 ? first_token[c] : nowhere;
    nearest[c] = static_cast<std::uint16_t>(c);
  }
  for (std::size_t bit = 1; bit < partitions; bit *= 2)
    for (std::size_t base = 0; base < partitions; base += 2 * bit)
      for (std::size_t a = base; a < base + bit; ++a) {
        const std::size_t b = a + bit;
        const std::uint32_t at_a = keys[a], at_b = keys[b];
        const std::uint16_t of_a = nearest[a], of_b = nearest[b];
        keys[a] = at_b + step < at_a ? at_b + step : at_a;
        nearest[a] = at_b + step < at_a ? of_b : of_a;
        keys[b] = at_a + step < at_b ? at_a + step : at_b;
        nearest[b] = at_a + step < at_b ? of_a : of_b;
      }
}

/// Where the numbers of one partition of a document come from: x - times · shift, `shift` null for none.
struct cell {
  const float* x;
  const float* shift;
  float times;

  EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE vector at(std::size_t column) const noexcept {
    const vector v = lanes16::load(x + column);
    return shift == nullptr ? v : lanes16::fma(lanes16::broadcast(-times), lanes16::load(shift + column), v);
  }
};

/// The cells of one repetition. An empty partition that is not filled is the sum of no tokens.
struct cell_source {
  const std::uint32_t* counts;
  const float *sums, *firsts, *shift;
  const std::uint16_t* nearest;
  std::size_t stride;

  EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE cell operator[](std::size_t c) const noexcept {
    const bool filled = counts[c] == 0 && firsts != nullptr;
    return {filled ? firsts + nearest[c] * stride : sums + c * stride, shift,
            filled ? 1.f : static_cast<float>(counts[c])};
  }
};

EMBIT_STAMP_TARGET inline void write_cell(const cell& from, float scale, std::size_t columns, float* out) {
  const vector factor = lanes16::broadcast(scale);
  std::size_t column = 0;
  for (; column + token_lanes <= columns; column += token_lanes)
    lanes16::store(out + column, lanes16::multiply(from.at(column), factor));
  if (column == columns) return;
  alignas(64) float lanes[token_lanes];
  lanes16::store(lanes, lanes16::multiply(from.at(column), factor));
  for (std::size_t c = column; c < columns; ++c) out[c] = lanes[c - column];
}

EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE float squared_norm(const cell& from, std::size_t stride) {
  vector squares = lanes16::zero();
  for (std::size_t column = 0; column < stride; column += token_lanes) {
    const vector v = from.at(column);
    squares = lanes16::fma(v, v, squares);
  }
  return lanes16::sum(squares);
}

/// Replaces the squared norms of cells, filled up to whole vectors, by the scales that give them one norm. A cell of
/// zeros gets a scale that is finite.
EMBIT_STAMP_TARGET inline void scales_of(float* squares, std::size_t count, float norm) {
  const vector least = lanes16::broadcast(1e-36f), numerator = lanes16::broadcast(norm);
  for (std::size_t i = 0; i < count; i += token_lanes) {
    const vector root = lanes16::square_root(lanes16::maximum(lanes16::load(squares + i), least));
    lanes16::store(squares + i, lanes16::divide(numerator, root));
  }
}

EMBIT_STAMP_TARGET inline void finish_document(const token_plan& plan, const document_form& form,
                                               token_scratch& scratch, const token_sums& sums, float* out) {
  const std::size_t partitions = plan.partitions(), stride = plan.stride();
  const float norm = static_cast<float>(sums.norms / sums.tokens);
  float* const scales = scratch.scales.data();
  for (std::size_t r = 0; r < plan.repetitions; ++r) {
    const std::uint32_t* counts = sums.counts.data() + r * partitions;
    const float* cells = sums.sums.data() + r * partitions * stride;
    const float* firsts = form.fill ? sums.firsts.data() + r * (partitions + 1) * stride : nullptr;
    const float* shift = form.shifts.empty() ? nullptr : form.shifts.data() + r * stride;
    if (form.fill)
      nearest_partitions(plan.bits, counts, sums.first_token.data() + r * partitions, scratch.keys.data(),
                         scratch.nearest.data());
    const cell_source source{counts, cells, firsts, shift, scratch.nearest.data(), stride};
    for (std::size_t c = 0; c < partitions; ++c) scales[c] = 1 / static_cast<float>(counts[c] == 0 ? 1 : counts[c]);
    if (form.unit) {
      for (std::size_t c = 0; c < partitions; ++c) scales[c] = squared_norm(source[c], stride);
      scales_of(scales, partitions, norm);
    }
    for (std::size_t c = 0; c < partitions; ++c) {
      const std::size_t place = form.places.empty() ? c : form.places[c];
      write_cell(source[c], scales[c], plan.columns, out + (r * partitions + place) * plan.columns);
    }
  }
}

#endif  // EMBIT_STAMP_TARGET
