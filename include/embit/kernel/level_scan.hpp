// Distances of a batch of float queries to B-bit codes, through tables of what each nibble of a code adds.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/dispatch.hpp>
#include <embit/kernel/detail/level_scan/ops.hpp>
#include <embit/kernel/detail/level_scan/tables.hpp>
#if EMBIT_KERNELS_HERE
#include <embit/kernel/detail/level_scan/avx2.hpp>
#include <embit/kernel/detail/level_scan/avx512.hpp>
#include <embit/kernel/detail/level_scan/neon.hpp>
#include <embit/kernel/detail/level_scan/portable.hpp>
#endif

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Of what float queries of whole kernels are rounded to.
/// @throws error errc::argument for bits outside 4 to 14.
inline void require_query_bits(std::size_t query_bits) {
  if (query_bits < 4 || query_bits > 14)
    raise(errc::argument, "query_bits: ", query_bits, " where 4 to 14 are possible");
}

#if EMBIT_KERNELS_HERE
template <>
EMBIT_KERNELS_INLINE const dispatch_table<level_scan_ops>& table_of() noexcept {
  static constexpr auto table = [] {
    dispatch_table<level_scan_ops> serving({level_scan_portable::scan});
#if EMBIT_X86
    serving.add(isa::avx2, {level_scan_avx2::scan});
    serving.add(isa::avx512, {level_scan_avx512::scan});
#endif
#if EMBIT_NEON
    serving.add(isa::neon, {level_scan_neon::scan});
#endif
    return serving;
  }();
  return table;
}
#else
template <>
const dispatch_table<level_scan_ops>& table_of() noexcept;
#endif

}  // namespace detail

/// What a query brings to every distance beside its numbers.
struct level_query_terms {
  float base = 0;   ///< added to the distance of every row
  float error = 0;  ///< multiplies the row's `error`; the bound is used where this is above 0 and the format has one
  float scale = 1;  ///< multiplies the inner product of query and values
};

/// A query against codes of one format: `distance(row) = base + offset + scale_row · (scale · ⟨z, values⟩)`, where the
/// query z has been rounded to whole multiples of one step per segment, and all sums are sums of whole numbers. Where
/// rows have scales for segments, these are among the values, and products of segments are sums of their own.
///
/// Where rows and query have an error, the first plane alone bounds the distance from below (see `row_factor::error`).
/// A distance estimated below its bound is set to it, so that passing over rows beyond a limit by their bounds never
/// changes what a search finds. Every SIMD level gives the same distances, to the bit.
class level_query {
 public:
  level_query() = default;

  /// Rounds a query of as many numbers as the format has dimensions to at most 2^bits − 1 steps. Up to 8 bits a nibble
  /// of a code costs one lookup, and so that four numbers fit them together, steps may be coarser at 8; from 9 bits on
  /// two lookups. A segment of 7 or 8 bits has use for more, and gets 4 bits more, up to 14. Of several segments, what
  /// nibbles add is rounded, at 8 bits so finely that it adds up to an eighth to the squared error of the codes, at
  /// each bit more or less by a quarter or four times that; the highest planes of segments of many bits may take two
  /// lookups. O(bytes of a plane), of several segments O(bytes of a row).
  /// @param bits    2 to 14, of each number of z with its sign; fewer are used where sums would not fit 31 bits
  /// @param factor  what scales the product row by row (`scale`, `inverse_norm`), if the format has it
  /// @throws error errc::argument for other bits, errc::not_finite.
  void assign(const level_format& format, std::span<const float> z, std::size_t bits, level_query_terms terms = {},
              row_factor factor = row_factor::scale) {
    if (bits < 2 || bits > 14) raise(errc::argument, "query bits: ", bits, " where 2 to 14 are possible");
    EMBIT_ASSERT(z.size() == format.dims());
    tables_.round(format, z, bits);
    set_terms(terms, factor);
  }

