// The contracts between the parts. A part that satisfies its concept fits, with no base class and no registration.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

struct probe_work {
  void operator()(std::size_t, std::size_t) const noexcept {}
};

}  // namespace detail

/// Runs independent pieces of work: `bulk(n, f)` calls `f(item, worker)` for each item below n, worker below
/// `concurrency()`, never two at once with the same worker, and returns when all are done. The `f` that the library
/// passes never throws. A cheap handle to copy.
template <class E>
concept Executor = std::copy_constructible<E> && requires(const E& executor, detail::probe_work f) {
  { executor.concurrency() } -> std::convertible_to<std::size_t>;
  executor.bulk(std::size_t{}, f);
};

/// Codes of equal width, readable row by row.
template <class S>
concept CodeStore = requires(const S& store, std::size_t row, std::span<word> out) {
  typename S::code_type;
  { store.size() } -> std::convertible_to<std::size_t>;
  { store.bits() } -> std::convertible_to<std::size_t>;
  store.copy_row(row, out);
};

/// A CodeStore that can show a row where it lies.
template <class S>
concept RowStore = CodeStore<S> && requires(const S& store, std::size_t row) {
  { store[row] } -> std::convertible_to<typename S::code_type>;
};

/// A CodeStore laid out in interleaved blocks, readable run by run.
template <class S>
concept BlockStore = CodeStore<S> && requires(const S& store, std::size_t block) {
  { store.block(block) } -> std::convertible_to<const word*>;
  { store.blocks() } -> std::convertible_to<std::size_t>;
};

/// Scores a prepared query against a code. `query_view` is a batch of queries, indexable and sized; `prepare` may
/// do work and throw; the call itself is noexcept and is the hot loop.
///
/// It may also name the store that an index keeps `Source` in for it, `template <class Source> using store_for` (see
/// `scan_store_t`), and say itself which queries fit the rows, by a `require_queries(queries, store)` that throws; else
/// these are as wide as `dim()` of the kernel where it has one, or as the rows.
template <class K, class Code = std::span<const word>>
concept Kernel = std::copy_constructible<K> && requires(const K& kernel, typename K::query_view queries, Code code) {
  typename K::distance_type;
  typename K::compare;
  { queries.size() } -> std::convertible_to<std::size_t>;
  { kernel(kernel.prepare(queries[std::size_t{}]), code) } -> std::convertible_to<typename K::distance_type>;
} && requires(
    const K& kernel,
    decltype(std::declval<const K&>().prepare(std::declval<const typename K::query_view&>()[std::size_t{}])) prepared,
    Code code) {
  requires noexcept(kernel(prepared, code));
};

namespace detail {

// What a callable takes first, where it can be called in one way only.
template <class R, class C, class P, class... Rest>
std::type_identity<P> parameter_of(R (C::*)(P, Rest...) const);
template <class R, class C, class P, class... Rest>
std::type_identity<P> parameter_of(R (C::*)(P, Rest...) const&);
template <class R, class P>
std::type_identity<P> parameter_of(R (*)(P));

// What it takes second.
template <class R, class C, class P, class Q>
std::type_identity<Q> second_of(R (C::*)(P, Q) const);
template <class R, class P, class Q>
std::type_identity<Q> second_of(R (*)(P, Q));

/// Whether a P has room for every Number: a whole number of as many bits, signed or not, or what braces make of one.
template <class P, class Number>
concept HoldsAll = (std::integral<P> && sizeof(P) >= sizeof(Number)) || requires(Number number) {
  P{number};
};

/// Whether a callable takes a Number without cutting it. One that is a template, or overloaded, is given it as it is.
template <class F, class Number>
inline constexpr bool takes_whole = [] {
  using callable = std::remove_cvref_t<std::unwrap_reference_t<F>>;
  if constexpr (requires { parameter_of(&callable::operator()); })
    return HoldsAll<std::remove_cvref_t<typename decltype(parameter_of(&callable::operator()))::type>, Number>;
  else if constexpr (requires(callable & function) { parameter_of(function); })
    return HoldsAll<std::remove_cvref_t<typename decltype(parameter_of(std::declval<callable&>()))::type>, Number>;
  else
    return true;
}();
/// Of a callable of two, whether it takes a Number as its second without cutting it.
template <class F, class Number>
inline constexpr bool takes_whole_second = [] {
  using callable = std::remove_cvref_t<std::unwrap_reference_t<F>>;
  if constexpr (requires { second_of(&callable::operator()); })
    return HoldsAll<std::remove_cvref_t<typename decltype(second_of(&callable::operator()))::type>, Number>;
  else if constexpr (requires(callable & function) { second_of(function); })
    return HoldsAll<std::remove_cvref_t<typename decltype(second_of(std::declval<callable&>()))::type>, Number>;
  else
    return true;
}();

}  // namespace detail

/// Says whether a row may be found. What it takes must have room for every row number: one of 16 bits, which would be
/// asked about other rows than were meant, is no filter.
template <class F>
concept RowFilter = std::predicate<const F&, row_id> && detail::takes_whole<F, row_id>;

/// Says whether a row may be found by one query of a batch: is called with the query's number in it, and the row.
template <class F>
concept QueryFilter = std::predicate<const F&, std::size_t, row_id> && detail::takes_whole_second<F, row_id>;

