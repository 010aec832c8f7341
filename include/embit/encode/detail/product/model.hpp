// What a product quantizer knows, and how it turns rows into codewords and queries into tables.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/encode/detail/transform/model.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/kernel/table_scan.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// The dimensions that one number of a code stands for.
struct subspace {
  std::size_t first = 0, dims = 0;
};

/// Dimensions shared out among the numbers of a code, as equally as can be; some have none where there are more
/// numbers.
inline subspace subspace_of(std::size_t number, std::size_t numbers, std::size_t dim) noexcept {
  const std::size_t first = number * dim / numbers;
  return {first, (number + 1) * dim / numbers - first};
}

/// The columns of a subspace.
inline matrix_view<const float> columns_of(matrix_view<const float> rows, subspace s) noexcept {
  return {rows.data() + s.first, rows.rows(), s.dims, rows.stride()};
}

/// Codewords of every subspace side by side: row c has the c-th of each.
struct codebooks {
  std::size_t numbers = 0, size = 0;  // of a code; codewords of each
  std::vector<row_panels> panels;     // a subspace
  matrix<float> squares;              // numbers × size: |codeword|²

  codebooks() = default;
  codebooks(std::size_t count, matrix_view<const float> words)
      : numbers(count), size(words.rows()), squares(count, words.rows()) {
    for (std::size_t m = 0; m < numbers; ++m) {
      const auto part = columns_of(words, subspace_of(m, numbers, words.cols()));
      panels.emplace_back(part);
      for (std::size_t c = 0; c < size; ++c)
        for (const float x : part[c]) squares[m][c] += x * x;
    }
  }

  /// The nearest codeword of a subspace to each of some rows of it, ties by the first.
  /// @param products  room for rows × size
  void nearest(std::size_t m, matrix_view<const float> part, matrix_view<float> products,
               std::span<std::uint8_t> found) const {
    if (part.cols() == 0) {
      std::ranges::fill(found.first(part.rows()), std::uint8_t{0});
      return;
    }
    gemm(part, panels[m], products);
    for (std::size_t i = 0; i < part.rows(); ++i) {
      std::size_t best = 0;
      float least = squares[m][0] - 2 * products[i][0];
      for (std::size_t c = 1; c < size; ++c)
        if (const float distance = squares[m][c] - 2 * products[i][c]; distance < least) least = distance, best = c;
      found[i] = static_cast<std::uint8_t>(best);
    }
  }
};

/// Rows less the center are turned by the rotation, and each subspace is replaced by a codeword. Immutable, shared.
struct product_model {
  embit::metric metric = embit::metric::l2;
  std::size_t bits = 4;       // of a number
  std::vector<float> center;  // dim
  row_panels rotation;        // dim × dim, orthonormal rows
  matrix<float> words;        // 2^bits × dim, rotated
  level_format format;        // of as many bytes as codes have
  codebooks books = {};

  std::size_t dim() const noexcept { return center.size(); }
  std::size_t numbers() const noexcept { return format.row_bytes() * 8 / bits; }
  void set_books() { books = codebooks(numbers(), words); }

  encoder_fingerprint fingerprint() const {
    fingerprint_hash hash;
    hash.add(metric).add(bits).add(format.row_bytes()).add(center).add_rows(rotation);
    return hash.add(std::span<const float>(words.values())).value();
  }

  /// @throws error errc::shape for another dimension, errc::not_finite naming the row.
  void require_rows(matrix_view<const float> rows, std::string_view what) const {
    if (rows.cols() != dim()) raise(errc::shape, what, ": dimension ", rows.cols(), ", the encoder takes ", dim());
    require_finite(rows, what);
  }

  /// Finite rows, of length 1 for the cosine, less the center where `centered`, rotated.
  matrix<float> rotated(matrix_view<const float> rows, bool centered) const {
    matrix<float> moved(rows);
    if (metric == metric::cosine) scale_to_unit(moved);
    if (centered)
      for (std::size_t i = 0; i < moved.rows(); ++i)
        for (std::size_t k = 0; k < dim(); ++k) moved[i][k] -= center[k];
    auto z = matrix<float>::uninitialized(rows.rows(), dim());
    gemm(moved, rotation, z);
    return z;
  }

  /// The codewords of rotated rows, rows × numbers.
  matrix<std::uint8_t> codewords(matrix_view<const float> z) const {
    matrix<std::uint8_t> found(z.rows(), numbers());
    matrix<float> products(z.rows(), books.size);
    std::vector<std::uint8_t> of_part(z.rows());
    for (std::size_t m = 0; m < numbers(); ++m) {
      books.nearest(m, columns_of(z, subspace_of(m, numbers(), dim())), products, of_part);
      for (std::size_t i = 0; i < z.rows(); ++i) found[i][m] = of_part[i];
    }
    return found;
  }

  std::size_t number_of(const level_row& code, std::size_t m) const noexcept {
    return bits == 8 ? code.byte(m) : static_cast<std::size_t>(code.byte(m / 2) >> m % 2 * 4 & 15);
  }

  /// What codes stand for, rotated and less the center.
  matrix<float> values_of(const level_view& codes) const {
    matrix<float> values(codes.size(), dim());
    for (std::size_t i = 0; i < codes.size(); ++i)
      for (std::size_t m = 0; m < numbers(); ++m) {
        const subspace s = subspace_of(m, numbers(), dim());
        const auto word = words[number_of(codes[i], m)].subspan(s.first, s.dims);
        std::ranges::copy(word, values[i].begin() + static_cast<std::ptrdiff_t>(s.first));
      }
    return values;
  }

  /// The rows that codes stand for.
  template <Executor Exec>
  matrix<float> rows_of(const level_view& codes, const Exec& executor) const {
    matrix<float> rows(codes.size(), dim());
    gemm(values_of(codes), row_panels::of_columns(rotation.unpacked()), rows, executor);
    for (std::size_t i = 0; i < rows.rows(); ++i)
      for (std::size_t k = 0; k < dim(); ++k) rows[i][k] += center[k];
    return rows;
  }

  /// With z a rotated query, less the center for l2, y the codewords of a row and c the center, distances are
  ///   l2                     |z − y|²
  ///   inner product, cosine  [1] − ⟨query, c⟩ − ⟨z, y⟩
  /// @param base  [1] − ⟨query, c⟩ of each query, 0 for l2
  table_entries tables(matrix_view<const float> z, std::vector<float> base) const {
    const bool l2 = metric == metric::l2;
    table_entries made{matrix<float>(z.rows(), numbers() * books.size), std::move(base)};
    for (std::size_t m = 0; m < numbers(); ++m) {
      const auto part = columns_of(z, subspace_of(m, numbers(), dim()));
      if (part.cols() == 0) continue;
      const matrix_view<float> entries(made.entries.data() + m * books.size, z.rows(), books.size, made.entries.cols());
      gemm(part, books.panels[m], entries);
      for (std::size_t q = 0; q < z.rows(); ++q) {
        float square = 0;
        for (const float x : part[q]) square += x * x;
        for (std::size_t c = 0; c < books.size; ++c) {
          float& entry = entries[q][c];
          entry = l2 ? square + books.squares[m][c] - 2 * entry : -entry;
        }
      }
    }
    return made;
  }
};

}  // namespace embit::inline EMBIT_ABI::detail
