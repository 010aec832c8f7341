// Which queries of a batch look at which list.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Queries of a batch that want each list, in the order of the lists.
struct list_wishes {
  std::vector<std::uint32_t> first;    // of each list, and one more
  std::vector<std::uint32_t> queries;  // in order

  /// Those of one list.
  std::span<const std::uint32_t> of(std::size_t list) const noexcept {
    return std::span(queries).subspan(first[list], first[list + 1] - first[list]);
  }

  /// @param lists  of the queries, `probes` each but for those that are numbered beyond `size`
  void assign(std::span<const row_id> wanted, std::size_t probes, std::size_t size) {
    first.assign(size + 1, 0);
    for (const row_id list : wanted) ++first[list + 1];
    for (std::size_t l = 0; l < size; ++l) first[l + 1] += first[l];
    queries.resize(wanted.size());
    at_.assign(first.begin(), first.end() - 1);
    for (std::size_t i = 0; i < wanted.size(); ++i) queries[at_[wanted[i]]++] = static_cast<std::uint32_t>(i / probes);
  }

 private:
  std::vector<std::uint32_t> at_;
};

}  // namespace embit::inline EMBIT_ABI::detail
