// How many tables, bits and probes an lsh_table needs for a recall.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/index/lsh_queries.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <optional>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What `plan_lsh` is asked. The neighbours' angle or their cosine is needed, not both.
struct plan_lsh_options {
  std::size_t rows = 0;                         ///< in the index, at least 1
  double target_recall = 0.9;                   ///< of neighbours at the angle, below 1
  std::optional<double> angle = {};             ///< between a query and a neighbour, radians, 0 to pi
  std::optional<double> cosine = {};            ///< of that angle
  double typical_angle = std::numbers::pi / 2;  ///< between a query and a row that is no neighbour
  double spread = 0;            ///< standard deviation of those angles; random unit vectors have 1 / sqrt(dimension)
  std::size_t bits = 0;         ///< of a key; 0: to be chosen, 1 to 32
  std::size_t tables = 0;       ///< 0: to be chosen
  std::size_t max_tables = 16;  ///< where they are chosen; each takes 4 to 16 bytes a row
  std::size_t max_probes = std::size_t{1} << 16;  ///< buckets of one table; 1 plans plain lookups
  std::size_t width = 0;                          ///< of the codes that keys are cut from; 0: as wide as needed
  double lookup_cost = 2;                         ///< of one bucket, where scoring a candidate costs 1
};

/// What to build, and what to expect of it.
struct lsh_plan {
  std::size_t tables = 0, bits = 0, probes = 0;
  double expected_recall = 0;      ///< share of the neighbours at the angle that are candidates
  double expected_candidates = 0;  ///< rows scored for a query, where none is a neighbour
  double expected_cost = 0;        ///< of a query, in scored candidates
};

namespace detail {

/// The flips of keys of `bits` bits of which each differs with probability `flip`, by their number.
class flip_law {
 public:
  flip_law(std::size_t bits, double flip) noexcept : levels_(bits + 1) {
    double masks = 1;
    for (std::size_t flips = 0; flips <= bits; ++flips) {
      masks_[flips] = std::round(masks);
      of_mask_[flips] =
          std::pow(flip, static_cast<double>(flips)) * std::pow(1 - flip, static_cast<double>(bits - flips));
      masks *= static_cast<double>(bits - flips) / static_cast<double>(flips + 1);
    }
  }

  /// The probability that a row's key is among the first `probes` in the order of flips.
  double within(double probes) const noexcept {
    double sum = 0;
    for (std::size_t flips = 0; flips < levels_ && probes > 0; ++flips) {
      sum += (std::min)(probes, masks_[flips]) * of_mask_[flips];
      probes -= masks_[flips];
    }
    return (std::min)(sum, 1.0);
  }

  /// The fewest probes for which `within` is `share`.
  double probes_for(double share) const noexcept {
    double sum = 0, probes = 0;
    for (std::size_t flips = 0; flips < levels_; ++flips) {
      const double of_all = masks_[flips] * of_mask_[flips];
      if (sum + of_all >= share)
        return probes + std::clamp(std::ceil((share - sum) / of_mask_[flips]), 1.0, masks_[flips]);
      sum += of_all;
      probes += masks_[flips];
    }
    return probes;
  }

 private:
  static constexpr std::size_t most_bits = 32;
  std::size_t levels_;
  std::array<double, most_bits + 1> masks_{}, of_mask_{};  // keys with so many flips, and the probability of one
};

/// The probability that something of probability `p` happens at least once in `times`.
inline double at_least_once(double p, std::size_t times) noexcept {
  return p >= 1 ? 1 : -std::expm1(static_cast<double>(times) * std::log1p(-p));
}

/// How many rows that are no neighbours a query meets, their angles being spread as a normal distribution.
class crowd_law {
 public:
  crowd_law(std::size_t bits, double angle, double spread) {
    const std::size_t points = spread > 0 ? 33 : 1;
    for (std::size_t i = 0; i < points; ++i) {
      const double x = (static_cast<double>(i) - static_cast<double>(points / 2)) / 4;  // -4 to 4 deviations
      const double at = std::clamp(angle + x * spread, 0.0, std::numbers::pi);
      laws_.emplace_back(bits, at / std::numbers::pi);
      weights_.push_back(std::exp(-x * x / 2));
      total_ += weights_.back();
    }
  }

  struct share {
    double once;   ///< of the rows that are in some probed bucket
    double times;  ///< buckets a row is in, on average
  };
  share met(double probes, std::size_t tables) const noexcept {
    share sum{0, 0};
    for (std::size_t i = 0; i < laws_.size(); ++i) {
      const double hit = laws_[i].within(probes);
      sum.once += weights_[i] / total_ * at_least_once(hit, tables);
      sum.times += weights_[i] / total_ * hit * static_cast<double>(tables);
    }
    return sum;
  }

