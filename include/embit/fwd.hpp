// Names without what they stand for: for headers that only mention what embit holds, as a member behind a pointer or
// as an argument. Takes a compiler some hundredths of what the headers themselves take.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>

#include <cstddef>
#include <functional>

namespace embit::inline EMBIT_ABI {

// The default arguments of these templates stand here, and here alone: the headers that define them include this one.

// Rows, codes and results.
template <class T>
class matrix;
template <class T>
class matrix_view;
template <std::size_t Bits = dynamic>
class code_view;
class level_view;
template <class Distance, class Id = row_id>
struct neighbor;
template <class Distance, class Id = row_id>
class knn_result;
template <class Distance, class Id = row_id>
class range_result;

// Where work runs, and what is drawn.
struct inline_executor;
class executor_ref;
class thread_pool;
class rng;

// Stores.
template <std::size_t Bits = dynamic>
class code_store;
template <std::size_t Bits = dynamic>
class block_store;
template <std::size_t Bits = dynamic>
class plane_store;
template <std::size_t Bits = dynamic>
class popcount_store;
template <std::size_t Bits = dynamic>
class mapped_store;
class level_store;
class mapped_level_store;
class prefix_store;
class string_ids;

// Which rows a search may find.
class row_bitset;
class row_list;

// Kernels.
struct hamming;
struct jaccard;
struct symmetric;
struct inner_product;
struct l2;

namespace detail {

template <class Store>
struct kernel_of_store;
// Of these stores it is told here, so that an index of one of them can be named.
template <std::size_t Bits>
struct kernel_of_store<code_store<Bits>> {
  using type = hamming;
};
template <std::size_t Bits>
struct kernel_of_store<block_store<Bits>> {
  using type = hamming;
};
template <std::size_t Bits>
struct kernel_of_store<plane_store<Bits>> {
  using type = hamming;
};
template <std::size_t Bits>
struct kernel_of_store<mapped_store<Bits>> {
  using type = hamming;
};
template <>
struct kernel_of_store<level_store> {
  using type = symmetric;
};
template <>
struct kernel_of_store<mapped_level_store> {
  using type = symmetric;
};
template <>
struct kernel_of_store<matrix<float>> {
  using type = inner_product;
};

}  // namespace detail

/// Hamming distance for binary codes, symmetric distance for B-bit codes, inner product for float rows;
/// `Store::default_kernel` where a store, or a view of rows, names one.
template <class Store>
using default_kernel = typename detail::kernel_of_store<Store>::type;

// Encoders.
class sign_projection;
class rabitq;
class transform_coder;
class product_quantizer;
class chosen_encoder;
class recurrent;
class min_hash;
class sim_hash;
class muvera;

// Indexes, and what is put around them.
struct inlined_codes;
struct ids_only;
template <class Store = block_store<>, class K = default_kernel<Store>, class Exec = inline_executor>
class flat_index;
template <class Layout = inlined_codes, class Exec = inline_executor>
class multi_index;
template <class Store = code_store<>, class Scorer = default_kernel<Store>, class Exec = inline_executor>
class lsh_table;
template <class Exec = inline_executor>
class ivf_index;
template <class Coder, class Exec = inline_executor>
class ivf_levels;
template <class Store = prefix_store, class Exec = inline_executor>
class prefix_index;
template <class Rows>
class labelled_index;
template <class Rows>
class versioned_index;
template <class Index>
class concurrent_index;
template <class Index>
class durable_index;
template <class QueryView, class Distance, class Compare = std::less<>, class CodesView = QueryView>
class any_index;

// Retrieval.
struct no_encoding;
struct no_rerank;
template <class K = l2>
class float_rerank;
template <class K = l2>
class owned_float_rerank;
template <class Encode, class Search, class Rerank = no_rerank>
class retriever;

}  // namespace embit::inline EMBIT_ABI
