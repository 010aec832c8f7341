// A float query against B-bit codes, rounded to whole steps: tables of what each nibble of a code adds to sums.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/kernel/detail/level_scan/ops.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Of tables of entries: the sum of the least ones, and how far the entries of a table lie apart at most.
struct entries_extent {
  double least = 0, widest = 0;
};

/// @param size  of a table
/// @throws error errc::not_finite.
inline entries_extent extent_of_entries(std::span<const float> entries, std::size_t size) {
  if (!all_finite(entries.data(), entries.size())) raise(errc::not_finite, "query: a number that is not finite");
  entries_extent all;
  for (; !entries.empty(); entries = entries.subspan(size)) {
    const auto [least, most] = std::ranges::minmax(entries.first(size));
    all.least += double{least};
    all.widest = (std::max)(all.widest, double{most} - double{least});
  }
  return all;
}

/// The rounded query: ⟨z, values⟩ ≈ unit · (bias + sum) where the sum of a row is that of `level_section`, and for the
/// first plane alone taken for ±1 a dimension, coarse_unit · (coarse_bias + sum of the first coarse_count sections).
///
/// Entry b of a nibble is Σ max(q_j, 0) over its set bits j + Σ max(−q_j, 0) over the others: never negative, and
/// Σ q_j s(b_j) = 2 · entry − Σ |q_j|. Entries beyond 8 bits are split into 7 low bits and the high ones, each with a
/// section of its own.
///
/// The planes of a single segment share their entries and differ in what sums are weighted with. Planes of several
/// segments have entries of their own in one unit for all, so that short planes add up like one long one. Where rows
/// have scales for segments, each segment is a part that is rounded alone.
class level_tables {
 public:
  /// As level_query::assign.
  void round(const level_format& format, std::span<const float> z, std::size_t bits) {
    measure(format, z);
    if (format.has_scales()) return round_parts(format, z, bits);
    if (format.segments.size() > 1) {
      choose_common_unit(format, 0, extents_.size(), bits);
      write_planes(format, z);
      return;
    }
    unit_ = total_ > 0 ? (std::max)(wanted_step(format.segments[0], extents_[0], bits), total_ / most_sum) : 1.0;
    write(format, z);
  }

  /// The same for a query of values of the one segment, which are whole multiples of its step. They need no rounding
  /// unless their sums would not fit 31 bits.
  void round_values(const level_format& format, std::span<const float> z) {
    EMBIT_ASSERT(format.segments.size() == 1);
    const double step = format.segments[0].step;
    measure(format, z);
    if (total_ > most_sum * step * step) return round(format, z, 14);
    unit_ = step * step;
    write(format, z);
  }

  /// Tables of codes whose nibbles are the numbers of entries themselves, not bits of levels: what entries have beyond
  /// the least of their nibble, in 2^bits − 1 steps of the largest such; fewer where sums would not fit 31 bits.
  /// @param entries  16 for each nibble of a row
  /// @return  the sum of the least entries, which no table has
  /// @throws error errc::not_finite.
  double round_entries(std::span<const float> entries, std::size_t bits) {
    clear();
    const auto [least_of_all, widest] = extent_of_entries(entries, 16);
    const auto fit = static_cast<std::size_t>(most_sum) / std::max<std::size_t>(entries.size() / 16, 1);
    const auto steps = static_cast<std::int32_t>((std::min)((std::size_t{1} << bits) - 1, fit));
    unit_ = widest / steps / 2;  // groups weigh sums by 2
    write_steps(entries, widest > 0 ? steps / widest : 0., steps > 255);
    return least_of_all;
  }

  /// A segment where some have scales: what `level_part` is made of.
  struct scored_part {
    std::size_t last_section = 0, scale_byte = level_part::unscaled;
    std::int32_t bias = 0;
    double unit = 0;
  };
  /// None where no segment has scales.
  std::span<const scored_part> parts() const noexcept { return parts_; }

  std::span<const level_section> sections() const noexcept { return sections_; }
  const std::uint8_t* data() const noexcept { return tables_.data(); }
  double unit() const noexcept { return unit_; }
  std::int32_t bias() const noexcept { return bias_; }
  std::size_t coarse_count() const noexcept { return coarse_count_; }
  double coarse_unit() const noexcept { return coarse_unit_; }
  std::int32_t coarse_bias() const noexcept { return coarse_bias_; }

