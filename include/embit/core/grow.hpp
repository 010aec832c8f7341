// Room for more elements, without copying all of them each time.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <algorithm>
#include <cstddef>

namespace embit::inline EMBIT_ABI {

/// Makes sure that `count` more elements can be put at the end of a vector without allocation. Amortized O(count),
/// where `reserve(size() + count)` copies the whole vector for every element that is added alone.
template <class Vector>
void reserve_more(Vector& vector, std::size_t count) {
  if (count > vector.capacity() - vector.size()) vector.reserve(vector.size() + (std::max)(count, vector.size()));
}

}  // namespace embit::inline EMBIT_ABI
