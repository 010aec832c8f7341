// Codes of an encoder against codes of it, scored as the encoder says.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/moved.hpp>
#include <embit/kernel/level_scan.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// Makes a query of a code: what scores it against other codes of its format.
template <class M>
concept CodeMap = requires(const M& map, const level_row& code, level_query& into) {
  { map.format() } -> std::convertible_to<const level_format&>;
  map.prepare(code, into);
};

/// Scores codes of one encoder against each other, both sides being quantized, the smallest first. Copies share their
/// map.
template <CodeMap Map>
class mapped_symmetric {
 public:
  using query_view = level_view;
  using distance_type = float;
  using compare = std::less<>;
  using batch = level_batch;

  explicit mapped_symmetric(Map map) : map_(std::make_shared<const Map>(std::move(map))) {}

  const Map& map() const& noexcept { return *map_; }
  const Map& map() const&& = delete;
  /// What codes must look like, queries and rows.
  const level_format& format() const& noexcept { return map_->format(); }
  const level_format& format() const&& = delete;
  /// @throws error errc::shape for codes of another format, errc::argument for those of another encoder.
  void require_format(const level_format& codes) const { detail::require_level_format(codes, format()); }

  /// @throws error as `require_format` does.
  level_query prepare(const level_row& query) const {
    require_format(query.format());
    level_query prepared;
    map_->prepare(query, prepared);
    return prepared;
  }
  /// @param code  of the format of the query
  float operator()(const level_query& query, const level_row& code) const noexcept { return query(code); }

  /// @throws error as `require_format` does.
  void prepare_batch(const level_view& queries, std::size_t, batch& into) const {
    into.reset(queries.size());
    if (!queries.empty()) require_format(*queries.format());
    for (std::size_t q = 0; q < queries.size(); ++q) map_->prepare(queries[q], into[q]);
  }

 private:
  detail::shared_state<const Map> map_;
};

}  // namespace embit::inline EMBIT_ABI
