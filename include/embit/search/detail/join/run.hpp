// Runs a join: sorts rows into the buckets of one table after another, and compares the buckets that meet.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/bucket_scan.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/search/detail/join/plan.hpp>
#include <embit/search/detail/join/rows.hpp>
#include <embit/search/detail/join/sorted_rows.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/search/partition.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/scan.hpp>
#include <embit/store/block_store.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Which pairs a part of a join may report: those that no earlier table has seen, of this join and of the joins that
/// it is a part of.
struct pair_gate {
  const pair_gate* outer = nullptr;
  std::span<const join_table> seen_by = {};

  bool admits(const word* a, const word* b) const noexcept {
    for (const pair_gate* gate = this; gate != nullptr; gate = gate->outer)
      for (const join_table& table : gate->seen_by)
        if (static_cast<std::uint32_t>(std::popcount(table.key.of(a) ^ table.key.of(b))) <= table.radius) return false;
    return true;
  }
};

/// Joins rows of one or two sets of codes, and reports every pair within a radius once, by the rows' ids: within
/// one set the smaller first.
class join_run {
 public:
  /// @param self  the sets are one, of which each pair of rows is met once
  join_run(std::size_t bits, bool self, std::uint32_t radius, const executor_ref& executor,
           pair_report<std::uint32_t>& report, const join_tuning& tuning)
      : bits_(bits),
        words_(words_for(bits)),
        self_(self),
        radius_(static_cast<std::uint32_t>(std::min<std::size_t>(radius, bits))),
        executor_(executor),
        report_(report),
        tuning_(tuning) {}

  void operator()(const join_rows& a, const join_rows& b) { join(a, b, self_, nullptr); }

 private:
  /// Buckets with so many pairs of rows that they are joined for themselves.
  struct large_meeting {
    std::uint32_t a, b;
  };

  /// Within one set the smaller row comes first.
  void add(pair_buffer<std::uint32_t>& found, row_id a, row_id b, std::uint32_t distance) const {
    if (self_ && a > b) std::swap(a, b);
    found.add(a, b, distance);
  }

  void join(const join_rows& a, const join_rows& b, bool self, const pair_gate* outer) {
    if (a.size < (self ? 2u : 1u) || b.size == 0 || report_.stopped()) return;
    const join_bits bits = varying_bits(a, b, self);
    if (bits.differ > radius_) return;
    const join_plan plan =
        join_planner(a, b, self, bits, radius_ - bits.differ, join_costs_of(active_isa()), tuning_).choose();
    if (plan.tables.empty()) return compare_all(a, b, self, outer);

    const std::vector<std::size_t> kept = most_varying(bits, plan.words);
    sorted_rows in_a, in_b;
    for (std::size_t t = 0; t < plan.tables.size() && !report_.stopped(); ++t) {
      const join_table& table = plan.tables[t];
      const pair_gate gate{outer, std::span(plan.tables).first(t)};
      in_a.assign(a, table.key, kept, executor_);
      if (!self) in_b.assign(b, table.key, kept, executor_);
      const sorted_rows& other = self ? in_a : in_b;
      for (const large_meeting& m : meet(a, b, in_a, other, table, self, gate))
        join(in_a.rows(a, m.a), other.rows(b, m.b), self && m.a == m.b, &gate);
    }
  }

