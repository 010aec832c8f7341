// Tables of buckets that rows can be added to.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/lsh_buckets.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Every row under one key in each of several tables. Added rows come as a segment with tables of its own; a segment
/// takes in those before it that are not more than twice as large, so that there are O(log rows) of them and a row is
/// sorted O(log rows) times.
class lsh_segments {
 public:
  /// What `commit` puts in.
  class addition {
    friend class lsh_segments;
    std::size_t kept = 0;  // segments that stay
    std::size_t rows = 0;
    std::vector<lsh_buckets> tables;
  };

  /// Sorts rows [first, first + count), whose keys `key(row, table)` tells, with the segments that they take in, and
  /// changes nothing yet.
  template <Executor Exec, class Key>
  addition prepare(std::size_t first, std::size_t count, std::size_t tables, std::size_t bits, const Exec& executor,
                   Key&& key) {
    addition added;
    added.kept = segments_.size();
    added.rows = count;
    while (added.kept != 0 && segments_[added.kept - 1].rows <= 2 * added.rows)
      added.rows += segments_[--added.kept].rows;
    if (added.rows == 0) return added;
    added.tables.resize(tables);
    run_bulk(executor, tables, [&](std::size_t t, std::size_t) {
      std::vector<std::uint64_t> entries;
      entries.reserve(added.rows);
      for (std::size_t s = added.kept; s < segments_.size(); ++s)
        segments_[s].tables[t].for_each([&](std::uint32_t k, row_id row) { entries.push_back(keyed_row(k, row)); });
      for (std::size_t row = first; row < first + count; ++row)
        entries.push_back(keyed_row(key(row, t), static_cast<row_id>(row)));
      added.tables[t] = lsh_buckets(entries, bits);
    });
    segments_.reserve(added.kept + 1);
    return added;
  }

  void commit(addition&& added) noexcept {
    segments_.resize(added.kept);
    if (added.rows != 0) segments_.push_back({added.rows, std::move(added.tables)});
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
      std::vector<std::uint64_t> entries;
      entries.reserve(merged.rows);
      for (const segment& s : segments_)
        s.tables[t].for_each([&](std::uint32_t key, row_id row) {
          if (renumbered[row] != dropped) entries.push_back(keyed_row(key, renumbered[row]));
        });
      merged.tables[t] = lsh_buckets(entries, bits);
    });
    result.segments_.push_back(std::move(merged));
    return result;
  }

  /// Calls `f(rows)` with the rows under a key of a table, a span a segment.
  template <class F>
  void find(std::size_t table, std::uint32_t key, F&& f) const {
    for (const segment& s : segments_) f(s.tables[table].find(key));
  }

  /// Ask for the memory that `find` will read, first and then.
  void prefetch_directory(std::size_t table, std::uint32_t key) const noexcept {
    for (const segment& s : segments_) s.tables[table].prefetch_directory(key);
  }
  void prefetch_bucket(std::size_t table, std::uint32_t key) const noexcept {
    for (const segment& s : segments_) s.tables[table].prefetch_bucket(key);
  }

  /// Calls `f(key, row)` for every row of a table.
  template <class F>
  void for_each(std::size_t table, F&& f) const {
    for (const segment& s : segments_) s.tables[table].for_each(f);
  }

  std::size_t memory() const noexcept {
    std::size_t bytes = segments_.capacity() * sizeof(segment);
    for (const segment& s : segments_) {
      bytes += s.tables.capacity() * sizeof(lsh_buckets);
      for (const lsh_buckets& table : s.tables) bytes += table.memory();
    }
    return bytes;
  }

 private:
  struct segment {
    std::size_t rows = 0;
    std::vector<lsh_buckets> tables;
  };

  std::vector<segment> segments_;
};

}  // namespace embit::inline EMBIT_ABI::detail
