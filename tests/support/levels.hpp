// Random B-bit codes of any format.
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/core/random.hpp>
#include <embit/store/level_store.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

namespace support {

using embit::level_format;
using embit::level_segment;
using embit::level_store;
using embit::row_factor;

inline level_format uniform_format(std::size_t dims, std::size_t bits, float step = 1) {
  return {.segments = {level_segment::uniform(dims, bits, step)}};
}

inline level_format with_factors(level_format format, std::initializer_list<row_factor> factors, bool halves = false) {
  for (const row_factor f : factors) format.factors[static_cast<std::size_t>(f)] = true;
  format.half_factors = halves;
  if (halves) format.units = {1.5f, .01f, .25f, .125f, .01f};
  return format;
}

inline float uniform_float(embit::rng& rng, float low, float high) {
  return low + (high - low) * static_cast<float>(rng() >> 40) * 0x1p-24f;
}

inline std::vector<float> random_floats(std::size_t n, float low, float high, embit::rng& rng) {
  std::vector<float> values(n);
  for (float& x : values) x = uniform_float(rng, low, high);
  return values;
}

inline std::vector<std::uint8_t> random_levels(const level_format& format, embit::rng& rng) {
  std::vector<std::uint8_t> levels;
  for (const level_segment& s : format.segments)
    for (std::size_t j = 0; j < s.dims; ++j)
      levels.push_back(static_cast<std::uint8_t>(embit::uniform_index(rng, std::size_t{1} << s.bits)));
  return levels;
}

/// Random levels; factors uniform in [low, high).
inline level_store random_store(const level_format& format, std::size_t rows, embit::rng& rng, float low = .1f,
                                float high = 2) {
  level_store store(format, rows);
  for (std::size_t row = 0; row < rows; ++row) {
    store.set_levels(row, random_levels(format, rng));
    for (std::size_t s = 0; s < format.segments.size(); ++s)
      if (format.segments[s].scaled) store.set_segment_scale(row, s, uniform_float(rng, .01f, 3));
    for (std::size_t f = 0; f < embit::row_factors; ++f)
      if (format.factors[f]) store.set_factor(row, static_cast<row_factor>(f), uniform_float(rng, low, high));
  }
  return store;
}

}  // namespace support
