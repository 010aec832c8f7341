// The operations that are written once for each SIMD level, and what serves a level that has none of its own.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/kernel/bucket_scan.hpp>
#include <embit/kernel/chamfer.hpp>
#include <embit/kernel/detail/dispatch.hpp>
#include <embit/kernel/gathered_hamming.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/kernel/hadamard.hpp>
#include <embit/kernel/hamming_scan.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/kernel/level_scan.hpp>
#include <embit/kernel/line_scan.hpp>
#include <embit/kernel/nearest_centroids.hpp>
#include <embit/kernel/quantize.hpp>
#include <embit/kernel/token_sums.hpp>
#include <embit/kernel/widen.hpp>

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// An operation, and for which level the functions were written that run at each.
struct operation {
  std::string_view name;
  std::array<isa, all_isas.size()> written_for;  ///< one a level, in the order of `all_isas`

  /// The level whose functions run at `level`; not that level itself where it has none of its own.
  constexpr isa served_by(isa level) const noexcept { return written_for[static_cast<std::size_t>(level)]; }
};

namespace detail {

/// Calls visit(table) with the table of every operation.
template <class Visit>
void for_each_table(Visit&& visit) {
  visit(table_of<bucket_ops>());
  visit(table_of<centroid_ops>());
  visit(table_of<chamfer_ops>());
  visit(table_of<gather_ops>());
  visit(table_of<hadamard_ops>());
  visit(table_of<hamming_ops>());
  visit(table_of<level_scan_ops>());
  visit(table_of<line_ops>());
  visit(table_of<pair_ops>());
  visit(table_of<product_ops>());
  visit(table_of<quantize_ops>());
  visit(table_of<token_ops>());
  visit(table_of<widen_ops>());
}

}  // namespace detail

/// Every operation of the kernels that has functions by level:
///
///     operation    used by                                   avx2  avx512  vpopcnt  neon
///     bucket_scan  multi_index, lsh_table                    own   avx2    own      own
///     centroids    nearest_centroids, centroid_panels        own   own     own      own
///     chamfer      chamfer, chamfer_signs                    own   own     avx512   portable
///     gather       prefix_index                              own   avx2    avx2     portable
///     hadamard     walsh_hadamard, fht_kac, hadamard_lsh     own   own     avx512   own
///     hamming      hamming                                   own   own     own      own
///     level_scan   symmetric, asymmetric, table_scan         own   own     avx512   own
///     line_scan    multi_index                               own   avx2    own      own
///     pair         inner_product, l2                         own   own     avx512   portable
///     product      gemm, project                             own   own     avx512   own
///     quantize     rabitq, muvera                            own   own     avx512   own
///     token_sums   muvera                                    own   own     avx512   portable
///     widen        halves and bytes of token sets            own   avx2    avx2     own
///
/// The portable functions are plain C++, or batches of floats for whatever registers the compiler's flags allow
/// (xsimd); on AArch64 these are those of NEON in all of chamfer, pair and token_sums.
inline std::vector<operation> operations() {
  std::vector<operation> all;
  detail::for_each_table([&]<class Ops>(const detail::dispatch_table<Ops>& table) {
    operation& added = all.emplace_back();
    added.name = Ops::operation;
    for (const isa level : all_isas) added.written_for[static_cast<std::size_t>(level)] = table.served_by(level);
  });
  return all;
}

}  // namespace embit::inline EMBIT_ABI