  /// The same for a query that consists of values of the codes themselves, which needs no rounding (but for thousands
  /// of dimensions of 7 or 8 bits).
  void assign_values(const level_format& format, std::span<const float> z, level_query_terms terms = {},
                     row_factor factor = row_factor::scale) {
    EMBIT_ASSERT(format.segments.size() == 1 && !format.has_scales() && z.size() == format.dims());
    tables_.round_values(format, z);
    set_terms(terms, factor);
  }

  /// For codes whose nibbles are the numbers of entries, as those of product quantizers: base + Σ entries, each rounded
  /// to 2^bits − 1 steps of how far the entries of a nibble lie apart at most.
  /// @param entries  16 for each nibble of a row, those of the low nibble of a byte first
  /// @param bits     4 to 14; up to 8 cost a lookup a nibble, more two
  /// @throws error errc::argument for other bits, errc::not_finite for entries that are not finite.
  void assign_entries(std::span<const float> entries, std::size_t bits, float base) {
    if (bits < 4 || bits > 14) raise(errc::argument, "query bits: ", bits, " where 4 to 14 are possible");
    EMBIT_ASSERT(entries.size() % 32 == 0);
    const double least = tables_.round_entries(entries, bits);
    set_terms({.base = static_cast<float>(double{base} + least)}, row_factor::scale);
  }

  /// The distance of one row: what is estimated of it, but not below its bound. O(bytes of the row).
  float operator()(const level_row& row) const noexcept {
    const detail::level_scan_job job = job_for(row.run);
    const detail::level_row_score score{job};
    if (job.part_count != 0) return by_parts(job, row);
    const std::int32_t coarse = sum_of(row, 0, job.coarse_count);
    const float distance = score.distance(coarse + sum_of(row, job.coarse_count, job.section_count), row.index);
    return job.coarse_count == 0 ? distance : (std::max)(distance, score.bound(coarse, row.index));
  }

  /// The distance of one row without regard to a bound. O(bytes of the row).
  float estimate(const level_row& row) const noexcept {
    const detail::level_scan_job job = job_for(row.run);
    if (job.part_count != 0) return by_parts(job, row);
    return detail::level_row_score{job}.distance(sum_of(row, 0, job.section_count), row.index);
  }

  /// The distance of a binary code to a query of codes of one segment of 1 bit. O(bytes of the code).
  float operator()(std::span<const word> code) const noexcept {
    const std::int32_t sum = detail::level_sum(tables_.sections(), tables_.data(), [&](std::size_t p) {
      return static_cast<std::uint8_t>(code[p / 8] >> p % 8 * 8);
    });
    return detail::fused(score_.unit, static_cast<float>(score_.bias + sum), score_.base);
  }

  /// What a scan of `run` by this query needs, but for limit, blocks and hits.
  detail::level_scan_job job_for(const level_run& run) const noexcept {
    const auto column = [&](row_factor which) {
      const auto f = static_cast<std::size_t>(which);
      return detail::level_column{run.factors[f], run.format->half_factors ? run.format->units[f] : 1.f};
    };
    detail::level_scan_job job{.run = run,
                               .sections = tables_.sections().data(),
                               .section_count = tables_.sections().size(),
                               .tables = tables_.data(),
                               .score = score_,
                               .offset = column(row_factor::offset),
                               .scale = column(factor_),
                               .parts = parts_.data(),
                               .part_count = parts_.size()};
    if (job.part_count != 0) return job;
    if (terms_.error > 0 && run.has(row_factor::error) && run.has(row_factor::coarse_scale)) {
      job.coarse_count = tables_.coarse_count();
      job.coarse = coarse_;
      job.coarse_scale = column(row_factor::coarse_scale);
      job.error = column(row_factor::error);
      job.error.unit *= terms_.error;
    }
    return job;
  }

 private:
  float by_parts(const detail::level_scan_job& job, const level_row& row) const noexcept {
    const detail::level_row_score score{job};
    float distance = score.base(job.score, row.index);
    std::size_t section = 0;
    for (const detail::level_part& part : parts_) {
      const std::uint8_t scale = part.scale_byte == detail::level_part::unscaled ? 0 : row.byte(part.scale_byte);
      distance = score.with_part(part, sum_of(row, section, part.last_section), scale, distance);
      section = part.last_section;
    }
    return distance;
  }

