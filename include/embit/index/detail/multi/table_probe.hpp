// Carrying out a probe plan: lookups by the dozen, then their buckets, until nothing unseen can matter.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/multi/flip_list.hpp>
#include <embit/index/detail/multi/bucket_table.hpp>
#include <embit/index/detail/multi/distinct_top_k.hpp>
#include <embit/index/detail/multi/key_split.hpp>
#include <embit/index/detail/multi/probe_plan.hpp>
#include <embit/kernel/bucket_scan.hpp>
#include <embit/kernel/line_scan.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/store/block_store.hpp>

#include <algorithm>
#include <array>
#include <cmath>
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
inline constexpr std::size_t grouped_lookups = 24, waiting_groups = 8, waiting_lines = 384;

/// Cache lines that are listed one by one may wait in larger numbers, since only so many of them are fetched ahead.
inline constexpr std::ptrdiff_t listed_lines = 640, fetched_lines = 192;

/// Codes copied together where a table holds row ids only.
inline constexpr std::size_t gathered_codes = 256;

/// Buckets beyond this size are read in pieces of it, each with a threshold that knows the rows to come.
inline constexpr std::uint32_t large_bucket = 2048;

/// Stands for no limit on rows.
inline constexpr row_id no_last_row = (std::numeric_limits<row_id>::max)();

/// Buckets of one table that were looked up and wait to be read.
struct lookup_group {
  std::array<code_range, grouped_lookups> ranges;
  std::array<std::uint32_t, grouped_lookups> counts;  // of the whole buckets, where only ties are sought
  const bucket_table* table;
  std::size_t filled;  // ranges that have codes
  std::size_t lookups;
  std::size_t candidates;
  std::size_t lines;      // being fetched or listed
  bool listed;            // all of its lines are
  std::uint32_t largest;  // range
  bool last;              // of its step
};

/// A code that was near, and where its row is told.
struct waiting_hit {
  const row_id* row;
  std::uint32_t distance;
};

/// The lines of the groups that wait, in order: they are fetched one by one as others before them are compared.
class line_list {
 public:
  /// Room for so many more.
  code_line* room(std::size_t count) {
    if (first_ > 4 * listed_lines) {
      std::copy(lines_.begin() + first_, lines_.begin() + end_, lines_.begin());
      end_ -= first_;
      fetched_ -= first_;
      first_ = 0;
    }
    if (lines_.size() < static_cast<std::size_t>(end_) + count) lines_.resize(static_cast<std::size_t>(end_) + count);
    return lines_.data() + end_;
  }
  void add(std::size_t count) noexcept { end_ += static_cast<std::ptrdiff_t>(count); }
  void clear() noexcept { first_ = fetched_ = end_ = 0; }

  std::span<const code_line> first(std::size_t count) const noexcept { return {lines_.data() + first_, count}; }
  /// What to fetch while the first `count` are compared, with enough of those before being on their way.
  std::span<const code_line> ahead(std::size_t count) noexcept {
    const std::ptrdiff_t enough = (std::min)(end_, first_ + fetched_lines);
    for (; fetched_ < enough; ++fetched_) prefetch(lines_[static_cast<std::size_t>(fetched_)].words());
    return {lines_.data() + fetched_, (std::min)(count, static_cast<std::size_t>(end_ - fetched_))};
  }
  /// Forgets the first lines, which were compared, while as many as `ahead` said were fetched.
  void drop(std::size_t count, std::size_t fetched) noexcept {
    first_ += static_cast<std::ptrdiff_t>(count);
    fetched_ = (std::max)(fetched_ + static_cast<std::ptrdiff_t>(fetched), first_);
  }

 private:
  std::vector<code_line> lines_;
  std::ptrdiff_t first_ = 0, fetched_ = 0, end_ = 0;
};

