// Rows by their key, where rows are added one by one.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/grow.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace embit::inline EMBIT_ABI::detail {

/// Rows numbered from 0 as they are added, each in the chain of its key. Nothing moves when a row is added but what
/// growing vectors move: 12 bytes a row, up to twice that as they grow.
class lsh_chains {
 public:
  std::size_t size() const noexcept { return keys_.size(); }

  /// Makes sure that `count` more rows can be added without allocation. Amortized O(count).
  void reserve(std::size_t count) {
    reserve_more(keys_, count);
    reserve_more(next_, count);
    if (keys_.capacity() <= heads_.size()) return;
    std::size_t heads = (std::max)(heads_.size(), fewest);
    while (heads < keys_.capacity()) heads *= 2;
    aligned_vector<std::uint32_t> larger(heads, none);
    heads_.swap(larger);
    for (std::uint32_t i = 0; i < keys_.size(); ++i) link(i);
  }

  void add(std::uint32_t key) {
    keys_.push_back(key);
    next_.push_back(none);
    link(static_cast<std::uint32_t>(keys_.size() - 1));
  }

  /// Forgets the rows and keeps the memory.
  void clear() noexcept {
    keys_.clear();
    next_.clear();
    std::fill(heads_.begin(), heads_.end(), none);
  }

  /// Calls `f(i)` for each row of a key, the last one first.
  template <class F>
  void find(std::uint32_t key, F&& f) const {
    if (keys_.empty()) return;
    for (std::uint32_t i = heads_[slot(key)]; i != none; i = next_[i])
      if (keys_[i] == key) f(i);
  }

  std::uint32_t key(std::size_t i) const noexcept { return keys_[i]; }

  /// Ask for the memory that `find` reads: where the chain begins, and its first row.
  void prefetch_directory(std::uint32_t key) const noexcept {
    if (!keys_.empty()) __builtin_prefetch(heads_.data() + slot(key));
  }
  void prefetch_bucket(std::uint32_t key) const noexcept {
    if (keys_.empty()) return;
    if (const std::uint32_t first = heads_[slot(key)]; first != none) __builtin_prefetch(keys_.data() + first);
  }

  std::size_t memory() const noexcept {
    return (keys_.capacity() + next_.capacity() + heads_.capacity()) * sizeof(std::uint32_t);
  }

 private:
  static constexpr std::uint32_t none = (std::numeric_limits<std::uint32_t>::max)();
  static constexpr std::size_t fewest = 16;

  std::size_t slot(std::uint32_t key) const noexcept {
    return static_cast<std::size_t>(key * std::uint64_t{0x9E3779B97F4A7C15} >> 32) & (heads_.size() - 1);
  }
  void link(std::uint32_t i) noexcept {
    std::uint32_t& head = heads_[slot(keys_[i])];
    next_[i] = head;
    head = i;
  }

  aligned_vector<std::uint32_t> keys_, next_;  // of each row
  aligned_vector<std::uint32_t> heads_;        // the last row of each chain; a power of two of them
};

}  // namespace embit::inline EMBIT_ABI::detail
