// Tables of buckets that rows can be added to.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/grow.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/shared_value.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/lsh/buckets.hpp>
#include <embit/index/detail/lsh/chains.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Every row under one key in each of several tables. Sorted rows lie in segments with tables of their own; a new
/// segment takes in those before it that are not more than twice as large. Rows that are added few at a time wait in
/// chains until they are as many as are sorted, and become a segment then: each row is sorted O(1) times, amortized.
/// Copies share segments and chains; whoever adds to chains that are shared copies them, so that these are kept short:
/// rows are then sorted O(log rows) times.
class lsh_segments {
  struct segment {
    std::size_t rows = 0;
    std::vector<lsh_buckets> tables;
  };

 public:
  /// What `commit` puts in.
  class addition {
    friend class lsh_segments;
    bool chained = false;
    std::size_t kept = 0;  // segments that stay
    shared_value<segment> sorted;
    std::vector<std::uint32_t> keys;  // of chained rows, row after row
  };

  /// Makes room for rows [first, first + count), whose keys `key(row, table)` tells, or sorts them with the rows that
  /// they take in, and changes nothing yet.
  template <Executor Exec, class Key>
  addition prepare(std::size_t first, std::size_t count, std::size_t tables, std::size_t bits, const Exec& executor,
                   Key&& key) {
    const std::size_t waiting = first - sorted_;
    addition added;
    added.kept = segments_.size();
    if (count == 0) return added;
    if (waiting + count <= most_waiting()) {
      added.chained = true;
      if (!chains_) chains_ = shared_value(std::vector<lsh_chains>(tables));
      for (lsh_chains& table : chains_.own()) table.reserve(count);
      added.keys.resize(count * tables);
      for (std::size_t i = 0; i < added.keys.size(); ++i) added.keys[i] = key(first + i / tables, i % tables);
      return added;
    }
    segment sorted;
    sorted.rows = waiting + count;
    while (added.kept != 0 && segments_[added.kept - 1]->rows <= 2 * sorted.rows)
      sorted.rows += segments_[--added.kept]->rows;
    sorted.tables.resize(tables);
    run_bulk(executor, tables, [&](std::size_t t, std::size_t) {
      sorted.tables[t] = lsh_buckets(sorted.rows, bits, [&](auto&& f) {
        for_each_from(added.kept, t, f);
        for (std::size_t row = first; row < first + count; ++row) f(key(row, t), static_cast<row_id>(row));
      });
    });
    added.sorted = shared_value(std::move(sorted));
    reserve_more(segments_, 1);
    return added;
  }

  void commit(addition&& added) noexcept {
    if (added.chained) {
      std::vector<lsh_chains>& chains = chains_.owned();
      for (std::size_t i = 0; i < added.keys.size(); ++i) chains[i % chains.size()].add(added.keys[i]);
    } else if (added.sorted) {
      segments_.resize(added.kept);
      segments_.push_back(std::move(added.sorted));
      sorted_ = 0;
      for (const auto& s : segments_) sorted_ += s->rows;
      forget_waiting();
    }
  }

  /// The same rows under other numbers: `renumbered[row]`, or none where that is `dropped`.
  template <Executor Exec>
  lsh_segments renumber(std::span<const row_id> renumbered, row_id dropped, std::size_t tables, std::size_t bits,
                        const Exec& executor) const {
    lsh_segments result;
    segment merged;
    for (const row_id row : renumbered) merged.rows += row != dropped;
    if (merged.rows == 0) return result;
    merged.tables.resize(tables);
    run_bulk(executor, tables, [&](std::size_t t, std::size_t) {
      merged.tables[t] = lsh_buckets(merged.rows, bits, [&](auto&& f) {
        for_each(t, [&](std::uint32_t key, row_id row) {
          if (renumbered[row] != dropped) f(key, renumbered[row]);
        });
      });
    });
    result.sorted_ = merged.rows;
    result.segments_.push_back(shared_value(std::move(merged)));
    return result;
  }

  /// Calls `f(rows)` with the rows under a key of a table, a span a segment and a span each for those that wait.
  template <class F>
  void find(std::size_t table, std::uint32_t key, F&& f) const {
    for (const auto& s : segments_) f(s->tables[table].find(key));
    if (!chains_) return;
    (*chains_)[table].find(key, [&](std::size_t i) {
      const row_id row = waiting_row(i);
      f(std::span<const row_id>(&row, 1));
    });
  }

  /// Ask for the memory that `find` will read, first and then.
  void prefetch_directory(std::size_t table, std::uint32_t key) const noexcept {
    for (const auto& s : segments_) s->tables[table].prefetch_directory(key);
    if (chains_) (*chains_)[table].prefetch_directory(key);
  }
  void prefetch_bucket(std::size_t table, std::uint32_t key) const noexcept {
    for (const auto& s : segments_) s->tables[table].prefetch_bucket(key);
    if (chains_) (*chains_)[table].prefetch_bucket(key);
  }

  /// Calls `f(key, row)` for every row of a table.
  template <class F>
  void for_each(std::size_t table, F&& f) const {
    for_each_from(0, table, f);
  }

  std::size_t memory() const noexcept {
    std::size_t bytes = segments_.capacity() * sizeof(segments_[0]);
    for (const auto& s : segments_) {
      bytes += sizeof(segment) + s->tables.capacity() * sizeof(lsh_buckets);
      for (const lsh_buckets& table : s->tables) bytes += table.memory();
    }
    if (!chains_) return bytes;
    bytes += chains_->capacity() * sizeof(lsh_chains);
    for (const lsh_chains& table : *chains_) bytes += table.memory();
    return bytes;
  }

 private:
  static constexpr std::size_t fewest_sorted = 64, most_copied = 1024;

  /// Rows that may wait: of chains that every addition copies few.
  std::size_t most_waiting() const noexcept {
    const std::size_t most = std::max<std::size_t>(sorted_, fewest_sorted);
    return chains_.is_shared() ? (std::min)(most, most_copied) : most;
  }
  void forget_waiting() noexcept {
    if (chains_.is_shared())
      chains_ = {};
    else if (chains_)
      for (lsh_chains& table : chains_.owned()) table.clear();
  }

  row_id waiting_row(std::size_t i) const noexcept { return static_cast<row_id>(sorted_ + i); }

  // Of a table, the rows of the segments from one on and those that wait.
  template <class F>
  void for_each_from(std::size_t first, std::size_t table, F&& f) const {
    for (std::size_t s = first; s < segments_.size(); ++s) segments_[s]->tables[table].for_each(f);
    if (!chains_) return;
    const lsh_chains& waiting = (*chains_)[table];
    for (std::size_t i = 0; i < waiting.size(); ++i) f(waiting.key(i), waiting_row(i));
  }

  std::vector<shared_value<segment>> segments_;
  moved_value<> sorted_;                          // rows in them
  shared_value<std::vector<lsh_chains>> chains_;  // of the rows after them, a table each; none until there are any
};

}  // namespace embit::inline EMBIT_ABI::detail
