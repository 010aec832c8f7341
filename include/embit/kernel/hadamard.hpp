// The fast Walsh–Hadamard transform.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/kernel/detail/dispatch.hpp>
#include <embit/kernel/detail/hadamard/level.hpp>
#if EMBIT_KERNELS_HERE
#include <embit/kernel/detail/hadamard/avx2.hpp>
#include <embit/kernel/detail/hadamard/avx512.hpp>
#include <embit/kernel/detail/hadamard/neon.hpp>
#endif

#include <algorithm>
#include <bit>
#include <cstddef>

namespace embit::inline EMBIT_ABI {

namespace detail {

#if EMBIT_KERNELS_HERE
template <>
EMBIT_KERNELS_INLINE const dispatch_table<hadamard_ops>& table_of() noexcept {
  static constexpr auto table = [] {
    dispatch_table<hadamard_ops> serving(hadamard_portable::ops);
#if EMBIT_X86
    serving.add(isa::avx2, hadamard_avx2::ops);
    serving.add(isa::avx512, hadamard_avx512::ops);
#endif
#if EMBIT_NEON
    serving.add(isa::neon, hadamard_neon::ops);
#endif
    return serving;
  }();
  return table;
}
#else
template <>
const dispatch_table<hadamard_ops>& table_of() noexcept;
#endif

}  // namespace detail

/// Replaces every row x by H x, in place, where H[i][j] = (-1)^popcount(i & j) (the order of Hadamard, or natural
/// order). Twice gives cols · x; a factor of 1 / √cols makes it orthogonal. O(rows · cols · log cols).
/// Sums are taken in one fixed order: the same floats at every SIMD level, alone or in a batch.
/// @param rows  n × a power of two.
/// @throws error errc::shape when the number of columns is not a power of two, errc::unsupported for a level that this
/// machine cannot run.
template <Executor Exec = inline_executor>
void walsh_hadamard(matrix_view<float> rows, const Exec& executor = {}, isa level = active_isa()) {
  detail::require_isa(level, "walsh_hadamard");
  if (!std::has_single_bit(rows.cols()))
    raise(errc::shape, "walsh_hadamard: ", rows.cols(), " columns, which is not a power of two");
  const auto& ops = detail::ops_at<detail::hadamard_ops>(level);
  run_ranges(executor, rows.rows(), 1, executor.concurrency() * 4,
             [&](std::size_t first, std::size_t last, std::size_t) {
               for (std::size_t i = first; i < last; ++i) ops.transform(rows[i].data(), rows.cols());
             });
}

/// The rows with zeros appended up to the next power of two of columns: what `walsh_hadamard` takes.
inline matrix<float> padded_for_hadamard(matrix_view<const float> rows) {
  matrix<float> out(rows.rows(), std::bit_ceil(rows.cols()), 0.f);
  for (std::size_t i = 0; i < rows.rows(); ++i) std::ranges::copy(rows[i], out[i].begin());
  return out;
}

}  // namespace embit::inline EMBIT_ABI
