// What an index of nested codes is asked: queries, and by which widths to narrow the rows down for them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// A step of a funnel: of the rows that are left, the `keep` nearest by the first `width` bits go on.
struct funnel_step {
  std::size_t width = 0;  ///< a width of the index
  std::size_t keep = 0;   ///< at least as many as neighbours are asked for; no more than the step before keeps

  friend bool operator==(const funnel_step&, const funnel_step&) = default;
};

/// A batch of codes that asks an index of nested codes. Views the codes, for the length of a search.
class funnel_queries {
 public:
  funnel_queries() = default;
  /// @param funnel  none: all bits of all rows are looked at
  template <class Source>
    requires(std::convertible_to<const Source&, code_view<>> && !std::same_as<Source, funnel_queries>)
  funnel_queries(const Source& queries, std::vector<funnel_step> funnel = {})
      : queries_(queries), funnel_(std::move(funnel)) {}

  std::size_t size() const noexcept { return queries_.size(); }
  const code_view<>& queries() const noexcept { return queries_; }
  std::span<const funnel_step> funnel() const noexcept { return funnel_; }
  /// Some of the batch, through the same funnel. @throws error errc::out_of_range beyond its end.
  funnel_queries middle_rows(std::size_t first, std::size_t count) const {
    return funnel_queries(queries_.middle_rows(first, count), funnel_);
  }

 private:
  code_view<> queries_;
  std::vector<funnel_step> funnel_;
};

}  // namespace embit::inline EMBIT_ABI
