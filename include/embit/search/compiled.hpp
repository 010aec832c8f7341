// The exhaustive searches that programs use most, compiled once where EMBIT_COMPILED says so.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#ifdef EMBIT_COMPILED
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/results.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/kernel/levels.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/search/prefix_scan.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/scan.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/level_store.hpp>
#include <embit/store/mapped_store.hpp>
#include <embit/store/prefix_store.hpp>

namespace embit::inline EMBIT_ABI::detail {

#if EMBIT_KERNELS_HERE
#define EMBIT_SEARCH template
#else
#define EMBIT_SEARCH extern template
#endif
#define EMBIT_SEARCHES(K, Store)                                                                         \
  EMBIT_SEARCH void exhaustive_knn<K, Store>(const K&, const Store&, const executor_ref&, K::query_view, \
                                             const row_choice&, knn_result<K::distance_type>&,           \
                                             knn_workspace<K, Store>&, search_statistics*);              \
  EMBIT_SEARCH range_result<K::distance_type> exhaustive_range<K, Store>(                                \
      const K&, const Store&, const executor_ref&, K::query_view, const query_bounds<K::distance_type>&, \
      const row_choice&, search_statistics*, list_order);

EMBIT_SEARCHES(hamming, block_store<>)
EMBIT_SEARCHES(hamming, mapped_store<>)
EMBIT_SEARCHES(prefix_hamming<prefix_store>, prefix_rows<prefix_store>)
EMBIT_SEARCHES(symmetric, level_store)
EMBIT_SEARCHES(inner_product, matrix<float>)
EMBIT_SEARCHES(l2, matrix<float>)

EMBIT_SEARCH void exhaustive_pairs<hamming, block_store<>>(const hamming&, const block_store<>&, const executor_ref&,
                                                           hamming::distance_type, const row_choice&,
                                                           pair_report<hamming::distance_type>&);

#undef EMBIT_SEARCHES
#undef EMBIT_SEARCH

}  // namespace embit::inline EMBIT_ABI::detail
#endif
