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
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

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

/// Rows by one key, and within a bucket by a few check bits: the parities of the next keys. Rows with the same key
/// and check bits ascend. Built by counting sort.
class bucket_table {
 public:
  bucket_table() = default;

  /// The table of key `which` of the first `rows` codes; with a copy of the codes in bucket order where `inlined`.
  /// O(rows · words + 2^length).
  bucket_table(const block_store<>& store, std::size_t rows, const key_split& keys, std::size_t which, bool inlined)
      : check_bits_(useful_check_bits(rows, keys, which)) {
    std::vector<std::uint32_t> places = addresses(store, rows, keys, which);
    starts_.assign((std::size_t{1} << (keys.length(which) + check_bits_)) + 1, 0);
    for (const std::uint32_t p : places) ++starts_[p];
    std::uint32_t sum = 0;
    for (auto& start : starts_) sum += std::exchange(start, sum);
    // Each row moves the start of its bucket to the next free place, and so to the start of the bucket after it.
    for (auto& p : places) p = starts_[p]++;
    std::move_backward(starts_.begin(), starts_.end() - 1, starts_.end());
    starts_.front() = 0;
    ids_.resize(rows);
    for (std::size_t row = 0; row < rows; ++row) ids_[places[row]] = static_cast<row_id>(row);
    if (inlined) copy_codes(store, places);
  }

  /// Places in `ids()` of the rows with that key.
  code_range bucket(std::uint32_t key) const noexcept {
    const std::size_t at = std::size_t{key} << check_bits_;
    const std::uint32_t first = starts_[at];
    return {first, starts_[at + (std::size_t{1} << check_bits_)] - first};
  }
  /// Of those, the rows with these check bits.
  code_range bucket(std::uint32_t key, std::uint32_t checks) const noexcept {
    const std::size_t at = (std::size_t{key} << check_bits_) | checks;
    const std::uint32_t first = starts_[at];
    return {first, starts_[at + 1] - first};
  }
  /// Where `bucket` will look.
  const void* start(std::uint32_t key) const noexcept { return starts_.data() + (std::size_t{key} << check_bits_); }
  std::size_t check_bits() const noexcept { return check_bits_; }
  std::span<const row_id> ids() const noexcept { return ids_; }
  /// Codes in the order of `ids()`, row-major, where they are inlined.
  const word* codes() const noexcept { return codes_.data(); }

  std::size_t memory() const noexcept {
    return starts_.capacity() * sizeof(std::uint32_t) + ids_.capacity() * sizeof(row_id) +
           codes_.capacity() * sizeof(word);
  }

 private:
  // Buckets are cut into pieces of a dozen rows or more.
  static std::size_t useful_check_bits(std::size_t rows, const key_split& keys, std::size_t which) noexcept {
    constexpr std::size_t smallest_piece = 12, most = 3;
    const std::size_t pieces = (rows >> keys.length(which)) / smallest_piece;
    return std::min({static_cast<std::size_t>(std::bit_width(pieces)), most + 1, keys.size()}) - (pieces != 0);
  }

  // The key of each row above its check bits.
  std::vector<std::uint32_t> addresses(const block_store<>& store, std::size_t rows, const key_split& keys,
                                       std::size_t which) const {
    std::vector<std::uint32_t> found(rows);
    if (keys.adjacent())
      for_each_lane(store, rows, [&, range = keys.range(which)](std::size_t row, const word* lane) {
        found[row] = key_split::cut(range, lane, block_rows) << check_bits_;
      });
    else
      for_each_lane(store, rows, [&](std::size_t row, const word* lane) {
        found[row] = keys.key(which, lane, block_rows) << check_bits_;
      });
    for (std::size_t bit = 0; bit < check_bits_; ++bit)
      for_each_lane(store, rows, [&, other = keys.checked_by(which, bit)](std::size_t row, const word* lane) {
        found[row] |= parity(keys.key(other, lane, block_rows)) << bit;
      });
    return found;
  }

  void copy_codes(const block_store<>& store, std::span<const std::uint32_t> places) {
    const std::size_t words = store.words();
    codes_.resize(places.size() * words);
    for_each_lane(store, places.size(), [&](std::size_t row, const word* lane) {
      for (std::size_t w = 0; w < words; ++w) codes_[places[row] * words + w] = lane[w * block_rows];
    });
  }

  std::size_t check_bits_ = 0;
  aligned_vector<std::uint32_t> starts_;
  aligned_vector<row_id> ids_;
  aligned_vector<word> codes_;
};

}  // namespace embit::inline EMBIT_ABI::detail
