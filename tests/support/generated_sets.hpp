// The two generated sets that figures are quoted on: rows to search, queries and rows to train on, of one draw.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>

#include <support/anisotropic.hpp>

#include <cstddef>
#include <cstdint>

namespace support {

/// Unit rows; ground truth is by cosine.
struct generated_set {
  embit::matrix<float> rows, queries, training;
};

struct generated_set_options {
  std::size_t dim = 128;
  std::size_t rows = 20'000;
  std::size_t queries = 300;
  std::size_t training = 40'000;
  std::size_t centers = 500;  ///< of the clustered set
  std::uint64_t seed = 1;
};

inline generated_set split_set(embit::matrix_view<const float> all, const generated_set_options& o) {
  return {embit::matrix<float>(all.middle_rows(0, o.rows)), embit::matrix<float>(all.middle_rows(o.rows, o.queries)),
          embit::matrix<float>(all.middle_rows(o.rows + o.queries, o.training))};
}

inline generated_set anisotropic_set(generated_set_options o = {}) {
  return split_set(anisotropic_rows(o.rows + o.queries + o.training, o.dim, o.seed), o);
}

inline generated_set clustered_set(generated_set_options o = {}) {
  return split_set(anisotropic_rows(o.rows + o.queries + o.training, o.dim, o.seed, o.centers), o);
}

}  // namespace support
