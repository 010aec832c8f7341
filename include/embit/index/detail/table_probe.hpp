// Carrying out a probe plan: lookups by the dozen, then their buckets, until nothing unseen can matter.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/bucket_table.hpp>
#include <embit/index/detail/distinct_top_k.hpp>
#include <embit/index/detail/flip_list.hpp>
#include <embit/index/detail/key_split.hpp>
#include <embit/index/detail/probe_plan.hpp>
#include <embit/kernel/bucket_scan.hpp>
#include <embit/store/block_store.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

inline void prefetch(const void* address) noexcept {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(address);
#else
  static_cast<void>(address);
#endif
}

/// Lookups of one table that are made together, and how many such groups, and cache lines, may wait for their codes:
/// enough to hide the latency of memory, and few enough to stay in the first-level cache.
inline constexpr std::size_t grouped_lookups = 16, waiting_groups = 8, waiting_lines = 384;

/// Codes copied together where a table holds row ids only.
inline constexpr std::size_t gathered_codes = 256;

/// Buckets beyond this size are read in pieces of it, each with a threshold that knows the rows to come.
inline constexpr std::uint32_t large_bucket = 2048;

/// Buckets of one table that were looked up and wait to be read.
struct lookup_group {
  std::array<code_range, grouped_lookups> ranges;
  std::size_t filled;  // ranges that have codes
  std::size_t lookups;
  std::size_t candidates;
  std::size_t lines;      // being fetched
  std::uint32_t largest;  // range
  std::uint32_t step;
  bool last;  // of its step
};

/// A code that was near, and where its row is told.
struct waiting_hit {
  const row_id* row;
  std::uint32_t distance;
};

/// What one worker writes while it probes.
struct probe_scratch {
  std::array<lookup_group, waiting_groups> groups;  // a ring
  bucket_scan::scratch hits;
  std::array<waiting_hit, bucket_hit_room> waiting;
  std::vector<std::uint32_t> keys;
  std::vector<std::uint32_t> radii;  // by table: steps taken before
  std::array<row_id, gathered_codes> ids;
  aligned_vector<word> codes;
};

/// What probing did.
struct probe_counts {
  std::size_t lookups = 0;
  std::size_t candidates = 0;
  std::size_t survivors = 0;
};

/// The tables of an index, read-only.
struct table_set {
  const block_store<>& store;
  const key_split& keys;
  std::span<const bucket_table> tables;
  std::span<const flip_list> flips;  // of the longer keys, and of those one bit shorter where there are any
  const probe_plan& plan;
  const bucket_scan& scan;
  probe_costs costs;

  const flip_list& flips_of(std::size_t table) const noexcept { return flips[keys.length(table) != keys.length(0)]; }
};

/// Probes for one query. `Found` collects rows, `Accept` says which may be found.
template <bool Inlined, class Found, class Accept>
class table_probe {
 public:
  table_probe(const table_set& set, const word* query, Found& found, const Accept& accept, probe_scratch& scratch,
              probe_counts& counts)
      : set_(set), query_(query), found_(found), accept_(accept), scratch_(scratch), counts_(counts) {
    scratch_.keys.resize(set.tables.size());
    for (std::size_t t = 0; t < set.tables.size(); ++t) scratch_.keys[t] = set.keys.key(t, query, 1);
    scratch_.radii.assign(set.tables.size(), 0);
    if constexpr (!Inlined) scratch_.codes.resize(gathered_codes * set.store.words());
  }

  /// Takes step after step until `goal.reached(steps)`. Gives up, returning false, as soon as what is left to do is
  /// predicted to cost more than `limit`, or has cost more. Lookups run ahead of comparisons, into the steps that are
  /// expected to be taken.
  template <class Goal>
  bool run(const Goal& goal, double limit) {
    found_.flush();
    if (goal.reached(0)) return true;
    std::size_t expected = std::min(goal.expected(0), set_.plan.size());
    bool step_done = false;
    for (std::size_t oldest = 0, steps = 0;; ++oldest) {
      while (looked_up_ - oldest < waiting_groups && lines_ < waiting_lines && step_ < expected)
        look_up(goal.farthest() <= step_);
      take_hits();
      if (step_done) {
        found_.flush();
        if (++steps == set_.plan.size() || goal.reached(steps)) return true;
        expected = std::min(goal.expected(steps), set_.plan.size());
        if (set_.plan.cost(steps, expected) > limit) return false;
      }
      if (looked_up_ == oldest) look_up(goal.farthest() <= step_);
      const lookup_group& group = scratch_.groups[oldest % waiting_groups];
      spent_ += set_.costs.lookup * static_cast<double>(group.lookups) +
                set_.costs.candidate * static_cast<double>(group.candidates);
      if (spent_ > limit) return false;
      step_done = group.last;
      lines_ -= group.lines;
      counts_.lookups += group.lookups;
      counts_.candidates += group.candidates;
      const bucket_table& table = set_.tables[set_.plan[group.step].table];
      const auto ranges = std::span<const code_range>(group.ranges).first(group.filled);
      if (group.largest <= large_bucket)
        compare(table, ranges, 0);
      else
        compare_in_pieces(table, ranges);
    }
  }

