// Pairs drawn together, other rows pushed away: the contrastive loss, with hard negatives and a queue of more of them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/learn/detail/elementwise.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// The last rows that were seen, as negatives beyond the batch: the oldest make room for the newest.
/// He et al., "Momentum contrast for unsupervised visual representation learning", CVPR 2020, section 3.2.
class negative_queue {
 public:
  /// @throws error errc::argument for no rows or dimensions.
  negative_queue(std::size_t capacity, std::size_t dim) : rows_(capacity, dim), groups_(capacity) {
    if (capacity == 0 || dim == 0) raise(errc::argument, "negative_queue: ", capacity, " rows of ", dim);
  }

  /// Takes rows over with the group of each, as `info_nce` has them. @throws error errc::shape
  void push(matrix_view<const float> rows, std::span<const std::uint32_t> groups) {
    if (rows.cols() != rows_.cols() || groups.size() != rows.rows())
      raise(errc::shape, "negative_queue: ", rows.rows(), " x ", rows.cols(), " rows and ", groups.size(),
            " groups where rows have ", rows_.cols());
    for (std::size_t i = 0; i < rows.rows(); ++i) {
      std::ranges::copy(rows[i], rows_[next_].begin());
      groups_[next_] = groups[i];
      next_ = (next_ + 1) % rows_.rows();
      size_ = (std::min)(size_ + 1, rows_.rows());
    }
  }

  std::size_t size() const noexcept { return size_; }
  matrix_view<const float> rows() const& { return rows_.view().middle_rows(0, size_); }
  matrix_view<const float> rows() const&& = delete;
  std::span<const std::uint32_t> groups() const& noexcept { return std::span(groups_).first(size_); }
  std::span<const std::uint32_t> groups() const&& = delete;

 private:
  matrix<float> rows_;
  std::vector<std::uint32_t> groups_;
  detail::moved_value<> next_;
  detail::moved_value<> size_;
};

struct info_nce_options {
  float temperature = 0.05f;
  std::size_t hard_negatives = 5;  ///< of a row, the most similar ones; 0 takes all
  bool both_ways = true;           ///< also each positive among the anchors
};

namespace detail {

/// One anchor: turns its similarities to the batch and to the queue into derivatives. Returns the loss.
struct contrast_row {
  std::span<float> batch, queue;
  std::span<const std::uint32_t> batch_groups, queue_groups;
  std::size_t positive;

  double operator()(const info_nce_options& options, double weight,
                    std::vector<std::pair<float, std::size_t>>& candidates) const {
    const std::uint32_t own = batch_groups[positive];
    candidates.clear();
    for (std::size_t j = 0; j < batch.size(); ++j)
      if (batch_groups[j] != own) candidates.emplace_back(batch[j], j);
    for (std::size_t j = 0; j < queue.size(); ++j)
      if (queue_groups[j] != own) candidates.emplace_back(queue[j], batch.size() + j);
    if (options.hard_negatives != 0 && candidates.size() > options.hard_negatives) {
      const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(options.hard_negatives);
      std::nth_element(candidates.begin(), end, candidates.end(), std::greater<>{});
      candidates.erase(end, candidates.end());
      std::ranges::sort(candidates, std::greater<>{});  // the sum below is then the same wherever this was done
    }
    const double own_logit = double{batch[positive]} / double{options.temperature};
    double top = own_logit;
    for (const auto& c : candidates) top = (std::max)(top, double{c.first} / double{options.temperature});
    double sum = std::exp(own_logit - top);
    for (const auto& c : candidates) sum += std::exp(double{c.first} / double{options.temperature} - top);
    const double factor = weight / double{options.temperature};
    std::ranges::fill(batch, 0.f);
    std::ranges::fill(queue, 0.f);
    for (const auto& [similarity, j] : candidates) {
      const double share = std::exp(double{similarity} / double{options.temperature} - top) / sum;
      (j < batch.size() ? batch[j] : queue[j - batch.size()]) = static_cast<float>(factor * share);
    }
    batch[positive] = static_cast<float>(factor * (std::exp(own_logit - top) / sum - 1));
    return weight * (std::log(sum) + top - own_logit);
  }
};

/// Rows of `a` against those of `p` and the queue: the loss; `slope` and `queue_slope` become its derivatives.
template <Executor Exec>
double contrast(matrix_view<float> slope, matrix_view<float> queue_slope, std::span<const std::uint32_t> groups,
                std::span<const std::uint32_t> queue_groups, const info_nce_options& options, double weight,
                const Exec& executor) {
  std::vector<double> losses(slope.rows());
  std::vector<std::vector<std::pair<float, std::size_t>>> candidates(executor.concurrency());
  run_ranges(
      executor, slope.rows(), 8, executor.concurrency() * 4,
      [&](std::size_t first, std::size_t last, std::size_t worker) {
        for (std::size_t i = first; i < last; ++i) {
          const auto queue = queue_slope.empty() ? std::span<float>() : queue_slope[i];
          losses[i] = contrast_row{slope[i], queue, groups, queue_groups, i}(options, weight, candidates[worker]);
        }
      });
  double sum = 0;
  for (const double loss : losses) sum += loss;
  return sum;
}

inline void transpose_square(matrix<float>& m) {
  for (std::size_t i = 0; i < m.rows(); ++i)
    for (std::size_t j = 0; j < i; ++j) std::swap(m[i][j], m[j][i]);
}

}  // namespace detail

