// The inner product of float rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/kernel/detail/floats/pair.hpp>

#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <string_view>

namespace embit::inline EMBIT_ABI {

/// Scores a float query against float rows by q · x, the largest first.
struct inner_product {
  static constexpr std::string_view name = "inner_product";  ///< in files

  using query_view = matrix_view<const float>;
  using distance_type = float;
  using compare = std::greater<>;

  /// The query is viewed, not copied. @throws error errc::unsupported for a level that this machine cannot run.
  detail::prepared_row prepare(std::span<const float> query, isa level = active_isa()) const {
    detail::require_isa(level, "inner_product");
    return {query, detail::ops_at<detail::pair_ops>(level).product};
  }

  /// q · x of a row as long as the query. O(dim).
  float operator()(const detail::prepared_row& query, std::span<const float> row) const noexcept {
    EMBIT_ASSERT(query.row.size() == row.size());
    return query.score(query.row.data(), row.data(), row.size());
  }
};

static_assert(Kernel<inner_product, std::span<const float>>);

namespace detail {

/// Σ a[i] · b[i] over n floats, at the active level.
inline float dot(const float* a, const float* b, std::size_t n) {
  return ops_at<pair_ops>(active_isa()).product(a, b, n);
}

/// 1 / |row|, 0 for a zero row.
inline float inverse_norm(std::span<const float> row) {
  const float norm = std::sqrt(dot(row.data(), row.data(), row.size()));
  return norm > 0 ? 1 / norm : 0.f;
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
