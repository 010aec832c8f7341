// A direct-address table of rows by one key: prefix sums over all keys, rows in bucket order, their codes beside them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/key_split.hpp>
#include <embit/kernel/block_run.hpp>
#include <embit/kernel/bucket_scan.hpp>
#include <embit/store/block_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace embit::inline EMBIT_ABI::detail {

/// Calls `f(row, lane)` for the rows below `rows`; the words of the code are `lane[w * block_rows]`.
template <class F>
void for_each_lane(const block_store<>& store, std::size_t rows, F&& f) {
  for (std::size_t i = 0; i < store.runs(); ++i) {
    const block_run run = store.run(i);
    if (run.first_row >= rows) return;
    const std::size_t count = std::min(run.rows, rows - run.first_row);
    for (std::size_t block = 0; block * block_rows < count; ++block) {
      const word* lanes = run.data + block * block_rows * run.words;
      const std::size_t row = run.first_row + block * block_rows, filled = std::min(block_rows, rows - row);
      for (std::size_t lane = 0; lane < std::min(filled, run.first_row + run.rows - row); ++lane)
        f(row + lane, lanes + lane);
    }
  }
}

/// Rows by one key. Rows of a bucket ascend. Built by counting sort.
class bucket_table {
 public:
  bucket_table() = default;

  /// The table of key `which` of the first `rows` codes; with a copy of the codes in bucket order where `inlined`.
  /// O(rows · words + 2^length).
  bucket_table(const block_store<>& store, std::size_t rows, const key_split& keys, std::size_t which, bool inlined) {
    const std::size_t words = store.words();
    starts_.assign((std::size_t{1} << keys.length(which)) + 2, 0);
    ids_.resize(rows);
    if (inlined) codes_.resize(rows * words);
    if (keys.adjacent())
      fill(store, [range = keys.range(which)](const word* lane) { return key_split::cut(range, lane, block_rows); });
    else
      fill(store, [&keys, which](const word* lane) { return keys.key(which, lane, block_rows); });
  }

  /// Places in `ids()` of the rows with that key.
  code_range bucket(std::uint32_t key) const noexcept {
    const std::uint32_t first = starts_[key];
    return {first, starts_[key + 1] - first};
  }
  /// Where `bucket` will look.
  const void* start(std::uint32_t key) const noexcept { return starts_.data() + key; }
  std::span<const row_id> ids() const noexcept { return ids_; }
  /// Codes in the order of `ids()`, row-major, where they are inlined.
  const word* codes() const noexcept { return codes_.data(); }

  std::size_t memory() const noexcept {
    return starts_.capacity() * sizeof(std::uint32_t) + ids_.capacity() * sizeof(row_id) +
           codes_.capacity() * sizeof(word);
  }

 private:
  // Counts are kept two places up, so that after the prefix sum the place above a key tells where its next row goes,
  // and once all are placed, where the next bucket starts.
  template <class Key>
  void fill(const block_store<>& store, const Key& key) {
    const std::size_t rows = ids_.size(), words = store.words();
    for_each_lane(store, rows, [&](std::size_t, const word* lane) { ++starts_[key(lane) + 2]; });
    for (std::size_t i = 1; i < starts_.size(); ++i) starts_[i] += starts_[i - 1];
    if (codes_.empty()) {
      for_each_lane(store, rows, [&](std::size_t row, const word* lane) {
        ids_[starts_[key(lane) + 1]++] = static_cast<row_id>(row);
      });
      return;
    }
    for_each_lane(store, rows, [&](std::size_t row, const word* lane) {
      const std::size_t at = starts_[key(lane) + 1]++;
      ids_[at] = static_cast<row_id>(row);
      for (std::size_t w = 0; w < words; ++w) codes_[at * words + w] = lane[w * block_rows];
    });
  }

  aligned_vector<std::uint32_t> starts_;
  aligned_vector<row_id> ids_;
  aligned_vector<word> codes_;
};

}  // namespace embit::inline EMBIT_ABI::detail