/// Cross-entropy of finding positive i among the rows that anchor i is most similar to:
/// -log(e^(a·p/τ) / (e^(a·p/τ) + Σ e^(a·n/τ))), the mean over the batch (and over both ways).
/// Van den Oord, Li and Vinyals, "Representation learning with contrastive predictive coding", 2018, equation 4.
/// @param a, p     n × dim, rows of unit length; row i of both is a pair.
/// @param groups   n: rows of one group are no negatives of each other. Rows of a pair share theirs.
/// @param da, dp   n × dim, overwritten by the derivatives.
/// @param queue    more negatives of the anchors, or null; nothing is derived by them.
/// @throws error errc::shape; errc::argument for no rows or a temperature that is not positive.
template <Executor Exec = inline_executor>
double info_nce(matrix_view<const float> a, matrix_view<const float> p, std::span<const std::uint32_t> groups,
                matrix_view<float> da, matrix_view<float> dp, const info_nce_options& options = {},
                const negative_queue* queue = nullptr, const Exec& executor = {}) {
  const std::size_t n = a.rows(), dim = a.cols();
  if (p.rows() != n || p.cols() != dim || groups.size() != n)
    raise(errc::shape, "info_nce: ", n, " x ", dim, " anchors, ", p.rows(), " x ", p.cols(), " positives, ",
          groups.size(), " groups");
  if (n == 0 || !detail::is_positive(options.temperature))
    raise(errc::argument, "info_nce: ", n, " rows, temperature ", options.temperature);
  const std::size_t queued = queue == nullptr ? 0 : queue->size();
  const double weight = (options.both_ways ? .5 : 1.) / static_cast<double>(n);
  matrix<float> slope(n, n), back, queue_slope(queued == 0 ? 0 : n, queued);
  gemm(a, p, slope, executor);
  if (options.both_ways) {
    back = slope;
    detail::transpose_square(back);
  }
  if (queued != 0) gemm(a, queue->rows(), queue_slope, executor);
  const auto queue_groups = queued == 0 ? std::span<const std::uint32_t>() : queue->groups();
  double loss = detail::contrast(slope.view(), queue_slope.view(), groups, queue_groups, options, weight, executor);
  if (options.both_ways) {
    loss += detail::contrast(back.view(), matrix_view<float>(), groups, {}, options, weight, executor);
    detail::transpose_square(back);
    detail::add_scaled(1, back.data(), slope.data(), slope.values().size());
  }
  gemm(slope, row_panels::of_columns(p), da, executor);
  if (queued != 0) {
    matrix<float> more(n, dim);
    gemm(queue_slope, row_panels::of_columns(queue->rows()), more, executor);
    for (std::size_t i = 0; i < n; ++i) detail::add_scaled(1, more[i].data(), da[i].data(), dim);
  }
  detail::transpose_square(slope);
  gemm(slope, row_panels::of_columns(a), dp, executor);
  return loss;
}

}  // namespace embit::inline EMBIT_ABI
