// How a join is done: by tables of substrings, and which, or by comparing everything.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/search/detail/join/rows.hpp>
#include <embit/search/detail/join/tuning.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Nanoseconds that parts of a join take. They depend on the SIMD level alone, not on what else the machine does, so
/// that a join is done in one way each time.
struct join_costs {
  double sort, sort_word;        ///< a row into a table, and each of its words there
  double sort_bit;               ///< a row, for every bit of a key that makes more buckets than a cache holds
  double query;                  ///< a row that is compared with buckets
  double lookup;                 ///< a bucket that a bucket may meet
  double range;                  ///< a bucket that a row meets
  double compare, compare_word;  ///< a code in it, and each word of it
  double scan_row, scan_word;    ///< where all are compared, bit-sliced: a row, and a word of a pair

  double pair(std::size_t words) const noexcept { return compare + compare_word * static_cast<double>(words); }
};

inline const join_costs& join_costs_of(isa level) noexcept {
  static constexpr join_costs vpopcnt{8, 3, 8, 7, 1.5, 4.8, 0.03, 0.08, 170, 0.045};
  static constexpr join_costs avx512{8, 3, 8, 7, 1.5, 5, 0.2, 0.25, 185, 0.045};
  static constexpr join_costs avx2{8, 3, 8, 7, 1.5, 5, 0.2, 0.25, 185, 0.1};
  static constexpr join_costs other{8, 3, 8, 5, 1.5, 3.6, 1.5, 2, 185, 0.3};
  switch (level) {
    case isa::vpopcnt: return vpopcnt;
    case isa::avx512: return avx512;
    case isa::avx2: return avx2;
    default: return other;
  }
}

/// Rows that differ in at most `radius` bits of the key meet.
struct join_table {
  join_key key;
  std::uint32_t radius;
};

struct join_plan {
  std::vector<join_table> tables;  ///< none: everything is compared
  std::size_t words = 0;           ///< of a code that are kept in a table
};

/// Every number of `bits` bits of which at most `radius` are set; 0 comes first.
inline std::vector<std::uint32_t> masks_within(std::size_t bits, std::uint32_t radius) {
  std::vector<std::uint32_t> masks{0};
  for (std::size_t last = 0, set = 0; set < radius; ++set) {  // one more bit, above those that are set
    const std::size_t end = masks.size();
    for (; last < end; ++last)
      for (auto bit = static_cast<std::size_t>(std::bit_width(masks[last])); bit < bits; ++bit)
        masks.push_back(masks[last] | std::uint32_t{1} << bit);
  }
  return masks;
}

/// Chooses for one join.
class join_planner {
 public:
  join_planner(const join_rows& a, const join_rows& b, bool self, const join_bits& bits, std::uint32_t radius,
               const join_costs& costs, const join_tuning& tuning)
      : a_(a), b_(b), self_(self), bits_(bits), radius_(radius), costs_(costs), tuning_(tuning) {}

  join_plan choose() {
    join_plan plan;
    plan.words = table_words();
    const std::size_t free = bits_.vary.size();
    if (tuning_.scan || radius_ >= free) return plan;
    if (tuning_.substrings != 0) {
      plan.tables = tables((std::min)(tuning_.substrings, std::min<std::size_t>(free, radius_ + 1)));
      return plan;
    }
    double least = clear_gain * scan_cost();
    for (const auto& [expected, substrings] : promising()) {
      auto these = tables(substrings);
      double cost = 0;
      for (const auto& table : these) cost += fixed_cost(table) + sampled_meetings(table);
      if (cost < least) {
        plan.tables = std::move(these);
        least = cost;
      }
      if (cost < as_expected * expected) break;  // no structure: those that follow cost what they were expected to
    }
    return plan;
  }

 private:
  static constexpr double most_masks = 1 << 14, cached_key = 16, as_expected = 1.1, clear_gain = .95;
  static constexpr std::size_t fewest_sampled = 1 << 7, most_sampled = 1 << 14, most_asked = 1 << 8,
                               most_lookups = 1 << 18;

  double scan_cost() const noexcept {
    const auto a = static_cast<double>(a_.size), b = static_cast<double>(b_.size);
    return (self_ ? a : a + b) * costs_.scan_row + (self_ ? a * (a - 1) / 2 : a * b) * scan_pair();
  }
  double scan_pair() const noexcept { return costs_.scan_word * static_cast<double>(a_.words); }
  double half() const noexcept { return self_ ? 0.5 : 1; }
  std::size_t rows() const noexcept { return (std::max)(a_.size, b_.size); }

  /// Some four to eight codes a bucket.
  std::size_t longest_key() const noexcept {
    return static_cast<std::size_t>(std::clamp(static_cast<int>(std::bit_width(rows())) - 3, 1, 24));
  }
  /// So many that of codes far apart hardly any two differ in so few bits of them: the others are looked at whole.
  std::size_t table_words() const noexcept {
    constexpr std::size_t most = 8;
    for (std::size_t words = 1; a_.words > 2 && words < most; words *= 2)
      if (32. * static_cast<double>(words) - 24 * std::sqrt(static_cast<double>(words)) >= radius_)
        return (std::min)(words, a_.words);
    return (std::min)(most, a_.words);
  }

