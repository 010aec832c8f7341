// Building a table of rows by one key: a counting sort, in two passes where there are many rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/multi/bucket_table.hpp>
#include <embit/index/detail/multi/key_split.hpp>
#include <embit/kernel/line_scan.hpp>
#include <embit/store/block_store.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace embit::inline EMBIT_ABI::detail {

/// Calls `f(row, lane)` for the rows below `rows`; the words of the code are `lane[w * block_rows]`.
template <class F>
void for_each_lane(const block_store<>& store, std::size_t rows, F&& f) {
  for (std::size_t i = 0; i < store.runs(); ++i) {
    const block_run run = store.run(i);
    if (run.first_row >= rows) return;
    const std::size_t count = (std::min)(run.rows, rows - run.first_row);
    for (std::size_t block = 0; block * block_rows < count; ++block) {
      const word* lanes = run.data + block * block_rows * run.words;
      const std::size_t row = run.first_row + block * block_rows, filled = (std::min)(block_rows, rows - row);
      for (std::size_t lane = 0; lane < (std::min)(filled, run.first_row + run.rows - row); ++lane)
        f(row + lane, lanes + lane);
    }
  }
}

EMBIT_KERNELS_INLINE bucket_table::bucket_table(const block_store<>& store, std::size_t rows, const key_split& keys,
                                                std::size_t which, bool inlined)
    : rows_(rows), words_(inlined ? store.words() : 0) {
  starts_.assign((std::size_t{1} << keys.length(which)) + 2, 0);
  // Whole lines of codes may be read.
  const std::size_t bytes = rows * (words_ * sizeof(word) + sizeof(row_id));
  memory_.resize((bytes + line_bytes - 1) / line_bytes * line_bytes);
  if (keys.adjacent())
    fill_any(store, keys.length(which), [range = keys.range(which)](const word* code, std::size_t stride) {
      return key_split::cut(range, code, stride);
    });
  else
    fill_any(store, keys.length(which),
             [&keys, which](const word* code, std::size_t stride) { return keys.key(which, code, stride); });
}

// With the number of words to copy known to the compiler where there are few.
template <class Key>
void bucket_table::fill_any(const block_store<>& store, std::size_t length, const Key& key) {
  switch (words_) {
    case 0: return fill(store, length, key, std::integral_constant<std::size_t, 0>{});
    case 1: return fill(store, length, key, std::integral_constant<std::size_t, 1>{});
    case 2: return fill(store, length, key, std::integral_constant<std::size_t, 2>{});
    default: return fill(store, length, key, words_);
  }
}

// Counts are kept two places up, so that after the prefix sum the place above a key tells where its next row goes,
// and once all are placed, where the next bucket starts.
template <class Key, class Words>
void bucket_table::fill(const block_store<>& store, std::size_t length, const Key& key, const Words words) {
  std::uint32_t* const next = starts_.data() + 1;
  for_each_lane(store, rows_, [=](std::size_t, const word* lane) { ++next[key(lane, block_rows) + 1]; });
  for (std::size_t i = 1; i < starts_.size(); ++i) starts_[i] += starts_[i - 1];
  auto* const ids = reinterpret_cast<row_id*>(memory_.data() + codes_bytes());
  auto* const codes = reinterpret_cast<word*>(memory_.data());
  const auto place = [=](std::size_t at, std::size_t row, const word* code, std::size_t stride) {
    ids[at] = static_cast<row_id>(row);
    for (std::size_t w = 0; w < words; ++w) codes[at * words + w] = code[w * stride];
  };
  if (words == 0 || rows_ <= sorted_at_once || length <= part_bits) {
    for_each_lane(store, rows_, [=](std::size_t row, const word* lane) {
      place(next[key(lane, block_rows)]++, row, lane, block_rows);
    });
    return;
  }
  const std::size_t shift = length - part_bits;
  std::array<std::uint32_t, (1 << part_bits) + 1> first, end;
  for (std::size_t part = 0; part < first.size(); ++part) first[part] = end[part] = next[part << shift];
  for_each_lane(store, rows_, [&, place, shift](std::size_t row, const word* lane) {
    place(end[key(lane, block_rows) >> shift]++, row, lane, block_rows);
  });
  aligned_vector<row_id> part_ids;
  aligned_vector<word> part_codes;
  for (std::size_t part = 0; part + 1 < first.size(); ++part) {
    part_ids.assign(ids + first[part], ids + first[part + 1]);
    part_codes.assign(codes + first[part] * words, codes + first[part + 1] * words);
    for (std::size_t i = 0; i < part_ids.size(); ++i) {
      const word* code = part_codes.data() + i * words;
      place(next[key(code, 1)]++, part_ids[i], code, 1);
    }
  }
}

}  // namespace embit::inline EMBIT_ABI::detail
