// Chamfer similarity (MaxSim) of sets of vectors, exactly.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/half.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/dispatch.hpp>
#include <embit/kernel/detail/tokens/plan.hpp>
#if EMBIT_KERNELS_HERE
#include <embit/kernel/detail/tokens/avx2.hpp>
#include <embit/kernel/detail/tokens/avx512.hpp>
#include <embit/kernel/detail/tokens/portable.hpp>
#endif
#include <embit/kernel/gemm.hpp>
#include <embit/kernel/widen.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// Rows of bytes with the factor that each is to be multiplied with.
struct scaled_rows {
  matrix_view<const std::int8_t> values;
  std::span<const float> scales;  ///< one a row
};

namespace detail {

#if EMBIT_KERNELS_HERE
template <>
EMBIT_KERNELS_INLINE const dispatch_table<chamfer_ops>& table_of() noexcept {
  static constexpr auto table = [] {
    dispatch_table<chamfer_ops> serving(tokens_portable::chamfer);
#if EMBIT_X86
    serving.add(isa::avx2, tokens_avx2::chamfer);
    serving.add(isa::avx512, tokens_avx512::chamfer);
#endif
    return serving;
  }();
  return table;
}
#else
template <>
const dispatch_table<chamfer_ops>& table_of() noexcept;
#endif

/// A copy without the rows that a mask leaves out.
inline matrix<float> rows_that_count(row_set<const float> rows) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < rows.rows(); ++i) count += rows.counts(i);
  auto out = matrix<float>::uninitialized(count, rows.cols());
  count = 0;
  for (std::size_t i = 0; i < rows.rows(); ++i)
    if (rows.counts(i)) std::ranges::copy(rows[i], out[count++].begin());
  return out;
}

/// Panels of query tokens whose maxima are kept at once.
inline constexpr std::size_t chamfer_group = 4;

/// Calls `scan(first panel, panels, best)` for groups of panels and adds up the best products of all query tokens. The
/// tokens that fill the last panel up are zero, and so are their products.
template <class Scan>
float sum_of_best(std::size_t panels, Scan&& scan) noexcept {
  float sum = 0;
  for (std::size_t first = 0; first < panels; first += chamfer_group) {
    const std::size_t some = (std::min)(chamfer_group, panels - first);
    alignas(buffer_alignment) float best[chamfer_group * token_lanes];
    std::fill_n(best, some * token_lanes, -infinity<float>());
    scan(first, some, best);
    for (std::size_t i = 0; i < some * token_lanes; ++i) sum += best[i];
  }
  return sum;
}

}  // namespace detail

/// Scores a query of several tokens against documents of several tokens by Σ_q max_p q · p, the largest first. All
/// query tokens meet each document token while it is at hand; products never leave the registers.
///
/// Documents are rows of floats, of halves, or of bytes with a scale a row. A document without tokens scores -∞, a
/// query without tokens 0.
struct chamfer {
  using query_view = ragged_view<const float>;
  using distance_type = float;
  using compare = std::greater<>;

  /// Floats that short numbers are widened into at a time, so also the most dimensions they may have.
  static constexpr std::size_t widened_floats = 6144;

  /// A query made ready; copies share it.
  struct prepared {
    std::shared_ptr<const row_panels> tokens;
    detail::chamfer_ops functions;
    isa level;
  };

  /// @param query  tokens × dim; tokens that its mask leaves out do not count. O(tokens · dim).
  /// @throws error errc::unsupported for a level that this machine cannot run.
  prepared prepare(row_set<const float> query, isa level = active_isa()) const {
    detail::require_isa(level, "chamfer");
    const auto& functions = detail::ops_at<detail::chamfer_ops>(level);
    if (query.mask().empty()) return {std::make_shared<const row_panels>(query), functions, level};
    return {std::make_shared<const row_panels>(detail::rows_that_count(query)), functions, level};
  }

  /// O(query tokens · document tokens · dim).
  float operator()(const prepared& query, row_set<const float> document) const noexcept {
    EMBIT_ASSERT(document.empty() || query.tokens->rows() == 0 || document.cols() == query.tokens->dim());
    const row_panels& tokens = *query.tokens;
    return detail::sum_of_best(tokens.panels(), [&](std::size_t panel, std::size_t panels, float* best) {
      document.for_each_run([&](std::size_t first, std::size_t count) {
        query.functions.products(tokens.panel(panel), panels, tokens.dim(), document.data() + first * document.stride(),
                                 document.stride(), count, best);
      });
    });
  }
  float operator()(const prepared& query, row_set<const half> document) const noexcept {
    return widened(query, document, {});
  }
  float operator()(const prepared& query, const scaled_rows& document) const noexcept {
    return widened<std::int8_t>(query, document.values, document.scales);
  }

