// What the product of two vectors says of the score that their pair will get, and how far off it can be.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/linalg/mean.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

inline double squared_length(std::span<const float> x) noexcept {
  constexpr std::size_t step = 8;
  double sums[step] = {};
  std::size_t k = 0;
  for (; k + step <= x.size(); k += step)
    for (std::size_t c = 0; c < step; ++c) sums[c] += double{x[k + c]} * double{x[k + c]};
  double sum = 0;
  for (const double s : sums) sum += s;
  for (; k < x.size(); ++k) sum += double{x[k]} * double{x[k]};
  return sum;
}

/// The largest |row|².
inline double largest_square(matrix_view<const float> rows) noexcept {
  double largest = 0;
  for (std::size_t i = 0; i < rows.rows(); ++i) largest = (std::max)(largest, squared_length(rows[i]));
  return largest;
}

/// For one metric: with p the product of a row and a query as `of_rows` and `of_queries` move them, what the pair is
/// scored in floats, on its own, is a constant of the query beside
///     added[i] + scales[i] · p, up to widths[i] · spreads[q] + slacks[q],
/// the smaller the nearer. Floats are summed in any order, with or without fused multiplications, and what is less than
/// the smallest normal number may count as zero: the classical bounds, dim · 2⁻²⁴ times what the terms can be.
class pair_bounds {
 public:
  /// @param row_inverses, query_inverses  one over the lengths, as scores have them, for the cosine
  pair_bounds(matrix_view<const float> rows, embit::metric metric, std::span<const float> row_inverses,
              std::span<const float> query_inverses)
      : metric_(metric), row_inverses_(row_inverses), query_inverses_(query_inverses), dim_(rows.cols()) {
    if (metric == metric::l2) center_ = mean_row(rows);
  }

  /// Whether the bounds hold for such rows and queries: nothing is near the end of the range of floats.
  static bool hold(matrix_view<const float> rows, matrix_view<const float> queries) noexcept {
    constexpr double most = 1e35;
    constexpr std::size_t most_dims = std::size_t{1} << 18;
    return rows.cols() < most_dims && largest_square(rows) < most && largest_square(queries) < most;
  }

  struct row_bounds {
    std::vector<float> added, scales, widths;
  };

  struct query_bounds {
    std::vector<float> spreads, slacks;
  };

  /// Rows [first, first + count) as they are multiplied: seen from their mean for squared distances, which then have
  /// the precision of the distances to the mean; `memory` holds them where they are moved.
  matrix_view<const float> of_rows(matrix_view<const float> rows, std::size_t first, std::size_t count,
                                   row_bounds& bounds, matrix<float>& memory) const {
    matrix_view<const float> moved = rows.middle_rows(first, count);
    if (metric_ == metric::l2) {
      memory = centered(moved, center_);
      moved = memory.view();
    }
    for (auto* values : {&bounds.added, &bounds.scales, &bounds.widths}) values->assign(count, 0.f);
    for (std::size_t i = 0; i < count; ++i) {
      const double square = squared_length(moved[i]);
      if (metric_ == metric::l2) {
        bounds.added[i] = static_cast<float>(square);
        bounds.scales[i] = -2;
        bounds.widths[i] = static_cast<float>(square * share());
        continue;
      }
      const double inverse = metric_ == metric::cosine ? double{row_inverses_[first + i]} : 1.;
      bounds.scales[i] = static_cast<float>(-inverse);
      bounds.widths[i] = static_cast<float>((std::sqrt(square) + tiny()) * inverse);
    }
    return moved;
  }

  /// Queries [first, first + count) as they are multiplied: seen from the mean of the rows for squared distances, of
  /// length 1 for the cosine. The bounds have `places` ≥ count entries.
  matrix<float> of_queries(matrix_view<const float> queries, std::size_t first, std::size_t count, std::size_t places,
                           query_bounds& bounds) const {
    matrix<float> moved(queries.middle_rows(first, count));
    if (metric_ == metric::l2) moved = centered(moved, center_);
    bounds.spreads.assign(places, 0.f);
    bounds.slacks.assign(places, 0.f);
    for (std::size_t q = 0; q < count; ++q) {
      const double square = squared_length(moved[q]);
      if (metric_ == metric::l2) {
        bounds.spreads[q] = 1;
        bounds.slacks[q] = static_cast<float>(square * share() + tiny() * tiny());
        continue;
      }
      const double inverse = metric_ == metric::cosine ? double{query_inverses_[first + q]} : 1.;
      bounds.spreads[q] = static_cast<float>((std::sqrt(square) * share() + tiny()) * inverse);
      if (metric_ == metric::cosine)
        for (float& x : moved[q]) x *= query_inverses_[first + q];
    }
    return moved;
  }

 private:
  /// Of |row| · |query|, or of |row|² + |query|²: the errors of the product, of the pair's own sum, and of the few
  /// roundings around them.
  double share() const noexcept { return 1.05 * 0x1p-24 * (3. * static_cast<double>(dim_) + 48); }
  /// Its square is more than dim numbers below the smallest normal one.
  double tiny() const noexcept { return 0x1p-60 * std::sqrt(static_cast<double>(dim_) + 1); }

  embit::metric metric_;
  std::span<const float> row_inverses_, query_inverses_;
  std::size_t dim_;
  std::vector<float> center_;
};

}  // namespace embit::inline EMBIT_ABI::detail
