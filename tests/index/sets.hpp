// Random sets, and the search by their similarity that an index is held against.
#pragma once

#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <vector>

namespace support::sets {

using embit::code_store;
using embit::row_id;

enum class kind { spread, narrow, duplicates, equal, empty };

// `spread` has all popcounts, `narrow` close ones, `duplicates` few distinct codes.
inline code_store<> make_sets(kind what, std::size_t n, std::size_t bits, std::uint64_t seed) {
  embit::rng rng{seed};
  code_store<> codes(n, bits);
  for (std::size_t i = 0; i < n; ++i) {
    if (what == kind::duplicates && i >= 5) {
      codes.copy_row(rng() % 5, codes.row(i));
      continue;
    }
    const std::uint64_t share = what == kind::spread ? rng() % 11 : 3;
    for (std::size_t j = 0; j < bits && what != kind::empty; ++j)
      if (what == kind::equal ? j % 3 == 0 : rng() % 10 < share) codes.row(i)[j / 64] |= embit::word{1} << j % 64;
  }
  return codes;
}

struct counts {
  std::uint32_t a = 0, b = 0, common = 0;
};

inline counts count(embit::code_span<> x, embit::code_span<> y) {
  counts c;
  for (std::size_t w = 0; w < x.size(); ++w) {
    c.a += static_cast<std::uint32_t>(std::popcount(x[w]));
    c.b += static_cast<std::uint32_t>(std::popcount(y[w]));
    c.common += static_cast<std::uint32_t>(std::popcount(x[w] & y[w]));
  }
  return c;
}

// The definitions, written down a second time.
inline float reference_score(const embit::jaccard&, counts c) {
  return c.a + c.b == 0 ? 1 : static_cast<float>(c.common) / static_cast<float>(c.a + c.b - c.common);
}
inline std::uint32_t reference_score(const embit::and_count&, counts c) { return c.common; }
inline float reference_score(const embit::tversky& t, counts c) {
  const double missing = double{t.options().alpha} * (c.a - c.common) + double{t.options().beta} * (c.b - c.common);
  if (c.common == 0) return missing == 0 ? 1.f : 0.f;
  return static_cast<float>(1 / (1 + missing / c.common));
}

template <class K>
using list = std::vector<embit::neighbor<typename K::distance_type>>;

// All rows that `accepts` says, best first.
template <class K>
list<K> reference(const K& kernel, embit::code_span<> query, embit::code_view<> codes,
                  const std::function<bool(row_id)>& accepts = {}) {
  list<K> all;
  for (std::size_t i = 0; i < codes.size(); ++i)
    if (!accepts || accepts(static_cast<row_id>(i)))
      all.push_back({static_cast<row_id>(i), reference_score(kernel, count(query, codes[i]))});
  std::sort(all.begin(), all.end(), [](const auto& x, const auto& y) {
    return x.distance != y.distance ? x.distance > y.distance : x.id < y.id;
  });
  return all;
}

template <class K>
list<K> first(list<K> all, std::size_t k) {
  all.resize(std::min(k, all.size()));
  return all;
}

template <class K>
list<K> within(list<K> all, typename K::distance_type radius) {
  std::erase_if(all, [&](const auto& n) { return n.distance < radius; });
  return all;
}

template <class K, class Found>
bool equal(const list<K>& expected, const Found& found) {
  return std::equal(expected.begin(), expected.end(), found.begin(), found.end());
}

// Queries: half of them rows, half of them of their own, all popcounts mixed.
inline code_store<> make_queries(embit::code_view<> codes, std::uint64_t seed) {
  code_store<> queries = make_sets(kind::spread, 5, codes.bits(), seed);
  if (!codes.empty()) queries.append(codes.middle_rows(codes.size() / 2, 1));
  if (codes.size() > 3) queries.append(codes.middle_rows(0, 3));
  queries.append(make_sets(kind::empty, 1, codes.bits(), 0));
  return queries;
}

constexpr kind kinds[] = {kind::spread, kind::narrow, kind::duplicates, kind::equal, kind::empty};

}  // namespace support::sets