 private:
  static constexpr double most_sum = 1 << 29;  // of magnitudes of numbers times values, in units
  static constexpr std::uint32_t most_group = 0xffff;
  static constexpr int most_entry = 253;              // that fits 8 bits whatever is rounded up
  static constexpr int most_wide = most_entry * 128;  // the same where 7 low bits have an entry of their own

  struct extent {
    double number, nibble;  // the largest magnitude of a number, and sum of the four of a nibble
    double square;          // sum of squares
  };

  void clear() noexcept {
    sections_.clear();
    tables_.clear();
    bias_ = 0;
    coarse_count_ = 0;
    group_weight_ = 0;
    extents_.clear();
    parts_.clear();
    total_ = 0;
  }

  void measure(const level_format& format, std::span<const float> z) {
    clear();
    std::size_t first = 0;
    for (const level_segment& s : format.segments) {
      extent most{};
      double sum = 0;
      for (std::size_t j = first; j < first + s.dims; j += 4) {
        double nibble = 0;
        for (std::size_t i = j; i < (std::min)(j + 4, first + s.dims); ++i) {
          const double x = std::abs(double{z[i]});
          most.number = (std::max)(most.number, x);
          most.square += x * x;
          nibble += x;
        }
        most.nibble = (std::max)(most.nibble, nibble);
        sum += nibble;
      }
      if (!is_finite(sum)) raise(errc::not_finite, "query: a number that is not finite");
      extents_.push_back(most);
      total_ += sum * s.step * sum_of_weights(s);
      first += s.dims;
    }
  }

  static int sum_of_weights(const level_segment& s) noexcept {
    int sum = 0;
    for (const std::uint8_t w : s.weights) sum += w;
    return sum;
  }

  // The step of a number times that of a value. Nibbles of numbers of up to 8 bits fit 8 bits: each may round up by a
  // half.
  static double wanted_step(const level_segment& s, const extent& most, std::size_t bits) noexcept {
    if (s.bits > 6) bits = std::min<std::size_t>(bits + 4, 14);
    double step = most.number / ((1 << (bits - 1)) - 1);
    if (bits <= 8) step = (std::max)(step, most.nibble / 253);
    return step * s.step;
  }

  void round_parts(const level_format& format, std::span<const float> z, std::size_t bits) {
    tables_.resize(32 * format.row_bytes());
    planes_section open;
    for (std::size_t i = 0; i < format.segments.size(); ++i) {
      const level_segment& s = format.segments[i];
      const std::int32_t before = bias_;
      choose_common_unit(format, i, i + 1, bits);
      write_planes_of(s, extents_[i], z.first(s.dims), false, open);
      z = z.subspan(s.dims);
      end_planes(open);
      close_group();
      parts_.push_back({sections_.size(), s.scaled ? open.section.first : level_part::unscaled, bias_ - before, unit_});
      if (!s.scaled) continue;
      ++open.section.first;
      open.section.table += 32;
    }
  }

  // Levels of a segment lie 2 steps apart, so that a code is off by step² / 3 in a number: ⟨z, values⟩ by the sum of
  // squares of z times that. Rounding entries to multiples of 2 units adds unit² / 3 an entry, which at 8 bits may be
  // an eighth of it. Planes whose entries do not fit 8 bits then take two lookups; the others leave the unit as fine as
  // they can.
  // For segments [first, last).
  void choose_common_unit(const level_format& format, std::size_t first, std::size_t last, std::size_t bits) {
    double error = 0, entries = 0, largest = 0;
    for (std::size_t i = first; i < last; ++i) {
      const level_segment& s = format.segments[i];
      error += double{s.step} * s.step * extents_[i].square;
      entries += static_cast<double>(2 * s.bits * s.plane_bytes());
      for (const std::uint8_t weight : s.weights) largest = (std::max)(largest, extents_[i].nibble * s.step * weight);
    }
    double wanted = std::sqrt(error / (8 * entries)) * std::exp2(8. - static_cast<double>(bits));
    if (bits > 8) wanted = (std::min)(wanted, largest / (most_entry << (bits - 7)));
    double narrow = 0;
    for (std::size_t i = first; i < last; ++i)
      for (const std::uint8_t weight : format.segments[i].weights) {
        const double most = extents_[i].nibble * format.segments[i].step * weight;
        if (most <= most_entry * wanted) narrow = (std::max)(narrow, most);
      }
    unit_ = narrow > 0 ? narrow / most_entry : wanted;
    unit_ = total_ > 0 ? (std::max)({unit_, largest / most_wide, total_ / most_sum}) : 1.0;
  }

