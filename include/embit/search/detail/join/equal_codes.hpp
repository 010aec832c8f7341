// Rows whose codes are equal, chained: a join meets one of each.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/search/detail/join/bucket_sort.hpp>
#include <embit/search/detail/join/rows.hpp>
#include <embit/search/partition.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Of every code the rows that have it, in ascending order: from the first of them, its head, `next` leads to the
/// others. The rows of a second set, where there is one, are numbered after those of the first.
class equal_codes {
 public:
  static constexpr row_id none = (std::numeric_limits<row_id>::max)();

  /// No rows are equal, or nobody asked.
  equal_codes() = default;

  /// O(rows · words); 12 bytes a row while it works, 4 after where any are equal.
  equal_codes(code_view<> first, code_view<> second, const executor_ref& executor) : first_(first), second_(second) {
    const std::size_t rows = first.size() + second.size();
    if (rows < 2) return;
    const unsigned part_bits = parts_for(rows);
    aligned_vector<entry> entries(rows);
    aligned_vector<std::uint32_t> start;
    std::vector<std::vector<row_id>> later(executor.concurrency());  // rows that are not heads
    next_.assign(rows, none);
    sort_into_buckets(
        executor, rows, std::size_t{1} << part_bits, start,
        [&](std::size_t row) { return part_bits == 0 ? 0 : hash_of(row) >> (word_bits - part_bits); },
        [&](std::size_t row, std::size_t place) {
          entries[place] = {static_cast<std::uint32_t>(hash_of(row)), static_cast<row_id>(row)};
        });
    run_bulk(executor, start.size() - 1, [&](std::size_t part, std::size_t worker) {
      chain(entries.data() + start[part], start[part + 1] - start[part], later[worker]);
    });
    for (const auto& list : later) later_ += list.size();
    if (later_ == 0) {
      next_ = {};
      return;
    }
    row_bitset tails(rows);
    for (const auto& list : later)
      for (const row_id row : list) tails.set(row);
    heads_.reserve(rows - later_);
    for (std::size_t row = 0; row < rows; ++row)
      if (!tails.test(static_cast<row_id>(row))) heads_.push_back(static_cast<row_id>(row));
  }

  /// Whether any two rows are equal.
  bool any() const noexcept { return later_ != 0; }
  /// The first row of every code, in ascending order; empty where no two are equal.
  const std::vector<row_id>& heads() const noexcept { return heads_; }
  /// The row after this one that has the same code, or `none`.
  row_id next(row_id row) const noexcept { return later_ == 0 ? none : next_[row]; }

 private:
  struct entry {
    std::uint32_t hash;
    row_id row;
  };
  struct chain_end {
    std::uint32_t head = none;  // among the entries
    row_id last = 0;
  };

  // About 4096 rows a part, so that its table stays in a cache.
  static unsigned parts_for(std::size_t rows) noexcept {
    return static_cast<unsigned>(std::clamp(static_cast<int>(std::bit_width(rows)) - 12, 0, 12));
  }

  const word* code(std::size_t row) const noexcept {
    return row < first_.size() ? first_.data() + row * first_.words()
                               : second_.data() + (row - first_.size()) * second_.words();
  }
  word hash_of(std::size_t row) const noexcept {
    const word* words = code(row);
    word hash = 0;
    for (std::size_t w = 0; w < first_.words(); ++w) {
      hash = (hash ^ words[w]) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 32;
    }
    return hash * 0xd6e8feb86659fd93u;
  }

  void chain(const entry* entries, std::size_t count, std::vector<row_id>& later) {
    const std::size_t size = std::bit_ceil(2 * count + 1);
    std::vector<chain_end> table(size);
    for (std::size_t i = 0; i < count; ++i) {
      const row_id row = entries[i].row;
      std::size_t at = entries[i].hash & (size - 1);
      for (; table[at].head != none; at = (at + 1) & (size - 1)) {
        const entry& head = entries[table[at].head];
        if (head.hash == entries[i].hash && std::equal(code(row), code(row) + first_.words(), code(head.row))) break;
      }
      if (table[at].head == none) {
        table[at].head = static_cast<std::uint32_t>(i);
      } else {
        next_[table[at].last] = row;
        later.push_back(row);
      }
      table[at].last = row;
    }
  }

  code_view<> first_, second_;
  std::vector<row_id> next_, heads_;
  std::size_t later_ = 0;
};

/// Whether so many rows are equal that to collapse them costs less than to join them as they are: from rows at random
/// places, one of every so many. Of few equal rows a join finds the pairs as it does others.
inline bool many_equal(code_view<> codes) {
  constexpr std::size_t fewest = std::size_t{1} << 9, most = std::size_t{1} << 14;
  constexpr double rows_a_pair = 16;
  const std::size_t rows = codes.size(), sampled = (std::min)(rows, std::clamp(rows / 8, fewest, most));
  code_store<> sample(sampled, codes.bits());
  rng places(rows);
  for (std::size_t i = 0; i < sampled; ++i) {
    const piece part = cut(rows, sampled, i);
    std::copy_n(codes[part.first + uniform_index(places, part.size())].data(), codes.words(), sample.row(i).data());
  }
  const equal_codes equal(sample, {}, inline_executor{});
  double pairs = 0;
  for (const row_id head : equal.heads()) {
    double chain = 0;
    for (row_id row = equal.next(head); row != equal_codes::none; row = equal.next(row)) pairs += ++chain;
  }
  const double scale = static_cast<double>(rows) / static_cast<double>(sampled);
  return pairs * scale * scale * rows_a_pair > static_cast<double>(rows);
}

/// Of codes that a join collapses; of others no rows are known to be equal.
inline equal_codes collapsed(code_view<> codes, const executor_ref& executor) {
  return many_equal(codes) ? equal_codes(codes, {}, executor) : equal_codes();
}

/// A set of codes of which one of each is joined.
inline join_rows distinct_rows(code_view<> codes, const equal_codes& equal) noexcept {
  if (!equal.any()) return {codes.data(), codes.words(), nullptr, codes.size()};
  return {codes.data(), codes.words(), equal.heads().data(), equal.heads().size()};
}

}  // namespace embit::inline EMBIT_ABI::detail
