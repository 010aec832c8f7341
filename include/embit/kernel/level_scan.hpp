// Distances of a batch of float queries to B-bit codes, through tables of what each nibble of a code adds.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/level_scan_ops.hpp>
#include <embit/kernel/detail/level_scan_portable.hpp>
#include <embit/kernel/level_run.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// The scan of a level, which this machine must support.
inline level_scan_function level_scan_of(isa) { return level_scan_portable::scan; }

}  // namespace detail

/// What a query brings to every distance beside its numbers.
struct level_query_terms {
  float base = 0;   ///< added to the distance of every row
  float error = 0;  ///< multiplies the row's `error`; the bound is used where this is above 0 and the format has one
  float scale = 1;  ///< multiplies the inner product of query and values
};

/// A query against codes of one format: `distance(row) = base + offset + scale_row · (scale · ⟨z, values⟩)`, where the
/// query z has been rounded to whole multiples of one step per segment, and all sums are sums of whole numbers.
/// Every SIMD level gives the same distances, to the bit.
class level_query {
 public:
  level_query() = default;

  /// Rounds a query of as many numbers as the format has dimensions to 2^bits − 1 steps. Up to 7 bits a nibble of a
  /// code costs one lookup, from 8 to 14 bits two. O(bytes of a plane of each segment).
  /// @param bits    2 to 14, of each number of z with its sign; fewer are used where sums would not fit 31 bits
  /// @param factor  what scales the product row by row (`scale`, `inverse_norm`), if the format has it
  /// @throws error errc::argument for other bits, errc::not_finite.
  void assign(const level_format& format, std::span<const float> z, std::size_t bits, level_query_terms terms = {},
              row_factor factor = row_factor::scale) {
    if (bits < 2 || bits > 14) raise(errc::argument, "query bits: ", bits, " where 2 to 14 are possible");
    EMBIT_ASSERT(z.size() == format.dims());
    terms_ = terms;
    factor_ = factor;
    choose_steps(format, z, static_cast<double>((1 << (bits - 1)) - 1));
    round(format, z);
  }

  /// The same for a query that consists of values of the codes themselves, which needs no rounding.
  void assign_values(const level_format& format, std::span<const float> z, level_query_terms terms = {},
                     row_factor factor = row_factor::scale) {
    EMBIT_ASSERT(format.segments.size() == 1 && z.size() == format.dims());
    terms_ = terms;
    factor_ = factor;
    const double step = format.segments[0].step;
    unit_ = step * step;
    multiples_.assign(1, 1);
    round(format, z);
  }

  /// The distance of one row. O(bytes of the row).
  float operator()(const level_row& row) const noexcept {
    detail::level_scan_job job = job_for(row.run, false);
    std::int32_t sum = 0;
    const std::uint8_t* bytes = row.run.row(row.index);
    for (const detail::level_section& s : sections_) {
      sum += s.weight * detail::level_sum(s, tables_.data(), wide_, bytes);
      bytes += s.bytes * level_block_rows;
    }
    return detail::level_row_score{job}.distance(sum, row.index);
  }

  /// What a scan of `run` by this query needs, but for limit, blocks and hits.
  detail::level_scan_job job_for(const level_run& run, bool bounded = true) const noexcept {
    const auto column = [&](row_factor which) { return run.factors[static_cast<std::size_t>(which)]; };
    const auto unit = [&](row_factor which) {
      return run.format->half_factors ? run.format->units[static_cast<std::size_t>(which)] : 1.f;
    };
    detail::level_scan_job job{.run = run,
                               .sections = sections_.data(),
                               .section_count = sections_.size(),
                               .tables = tables_.data(),
                               .wide = wide_,
                               .largest_entry = largest_entry_,
                               .score = score_,
                               .offset = column(row_factor::offset),
                               .scale = column(factor_),
                               .offset_unit = unit(row_factor::offset),
                               .scale_unit = unit(factor_)};
    if (bounded && terms_.error > 0 && run.has(row_factor::error) && run.has(row_factor::coarse_scale)) {
      job.coarse = coarse_;
      job.coarse_scale = column(row_factor::coarse_scale);
      job.error = column(row_factor::error);
      job.coarse_scale_unit = unit(row_factor::coarse_scale);
      job.error_unit = unit(row_factor::error) * terms_.error;
    }
    return job;
  }

 private:
  // A number of segment s is rounded to multiples of multiples_[s] · unit_ / its step, so that products with values
  // are whole multiples of unit_ in every segment.
  void choose_steps(const level_format& format, std::span<const float> z, double most) {
    constexpr double most_sum = 1 << 29;
    double least = std::numeric_limits<double>::infinity(), sum = 0;
    wanted_.clear();
    std::size_t first = 0;
    for (const level_segment& s : format.segments) {
      double largest = 0, magnitude = 0;
      for (const float x : z.subspan(first, s.dims)) {
        if (!std::isfinite(x)) raise(errc::not_finite, "query: a number that is not finite");
        largest = std::max(largest, std::abs(double{x}));
        magnitude += std::abs(double{x});
      }
      int weights = 0;
      for (const std::uint8_t w : s.weights) weights += w;
      wanted_.push_back(largest / most * s.step);
      if (largest > 0) least = std::min(least, wanted_.back());
      sum += magnitude * s.step * weights;
      first += s.dims;
    }
    // Several segments need a unit that divides the step of each nearly enough.
    unit_ = format.segments.size() == 1 ? least : least / 16;
    unit_ = sum > 0 ? std::max(unit_, sum / most_sum) : 1.0;
    multiples_.clear();
    for (const double step : wanted_)
      multiples_.push_back(std::max(1, static_cast<std::int32_t>(std::ceil(step / unit_ * (1 - 1e-9)))));
  }