  void write(const level_format& format, std::span<const float> z) {
    const level_segment& s = format.segments[0];
    round_segment(s, z, s.step / unit_);
    write_segment(s, format.has(row_factor::error));
    close_group();
  }

  // To the nearest whole numbers, ties to even, by an addition that pushes the fraction out. A factor of 24 bits makes
  // the product exact, so that it does not matter whether a compiler fuses the two.
  void round_segment(const level_segment& s, std::span<const float> z, double inverse) {
    constexpr double pusher = 0x1.8p52;
    inverse = std::bit_cast<double>(std::bit_cast<std::uint64_t>(inverse) >> 29 << 29);
    rounded_.assign(8 * s.plane_bytes(), 0);
    for (std::size_t j = 0; j < z.size(); ++j)
      rounded_[j] = static_cast<std::int16_t>(std::bit_cast<std::int64_t>(double{z[j]} * inverse + pusher));
  }

  struct sums_of_magnitudes {
    std::int32_t all = 0, nibble = 0;  // of the numbers, and of the four of a nibble at most
  };

  sums_of_magnitudes rounded_sums() const noexcept {
    sums_of_magnitudes sums;
    for (std::size_t j = 0; j < rounded_.size(); j += 4) {
      std::int32_t nibble = 0;
      for (std::size_t i = j; i < j + 4; ++i) nibble += std::abs(std::int32_t{rounded_[i]});
      sums.all += nibble;
      sums.nibble = (std::max)(sums.nibble, nibble);
    }
    return sums;
  }

  void write_segment(const level_segment& s, bool bounded) {
    const auto [magnitude, largest] = rounded_sums();
    const auto bytes = static_cast<std::uint32_t>(s.plane_bytes());
    const bool wide = largest > 255;
    write_entries(wide);
    for (std::size_t plane = 0; plane < s.bits; ++plane) {
      const std::int32_t weight = s.weights[plane];
      const auto first = static_cast<std::uint32_t>(plane) * bytes;
      add_section({.first = first, .bytes = bytes, .table = 0}, weight, wide ? 127 : largest, magnitude);
      if (wide)
        add_section({.first = first, .bytes = bytes, .table = 32 * bytes}, 128 * weight, largest >> 7, magnitude >> 7);
      bias_ -= weight * magnitude;
      if (plane == 0 && bounded) end_coarse(s);
    }
  }

  // What is written so far is the first plane.
  void end_coarse(const level_segment& s) noexcept {
    close_group();
    coarse_count_ = sections_.size();
    coarse_bias_ = bias_;
    coarse_unit_ = unit_ / (double{s.step} * s.weights[0]);
  }

  // Planes with entries of their own, one section for the low bits of as many as possible.
  struct planes_section {
    level_section section;
    sums_of_magnitudes sums;
  };

  void end_planes(planes_section& open) {
    level_section& low = open.section;
    if (low.bytes != 0) add_section(low, 1, open.sums.nibble, open.sums.all);
    low = {.first = low.first + low.bytes, .bytes = 0, .table = low.table + 32 * low.bytes};
    open.sums = {};
  }

  void write_planes(const level_format& format, std::span<const float> z) {
    tables_.resize(32 * format.row_bytes());
    planes_section open;
    for (std::size_t i = 0; i < format.segments.size(); ++i) {
      const level_segment& s = format.segments[i];
      write_planes_of(s, extents_[i], z.first(s.dims), i == 0 && format.has(row_factor::error), open);
      z = z.subspan(s.dims);
    }
    end_planes(open);
    close_group();
  }

