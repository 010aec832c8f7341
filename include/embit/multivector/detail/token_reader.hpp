// Tokens of any number type, masked or not, as the float rows that the kernels take.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/kernel/token_sums.hpp>
#include <embit/kernel/widen.hpp>

#include <algorithm>
#include <cstddef>
#include <type_traits>

namespace embit::inline EMBIT_ABI::detail {

/// Calls visit(rows, numbers, count) for the tokens that count, in order and up to 32 at a time: float rows of
/// round_up(dim, 16) numbers, and which tokens they are. Stops, and returns false, where `visit` does.
template <class T, class Visit>
bool read_tokens(row_set<const T> tokens, isa level, aligned_vector<float>& copies, Visit&& visit) {
  constexpr std::size_t most = token_blocks * token_lanes;
  const std::size_t width = round_up(tokens.cols(), token_lanes);
  const bool in_place = std::is_same_v<T, float> && width == tokens.cols();
  if (!in_place) copies.assign(most * width, 0.f);
  const float* rows[most];
  std::size_t numbers[most], count = 0;
  for (std::size_t i = 0; i < tokens.rows(); ++i) {
    if (!tokens.counts(i)) continue;
    numbers[count] = i;
    if constexpr (std::is_same_v<T, float>) rows[count] = tokens.data() + i * tokens.stride();
    if (!in_place) {
      float* const row = copies.data() + count * width;
      widen(tokens.data() + i * tokens.stride(), tokens.cols(), row, level);
      rows[count] = row;
    }
    if (++count < most) continue;
    if (!visit(rows, numbers, count)) return false;
    count = 0;
  }
  return count == 0 || visit(rows, numbers, count);
}

}  // namespace embit::inline EMBIT_ABI::detail