 private:
  // What a kernel offers its hits to. Which row a hit is takes a while to fetch, so hits wait for that until the next
  // lookups were made, unless the list is not full and its threshold is worth having at once.
  struct sink {
    table_probe& probe;
    const row_id* ids;
    row_id first_row = 0;  // no row to come is below it

    std::uint32_t threshold() const {
      if (probe.found_.threshold() == std::numeric_limits<std::uint32_t>::max()) probe.take_hits();
      return probe.found_.threshold_from(first_row);
    }
    void offer(std::uint32_t position, std::uint32_t distance) {
      if constexpr (Inlined) {
        prefetch(ids + position);
        if (probe.waiting_hits_ == bucket_hit_room) probe.take_hits();
        probe.scratch_.waiting[probe.waiting_hits_++] = {ids + position, distance};
      } else {
        probe.take(ids[position], distance);
      }
    }
  };

  void take(row_id row, std::uint32_t distance) {
    if (!found_.wants(row, distance) || !accept_(row)) return;
    ++counts_.survivors;
    found_.offer(row, distance);
  }

  void take_hits() {
    for (std::size_t i = 0; i < waiting_hits_; ++i) take(*scratch_.waiting[i].row, scratch_.waiting[i].distance);
    waiting_hits_ = 0;
  }

  // Looks up the next few buckets of the step that lookups have come to. Where no row farther than the number of
  // steps before matters, each key of a row not yet met differs by just as much as it had steps: no less, or it was
  // met, and no more, or it is too far. So the parities of its keys are known.
  void look_up(bool exact) {
    const std::size_t t = set_.plan[step_].table;
    const bucket_table& table = set_.tables[t];
    const std::span<const std::uint32_t> flips = set_.flips_of(t)[set_.plan[step_].flips];
    const std::uint32_t key = scratch_.keys[t];
    lookup_group& group = scratch_.groups[looked_up_++ % waiting_groups];
    group.lookups = std::min(grouped_lookups, flips.size() - flip_);
    group.filled = group.candidates = group.lines = 0;
    group.largest = 0;
    group.step = static_cast<std::uint32_t>(step_);
    const std::uint32_t checks = exact ? checks_of(t) : 0;
    const std::size_t next = std::min(flip_ + 2 * grouped_lookups, flips.size());
    for (std::size_t i = flip_ + group.lookups; i < next; ++i) prefetch(table.start(key ^ flips[i]));
    for (std::size_t i = 0; i < group.lookups; ++i) {
      const code_range range =
          exact ? table.bucket(key ^ flips[flip_ + i], checks) : table.bucket(key ^ flips[flip_ + i]);
      group.lines += prefetch_bucket(table, range);
      group.ranges[group.filled] = range;
      group.filled += range.count != 0;
      group.candidates += range.count;
      group.largest = std::max(group.largest, range.count);
    }
    lines_ += group.lines;
    flip_ += group.lookups;
    group.last = flip_ == flips.size();
    if (!group.last) return;
    flip_ = 0;
    ++step_;
    ++scratch_.radii[t];
  }

  // Check bits of a row each of whose keys differs from the query's in as many bits as it had steps.
  std::uint32_t checks_of(std::size_t table) const noexcept {
    std::uint32_t checks = 0;
    for (std::size_t bit = 0; bit < set_.tables[table].check_bits(); ++bit) {
      const std::size_t other = set_.keys.checked_by(table, bit);
      checks |= (parity(scratch_.keys[other]) ^ (scratch_.radii[other] & 1)) << bit;
    }
    return checks;
  }