/// A filter of a search: of rows for all queries, or for each.
template <class F>
concept SearchFilter = RowFilter<F> || QueryFilter<F>;

/// Lets every row through; costs nothing.
struct accept_all {
  constexpr bool operator()(row_id) const noexcept { return true; }
};

/// Turns float rows (or whatever `Rows` is) into a store of codes. Immutable, and valid once constructed.
template <class E, class Rows = matrix_view<const float>>
concept Encoder = requires(const E& encoder, Rows rows) {
  { encoder.dim() } -> std::convertible_to<std::size_t>;
  { encoder.encode(rows).size() } -> std::convertible_to<std::size_t>;
};

/// An Encoder of binary codes that can also write one code in place.
template <class E>
concept BinaryEncoder = Encoder<E> && requires(const E& encoder, std::span<const float> row, std::span<word> code) {
  { encoder.bits() } -> std::convertible_to<std::size_t>;
  encoder.encode_into(row, code);
};

/// An Encoder whose queries are encoded another way than its rows.
template <class E, class Rows = matrix_view<const float>>
concept AsymmetricEncoder = Encoder<E, Rows> && requires(const E& encoder, Rows rows) {
  encoder.encode_queries(rows);
};

/// Encodes what rows have beside a centroid, for inverted lists of float rows: codes of levels whose estimator maps a
/// query by one affine map, so that distances to the rows of every list follow from the map of the query alone.
template <class C>
concept ResidualCoder = std::copy_constructible<C> &&
    requires(const C& coder, const typename C::estimator_type& estimator, matrix_view<const float> rows) {
  { coder.dim() } -> std::convertible_to<std::size_t>;
  coder.format().segments;
  { coder.encode(rows).size() } -> std::convertible_to<std::size_t>;
  { coder.estimator() } -> std::same_as<typename C::estimator_type>;
  estimator.map()(rows).terms;
};

/// Cells of a space that rows are assigned to: what an index with inverted lists has a list for each of. `nearest`
/// gives the cells nearest to a query, ascending, ties by the smaller cell; `assign` the nearest of each row.
template <class P>
concept Partition = std::copy_constructible<P> &&
    requires(const P& cells, typename P::query_view queries, std::size_t n, typename P::workspace& memory) {
  typename P::distance_type;
  { cells.size() } -> std::convertible_to<std::size_t>;
  { cells.width() } -> std::convertible_to<std::size_t>;
  {
    cells.nearest(queries[std::size_t{}], n, memory)
    } -> std::convertible_to<std::span<const neighbor<typename P::distance_type>>>;
  { cells.assign(queries) } -> std::same_as<std::vector<neighbor<typename P::distance_type>>>;
};

namespace detail {

template <class Searched>
struct index_id {
  using type = row_id;
};
template <class Searched>
  requires requires { typename Searched::id_type; }
struct index_id<Searched> {
  using type = typename Searched::id_type;
};

}  // namespace detail

/// What an index calls its rows: `id_type`, or their numbers where it has none.
template <class Searched>
using index_id_t = typename detail::index_id<Searched>::type;

/// Answers k-nearest-neighbour queries, by row or by whatever it calls its rows.
template <class Searched>
concept Searchable = requires(const Searched& index, typename Searched::query_view queries, std::size_t k,
                              knn_result<typename Searched::distance_type, index_id_t<Searched>>& result) {
  { index.size() } -> std::convertible_to<std::size_t>;
  { index.search(queries, k) } -> std::same_as<std::remove_reference_t<decltype(result)>>;
  { index.search(queries, k, accept_all{}) } -> std::same_as<std::remove_reference_t<decltype(result)>>;
  index.search_into(queries, k, result);
};

/// Answers them with the numbers of rows.
template <class Searched>
concept Index = Searchable<Searched> && std::same_as<index_id_t<Searched>, row_id>;

/// An Index that also finds everything within a radius, the radius included.
template <class Searched>
concept RangeIndex = Index<Searched> &&
    requires(const Searched& index, typename Searched::query_view queries, typename Searched::distance_type radius) {
  { index.range_search(queries, radius) } -> std::same_as<range_result<typename Searched::distance_type>>;
};

/// An Index that rows can be added to and removed from; `compact` renumbers and returns old row → new row.
template <class Searched>
concept MutableIndex = Index<Searched> && requires(Searched& index, typename Searched::codes_view codes, row_id row) {
  { index.add(codes) } -> std::convertible_to<row_id>;
  { index.remove(row) } -> std::convertible_to<bool>;
  index.compact();
};

/// Scores a candidate again, from what it knows of the row. `compare` says which scores come first.
template <class R>
concept Reranker = requires(const R& reranker, typename R::query_view queries, row_id row) {
  typename R::score_type;
  typename R::compare;
  { reranker(queries[std::size_t{}], row) } -> std::convertible_to<typename R::score_type>;
};

/// A Reranker that would rather know the candidates of all queries of a batch before it scores the first, as one that
/// reads them from a disk: lists[i] are those of query i, and scores[i] is where their scores go. It may take an
/// executor after these.
template <class R>
concept BatchReranker = Reranker<R> &&
    requires(const R& reranker, typename R::query_view queries, std::span<const std::span<const row_id>> lists,
             std::span<const std::span<typename R::score_type>> scores) {
  reranker.rerank_batch(queries, lists, scores);
};

}  // namespace embit::inline EMBIT_ABI
