// Everything that can be done with what a file held: searches, changes and encodings, whatever the type.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/embit.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <support/catch.hpp>

namespace support {

/// Lists of distinct rows (or labels), none longer than it may be.
template <class Result>
void require_lists(const Result& result, std::size_t queries, std::size_t most) {
  bool right = result.queries() == queries;
  for (std::size_t q = 0; right && q < queries; ++q) {
    const auto list = result[q];
    right = list.size() <= most;
    for (std::size_t i = 0; right && i < list.size(); ++i)
      for (std::size_t j = 0; j < i; ++j) right = right && list[i].id != list[j].id;
  }
  if (!right) FAIL("lists that are too long, too many, or have a row twice");
}

/// Two queries, of one bit and of none.
inline embit::code_store<> two_codes(std::size_t bits) {
  embit::code_store<> codes(2, bits);
  codes.row(0)[0] = 1;
  return codes;
}

inline embit::matrix<float> two_rows(std::size_t dim) {
  embit::matrix<float> rows(2, dim, 0.5f);
  rows[0][0] = -1;
  return rows;
}

/// A search of an index that was made of what a file held.
template <class Index, class Queries>
void search_once(const Index& index, const Queries& queries) {
  require_lists(index.search(queries, 5), queries.size(), index.size());
}

template <class Index, class Queries>
void use_searches(const Index& index, const Queries& queries) {
  const std::size_t count = queries.size();
  require_lists(index.search(queries, 3), count, 3);
  require_lists(index.search(queries, 1u << 20), count, index.size());
  require_lists(index.search(queries, ~std::size_t{0}, [](auto row) { return row % 3 != 1; }), count, index.size());
  if constexpr (embit::RangeIndex<Index>) {
    require_lists(index.range_search(queries, typename Index::distance_type{}), count, index.size());
    require_lists(index.range_search(queries, 7), count, index.size());
  }
}

template <class Index>
std::size_t row_width(const Index& index) {
  if constexpr (requires { index.width(); })
    return index.width();
  else
    return index.index().width();
}

/// Rows that can be added, and asked for, as an index of rows of one width takes them.
template <class Index>
auto two_rows_of(const Index& index) {
  if constexpr (std::same_as<typename Index::codes_view, embit::level_view>)
    return embit::level_store(index.store().format(), 2);
  else if constexpr (std::same_as<typename Index::codes_view, embit::code_view<>>)
    return two_codes(row_width(index));
  else
    return two_rows(row_width(index));
}

template <class Index>
void use_index(Index& index) {
  if (row_width(index) == 0) return;
  const auto rows = two_rows_of(index);
  const auto search = [&] {
    if constexpr (requires { index.options().tables; }) {
      const embit::matrix<std::uint32_t> keys(2, index.options().tables, 0u);
      use_searches(index, typename Index::query_view(rows, keys, 1));
      use_searches(index, typename Index::query_view(rows, keys, ~std::size_t{0}));
      if constexpr (embit::CodeStore<typename Index::store_type>) use_searches(index, typename Index::query_view(rows));
    } else {
      use_searches(index, rows);
    }
  };
  search();
  if constexpr (requires { index.labels(); }) {
    const embit::row_label labels[] = {5, ~embit::row_label{0}};
    index.add(rows, labels, embit::duplicate_labels::replace);
    for (embit::row_id row = 0; row < index.labels().rows(); row += 2) index.remove(index.labels().label_of(row));
    search();
    index.compact();
  } else {
    if constexpr (requires { index.add(rows); }) index.add(rows);
    for (embit::row_id row = 0; row < index.rows(); row += 2) index.remove(row);
    search();
    if constexpr (requires { index.compact(); }) index.compact();
  }
  search();
}

template <class Encoder>
void use_encoder(const Encoder& encoder) {
  const auto rows = two_rows(encoder.dim());
  const auto codes = encoder.encode(rows);
  if constexpr (requires { embit::flat_index{codes, encoder.estimator()}; })
    search_once(embit::flat_index{codes, encoder.estimator()}, rows);
  if constexpr (requires { embit::flat_index{codes, encoder.asymmetric()}; })
    search_once(embit::flat_index{codes, encoder.asymmetric()}, rows);
}

inline void use_sets(const embit::muvera& encoder) {
  const auto tokens = two_rows(encoder.dim());
  const std::vector<std::size_t> offsets{0, 2, 2};
  const embit::ragged_view<const float> sets(tokens.view(), offsets);
  const auto codes = encoder.encode(sets);
  search_once(embit::flat_index{codes, embit::inner_product{}}, encoder.encode_queries(sets));
  if (encoder.options().final_dim == 0)
    search_once(embit::flat_index{codes, embit::sparse_inner_product{}}, encoder.encode_queries_sparse(sets));
  search_once(embit::flat_index{encoder.encode_levels(sets, 1), encoder.estimator()}, encoder.encode_queries(sets));
  auto document = encoder.begin_document();
  encoder.append(document, tokens);
}

template <class T>
void use_tokens(embit::token_store<T>& store) {
  const std::size_t dim = store.cols() == 0 ? 3 : store.cols();
  const auto tokens = two_rows(dim);
  const std::vector<std::size_t> offsets{0, 2, 2};
  const embit::ragged_view<const float> sets(tokens.view(), offsets);
  for (int round = 0; round < 2; ++round) {
    search_once(embit::flat_index{store.view(), embit::chamfer_of<T>{}}, sets);
    store.append(sets);
  }
}

template <class Cells>
void use_cells(const Cells& cells) {
  if (cells.width() == 0) return;
  const auto rows = [&] {
    if constexpr (std::same_as<typename Cells::query_view, embit::code_view<>>)
      return two_codes(cells.width());
    else
      return two_rows(cells.width());
  }();
  typename Cells::workspace memory;
  bool right = cells.nearest(rows[1], cells.size() + 1, memory).size() == cells.size();
  for (const auto& nearest : cells.assign(rows)) right = right && nearest.id < cells.size();
  if (!right) FAIL("cells that are not there");
}

/// Uses a thing in every way its type has; what it refuses is an embit::error.
template <class T>
void exercise(T& thing) {
  using namespace embit;
  if constexpr (requires { thing.reranker(); }) {
    const auto search = [&] { require_lists(thing.search(two_rows(thing.encoder().dim()), 3), 2, 3); };
    search();
    if constexpr (requires { thing.compact(); }) thing.compact();
    search();
  } else if constexpr (
      requires { thing.compact(); } || requires { thing.range_search(std::declval<typename T::query_view>(), {}); }) {
    use_index(thing);
  } else if constexpr (std::same_as<T, code_store<>>) {
    if (thing.bits() == 0) return;
    search_once(flat_index{thing}, two_codes(thing.bits()));
    code_store<> copy(thing, std::vector<row_id>{});
  } else if constexpr (std::same_as<T, level_store>) {
    const level_store two(thing.format(), 2);
    const bool levels = thing.format().table_bytes == 0;  // else no kernel of theirs
    if (levels) search_once(flat_index{thing}, two);
    thing.append(two);
    if (levels) search_once(flat_index{thing}, two);
  } else if constexpr (std::same_as<T, prefix_store>) {
    if (thing.bits() == 0) return;
    thing.append(two_codes(thing.bits()));
    std::vector<word> code(thing.words());
    for (std::size_t row = 0; row < thing.size(); ++row) thing.copy_row(row, code);
  } else if constexpr (std::same_as<T, bit_permutation>) {
    if (thing.bits() != 0) static_cast<void>(thing(two_codes(thing.bits())));
  } else if constexpr (std::same_as<T, version_column>) {
    thing.append(2, 7);
    static_cast<void>(thing.count(7));
    std::vector<row_id> same(thing.size());
    for (std::size_t i = 0; i < same.size(); ++i) same[i] = static_cast<row_id>(i);
    thing.renumber(same);
  } else if constexpr (std::same_as<T, fde_store>) {
    if (thing.cols() != 0) search_once(flat_index{thing, inner_product{}}, two_rows(thing.cols()));
  } else if constexpr (std::same_as<T, min_hash>) {
    const auto codes = thing.encode(std::vector<std::vector<std::uint64_t>>{{1, 2, 3}, {}});
    search_once(flat_index{codes, thing.similarity()}, codes);
  } else if constexpr (std::same_as<T, sim_hash>) {
    const auto codes = thing.encode(std::vector<std::vector<weighted_feature>>{{{1, 2.f}}, {}});
    search_once(flat_index{codes}, codes);
  } else if constexpr (std::same_as<T, cross_polytope>) {
    static_cast<void>(thing.probes(two_rows(thing.dim()), 2));
  } else if constexpr (std::same_as<T, muvera>) {
    use_sets(thing);
  } else if constexpr (FloatTransform<T>) {
    const auto rows = two_rows(thing.dim());
    const auto there = thing.apply(rows);
    if constexpr (InvertibleTransform<T>) static_cast<void>(thing.apply_inverse(there));
  } else if constexpr (Partition<T>) {
    use_cells(thing);
  } else if constexpr (requires { use_tokens(thing); }) {
    use_tokens(thing);
  } else {
    use_encoder(thing);
  }
}

}  // namespace support