  void round(const level_format& format, std::span<const float> z) {
    rounded_.resize(z.size());
    std::size_t first = 0;
    for (std::size_t i = 0; i < format.segments.size(); ++i) {
      const double inverse = format.segments[i].step / (multiples_[i] * unit_);
      for (std::size_t j = 0; j < format.segments[i].dims; ++j, ++first)
        rounded_[first] = static_cast<std::int16_t>(std::lrint(z[first] * inverse));
    }
    write_tables(format);
    write_sections(format);
  }

  // Entry b of a nibble is Σ max(q_j, 0) over its set bits j + Σ max(−q_j, 0) over the others: never negative, and
  // Σ q_j s(b_j) = 2 · entry − Σ |q_j|.
  void write_tables(const level_format& format) {
    std::size_t bytes = 0, first = 0;
    for (const level_segment& s : format.segments) bytes += 32 * s.plane_bytes();
    entries_.assign(bytes, 0);
    magnitudes_.clear();
    largest_entry_ = 0;
    std::uint16_t* entry = entries_.data();
    for (const level_segment& s : format.segments) {
      std::int32_t magnitude = 0;
      for (std::size_t j = 0; j < 8 * s.plane_bytes(); j += 4, entry += 16) {
        std::int32_t most = 0;
        for (std::size_t i = j; i < std::min(j + 4, s.dims); ++i) {
          const std::int32_t q = rounded_[first + i];
          most += std::abs(q);
          for (std::size_t b = 0; b < 16; ++b)
            if ((b >> (i - j) & 1u) == (q > 0 ? 1u : 0u)) entry[b] = static_cast<std::uint16_t>(entry[b] + std::abs(q));
        }
        magnitude += most;
        largest_entry_ = std::max(largest_entry_, static_cast<std::uint32_t>(most));
      }
      magnitudes_.push_back(magnitude);
      first += s.dims;
    }
    wide_ = largest_entry_ > 255;
    split_tables(format);
  }

  void split_tables(const level_format& format) {
    tables_.resize(entries_.size() * (wide_ ? 2 : 1));
    const std::uint16_t* entry = entries_.data();
    std::uint8_t* out = tables_.data();
    for (const level_segment& s : format.segments) {
      const std::size_t count = 32 * s.plane_bytes();
      for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<std::uint8_t>(entry[i]);
      out += count;
      if (wide_)
        for (std::size_t i = 0; i < count; ++i) *out++ = static_cast<std::uint8_t>(entry[i] >> 8);
      entry += count;
    }
  }

  void write_sections(const level_format& format) {
    sections_.clear();
    std::int32_t bias = 0;
    std::uint32_t table = 0;
    for (std::size_t i = 0; i < format.segments.size(); ++i) {
      const level_segment& s = format.segments[i];
      for (std::size_t plane = 0; plane < s.bits; ++plane) {
        const std::int32_t weight = multiples_[i] * s.weights[plane];
        sections_.push_back({static_cast<std::uint32_t>(s.plane_bytes()), table, 2 * weight});
        bias -= weight * magnitudes_[i];
      }
      table += static_cast<std::uint32_t>(32 * s.plane_bytes() * (wide_ ? 2 : 1));
    }
    score_ = {bias, static_cast<float>(terms_.scale * unit_), terms_.base};
    // The coarse product takes the first plane for ±1 a dimension.
    if (!sections_.empty())
      coarse_ = {-magnitudes_[0], static_cast<float>(terms_.scale * unit_ * multiples_[0] / format.segments[0].step),
                 terms_.base};
  }

  level_query_terms terms_;
  row_factor factor_ = row_factor::scale;
  double unit_ = 1;
  std::vector<double> wanted_;            // steps of numbers times values
  std::vector<std::int32_t> multiples_;   // a segment
  std::vector<std::int16_t> rounded_;     // a dimension
  std::vector<std::int32_t> magnitudes_;  // Σ |rounded| a segment
  std::vector<std::uint16_t> entries_;
  aligned_vector<std::uint8_t> tables_;
  std::vector<detail::level_section> sections_;
  bool wide_ = false;
  std::uint32_t largest_entry_ = 0;
  detail::level_score score_, coarse_;
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
  void reset(std::size_t queries) {
    if (queries_.size() < queries) queries_.resize(queries);
    size_ = queries;
    scan_ = detail::level_scan_of(active_isa());
  }

  std::size_t size() const noexcept { return size_; }
  level_query& operator[](std::size_t i) noexcept { return queries_[i]; }

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
      for (std::size_t q = 0; q < size_; ++q) scan_tile(run, first, std::min(first + tile, run.blocks()), q, s, sink);
  }

 private:
  template <class Sink>
  void scan_tile(const level_run& run, std::size_t first, std::size_t last, std::size_t query, scratch& s,
                 Sink& sink) const {
    detail::level_scan_job job = queries_[query].job_for(run);
    job.first_block = first;
    job.last_block = last;
    job.hits = s.hits_.data();
    while (job.first_block < last) {
      // An unlimited first block fills the collector; after it the limit is worth something.
      const auto limit = sink.limit(query);
      job.limit = limit.value_or(std::numeric_limits<float>::infinity());
      job.last_block = limit ? last : std::min(job.first_block + 1, last);
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