  /// @param bounded  whether the first plane ends a section of its own
  void write_planes_of(const level_segment& s, const extent& most_of, std::span<const float> z, bool bounded,
                       planes_section& open) {
    const double number = most_of.nibble / most_wide;  // the unit of rounded ones
    round_segment(s, z, number > 0 ? 1 / number : 0.);
    const auto sums = rounded_sums();
    fine_.resize(4 * rounded_.size());
    for (std::size_t n = 0; 4 * n < rounded_.size(); ++n) write_nibble(rounded_.data() + 4 * n, fine_.data() + 16 * n);
    for (std::size_t plane = 0; plane < s.bits; ++plane) {
      const double part = number * s.step * s.weights[plane] / unit_ * 65536;
      const auto multiple = static_cast<std::uint16_t>((std::min)(part + .5, 65535.));
      const sums_of_magnitudes whole{static_cast<std::int32_t>((std::int64_t{sums.all} * multiple + 32768) >> 16),
                                     scaled(sums.nibble, multiple)};
      // (More nibbles may be rounded up than down.)
      const auto most = whole.all + static_cast<std::int32_t>(rounded_.size() / 4);
      const level_section high = write_plane(open.section, multiple, whole.nibble > 255);
      open.section.bytes += static_cast<std::uint32_t>(s.plane_bytes());
      open.sums.nibble = (std::max)(open.sums.nibble, high.bytes != 0 ? 127 : whole.nibble);
      open.sums.all += most;
      if (high.bytes != 0) add_section(high, 128, whole.nibble >> 7, most >> 7);
      bias_ -= whole.all;
      if (plane != 0 || !bounded) continue;
      end_planes(open);
      end_coarse(s);
    }
  }

  /// The nearest whole number to x · multiple / 2^16, for x and multiple below 2^15 and 2^16.
  static constexpr std::uint16_t scaled(std::int32_t x, std::uint16_t multiple) noexcept {
    const std::uint32_t half = multiple == 0 ? 0 : 32768u / multiple;
    return static_cast<std::uint16_t>((static_cast<std::uint32_t>(x) + half) * multiple >> 16);
  }

  /// Writes the entries of one plane, `fine_` times `multiple`, where the section `low` ends.
  /// @return  that of their high bits, empty unless `wide`
  level_section write_plane(const level_section& low, std::uint16_t multiple, bool wide) {
    const std::size_t at = low.table + 32 * low.bytes;
    if (!wide) {
      std::uint8_t* const entry = tables_.data() + at;
      for (std::size_t e = 0; e < fine_.size(); ++e) entry[e] = static_cast<std::uint8_t>(scaled(fine_[e], multiple));
      return {};
    }
    const std::size_t end = tables_.size();
    tables_.resize(end + fine_.size());
    std::uint8_t* const entry = tables_.data() + at;
    std::uint8_t* const high = tables_.data() + end;
    for (std::size_t e = 0; e < fine_.size(); ++e) {
      const std::uint16_t x = scaled(fine_[e], multiple);
      entry[e] = x & 127;
      high[e] = static_cast<std::uint8_t>(x >> 7);
    }
    return {.first = low.first + low.bytes,
            .bytes = static_cast<std::uint32_t>(fine_.size() / 32),
            .table = static_cast<std::uint32_t>(end)};
  }

