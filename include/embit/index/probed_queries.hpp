// What an index with inverted lists is asked: queries, and how many lists to look at for each.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <concepts>
#include <cstddef>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// A batch of queries to an index with inverted lists. Views, for the length of a search.
template <class View>
class probed_queries {
 public:
  probed_queries() = default;
  /// @param probes  lists to look at; 0 for as many as the index was told
  template <class Source>
    requires(std::convertible_to<const Source&, View> && !std::same_as<Source, probed_queries>)
  probed_queries(const Source& queries, std::size_t probes = 0) : queries_(queries), probes_(probes) {}

  std::size_t size() const noexcept { return queries_.size(); }
  const View& queries() const noexcept { return queries_; }
  std::size_t probes() const noexcept { return probes_; }
  /// Some of the batch, that look at as many lists. @throws error errc::out_of_range beyond its end.
  probed_queries middle_rows(std::size_t first, std::size_t count) const {
    return probed_queries(queries_.middle_rows(first, count), probes_);
  }

 private:
  View queries_;
  std::size_t probes_ = 0;
};

}  // namespace embit::inline EMBIT_ABI
