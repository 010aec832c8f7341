// What a graph is asked: queries, and how many candidates to keep for each.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/matrix_view.hpp>

#include <concepts>
#include <cstddef>

namespace embit::inline EMBIT_ABI {

/// A batch of queries to a graph. Views, for the length of a search.
class graph_queries {
 public:
  graph_queries() = default;
  /// @param ef  candidates to keep, at least as many as neighbours are asked for; 0 for as many as the index was told
  template <class Source>
    requires(std::convertible_to<const Source&, matrix_view<const float>> && !std::same_as<Source, graph_queries>)
  graph_queries(const Source& queries, std::size_t ef = 0) : queries_(queries), ef_(ef) {}

  std::size_t size() const noexcept { return queries_.size(); }
  const matrix_view<const float>& queries() const noexcept { return queries_; }
  std::size_t ef() const noexcept { return ef_; }

 private:
  matrix_view<const float> queries_;
  std::size_t ef_ = 0;
};

}  // namespace embit::inline EMBIT_ABI