/// What one worker writes while it probes.
struct probe_scratch {
  std::array<lookup_group, waiting_groups> groups;  // a ring
  bucket_scan::scratch hits;
  std::array<waiting_hit, bucket_hit_room> waiting;
  line_list lines;
  std::vector<std::uint32_t> keys;
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
  const line_scan& by_line;
  probe_costs costs;

  const flip_list& flips_of(std::size_t table) const noexcept { return flips[keys.length(table) != keys.length(0)]; }
};

/// Probes for one query. `Found` collects rows.
template <bool Inlined, class Found>
class table_probe {
 public:
  table_probe(const table_set& set, const word* query, Found& found, const row_choice& choice, probe_scratch& scratch,
              probe_counts& counts)
      : set_(set), query_(query), found_(found), choice_(choice), scratch_(scratch), counts_(counts) {
    scratch_.keys.resize(set.tables.size());
    for (std::size_t t = 0; t < set.tables.size(); ++t) scratch_.keys[t] = set.keys.key(t, query, 1);
    if constexpr (!Inlined) scratch_.codes.resize(gathered_codes * set.store.words());
    scratch_.lines.clear();
    listing_ = Inlined && line_scan::takes(set.store.words());
  }

  /// Takes step after step until `goal.reached(steps)`. Gives up, returning false, as soon as what is left to do is
  /// predicted to cost more than `limit`, or what was done has cost half as much again. Lookups run ahead of
  /// comparisons, into the steps that are expected to be taken.
  template <class Goal>
  bool run(const Goal& goal, double limit) {
    found_.flush();
    if (goal.reached(0)) return true;
    for (std::size_t t = 0; t < set_.tables.size(); ++t) prefetch(set_.tables[t].start(scratch_.keys[t]));
    std::size_t expected = (std::min)(goal.expected(0), set_.plan.size());
    std::size_t steps = 0;
    bool step_done = false;
    for (std::size_t oldest = 0;; ++oldest) {
      while (has_room(oldest) && step_ < expected) look_up_next();
      take_hits();
      if (step_done) {
        found_.flush();
        if (++steps == set_.plan.size() || goal.reached(steps)) return true;
        if (goal.only_ties(steps)) {
          if (set_.plan.tie_cost(steps) > limit) return false;
          settle_ties(set_.plan.tie(steps), goal.last_row());
          return true;
        }
        expected = (std::min)(goal.expected(steps), set_.plan.size());
        if (set_.plan.cost(steps, expected) > limit) return false;
      }
      if (looked_up_ == oldest) look_up_next();
      read(group_at(oldest));
      if (spent_ > 1.5 * limit) return false;
      step_done = group_at(oldest).last;
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
      if (probe.found_.threshold() == (std::numeric_limits<std::uint32_t>::max)()) probe.take_hits();
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
    if (!found_.wants(row, distance) || !choice_(row)) return;
    ++counts_.survivors;
    found_.offer(row, distance);
  }

  void take_hits() {
    for (std::size_t i = 0; i < waiting_hits_; ++i) take(*scratch_.waiting[i].row, scratch_.waiting[i].distance);
    waiting_hits_ = 0;
  }

  lookup_group& group_at(std::size_t index) noexcept { return scratch_.groups[index % waiting_groups]; }
  bool has_room(std::size_t oldest) const noexcept {
    return looked_up_ - oldest < waiting_groups && lines_ < (listing_ ? std::size_t{listed_lines} : waiting_lines);
  }

  // Meets the rows at the distance of the last of a full list: those beyond its id no longer count. Lookups that ran
  // ahead are forgotten.
  void settle_ties(const probe_step& step, row_id last_row) {
    last_row_ = last_row;
    share_ = static_cast<float>(last_row) / static_cast<float>(set_.tables[step.table].ids().size());
    lines_ = flip_ = 0;
    listing_ = false;  // where buckets are read in part and some of them again
    bool more = true;
    for (std::size_t oldest = looked_up_; more || oldest != looked_up_; ++oldest) {
      while (more && has_room(oldest)) more = !look_up(step);
      take_hits();
      read(group_at(oldest));
    }
    take_hits();
    found_.flush();
  }

  void read(lookup_group& group) {
    spent_ += set_.costs.lookup * static_cast<double>(group.lookups) +
              set_.costs.candidate * static_cast<double>(group.candidates);
    lines_ -= group.lines;
    if (last_row_ != no_last_row) complete(group);
    counts_.lookups += group.lookups;
    counts_.candidates += group.candidates;
    const auto ranges = std::span<const code_range>(group.ranges).first(group.filled);
    if (group.listed)
      compare_lines(*group.table, group.lines);
    else if (group.largest <= large_bucket)
      compare(*group.table, ranges, 0);
    else
      compare_in_pieces(*group.table, ranges);
  }

  // Looks up the next few buckets of the step that lookups have come to.
  void look_up_next() {
    if (!look_up(set_.plan[step_])) return;
    if (++step_ == set_.plan.size()) return;
    const probe_step& next = set_.plan[step_];
    prefetch_starts(set_.tables[next.table], scratch_.keys[next.table], set_.flips_of(next.table)[next.flips], 0);
  }

  // True when these were the last of the step.
  bool look_up(const probe_step& step) {
    const bucket_table& table = set_.tables[step.table];
    const std::span<const std::uint32_t> flips = set_.flips_of(step.table)[step.flips];
    const std::uint32_t key = scratch_.keys[step.table];
    lookup_group& group = group_at(looked_up_++);
    group.table = &table;
    group.lookups = (std::min)(grouped_lookups, flips.size() - flip_);
    group.filled = group.candidates = group.lines = 0;
    group.largest = 0;
    prefetch_starts(table, key, flips, flip_ + group.lookups);
    for (std::size_t i = 0; i < group.lookups; ++i) {
      code_range range = table.bucket(key ^ flips[flip_ + i]);
      group.largest = (std::max)(group.largest, range.count);
      group.counts[group.filled] = range.count;
      if (last_row_ != no_last_row) range.count = before_last_row(table, range);
      group.ranges[group.filled] = range;
      group.filled += range.count != 0;
      group.candidates += range.count;
    }
    const auto ranges = std::span<const code_range>(group.ranges).first(group.filled);
    group.listed = listing_ && group.largest <= large_bucket;
    if (group.listed)
      group.lines = list_lines(table, ranges);
    else
      for (const code_range range : ranges) group.lines += prefetch_bucket(table, range);
    lines_ += group.lines;
    flip_ += group.lookups;
    group.last = flip_ == flips.size();
    if (group.last) flip_ = 0;
    return group.last;
  }

  static void prefetch_starts(const bucket_table& table, std::uint32_t key, std::span<const std::uint32_t> flips,
                              std::size_t first) noexcept {
    const std::size_t last = (std::min)(first + grouped_lookups, flips.size());
    for (std::size_t i = first; i < last; ++i) prefetch(table.start(key ^ flips[i]));
  }

  // How many codes of a bucket to read where rows beyond the last do not count: rows ascend, and most often their
  // share is that of all rows. Asks for the row that will tell.
  std::uint32_t before_last_row(const bucket_table& table, code_range range) const noexcept {
    const float expected = share_ * static_cast<float>(range.count);
    const float enough = expected + 2 * std::sqrt(expected) + 1;
    if (enough >= static_cast<float>(range.count)) return range.count;
    const auto count = static_cast<std::uint32_t>(enough);
    prefetch(table.ids().data() + range.first + count);
    return count;
  }
  // Reads all of the buckets of which that was not enough.
  void complete(lookup_group& group) const noexcept {
    const row_id* ids = group.table->ids().data();
    for (std::size_t i = 0; i < group.filled; ++i) {
      code_range& range = group.ranges[i];
      if (range.count == group.counts[i] || ids[range.first + range.count] > last_row_) continue;
      group.candidates += group.counts[i] - range.count;
      range.count = group.counts[i];
    }
  }

  // Returns how many lines.
  std::size_t prefetch_bucket(const bucket_table& table, code_range range) const noexcept {
    constexpr std::size_t line = 64, most_lines = 64;
    const std::size_t size = Inlined ? set_.store.words() * sizeof(word) : sizeof(row_id);
    const char* base =
        Inlined ? reinterpret_cast<const char*>(table.codes()) : reinterpret_cast<const char*>(table.ids().data());
    const std::size_t first = range.first * size / line, last = (range.first + range.count) * size;
    const std::size_t lines = (std::min)((last + line - 1) / line - first, most_lines);
    for (std::size_t i = 0; i < lines; ++i) prefetch(base + (first + i) * line);
    return lines;
  }

  // Returns how many lines.
  std::size_t list_lines(const bucket_table& table, std::span<const code_range> ranges) {
    std::size_t count = 0;
    const std::size_t words = set_.store.words(), most = large_bucket * words / line_words + 2;
    code_line* const lines = scratch_.lines.room(ranges.size() * most + listed_step);
    for (const code_range range : ranges) count += lines_of(table.codes(), words, range, lines + count);
    scratch_.lines.add(count);
    return count;
  }

  void compare_lines(const bucket_table& table, std::size_t count) {
    sink to{*this, table.ids().data()};
    const auto ahead = scratch_.lines.ahead(count);
    if (to.threshold() != 0) set_.by_line(table.codes(), scratch_.lines.first(count), ahead, query_, scratch_.hits, to);
    scratch_.lines.drop(count, ahead.size());
  }

  void compare_in_pieces(const bucket_table& table, std::span<const code_range> ranges) {
    for (const code_range range : ranges)
      for (std::uint32_t done = 0; done < range.count; done += (std::min)(large_bucket, range.count - done)) {
        const code_range piece{range.first + done, (std::min)(large_bucket, range.count - done)};
        take_hits();
        if (table.ids()[piece.first] > last_row_) break;
        compare(table, {&piece, 1}, table.ids()[piece.first]);
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
          if (row > last_row_) break;
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
  const row_choice& choice_;
  probe_scratch& scratch_;
  probe_counts& counts_;
  double spent_ = 0;
  std::size_t step_ = 0, flip_ = 0;  // where lookups have come to
  std::size_t looked_up_ = 0;        // groups
  std::size_t lines_ = 0;            // of the groups that wait
  std::size_t waiting_hits_ = 0;
  bool listing_ = false;           // lines one by one
  row_id last_row_ = no_last_row;  // rows beyond do not count
  float share_ = 1;                // of rows up to it
};

/// Until the k nearest are certain, equal distances included: rows not yet met are farther than the k-th.
struct nearest_goal {
  const distinct_top_k& found;
  std::size_t typical;  ///< distance of the k-th neighbour of other queries

  bool reached(std::size_t steps) const noexcept { return found.full() && steps > found.worst_distance(); }
  /// Whether rows not yet met are at least as far as the k-th: they count only if their id is smaller.
  bool only_ties(std::size_t steps) const noexcept { return found.full() && steps == found.worst_distance(); }
  row_id last_row() const noexcept { return found.worst_row(); }
  /// Steps it will take before only ties are left: as many as usual, as long as that is possible, else as many as is
  /// certain to be enough.
  std::size_t expected(std::size_t steps) const noexcept {
    if (!found.full()) return (std::max)(typical, steps + 1);
    return steps < typical ? std::min<std::size_t>(typical, found.worst_distance()) : found.worst_distance();
  }
};

/// Until every row within a radius was met.
struct radius_goal {
  std::size_t radius;
  bool reached(std::size_t steps) const noexcept { return steps > radius; }
  static bool only_ties(std::size_t) noexcept { return false; }
  static row_id last_row() noexcept { return no_last_row; }
  std::size_t expected(std::size_t) const noexcept { return radius + 1; }
};

}  // namespace embit::inline EMBIT_ABI::detail
