// Symmetric distance between B-bit codes: both sides are quantized, the query is a code like the rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/kernel/level_scan.hpp>

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// 1 − cos of the values that two codes stand for where the rows keep `inverse_norm`, else minus their inner product:
/// the symmetric distance computation (SDC) of recurrent and scalar codes. Exact where codes have one segment.
/// Gan et al., "Binary embedding-based retrieval at Tencent", KDD 2023 (arXiv 2302.08714), section 3.3.
struct symmetric {
  static constexpr std::string_view name = "symmetric";  ///< in files

  using query_view = level_view;
  using distance_type = float;
  using compare = std::less<>;
  using batch = level_batch;

  /// @throws error errc::argument for codes that are no levels, such as those of a product quantizer.
  void require_format(const level_format& codes) const { detail::require_levels(codes); }

  /// @throws error as `require_format` does.
  level_query prepare(const level_row& query) const {
    level_query prepared;
    assign(query, prepared);
    return prepared;
  }

  /// @param code  of the format of the query
  float operator()(const level_query& query, const level_row& code) const noexcept { return query(code); }

  /// @throws error as `require_format` does.
  void prepare_batch(const level_view& queries, std::size_t, batch& into) const {
    into.reset(queries.size());
    for (std::size_t q = 0; q < queries.size(); ++q) assign(queries[q], into[q]);
  }

 private:
  static void assign(const level_row& query, level_query& into) {
    const level_format& format = query.format();
    detail::require_levels(format);
    std::vector<float> z(format.dims());
    query.decode(z);
    const bool cosine = query.run.has(row_factor::inverse_norm);
    const level_query_terms terms{.base = cosine ? 1.f : 0.f,
                                  .scale = cosine ? -query.factor(row_factor::inverse_norm) : -1.f};
    if (format.segments.size() == 1 && !format.has_scales())
      into.assign_values(format, z, terms, row_factor::inverse_norm);
    else
      into.assign(format, z, 14, terms, row_factor::inverse_norm);
  }
};

static_assert(Kernel<symmetric, level_row>);

}  // namespace embit::inline EMBIT_ABI
