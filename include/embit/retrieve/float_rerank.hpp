// Scoring candidates again with the vectors that the codes were made from.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/kernel/l2.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// A reranker over float rows that the caller keeps: row i of the index is row i of the matrix. Scores are what
/// `K` computes, squared L2 by default; `float_rerank{x, inner_product{}}` for dot products. It views the rows,
/// which must outlive it. NaN and infinity are refused, in the rows once, in queries when they are asked; rows of a
/// mapped file, which are not to be read at once, are taken as they are by `float_rerank{rows, l2{}, unchecked}`.
template <class K>
class float_rerank {
  static_assert(Kernel<K, std::span<const float>>, "float_rerank: this kernel does not score rows of floats");

 public:
  using query_view = matrix_view<const float>;
  using score_type = typename K::distance_type;
  using compare = typename K::compare;

  /// @throws error errc::not_finite naming row and column. O(rows · dim).
  explicit float_rerank(matrix_view<const float> rows, K kernel = {})
      : float_rerank(rows, std::move(kernel), unchecked) {
    detail::require_finite(rows, "rows");
  }
  /// O(1); the rows are not read.
  explicit float_rerank(matrix_view<const float> rows, K kernel, unchecked_t)
      : rows_(rows), kernel_(std::move(kernel)) {}
  template <class Rows, class... Others>
    requires(std::convertible_to<Rows, matrix_view<const float>> && !detail::Lasting<Rows>)
  explicit float_rerank(Rows&&, const Others&...) = delete;  // the rows would be gone

  std::size_t size() const noexcept { return rows_.rows(); }
  std::size_t dim() const noexcept { return rows_.cols(); }

  /// The same for an index whose rows were numbered anew: the rows given are in the order of this `generation()` of it.
  float_rerank at_generation(std::uint64_t generation) const {
    float_rerank other = *this;
    other.generation_ = generation;
    return other;
  }
  /// Of the index that the rows are in the order of; 0 where its rows have kept their numbers.
  std::uint64_t generation() const noexcept { return generation_; }

  /// @throws error errc::not_finite for NaN or infinity in the query.
  score_type operator()(std::span<const float> query, row_id row) const {
    detail::require_finite(query, "query");
    return kernel_(kernel_.prepare(query), rows_[row]);
  }

  /// Scores of `rows` for one query, in order.
  /// @throws error errc::not_finite for NaN or infinity in the query.
  void rerank(std::span<const float> query, std::span<const row_id> rows, std::span<score_type> scores) const {
    EMBIT_ASSERT(scores.size() == rows.size());
    detail::require_finite(query, "query");
    const auto prepared = kernel_.prepare(query);
    constexpr std::size_t ahead = 6;
    for (std::size_t i = 0; i < (std::min)(ahead, rows.size()); ++i) prefetch(rows[i]);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i + ahead < rows.size()) prefetch(rows[i + ahead]);
      scores[i] = kernel_(prepared, rows_[rows[i]]);
    }
  }

 private:
  /// Asks for a row, since candidates lie anywhere.
  void prefetch(row_id row) const noexcept {
#if defined(__GNUC__) || defined(__clang__)
    constexpr std::size_t line = 64 / sizeof(float), most_lines = 16;
    const std::span<const float> at = rows_[row];
    for (std::size_t j = 0; j < at.size() && j < most_lines * line; j += line) __builtin_prefetch(at.data() + j);
#else
    static_cast<void>(row);
#endif
  }

  matrix_view<const float> rows_;
  [[no_unique_address]] K kernel_;
  std::uint64_t generation_ = 0;
};

template <class Rows>
float_rerank(Rows&&) -> float_rerank<>;
template <class Rows, class K>
float_rerank(Rows&&, K) -> float_rerank<K>;
template <class Rows, class K>
float_rerank(Rows&&, K, unchecked_t) -> float_rerank<K>;

static_assert(Reranker<float_rerank<>>);

}  // namespace embit::inline EMBIT_ABI
