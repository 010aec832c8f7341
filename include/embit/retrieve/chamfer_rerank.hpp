// Scoring candidate documents again by exact Chamfer similarity of their tokens.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/chamfer.hpp>
#include <embit/multivector/ball_carving.hpp>

#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI {

struct chamfer_rerank_options {
  /// Query tokens whose cosine is at least this are added up first (`carve_balls`); 0: all stay on their own.
  float ball_tau = 0;
};

/// A reranker of documents of several tokens: row i of the index is document i. It views the documents, which must
/// outlive it: a `ragged_view` of floats, halves or bytes' worth of them, or a view of stored tokens.
template <class Documents = ragged_view<const float>, class K = chamfer>
  requires Kernel<K, std::remove_cvref_t<decltype(std::declval<const Documents&>()[std::size_t{}])>>
class chamfer_rerank {
 public:
  using query_view = ragged_view<const float>;
  using score_type = float;
  using compare = typename K::compare;

  /// @throws error errc::argument unless ball_tau is 0 or above 0 and at most 1.
  explicit chamfer_rerank(Documents documents, chamfer_rerank_options options = {})
      : documents_(std::move(documents)), options_(options) {
    if (!(options.ball_tau >= 0 && options.ball_tau <= 1))
      raise(errc::argument, "chamfer_rerank: ball_tau ", options.ball_tau, ", not from 0 to 1");
  }

  std::size_t size() const noexcept { return documents_.size(); }
  std::size_t dim() const noexcept { return documents_.cols(); }

  score_type operator()(row_set<const float> query, row_id document) const {
    return K{}(prepare(query), documents_[document]);
  }

  /// Scores of `documents` for one query, in order.
  void rerank(row_set<const float> query, std::span<const row_id> documents, std::span<score_type> scores) const {
    EMBIT_ASSERT(scores.size() == documents.size());
    const auto prepared = prepare(query);
    const K kernel;
    for (std::size_t i = 0; i < documents.size(); ++i) scores[i] = kernel(prepared, documents_[documents[i]]);
  }

 private:
  typename K::prepared prepare(row_set<const float> query) const {
    const K kernel;
    if (options_.ball_tau == 0) return kernel.prepare(query);
    const auto balls = carve_balls(query, options_.ball_tau);
    return kernel.prepare(row_set<const float>(balls));
  }

  Documents documents_;
  chamfer_rerank_options options_;
};

template <class T>
chamfer_rerank(ragged_view<T>) -> chamfer_rerank<ragged_view<const T>>;
template <class T>
chamfer_rerank(ragged_view<T>, chamfer_rerank_options) -> chamfer_rerank<ragged_view<const T>>;

static_assert(Reranker<chamfer_rerank<>>);

}  // namespace embit::inline EMBIT_ABI
