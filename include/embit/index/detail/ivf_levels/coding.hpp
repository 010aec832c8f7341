// Rows that were assigned to lists and encoded, before they are written there.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/half.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/ivf/row_distances.hpp>
#include <embit/index/detail/ivf_levels/lists.hpp>
#include <embit/index/detail/ivf_levels/residuals.hpp>
#include <embit/kernel/centroid_panels.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Rows by list.
struct coded_lists {
  struct part {
    std::vector<row_id> rows;  // ascending
    level_store codes;
    std::vector<float> offsets, scales;
    double squares = 0;  // of their distances to the centroid
  };
  std::vector<part> parts;  // one a list

  std::vector<std::size_t> sizes() const {
    std::vector<std::size_t> each;
    for (const part& p : parts) each.push_back(p.rows.size());
    return each;
  }

  row_distances distances() const {
    row_distances all;
    for (const part& p : parts) {
      all.rows += p.rows.size();
      all.sum += p.squares;
    }
    return all;
  }

  /// The mean offset of each list, 0 of an empty one.
  std::vector<float> means() const {
    std::vector<float> each;
    for (const part& p : parts) {
      const double sum = std::accumulate(p.offsets.begin(), p.offsets.end(), 0.);
      each.push_back(static_cast<float>(sum / static_cast<double>(std::max<std::size_t>(p.rows.size(), 1))));
    }
    return each;
  }

  /// Calls `visit(part, i, offset less the mean of the list)` for each row.
  template <class Visit>
  void for_each(std::span<const float> means, Visit&& visit) const {
    for (std::size_t list = 0; list < parts.size(); ++list)
      for (std::size_t i = 0; i < parts[list].rows.size(); ++i)
        visit(parts[list], i, parts[list].offsets[i] - means[list]);
  }

  /// @throws error errc::not_finite naming a row whose factors the format cannot hold.
  void require_factors(const level_format& format, std::span<const float> means) const {
    const auto fits = [&](row_factor which, float value) {
      if (!format.has(which)) return true;
      return is_finite(format.half_factors ? float(half(value / format.units[static_cast<std::size_t>(which)]))
                                           : value);
    };
    for_each(means, [&](const part& p, std::size_t i, float offset) {
      if (!fits(row_factor::offset, offset) || !fits(row_factor::scale, p.scales[i]))
        raise(errc::not_finite, "rows: row ", p.rows[i], " is too far from its list: its factors are ", offset, " and ",
              p.scales[i]);
    });
  }

  /// Writes all rows into lists with room for them, numbered from `first` on.
  void write(level_lists& lists, std::span<const float> means, std::size_t first) const {
    for (std::size_t list = 0; list < parts.size(); ++list) {
      const part& p = parts[list];
      const bool has_offset = lists.format().has(row_factor::offset);
      const bool has_scale = lists.format().has(row_factor::scale);
      const std::size_t bytes = lists.format().row_bytes();
      for (std::size_t i = 0; i < p.rows.size(); ++i) {
        const std::size_t place = lists.take_place(list, static_cast<row_id>(first + p.rows[i]));
        const std::uint8_t* from = p.codes.run(0).row(i);
        std::uint8_t* to = lists.store().row_data(place);
        for (std::size_t b = 0; b < bytes; ++b) to[b * level_block_rows] = from[b * level_block_rows];
        if (has_offset) lists.store().set_factor(place, row_factor::offset, p.offsets[i] - means[list]);
        if (has_scale) lists.store().set_factor(place, row_factor::scale, p.scales[i]);
      }
    }
  }
};

/// How the rows of lists are kept: with offsets and scales in 16 bits as long as codes are no more exact than those.
/// Units are such that rows a thousand times as far out still have factors.
inline level_format list_format(const level_format& coder, bool offsets, const coded_lists& coded,
                                std::span<const float> means) {
  constexpr std::size_t most_bits_with_halves = 6;
  constexpr float units_of_largest = 64;
  level_format format{.segments = coder.segments};
  std::size_t bits = 0;
  for (const level_segment& s : coder.segments) bits = (std::max)(bits, s.bits);
  format.factors[static_cast<std::size_t>(row_factor::offset)] = offsets;
  format.factors[static_cast<std::size_t>(row_factor::scale)] = coder.has(row_factor::scale);
  format.half_factors = bits <= most_bits_with_halves;
  float largest[2] = {0, 0};
  coded.for_each(means, [&](const coded_lists::part& p, std::size_t i, float offset) {
    largest[0] = (std::max)(largest[0], std::abs(offset));
    largest[1] = (std::max)(largest[1], std::abs(p.scales[i]));
  });
  for (const auto& [which, most] : {std::pair{row_factor::offset, largest[0]}, {row_factor::scale, largest[1]}})
    if (is_positive(most / units_of_largest)) format.units[static_cast<std::size_t>(which)] = most / units_of_largest;
  return format;
}

/// Assigns rows to the nearest centroids and encodes what they have beside them; the same on any number of threads.
/// @throws error errc::not_finite as the coder does.
template <ResidualCoder Coder, Executor Exec>
coded_lists code_rows(const residual_space<Coder>& space, matrix_view<const float> rows, const Exec& executor) {
  struct worker_memory {
    centroid_panels::scratch panels;
    std::vector<assigned_row> assigned;
  };
  constexpr std::size_t grain = 8 * centroid_panels::tile;
  const centroid_panels panels(space.moved_centroids());
  std::vector<row_id> list_of(rows.rows());
  std::vector<worker_memory> memory(executor.concurrency());
  run_ranges(executor, rows.rows(), grain, rows.rows(), [&](std::size_t first, std::size_t last, std::size_t worker) {
    auto& mine = memory[worker];
    mine.assigned.resize(last - first);
    panels.assign(space.moved(rows.middle_rows(first, last - first)), mine.assigned, mine.panels);
    for (std::size_t i = first; i < last; ++i) list_of[i] = mine.assigned[i - first].centroid;
  });
  coded_lists coded;
  coded.parts.resize(panels.size());
  for (std::size_t i = 0; i < rows.rows(); ++i) coded.parts[list_of[i]].rows.push_back(static_cast<row_id>(i));
  run_bulk(executor, coded.parts.size(), [&](std::size_t list, std::size_t) {
    coded_lists::part& part = coded.parts[list];
    if (part.rows.empty()) return;
    auto made = space.encode(list, space.moved(rows, part.rows));
    part.codes = std::move(made.codes);
    part.offsets = std::move(made.offsets);
    part.scales = std::move(made.scales);
    part.squares = made.squares;
  });
  return coded;
}

}  // namespace embit::inline EMBIT_ABI::detail
