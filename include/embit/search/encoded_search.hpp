// Searches by queries that are encoded as float rows: of another encoder they are refused, documents do not compile.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>

#include <utility>

namespace embit::inline EMBIT_ABI::detail {

/// Encodings of queries, or of documents, by an encoder that tells these apart.
template <class Encoded>
concept EncodedQueries = requires(const Encoded& queries) {
  requires Encoded::holds_queries;
  queries.fingerprint();
};
template <class Encoded>
concept EncodedDocuments = Encoded::holds_documents;

/// What an index, and all that is put around one, has beside the searches by its own queries, which are plain rows of
/// floats and know of no encoder. `Self` has these and `fingerprint()`; it brings the names in by `using`.
template <class Self, class QueryView, class Distance, class Id = row_id>
class encoded_search {
 public:
  /// As of plain rows.
  /// @throws error as these, and errc::argument for queries of another encoder than the rows.
  template <EncodedQueries Encoded, class... Rest>
  knn_result<Distance, Id> search(const Encoded& queries, const Rest&... rest) const {
    return self().search(own_rows(queries), rest...);
  }
  template <EncodedQueries Encoded, class... Rest>
  void search_into(const Encoded& queries, Rest&&... rest) const {
    self().search_into(own_rows(queries), std::forward<Rest>(rest)...);
  }
  template <EncodedQueries Encoded, class... Rest>
  range_result<Distance, Id> range_search(const Encoded& queries, const Rest&... rest) const {
    return self().range_search(own_rows(queries), rest...);
  }

  template <EncodedDocuments Documents, class... Rest>
  void search(const Documents&, const Rest&...) const = delete;  // documents are encoded otherwise than queries
  template <EncodedDocuments Documents, class... Rest>
  void search_into(const Documents&, Rest&&...) const = delete;  // likewise
  template <EncodedDocuments Documents, class... Rest>
  void range_search(const Documents&, const Rest&...) const = delete;  // likewise

 private:
  const Self& self() const noexcept { return static_cast<const Self&>(*this); }

  template <class Encoded>
  QueryView own_rows(const Encoded& queries) const {
    require_same_encoder(queries.fingerprint(), self().fingerprint(), "queries");
    return QueryView(queries.view());
  }
};

}  // namespace embit::inline EMBIT_ABI::detail
