// Scoring candidates again by codes of more bits than those that the index holds.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/types.hpp>
#include <embit/search/rows.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// A reranker over codes in memory, scored by any kernel that takes rows of their store: row i of the index is row i of
/// the store, which it keeps. `code_rerank{coder.encode(x), coder.estimator()}` is the stage between an index of short
/// codes and floats on a disk. O(bytes of a code) a candidate, beside `prepare` of the kernel for each query.
template <class Store, Kernel<std::remove_cvref_t<decltype(std::declval<const Store&>()[std::size_t{}])>> K>
class code_rerank {
 public:
  using query_view = typename K::query_view;
  using score_type = typename K::distance_type;
  using compare = typename K::compare;

  /// @throws error errc::shape for codes of another format than the kernel's, errc::argument for those of another
  /// encoder, as far as codes can tell.
  explicit code_rerank(Store codes, K kernel) : codes_(std::move(codes)), kernel_(std::move(kernel)) {
    if constexpr (requires { kernel_.require_format(codes_.format()); })
      kernel_.require_format(codes_.format());
    else if constexpr (requires { kernel_.require_width(codes_.bits()); })
      kernel_.require_width(codes_.bits());
    detail::require_same_encoder(detail::known_fingerprint(kernel_), detail::known_fingerprint(codes_), "kernel");
  }

  const Store& codes() const& noexcept { return codes_; }
  const Store& codes() const&& = delete;
  const K& kernel() const& noexcept { return kernel_; }
  const K& kernel() const&& = delete;
  std::size_t size() const noexcept { return codes_.size(); }

  /// @throws error as `prepare` of the kernel.
  template <class Query>
  score_type operator()(const Query& query, row_id row) const {
    return kernel_(kernel_.prepare(query), codes_[row]);
  }

  /// Scores of `rows` for one query, in order. @throws error as above.
  template <class Query>
  void rerank(const Query& query, std::span<const row_id> rows, std::span<score_type> scores) const {
    EMBIT_ASSERT(scores.size() == rows.size());
    const auto prepared = kernel_.prepare(query);
    for (std::size_t i = 0; i < rows.size(); ++i) scores[i] = kernel_(prepared, codes_[rows[i]]);
  }

 private:
  Store codes_;
  K kernel_;
};

}  // namespace embit::inline EMBIT_ABI
