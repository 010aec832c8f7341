// Which rows can be among the k nearest of a query, told from products of whole blocks of rows and queries.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>
#include <embit/eval/detail/pair_bounds.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/search/top_k.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// A row whose score may be as small as `least`.
struct near_row {
  row_id id;
  float least;
};

/// The rows of one query that may be among its k nearest: those that may score at most what k others score at most.
class near_rows {
 public:
  void reset(std::size_t k) {
    most_.reset(k);
    rows_.clear();
    limit_ = (std::numeric_limits<float>::max)();
    pruned_at_ = 4 * k + 256;
    room_ = 16 * k + 4096;
    given_up_ = false;
  }

  /// Rows that score more cannot be among the nearest.
  float limit() const noexcept { return limit_; }
  /// Whether there were so many that all rows may as well be scored.
  bool given_up() const noexcept { return given_up_; }

  /// @param least, most  between which the row's score is
  void take(row_id row, float least, float most) {
    if (!(least <= limit_)) return;
    rows_.push_back({row, least});
    most_.offer(row, most);
    if (most_.bounded()) limit_ = most_.bound();
    if (rows_.size() >= pruned_at_) prune();
  }

  /// In the order in which they came.
  const std::vector<near_row>& rows() {
    drop_far();
    return rows_;
  }

 private:
  void drop_far() {
    std::erase_if(rows_, [limit = limit_](const near_row& r) { return !(r.least <= limit); });
  }

  void prune() {
    drop_far();
    pruned_at_ = (std::max)(pruned_at_, 2 * rows_.size());
    if (rows_.size() < room_) return;
    given_up_ = true;
    rows_.clear();
    limit_ = std::numeric_limits<float>::lowest();  // nothing more is taken
  }

  best_top_k<float, std::less<>> most_;
  std::vector<near_row> rows_;
  float limit_ = 0;
  std::size_t pruned_at_ = 0, room_ = 0;
  bool given_up_ = false;
};

/// What one worker needs to find the near rows of some queries.
class near_row_scan {
 public:
  /// Of queries [first, last), of which query q is row q itself where self is excluded.
  /// O(rows · queries · dim), by products.
  std::vector<near_rows>& run(const pair_bounds& bounds, matrix_view<const float> rows,
                              matrix_view<const float> queries, std::size_t first, std::size_t last, std::size_t k,
                              bool exclude_self) {
    constexpr std::size_t tile_bytes = std::size_t{1} << 18;
    const std::size_t count = last - first, places = (count + step - 1) / step * step;
    const row_panels packed(bounds.of_queries(queries, first, count, places, of_queries_));
    found_.resize(count);
    for (near_rows& n : found_) n.reset(k);
    limits_.assign(places, std::numeric_limits<float>::lowest());
    for (std::size_t q = 0; q < count; ++q) limits_[q] = found_[q].limit();

    const std::size_t row_bytes = sizeof(float) * std::max<std::size_t>(rows.cols(), places);
    const std::size_t tile = std::max<std::size_t>(tile_bytes / row_bytes, 16);
    if (products_.rows() != tile || products_.cols() != places) products_ = matrix<float>(tile, places, 0.f);
    for (std::size_t begin = 0; begin < rows.rows(); begin += tile) {
      const std::size_t height = (std::min)(tile, rows.rows() - begin);
      const auto moved = bounds.of_rows(rows, begin, height, of_rows_, moved_);
      gemm(moved, packed, matrix_view<float>(products_.data(), height, count, places));
      for (std::size_t i = 0; i < height; ++i) offer(i, begin + i, exclude_self ? begin + i - first : count);
    }
    return found_;
  }

 private:
  static constexpr std::size_t step = 16;

  /// Row i of the tile to all queries but `self`.
  void offer(std::size_t i, std::size_t row, std::size_t self) {
    const float added = of_rows_.added[i], scale = of_rows_.scales[i], width = of_rows_.widths[i];
    const float *products = products_[i].data(), *spreads = of_queries_.spreads.data(),
                *slacks = of_queries_.slacks.data(), *limits = limits_.data();
    for (std::size_t q = 0; q < limits_.size(); q += step) {
      float least[step];
      int near_enough = 0;
      for (std::size_t c = 0; c < step; ++c)
        least[c] = added + scale * products[q + c] - (spreads[q + c] * width + slacks[q + c]);
      for (std::size_t c = 0; c < step; ++c) near_enough |= least[c] <= limits[q + c];
      if (near_enough == 0) continue;
      for (std::size_t c = 0; c < step; ++c) {
        if (!(least[c] <= limits[q + c]) || q + c == self) continue;
        const float both_ways = 2 * (spreads[q + c] * width + slacks[q + c]);
        found_[q + c].take(static_cast<row_id>(row), least[c], least[c] + both_ways);
        limits_[q + c] = found_[q + c].limit();
      }
    }
  }

  std::vector<near_rows> found_;
  std::vector<float> limits_;
  pair_bounds::row_bounds of_rows_;
  pair_bounds::query_bounds of_queries_;
  matrix<float> moved_, products_;
};

}  // namespace embit::inline EMBIT_ABI::detail