  std::int32_t sum_of(const level_row& row, std::size_t first, std::size_t last) const noexcept {
    const std::uint8_t* code = row.run.row(row.index);
    return detail::level_sum(tables_.sections().subspan(first, last - first), tables_.data(),
                             [&](std::size_t p) { return code[p * level_block_rows]; });
  }

  void set_terms(level_query_terms terms, row_factor factor) noexcept {
    constexpr double most = (std::numeric_limits<float>::max)();
    const auto unit = [&](double x) { return static_cast<float>(std::clamp(terms.scale * x, -most, most)); };
    terms_ = terms;
    factor_ = factor;
    score_ = {tables_.bias(), unit(tables_.unit()), terms.base};
    coarse_ = {tables_.coarse_bias(), unit(tables_.coarse_unit()), terms.base};
    parts_.clear();
    for (const auto& part : tables_.parts())
      parts_.push_back({static_cast<std::uint32_t>(part.last_section), static_cast<std::uint32_t>(part.scale_byte),
                        part.bias, unit(part.unit)});
  }

  level_query_terms terms_;
  row_factor factor_ = row_factor::scale;
  detail::level_tables tables_;
  detail::level_score score_, coarse_;
  std::vector<detail::level_part> parts_;
};

/// Queries of one call, prepared for scanning. Immutable once filled, shared by the workers of the call, each with its
/// scratch.
class level_batch {
 public:
  using run_type = level_run;

  /// What one worker writes while it scans.
  class scratch {
    friend class level_batch;
    std::vector<detail::level_hit> hits_;
  };

  /// Makes room for `queries` queries, to be filled in through `[]`; keeps the memory it has.
  /// @throws error errc::unsupported for a level that this machine cannot run.
  void reset(std::size_t queries, isa level = active_isa()) {
    detail::require_isa(level, "level_batch");
    if (queries_.size() < queries) queries_.resize(queries);
    size_ = queries;
    scan_ = detail::ops_at<detail::level_scan_ops>(level).scan;
  }

  std::size_t size() const noexcept { return size_; }
  level_query& operator[](std::size_t i) & noexcept { return queries_[i]; }

  /// Offers to `sink` every pair of a query and a row of `run` within `sink.limit(query)` (a std::optional: none
  /// takes every row), in ascending order of rows for each query. The limit may fall as offers are made; it is read
  /// from time to time only.
  template <class Sink>
  void scan(const level_run& run, scratch& s, Sink& sink) const {
    constexpr std::size_t tile_bytes = 24 << 10;
    s.hits_.resize(detail::level_hit_room);
    const std::size_t block_bytes = std::max<std::size_t>(run.row_bytes * level_block_rows, 1);
    const std::size_t tile = size_ == 1 ? run.blocks() : std::max<std::size_t>(tile_bytes / block_bytes, 1);
    for (std::size_t first = 0; first < run.blocks(); first += tile)
      for (std::size_t q = 0; q < size_; ++q) scan_tile(run, first, (std::min)(first + tile, run.blocks()), q, s, sink);
  }

 private:
  template <class Sink>
  void scan_tile(const level_run& run, std::size_t first, std::size_t last, std::size_t query, scratch& s,
                 Sink& sink) const {
    detail::level_scan_job job = queries_[query].job_for(run);
    job.first_block = first;
    job.last_block = last;
    job.prefetch = size_ == 1;
    job.hits = s.hits_.data();
    while (job.first_block < last) {
      // An unlimited first block fills the collector; after it the limit is worth something.
      const auto limit = sink.limit(query);
      job.limit = limit.value_or(detail::infinity<float>());
      job.last_block = limit ? last : (std::min)(job.first_block + 1, last);
      const auto stop = scan_(job);
      for (std::size_t i = 0; i < stop.hits; ++i)
        sink.offer(query, static_cast<row_id>(run.first_row + job.hits[i].row), job.hits[i].distance);
      job.first_block = stop.at;
    }
  }

  detail::level_scan_function scan_ = nullptr;
  std::vector<level_query> queries_;
  std::size_t size_ = 0;
};

}  // namespace embit::inline EMBIT_ABI