  // Whether bit i of b is set, all ones or none.
  template <class Entry>
  static constexpr std::array<std::array<Entry, 16>, 4> nibble_bits() noexcept {
    std::array<std::array<Entry, 16>, 4> masks{};
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t b = 0; b < 16; ++b) masks[i][b] = static_cast<Entry>((b >> i & 1) != 0 ? ~0u : 0u);
    return masks;
  }

  // The 16 entries of four numbers.
  template <class Entry>
  static void write_nibble(const std::int16_t* q, Entry* entry) noexcept {
    static constexpr auto bits = nibble_bits<Entry>();
    const auto negative = [&](std::size_t i) { return q[i] < 0 ? -q[i] : 0; };
    const auto least = static_cast<Entry>(negative(0) + negative(1) + negative(2) + negative(3));
    const auto q0 = static_cast<Entry>(q[0]), q1 = static_cast<Entry>(q[1]);
    const auto q2 = static_cast<Entry>(q[2]), q3 = static_cast<Entry>(q[3]);
    for (std::size_t b = 0; b < 16; ++b)
      entry[b] =
          static_cast<Entry>(least + (q0 & bits[0][b]) + (q1 & bits[1][b]) + (q2 & bits[2][b]) + (q3 & bits[3][b]));
  }

  void write_entries(bool wide) {
    const std::size_t nibbles = rounded_.size() / 4;
    tables_.resize(16 * nibbles * (wide ? 2 : 1));
    std::uint8_t* low = tables_.data();
    for (std::size_t n = 0; n < nibbles; ++n, low += 16) {
      if (!wide) {
        write_nibble(rounded_.data() + 4 * n, low);
        continue;
      }
      std::uint16_t entry[16];
      write_nibble(rounded_.data() + 4 * n, entry);
      for (std::size_t b = 0; b < 16; ++b) {
        low[b] = static_cast<std::uint8_t>(entry[b] & 127);
        low[16 * nibbles + b] = static_cast<std::uint8_t>(entry[b] >> 7);
      }
    }
  }

  void write_steps(std::span<const float> entries, double inverse, bool wide) {
    const std::size_t count = entries.size();
    tables_.resize(count * (wide ? 2 : 1));
    sums_of_magnitudes low, high;  // the most that they can be
    for (std::size_t n = 0; n < count; n += 16) {
      const double least{(std::ranges::min)(entries.subspan(n, 16))};
      std::int32_t largest_low = 0, largest_high = 0;
      for (std::size_t e = n; e < n + 16; ++e) {
        const auto x = static_cast<std::int32_t>((double{entries[e]} - least) * inverse + .5);
        tables_[e] = static_cast<std::uint8_t>(wide ? x & 127 : x);
        if (wide) tables_[count + e] = static_cast<std::uint8_t>(x >> 7);
        largest_low = (std::max)(largest_low, wide ? x & 127 : x);
        largest_high = (std::max)(largest_high, wide ? x >> 7 : 0);
      }
      low = {low.all + largest_low, (std::max)(low.nibble, largest_low)};
      high = {high.all + largest_high, (std::max)(high.nibble, largest_high)};
    }
    const auto bytes = static_cast<std::uint32_t>(count / 32);
    if (bytes == 0) return;
    add_section({.first = 0, .bytes = bytes, .table = 0}, 1, low.nibble, low.all);
    if (wide) add_section({.first = 0, .bytes = bytes, .table = 32 * bytes}, 128, high.nibble, high.all);
    close_group();
  }

  /// @param largest  of the entries
  /// @param most     of the sum of the section
  void add_section(level_section s, std::int32_t weight, std::int32_t largest, std::int32_t most) {
    s.entries_in_byte = static_cast<std::uint16_t>(255 / (std::max)(largest, 1));
    const auto sum = static_cast<std::uint32_t>((std::min)(most, 2 * static_cast<std::int32_t>(s.bytes) * largest));
    if (sum > most_group) {  // in two halves, each of whole registers but for the last
      level_section half = s;
      half.bytes = (s.bytes / 2 + 1) / 2 * 2;
      add_section(half, weight, largest, most);
      half.first += half.bytes;
      half.table += 32 * half.bytes;
      half.bytes = s.bytes - half.bytes;
      add_section(half, weight, largest, most);
      return;
    }
    const auto scaled = static_cast<std::uint64_t>(weight) * sum;
    if (group_weight_ != 2 || group_sum_ + scaled > most_group) {
      close_group();
      group_weight_ = 2;
      group_sum_ = 0;
    }
    if (scaled > most_group) {
      group_weight_ *= weight;
      weight = 1;
      group_sum_ = most_group;
    } else {
      group_sum_ += scaled;
    }
    s.weight = static_cast<std::uint16_t>(weight);
    sections_.push_back(s);
  }

  void close_group() noexcept {
    if (group_weight_ != 0) sections_.back().group_weight = group_weight_;
    group_weight_ = 0;
  }

  std::vector<extent> extents_;  // a segment
  std::vector<scored_part> parts_;
  double total_ = 0;  // of magnitudes of numbers times the largest value
  double unit_ = 1, coarse_unit_ = 0;
  std::vector<std::int16_t> rounded_;  // numbers of one segment
  std::vector<std::uint16_t> fine_;    // entries of one segment before they are rounded to units
  aligned_vector<std::uint8_t> tables_;
  std::vector<level_section> sections_;
  std::int32_t bias_ = 0, coarse_bias_ = 0;
  std::size_t coarse_count_ = 0;
  std::int32_t group_weight_ = 0;  // of the group that is open, or 0
  std::uint64_t group_sum_ = 0;    // the most it can be
};

}  // namespace embit::inline EMBIT_ABI::detail