  // Returns how many lines.
  std::size_t prefetch_bucket(const bucket_table& table, code_range range) const noexcept {
    constexpr std::size_t line = 64, most_lines = 64;
    const std::size_t size = Inlined ? set_.store.words() * sizeof(word) : sizeof(row_id);
    const char* base =
        Inlined ? reinterpret_cast<const char*>(table.codes()) : reinterpret_cast<const char*>(table.ids().data());
    const std::size_t first = range.first * size / line, last = (range.first + range.count) * size;
    const std::size_t lines = std::min((last + line - 1) / line - first, most_lines);
    for (std::size_t i = 0; i < lines; ++i) prefetch(base + (first + i) * line);
    return lines;
  }

  void compare_in_pieces(const bucket_table& table, std::span<const code_range> ranges) {
    for (const code_range range : ranges)
      for (std::uint32_t done = 0; done < range.count; done += std::min(large_bucket, range.count - done)) {
        const code_range piece{range.first + done, std::min(large_bucket, range.count - done)};
        const auto rows = table.ids().subspan(piece.first, piece.count);
        take_hits();
        compare(table, {&piece, 1}, *std::min_element(rows.begin(), rows.end()));
      }
  }

  void compare(const bucket_table& table, std::span<const code_range> ranges, row_id first_row) {
    if constexpr (Inlined) {
      sink to{*this, table.ids().data(), first_row};
      if (to.threshold() != 0) set_.scan(table.codes(), ranges, query_, scratch_.hits, to);
    } else {
      std::uint32_t filled = 0;
      for (const code_range range : ranges)
        for (const row_id row : table.ids().subspan(range.first, range.count)) {
          prefetch(lane_of(row));
          scratch_.ids[filled++] = row;
          if (filled == gathered_codes) compare_gathered(std::exchange(filled, 0), first_row);
        }
      compare_gathered(filled, first_row);
    }
  }

  const word* lane_of(row_id row) const noexcept { return set_.store.block(row / block_rows) + row % block_rows; }

  void compare_gathered(std::uint32_t count, row_id first_row) {
    sink to{*this, scratch_.ids.data(), first_row};
    if (count == 0 || to.threshold() == 0) return;
    const std::size_t words = set_.store.words();
    word* out = scratch_.codes.data();
    for (std::uint32_t i = 0; i < count; ++i) {
      const word* lane = lane_of(scratch_.ids[i]);
      for (std::size_t w = 0; w < words; ++w) *out++ = lane[w * block_rows];
    }
    const code_range all{0, count};
    set_.scan(scratch_.codes.data(), {&all, 1}, query_, scratch_.hits, to);
  }

  const table_set& set_;
  const word* query_;
  Found& found_;
  const Accept& accept_;
  probe_scratch& scratch_;
  probe_counts& counts_;
  double spent_ = 0;
  std::size_t step_ = 0, flip_ = 0;  // where lookups have come to
  std::size_t looked_up_ = 0;        // groups
  std::size_t lines_ = 0;            // of the groups that wait
  std::size_t waiting_hits_ = 0;
};

/// Until the k nearest are certain, equal distances included: rows not yet met are farther than the k-th.
struct nearest_goal {
  const distinct_top_k& found;
  std::size_t typical;  ///< distance of the k-th neighbour of other queries

  bool reached(std::size_t steps) const noexcept { return found.full() && steps > found.worst_distance(); }
  /// Rows beyond this distance do not matter.
  std::size_t farthest() const noexcept {
    return found.full() ? found.worst_distance() : std::numeric_limits<std::size_t>::max();
  }
  /// Steps it will take: as many as usual, as long as that is possible, else as many as is certain to be enough.
  std::size_t expected(std::size_t steps) const noexcept {
    if (!found.full()) return std::max(typical, steps) + 1;
    return (steps <= typical ? std::min<std::size_t>(typical, found.worst_distance()) : found.worst_distance()) + 1;
  }
};

/// Until every row within a radius was met.
struct radius_goal {
  std::size_t radius;
  bool reached(std::size_t steps) const noexcept { return steps > radius; }
  std::size_t farthest() const noexcept { return radius; }
  std::size_t expected(std::size_t) const noexcept { return radius + 1; }
};

}  // namespace embit::inline EMBIT_ABI::detail