  /// By the pigeonhole principle, with m substrings a pair within r agrees within ⌊r/m⌋ bits in one of the first
  /// r mod m + 1 of them, or within ⌊r/m⌋ - 1 in another. A key is no longer than pays for the rows.
  std::vector<join_table> tables(std::size_t substrings) const {
    const bit_split split(bits_.vary.size(), substrings);
    const auto radius = static_cast<std::uint32_t>(radius_ / substrings);
    const std::size_t wider = radius_ % substrings + 1;
    std::vector<join_table> made;
    for (std::size_t i = 0; i < substrings && (i < wider || radius != 0); ++i) {
      const std::size_t length = (std::min)(split[i].length, longest_key());
      made.push_back({join_key(std::span(bits_.vary).subspan(split[i].first, length)), radius - (i < wider ? 0 : 1)});
    }
    return made;
  }

  /// What numbers of substrings are cheap for codes without structure, and what they cost then; the cheapest first.
  std::vector<std::pair<double, std::size_t>> promising() const {
    constexpr std::size_t looked_at = 3;
    const double limit = scan_cost();
    std::vector<std::pair<double, std::size_t>> by_cost;
    const std::size_t most = std::min<std::size_t>(bits_.vary.size(), radius_ + 1);
    for (std::size_t m = 1; m <= most; ++m) {
      // At least half of the substrings have tables: more will not be cheaper.
      if (static_cast<double>(m) / 2 * static_cast<double>(rows()) * costs_.sort > limit) break;
      double cost = 0;
      for (const auto& table : tables(m)) {
        const double codes = static_cast<double>(b_.size) * half() * masks_of(table) / buckets_of(table);
        cost += fixed_cost(table) + static_cast<double>(a_.size) * codes * costs_.pair(table_words());
        if (cost > limit) break;
      }
      if (cost < limit) by_cost.emplace_back(cost, m);
    }
    std::sort(by_cost.begin(), by_cost.end());
    by_cost.resize((std::min)(looked_at, by_cost.size()));
    return by_cost;
  }

  static double masks_of(const join_table& table) noexcept {
    double sum = 1, binomial = 1;
    for (std::uint32_t i = 1; i <= table.radius && sum <= most_masks; ++i) {
      binomial *= static_cast<double>(table.key.length() - i + 1) / i;
      sum += binomial;
    }
    return sum;
  }
  static double buckets_of(const join_table& table) noexcept {
    return std::ldexp(1., static_cast<int>(table.key.length()));
  }

  /// All but what comparing codes costs.
  double fixed_cost(const join_table& table) const {
    const double masks = masks_of(table), buckets = buckets_of(table);
    if (masks > most_masks) return 2 * scan_cost();
    const auto na = static_cast<double>(a_.size), nb = static_cast<double>(b_.size);
    const double sorted = self_ ? na : na + nb, filled = 1 - std::exp(-nb / buckets);
    const double spread = (std::max)(static_cast<double>(table.key.length()) - cached_key, 0.);
    return sorted * (costs_.sort + costs_.sort_word * static_cast<double>(table_words()) + costs_.sort_bit * spread) +
           na * costs_.query + half() * masks * ((std::min)(na, buckets) * costs_.lookup + na * filled * costs_.range);
  }

  /// Comparing the codes that meet, from a histogram of the buckets of some rows. Where two buckets are large, all of
  /// their pairs at most are compared at the cost of a scan.
  double sampled_meetings(const join_table& table) {
    const auto masks = masks_within(table.key.length(), table.radius);
    const std::size_t sampled_a = sampled_of(a_), sampled_b = sampled_of(b_);
    const double scale_a = static_cast<double>(a_.size) / static_cast<double>(sampled_a),
                 scale_b = static_cast<double>(b_.size) / static_cast<double>(sampled_b);
    count(a_, sampled_a, table.key, 1, in_a_);
    if (!self_) count(b_, sampled_b, table.key, 1, in_b_);
    const auto& met = self_ ? in_a_ : in_b_;
    const std::size_t asked = (std::min)(
        {sampled_a, sampled_a / 4 + 16, std::clamp<std::size_t>(most_lookups / masks.size(), 16, most_asked)});
    double cost = 0;
    for (std::size_t i = 0; i < asked; ++i) {
      const std::uint32_t key = table.key.of(a_.code(i * sampled_a / asked * a_.size / sampled_a));  // of a sampled row
      for (const std::uint32_t mask : masks) {
        const double codes = scale_b * (met[key ^ mask] - (self_ && mask == 0 ? 1 : 0));  // but itself
        const bool large = codes * scale_a * in_a_[key] > tuning_.large;
        cost += codes * (large ? scan_pair() : costs_.pair(table_words()));
      }
    }
    count(a_, sampled_a, table.key, -1, in_a_);
    if (!self_) count(b_, sampled_b, table.key, -1, in_b_);
    return cost * half() * static_cast<double>(a_.size) / static_cast<double>(asked);
  }

  /// So few that to plan takes a small part of the time of the join.
  static std::size_t sampled_of(const join_rows& rows) noexcept {
    return (std::min)(rows.size, std::clamp(rows.size / 16, fewest_sampled, most_sampled));
  }

  static void count(const join_rows& rows, std::size_t sampled, const join_key& key, int change,
                    std::vector<int>& counts) {
    counts.resize((std::max)(counts.size(), std::size_t{1} << key.length()));
    for (std::size_t i = 0; i < sampled; ++i) counts[key.of(rows.code(i * rows.size / sampled))] += change;
  }

  const join_rows& a_;
  const join_rows& b_;
  bool self_;
  const join_bits& bits_;
  std::uint32_t radius_;
  const join_costs& costs_;
  const join_tuning& tuning_;
  std::vector<int> in_a_, in_b_;  // rows of the samples in each bucket; zero between two tables
};

}  // namespace embit::inline EMBIT_ABI::detail
