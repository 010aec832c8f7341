// Embeddings to search, and some of them, or others, to ask with.
// SPDX-License-Identifier: MIT
#pragma once

#include "vectors.hpp"

#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace example {

struct split_rows {
  embit::matrix<float> rows, queries;   ///< of unit length
  std::vector<embit::row_id> row_of;    ///< where each row stands in what was given
  std::vector<embit::row_id> query_of;  ///< and each query
};

/// Divides every row by its length.
inline void normalize(embit::matrix<float>& rows) {
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    double square = 0;
    for (const float x : rows[i]) square += double{x} * double{x};
    if (square == 0) continue;
    for (float& x : rows[i]) x = static_cast<float>(double{x} / std::sqrt(square));
  }
}

/// Rows on a curved surface of fewer dimensions, some of which matter more: what embeddings look like, roughly.
inline embit::matrix<float> curved_rows(std::size_t n, std::size_t dim, embit::rng& rng) {
  constexpr std::size_t hidden = 12;
  embit::matrix<float> directions(dim, hidden), rows(n, dim);
  for (std::size_t i = 0; i < directions.values().size(); ++i)
    directions.values()[i] = embit::normal(rng) / std::sqrt(static_cast<float>(i % hidden + 1));
  for (std::size_t i = 0; i < n; ++i) {
    float position[hidden];
    for (float& x : position) x = embit::normal(rng);
    for (std::size_t k = 0; k < dim; ++k)
      rows[i][k] = std::sin(.5f + std::inner_product(position, position + hidden, directions[k].begin(), 0.f));
  }
  return rows;
}

/// Takes up to 300 rows, a tenth of few, out of `all` to ask with.
inline split_rows take_queries(const embit::matrix<float>& all, embit::rng& rng) {
  std::vector<embit::row_id> order(all.rows());
  std::iota(order.begin(), order.end(), embit::row_id{0});
  embit::shuffle(std::span(order), rng);
  const std::size_t count = std::min<std::size_t>(300, all.rows() / 10);
  if (count == 0) throw std::runtime_error(std::to_string(all.rows()) + " rows are too few to take queries out of");
  const auto taken = order.begin() + static_cast<std::ptrdiff_t>(count);
  std::sort(taken, order.end());
  split_rows out{embit::matrix<float>(all.rows() - count, all.cols()),
                 embit::matrix<float>(count, all.cols()),
                 {taken, order.end()},
                 {order.begin(), taken}};
  for (std::size_t i = 0; i < count; ++i) std::ranges::copy(all[out.query_of[i]], out.queries[i].begin());
  for (std::size_t i = 0; i < out.row_of.size(); ++i) std::ranges::copy(all[out.row_of[i]], out.rows[i].begin());
  return out;
}

/// The rows of one file, and the queries of another.
inline split_rows read_both(const std::string& rows, const std::string& queries) {
  split_rows out{read_vectors(rows), read_vectors(queries), {}, {}};
  if (out.rows.cols() != out.queries.cols())
    throw std::runtime_error(queries + ": dimension " + std::to_string(out.queries.cols()) + ", " + rows + " has " +
                             std::to_string(out.rows.cols()));
  out.row_of.resize(out.rows.rows());
  out.query_of.resize(out.queries.rows());
  std::iota(out.row_of.begin(), out.row_of.end(), embit::row_id{0});
  std::iota(out.query_of.begin(), out.query_of.end(), embit::row_id{0});
  return out;
}

}  // namespace example