 private:
  template <class T>
  static float widened(const prepared& query, row_set<const T> document,
                       [[maybe_unused]] std::span<const float> scales) noexcept {
    const row_panels& tokens = *query.tokens;
    const std::size_t dim = tokens.dim();
    EMBIT_ASSERT(dim <= widened_floats && (document.empty() || tokens.rows() == 0 || document.cols() == dim));
    constexpr std::size_t tile = 12;  // whole tiles at every level
    const std::size_t at_once = dim * tile <= widened_floats ? widened_floats / (std::max)(dim * tile, tile) * tile : 1;
    return detail::sum_of_best(tokens.panels(), [&](std::size_t panel, std::size_t panels, float* best) {
      alignas(buffer_alignment) float rows[widened_floats];
      document.for_each_run([&](std::size_t begin, std::size_t length) {
        for (std::size_t first = begin; first < begin + length; first += at_once) {
          const std::size_t count = (std::min)(at_once, begin + length - first);
          for (std::size_t i = 0; i < count; ++i) {
            const T* const from = document.data() + (first + i) * document.stride();
            if constexpr (std::is_same_v<T, std::int8_t>)
              detail::widen(from, dim, scales[first + i], rows + i * dim, query.level);
            else
              detail::widen(from, dim, rows + i * dim, query.level);
          }
          query.functions.products(tokens.panel(panel), panels, dim, rows, dim, count, best);
        }
      });
    });
  }
};

/// The same for documents whose tokens are kept as signs: Σ_q max_p q · s(p), s(p) = ±1/√dim by the bits of p. The
/// query stays in floats, which ranks better than bits against bits and costs no storage.
struct chamfer_signs {
  using query_view = ragged_view<const float>;
  using distance_type = float;
  using compare = std::greater<>;

  struct prepared {
    std::shared_ptr<const aligned_vector<float>> tables;
    std::size_t tokens, dim;
    detail::chamfer_ops functions;
  };

  /// Adds up the 16 signed sums of every four dimensions. O(tokens · dim · 4).
  /// @throws error errc::unsupported for a level that this machine cannot run.
  prepared prepare(row_set<const float> query, isa level = active_isa()) const {
    detail::require_isa(level, "chamfer_signs");
    if (!query.mask().empty()) return prepare(row_set<const float>(detail::rows_that_count(query)), level);
    using detail::token_lanes;
    const std::size_t dim = query.cols(), nibbles = detail::round_up((dim + 3) / 4, 2);
    const std::size_t panels = (query.rows() + token_lanes - 1) / token_lanes;
    const float unit = 1 / std::sqrt(static_cast<float>(std::max<std::size_t>(dim, 1)));
    auto tables = std::make_shared<aligned_vector<float>>(panels * nibbles * 16 * token_lanes, 0.f);
    for (std::size_t q = 0; q < query.rows(); ++q)
      for (std::size_t n = 0; n < nibbles; ++n) {
        float* table = tables->data() + (q / token_lanes * nibbles + n) * 16 * token_lanes + q % token_lanes;
        for (std::size_t pattern = 0; pattern < 16; ++pattern, table += token_lanes)
          for (std::size_t b = 0; b < 4 && 4 * n + b < dim; ++b)
            *table += (pattern >> b & 1) != 0 ? query[q][4 * n + b] * unit : -query[q][4 * n + b] * unit;
      }
    return {std::move(tables), query.rows(), dim, detail::ops_at<detail::chamfer_ops>(level)};
  }

  /// O(query tokens · document tokens · dim / 4).
  float operator()(const prepared& query, code_view<> document) const noexcept {
    using detail::token_lanes;
    EMBIT_ASSERT(document.size() == 0 || query.tokens == 0 || document.bits() == query.dim);
    const std::size_t nibbles = detail::round_up((query.dim + 3) / 4, 2);
    return detail::sum_of_best(
        (query.tokens + token_lanes - 1) / token_lanes, [&](std::size_t panel, std::size_t panels, float* best) {
          query.functions.signs(query.tables->data() + panel * nibbles * 16 * token_lanes, panels, nibbles,
                                document.data(), document.words(), document.size(), best);
        });
  }
};

static_assert(Kernel<chamfer, matrix_view<const float>> && Kernel<chamfer, matrix_view<const half>> &&
              Kernel<chamfer, scaled_rows> && Kernel<chamfer_signs, code_view<>>);

}  // namespace embit::inline EMBIT_ABI