 private:
  std::vector<flip_law> laws_;
  std::vector<double> weights_;
  double total_ = 0;
};

inline double planned_angle(const plan_lsh_options& options) {
  if (options.angle.has_value() == options.cosine.has_value())
    raise(errc::argument, "plan_lsh: one of angle and cosine is needed, not both");
  if (options.cosine && !is_between(*options.cosine, -1., 1.))
    raise(errc::argument, "cosine: ", *options.cosine, ", not in -1 to 1");
  const double angle = options.angle ? *options.angle : std::acos(*options.cosine);
  if (!is_between(angle, 0., std::numbers::pi)) raise(errc::argument, "angle: ", angle, ", not in 0 to pi");
  return angle;
}

inline void require_plan(const plan_lsh_options& options) {
  if (options.rows == 0) raise(errc::argument, "rows: 0, but at least 1 is needed");
  if (!is_positive(options.target_recall) || options.target_recall >= 1)
    raise(errc::argument, "target_recall: ", options.target_recall, ", not between 0 and 1");
  if (!is_between(options.typical_angle, 0., std::numbers::pi))
    raise(errc::argument, "typical_angle: ", options.typical_angle, ", not in 0 to pi");
  if (!is_between(options.spread, 0., std::numbers::pi))
    raise(errc::argument, "spread: ", options.spread, ", not in 0 to pi");
  if (options.bits > 32) raise(errc::argument, "bits: ", options.bits, " a key, not 1 to 32");
  if (options.max_tables == 0 || options.max_probes == 0)
    raise(errc::argument, "plan_lsh: max_tables ", options.max_tables, " and max_probes ", options.max_probes,
          " must be at least 1");
  if (options.tables > most_lsh_tables || options.max_tables > most_lsh_tables)
    raise(errc::argument, "plan_lsh: tables ", options.tables, " and max_tables ", options.max_tables,
          " where an lsh_table has at most ", most_lsh_tables);
  if (!is_finite(options.lookup_cost) || options.lookup_cost < 0)
    raise(errc::argument, "lookup_cost: ", options.lookup_cost, ", not a number from 0 on");
}

}  // namespace detail

/// The share of neighbours at `angle` that an lsh_table over random hyperplanes has among its candidates: exact, over
/// the choice of the hyperplanes. Each bit of a key differs with probability angle / pi, on its own; a table finds a
/// row whose flipped bits are among the first `probes`, fewer flips first; and tables are independent.
/// Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002, section 3.
/// @throws error errc::argument unless a key has 1 to 32 bits and the angle is from 0 to pi.
inline double lsh_recall(std::size_t tables, std::size_t bits, std::size_t probes, double angle) {
  if (bits == 0 || bits > 32) raise(errc::argument, "bits: ", bits, " a key, not 1 to 32");
  if (!detail::is_between(angle, 0., std::numbers::pi)) raise(errc::argument, "angle: ", angle, ", not in 0 to pi");
  const detail::flip_law law(bits, angle / std::numbers::pi);
  return detail::at_least_once(law.within(static_cast<double>(probes)), tables);
}

/// The cheapest tables, bits and probes that find `target_recall` of the neighbours at an angle. The cost of a query
/// is that of its lookups, of passing over the rows they bring, and of scoring each once. O(tables · bits²).
/// @throws error errc::argument for options out of their bounds, or where nothing within them reaches the recall.
inline lsh_plan plan_lsh(const plan_lsh_options& options) {
  detail::require_plan(options);
  constexpr double pass_cost = 0.25;  // of a row in a bucket, once more for each bucket it is in
  const double flip = detail::planned_angle(options) / std::numbers::pi;
  const double rows = static_cast<double>(options.rows);
  const std::size_t first_bits = options.bits != 0 ? options.bits : 1, last_bits = options.bits != 0 ? first_bits : 32;
  const std::size_t first_tables = options.tables != 0 ? options.tables : 1;
  const std::size_t last_tables = options.tables != 0 ? options.tables : options.max_tables;
  lsh_plan best;
  for (std::size_t bits = first_bits; bits <= last_bits; ++bits) {
    const detail::flip_law flips(bits, flip);
    const detail::crowd_law crowd(bits, options.typical_angle, options.spread);
    for (std::size_t tables = first_tables; tables <= last_tables; ++tables) {
      if (options.width != 0 && tables > options.width / bits) break;
      const double share = -std::expm1(std::log1p(-options.target_recall) / static_cast<double>(tables));
      const double probes = flips.probes_for(share);
      if (probes > static_cast<double>(options.max_probes)) continue;
      const auto met = crowd.met(probes, tables);
      const double lookups = probes * static_cast<double>(tables);
      const double cost = lookups * options.lookup_cost + rows * (pass_cost * met.times + met.once);
      if (best.tables != 0 && cost >= best.expected_cost) continue;
      best = {
          tables,          bits, static_cast<std::size_t>(probes), detail::at_least_once(flips.within(probes), tables),
          rows * met.once, cost};
    }
  }
  if (best.tables == 0)
    raise(errc::argument, "target_recall: ", options.target_recall, " is out of reach of ", last_tables,
          " tables with ", options.max_probes, " probes");
  return best;
}

}  // namespace embit::inline EMBIT_ABI