  std::vector<std::size_t> most_varying(const join_bits& bits, std::size_t count) const {
    std::vector<std::size_t> order(words_);
    for (std::size_t w = 0; w < words_; ++w) order[w] = w;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
      return std::popcount(bits.mask[x]) > std::popcount(bits.mask[y]);
    });
    order.resize(count);
    std::sort(order.begin(), order.end());
    return order;
  }

  /// Takes what the kernel finds near a row of `a`.
  struct row_sink {
    const join_run& run;
    const join_rows &a, &b;
    const sorted_rows& in_b;
    const pair_gate& gate;
    bool whole;  // the table has all words of the codes
    pair_buffer<std::uint32_t>& found;
    const word* kept = nullptr;  // of the row's code, in the table
    row_id row = 0;

    std::uint32_t threshold() const noexcept { return run.radius_ + 1; }
    void offer(std::uint32_t place, std::uint32_t distance) {
      const row_id other = in_b.ids[place];
      const word *code = kept, *met = in_b.codes.data() + place * run.words_;
      if (!whole) {
        code = a.row(row);
        met = b.row(other);
        if ((distance = hamming{}({code, run.words_}, {met, run.words_})) > run.radius_) return;
      }
      if (gate.admits(code, met)) run.add(found, row, other, distance);
    }
  };

  /// Compares every two buckets whose keys are near enough, but for large ones, which it returns.
  std::vector<large_meeting> meet(const join_rows& a, const join_rows& b, const sorted_rows& in_a,
                                  const sorted_rows& in_b, const join_table& table, bool self, const pair_gate& gate) {
    const auto masks = masks_within(table.key.length(), table.radius);
    const std::size_t buckets = in_a.start.size() - 1, words = in_a.codes.size() / a.size;
    const std::size_t pieces = executor_.concurrency() == 1 ? 1 : 32 * executor_.concurrency();
    std::vector<std::vector<large_meeting>> large(pieces);
    const bucket_scan kernel(words);
    run_bulk(executor_, pieces, [&](std::size_t item, std::size_t) {
      const auto bucket_at = [&](std::size_t i) {  // that of row i
        const auto row = static_cast<std::uint32_t>(a.size / pieces * i + a.size % pieces * i / pieces);
        return i == pieces ? buckets
                           : static_cast<std::size_t>(std::lower_bound(in_a.start.begin(), in_a.start.end() - 1, row) -
                                                      in_a.start.begin());
      };
      pair_buffer<std::uint32_t> found(report_);
      row_sink sink{*this, a, b, in_b, gate, words == words_, found};
      bucket_scan::scratch hits;
      std::vector<code_range> ranges;
      for (std::size_t bucket = bucket_at(item), last = bucket_at(item + 1); bucket < last; ++bucket) {
        const std::size_t size = in_a.size(bucket);
        if (size == 0) continue;
        if (report_.stopped()) return;
        ranges.clear();
        bool first_is_own = false;
        for (const std::uint32_t mask : masks) {
          const std::size_t met = bucket ^ mask;
          if ((self && met < bucket) || in_b.size(met) == 0) continue;
          if (static_cast<double>(size) * static_cast<double>(in_b.size(met)) > tuning_.large) {
            large[item].push_back({static_cast<std::uint32_t>(bucket), static_cast<std::uint32_t>(met)});
            continue;
          }
          if (self && mask == 0) first_is_own = true;
          ranges.push_back({in_b.start[met], static_cast<std::uint32_t>(in_b.size(met))});
        }
        if (ranges.empty() || (size == 1 && first_is_own && ranges.size() == 1)) continue;
        for (std::uint32_t i = in_a.start[bucket]; i < in_a.start[bucket + 1]; ++i) {
          if (first_is_own) ranges[0] = {i + 1, in_a.start[bucket + 1] - i - 1};  // the rows after this one
          sink.row = in_a.ids[i];
          sink.kept = in_a.codes.data() + i * words;
          kernel(in_b.codes.data(), ranges, sink.kept, hits, sink);
        }
      }
      found.flush();
    });
    std::vector<large_meeting> all;
    for (const auto& list : large) all.insert(all.end(), list.begin(), list.end());
    return all;
  }

  /// Takes what a scan finds near the rows of a tile of `a`.
  struct tile_sink {
    const join_run& run;
    const join_rows &a, &b;
    std::size_t first;  // row of the tile
    bool self;
    const pair_gate* gate;
    pair_buffer<std::uint32_t>& found;
    row_choice accepts = {};
    std::size_t offers = 0;

    std::uint32_t threshold(std::size_t) const noexcept { return run.radius_ + 1; }
    void offer(std::size_t query, row_id row, std::uint32_t distance) {
      if (self && row <= first + query) return;
      if (gate != nullptr && !gate->admits(a.code(first + query), b.code(row))) return;
      run.add(found, a.id(first + query), b.id(row), distance);
    }
    void keep(std::size_t query, row_id row, std::uint32_t distance) {
      if (distance <= run.radius_) offer(query, row, distance);
    }
  };

  void compare_all(const join_rows& a, const join_rows& b, bool self, const pair_gate* gate) {
    std::vector<word> copied;
    const auto copy = [&](const join_rows& rows, std::size_t first, std::vector<word>& into) {
      const std::size_t count = (std::min)(superblock_rows, rows.size - first);
      into.resize(count * words_);
      for (std::size_t i = 0; i < count; ++i)
        std::copy_n(rows.code(first + i), words_, into.begin() + static_cast<std::ptrdiff_t>(i * words_));
      return code_view<>(into.data(), count, bits_);
    };
    block_store<> store(bits_);
    store.reserve(b.size);
    for (std::size_t first = 0; first < b.size; first += superblock_rows) store.append(copy(b, first, copied));
    const std::size_t tiles = (a.size + superblock_rows - 1) / superblock_rows;
    run_bulk(executor_, tiles, [&](std::size_t tile, std::size_t) {
      if (report_.stopped()) return;
      const std::size_t first = tile * superblock_rows;
      std::vector<word> queries;
      prepared_queries<hamming, block_store<>> group;
      group.assign(hamming{}, copy(a, first, queries), self ? b.size - first : b.size);
      scan_scratch<hamming, block_store<>> scratch;
      pair_buffer<std::uint32_t> found(report_);
      tile_sink sink{*this, a, b, first, self, gate, found};
      group.scan(store, self ? first : 0, b.size, nullptr, scratch, sink);
      found.flush();
    });
  }

  std::size_t bits_, words_;
  bool self_;
  std::uint32_t radius_;
  executor_ref executor_;
  pair_report<std::uint32_t>& report_;
  const join_tuning& tuning_;
};

}  // namespace embit::inline EMBIT_ABI::detail
