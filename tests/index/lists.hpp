// Result lists compared, and rows to search.
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace support {

/// Whether two results have the same lists.
template <class A, class B>
bool same(const A& a, const B& b) {
  if (a.queries() != b.queries()) return false;
  for (std::size_t q = 0; q < a.queries(); ++q)
    if (!std::equal(a[q].begin(), a[q].end(), b[q].begin(), b[q].end())) return false;
  return true;
}

inline embit::matrix<float> normal_rows(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<float> m(rows, cols);
  for (float& x : m.values()) x = embit::normal(rng);
  return m;
}

}  // namespace support
