// What a RaBitQ encoder finds out from rows: the units of its factors, and which centroid serves held-out queries best.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/rabitq.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Sets the format of a model and the means that go with it, from at most 4096 of the rows, evenly spread.
/// @param scales  whether rows keep their scale
inline void calibrate(rabitq_model& model, matrix_view<const float> rows, bool scales, bool refine, bool halves) {
  constexpr std::size_t most_rows = 4096;
  const std::size_t count = (std::min)(rows.rows(), most_rows), dim = model.dim();
  level_format& format = model.format;
  format.segments = {level_segment::uniform(dim, model.bits)};
  level_store scratch(format, 1);
  rabitq_memory memory;
  std::vector<double> offsets;
  double scale_sum = 0, loss_sum = 0, whole_sum = 0, most_scale = 0, most_coarse = 0, most_error = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto rotated = model.residuals(rows, i * rows.rows() / count, 1, memory);
    rabitq_row& r = memory.rows[0];
    model.quantize(rotated[0], r, scratch, 0, memory);
    offsets.push_back(model.offset(r));
    scale_sum += model.scale(r);
    loss_sum += model.loss_of(r);
    whole_sum += r.square + std::abs(r.product) + model.centroid_square();
    most_scale = (std::max)(most_scale, model.scale(r));
    most_coarse = (std::max)(most_coarse, model.coarse_scale(r));
    most_error = (std::max)(most_error, model.error(r));
  }
  const auto n = static_cast<double>(count);
  model.mean_scale = static_cast<float>(scale_sum / n);
  model.loss = loss_sum / n;
  const bool with_offset = model.metric == metric::l2 || !model.centroid.empty();
  model.mean_offset = with_offset ? static_cast<float>(std::accumulate(offsets.begin(), offsets.end(), 0.) / n) : 0.f;

  double most_offset = 0;
  for (const double o : offsets) most_offset = (std::max)(most_offset, std::abs(o - double{model.mean_offset}));
  const auto set = [&](row_factor which, bool kept, double unit) {
    const auto f = static_cast<std::size_t>(which);
    format.factors[f] = kept;
    if (kept && halves && unit > 0) format.units[f] = static_cast<float>(unit);
  };
  // Rows unlike these must fit too: units are never small against the rows as a whole, and halves reach from a
  // 16-millionth of their unit to 65504 times it.
  const double norm = std::sqrt(whole_sum / n) / std::sqrt(static_cast<double>(dim)) / 64;
  set(row_factor::offset, with_offset, (std::max)(16 * most_offset, whole_sum / n / 64));
  set(row_factor::scale, scales, (std::max)(most_scale, norm));
  set(row_factor::coarse_scale, refine, (std::max)(most_coarse, norm));
  set(row_factor::error, refine, (std::max)(most_error, norm));
  format.half_factors = halves;
}

/// The 10 smallest of each row of scores, by column.
inline std::vector<std::vector<std::uint32_t>> ten_smallest(const matrix<float>& scores) {
  std::vector<std::vector<std::uint32_t>> found(scores.rows());
  std::vector<std::uint32_t> order(scores.cols());
  for (std::size_t q = 0; q < scores.rows(); ++q) {
    std::iota(order.begin(), order.end(), std::uint32_t{0});
    const std::size_t ten = std::min<std::size_t>(10, order.size());
    const auto nearer = [&, score = scores[q]](std::uint32_t a, std::uint32_t b) {
      return score[a] < score[b] || (score[a] == score[b] && a < b);
    };
    std::ranges::nth_element(order, order.begin() + static_cast<std::ptrdiff_t>(ten) - 1, nearer);
    found[q].assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(ten));
    std::ranges::sort(found[q]);
  }
  return found;
}

/// Some rows as queries against some others, with their exact nearest ten.
class held_out_rows {
 public:
  /// Up to 128 queries against up to 2048 rows; none where there are fewer than 100 rows.
  template <std::uniform_random_bit_generator Engine>
  held_out_rows(matrix_view<const float> rows, embit::metric metric, Engine& engine) {
    if (rows.rows() < 100) return;
    const std::size_t queries = std::min<std::size_t>(128, rows.rows() / 5);
    const std::size_t base = std::min<std::size_t>(2048, rows.rows() - queries);
    std::vector<row_id> order(rows.rows());
    std::iota(order.begin(), order.end(), row_id{0});
    for (std::size_t i = 0; i < queries + base; ++i) {
      using std::swap;
      swap(order[i], order[i + static_cast<std::size_t>(uniform_index(engine, order.size() - i))]);
    }
    const auto copy = [&](std::size_t first, std::size_t count) {
      matrix<float> out(count, rows.cols());
      for (std::size_t i = 0; i < count; ++i) std::ranges::copy(rows[order[first + i]], out[i].begin());
      return out;
    };
    queries_ = copy(0, queries);
    rows_ = copy(queries, base);
    truth_ = ten_smallest(exact(metric));
  }

  bool empty() const noexcept { return queries_.empty(); }

  /// The share of the true ten nearest among the ten nearest by the estimates of a model. O(n · queries · dim).
  double recall(const rabitq_model& model) const {
    level_store store(model.format, rows_.rows());
    rabitq_memory memory;
    model.encode(rows_, 0, rows_.rows(), store, memory);
    matrix<float> values(rows_.rows(), model.dim());
    for (std::size_t i = 0; i < values.rows(); ++i) store[i].decode(values[i]);
    const mapped_queries mapped = model.map(queries_, 0);
    matrix<float> scores(queries_.rows(), rows_.rows());
    gemm(mapped.z, values, scores);
    for (std::size_t q = 0; q < scores.rows(); ++q)
      for (std::size_t i = 0; i < scores.cols(); ++i) {
        float& score = scores[q][i];
        score *= mapped.terms[q].scale;
        if (model.has(row_factor::scale)) score *= store.factor(i, row_factor::scale);
        if (model.has(row_factor::offset)) score += store.factor(i, row_factor::offset);
      }
    const auto found = ten_smallest(scores);
    std::size_t hits = 0, all = 0;
    std::vector<std::uint32_t> both;
    for (std::size_t q = 0; q < found.size(); ++q) {
      both.clear();
      std::ranges::set_intersection(found[q], truth_[q], std::back_inserter(both));
      hits += both.size();
      all += truth_[q].size();
    }
    return static_cast<double>(hits) / static_cast<double>(all);
  }

 private:
  // Distances but for what only the query adds.
  matrix<float> exact(embit::metric metric) const {
    matrix<float> scores(queries_.rows(), rows_.rows());
    gemm(queries_, rows_, scores);
    for (std::size_t i = 0; i < rows_.rows(); ++i) {
      double square = 0;
      for (const float x : rows_[i]) square += double{x} * double{x};
      const double scale = metric == metric::cosine && square > 0 ? 1 / std::sqrt(square) : 1;
      for (std::size_t q = 0; q < scores.rows(); ++q) {
        const double product = double{scores[q][i]};
        scores[q][i] = static_cast<float>(metric == metric::l2 ? square - 2 * product : -scale * product);
      }
    }
    return scores;
  }

  matrix<float> queries_, rows_;
  std::vector<std::vector<std::uint32_t>> truth_;
};

}  // namespace embit::inline EMBIT_ABI::detail
