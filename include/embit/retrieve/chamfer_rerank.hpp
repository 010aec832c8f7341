// Scoring candidate documents again by exact Chamfer similarity of their tokens.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/chamfer.hpp>
#include <embit/multivector/ball_carving.hpp>
#include <embit/search/rows.hpp>
#include <embit/store/mapped_token_store.hpp>
#include <embit/store/token_store.hpp>
#include <embit/store/token_view.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI {

struct chamfer_rerank_options {
  /// Query tokens whose cosine is at least this are added up first (`carve_balls`); 0: all stay on their own.
  float ball_tau = 0;
};

/// A reranker of documents of several tokens: row i of the index is document i. It views the documents, which must
/// outlive it: a `ragged_view` of floats or halves, or a `token_store`; a `mapped_token_store` is kept. NaN and
/// infinity are refused, in documents once, in queries when they are asked; a `mapped_token_store` is not read (its
/// `verify` does that), nor are documents given with `unchecked` after the options.
template <class Documents = ragged_view<const float>, class K = chamfer>
  requires Kernel<K, std::remove_cvref_t<decltype(std::declval<const Documents&>()[std::size_t{}])>>
class chamfer_rerank {
 public:
  using query_view = ragged_view<const float>;
  using score_type = float;
  using compare = typename K::compare;

  /// @throws error errc::argument unless ball_tau is 0 or above 0 and at most 1, errc::not_finite naming document and
  /// token. O(numbers).
  explicit chamfer_rerank(Documents documents, chamfer_rerank_options options = {})
      : chamfer_rerank(std::move(documents), options, unchecked) {
    detail::require_finite_rows(documents_, "documents");
  }
  /// O(1); the documents are not read.
  /// @throws error errc::argument unless ball_tau is 0 or above 0 and at most 1.
  explicit chamfer_rerank(Documents documents, chamfer_rerank_options options, unchecked_t)
      : documents_(std::move(documents)), options_(options) {
    if (!detail::is_between(options.ball_tau, 0.f, 1.f))
      raise(errc::argument, "chamfer_rerank: ball_tau ", options.ball_tau, ", not from 0 to 1");
  }

  template <class T>
    requires std::same_as<Documents, token_view<T>>
  explicit chamfer_rerank(const token_store<T>& documents, chamfer_rerank_options options = {})
      : chamfer_rerank(documents.view(), options, unchecked) {}
  template <class T>
  explicit chamfer_rerank(const token_store<T>&&, chamfer_rerank_options = {}) = delete;  // the tokens would be gone

  std::size_t size() const noexcept { return documents_.size(); }
  std::size_t dim() const noexcept { return documents_.cols(); }

  /// The same for an index whose rows were numbered anew: the rows given are in the order of this `generation()` of it.
  chamfer_rerank at_generation(std::uint64_t generation) const {
    chamfer_rerank other = *this;
    other.generation_ = generation;
    return other;
  }
  /// Of the index that the rows are in the order of; 0 where its rows have kept their numbers.
  std::uint64_t generation() const noexcept { return generation_; }

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
    detail::require_finite(query, "query");
    if (options_.ball_tau == 0) return kernel.prepare(query);
    const auto balls = carve_balls(query, options_.ball_tau);
    return kernel.prepare(row_set<const float>(balls));
  }

  Documents documents_;
  chamfer_rerank_options options_;
  std::uint64_t generation_ = 0;
};

template <class T>
chamfer_rerank(const token_store<T>&) -> chamfer_rerank<token_view<T>, chamfer_of<T>>;
template <class T>
chamfer_rerank(const token_store<T>&, chamfer_rerank_options) -> chamfer_rerank<token_view<T>, chamfer_of<T>>;
template <class T>
chamfer_rerank(token_view<T>) -> chamfer_rerank<token_view<T>, chamfer_of<T>>;
template <class T>
chamfer_rerank(token_view<T>, chamfer_rerank_options) -> chamfer_rerank<token_view<T>, chamfer_of<T>>;
template <class T>
chamfer_rerank(mapped_token_store<T>) -> chamfer_rerank<mapped_token_store<T>, chamfer_of<T>>;
template <class T>
chamfer_rerank(mapped_token_store<T>, chamfer_rerank_options) -> chamfer_rerank<mapped_token_store<T>, chamfer_of<T>>;
template <class T>
chamfer_rerank(ragged_view<T>) -> chamfer_rerank<ragged_view<const T>>;
template <class T>
chamfer_rerank(ragged_view<T>, chamfer_rerank_options) -> chamfer_rerank<ragged_view<const T>>;
template <class T>
chamfer_rerank(ragged_view<T>, chamfer_rerank_options, unchecked_t) -> chamfer_rerank<ragged_view<const T>>;
template <class T>
chamfer_rerank(token_view<T>, chamfer_rerank_options, unchecked_t) -> chamfer_rerank<token_view<T>, chamfer_of<T>>;

static_assert(Reranker<chamfer_rerank<>>);

}  // namespace embit::inline EMBIT_ABI
