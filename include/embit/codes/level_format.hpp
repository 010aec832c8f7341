// How codes of 1 to 8 bits a dimension look: segments of bit planes, and the factors kept with each row.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/half.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Planes that a dimension may have.
inline constexpr std::size_t most_level_bits = 8;

/// What a row's own scale of a segment is, from the byte that it keeps of it: 4 bits of exponent, 4 of mantissa, so
/// that scales are kept to within a 33rd. 2^-8 to 248.
inline float segment_scale(std::uint8_t code) noexcept {
  return std::bit_cast<float>((std::uint32_t{code} << 19) + (std::uint32_t{127 - 8} << 23));
}

/// The byte of the nearest scale.
/// @param scale  0 or above
inline std::uint8_t segment_scale_code(float scale) noexcept {
  constexpr std::uint32_t least = std::uint32_t{127 - 8} << 4;
  const std::uint32_t nearest = (std::bit_cast<std::uint32_t>(scale) + (std::uint32_t{1} << 18)) >> 19;
  return static_cast<std::uint8_t>((std::clamp)(nearest, least, least + 255) - least);
}

/// Adjacent dimensions of a code that have the same number of bits and stand for the same values: with bits
/// b₀ … b₍B₋₁₎ (the most significant first) and s(b) = 2b − 1, a dimension has the value step · Σᵢ weights[i] · s(bᵢ).
///
/// A row may have a scale of its own for a segment, by which its values there are multiplied.
///
/// Any uniform grid is of this form, and any symmetric quantizer of 1 or 2 bits comes as near to it as whole weights
/// allow. Whole weights make every sum over a code a sum of whole numbers.
struct level_segment {
  std::size_t dims = 0;
  std::size_t bits = 1;
  float step = 1;
  std::array<std::uint8_t, most_level_bits> weights{1};  ///< of the planes, as many as there are bits, then zeros
  bool scaled = false;  ///< after its planes a row has a byte of the scale of its values here (`segment_scale`)

  /// Levels c of 0 … 2^bits − 1 with the values (2c − 2^bits + 1) · step.
  static constexpr level_segment uniform(std::size_t dims, std::size_t bits, float step = 1) noexcept {
    level_segment s{.dims = dims, .bits = bits, .step = step, .weights = {}};
    for (std::size_t i = 0; i < bits && i < most_level_bits; ++i)
      s.weights[i] = static_cast<std::uint8_t>(1u << (bits - 1 - i));
    return s;
  }
  /// Whether levels are such, and all rows have them on one scale.
  constexpr bool is_uniform() const noexcept { return *this == uniform(dims, bits, step); }

  constexpr std::size_t plane_bytes() const noexcept { return (dims + 7) / 8; }
  constexpr std::size_t bytes() const noexcept { return bits * plane_bytes() + (scaled ? 1 : 0); }

  /// The number that level c stands for, in steps.
  constexpr int multiple(std::uint8_t level) const noexcept {
    int sum = 0;
    for (std::size_t i = 0; i < bits; ++i) sum += (level >> (bits - 1 - i) & 1) != 0 ? weights[i] : -weights[i];
    return sum;
  }
  /// The number that level c stands for, but for the row's own scale.
  constexpr float value(std::uint8_t level) const noexcept { return step * static_cast<float>(multiple(level)); }

  friend bool operator==(const level_segment&, const level_segment&) = default;
};

/// What an encoder may keep with each row to turn the inner product of a query with the row's values into a distance:
/// `distance = base + offset + scale · product`, where base belongs to the query.
enum class row_factor : std::uint8_t {
  offset,
  scale,
  coarse_scale,  ///< the scale for the product with the first plane of the first segment alone
  error,  ///< distance from the first plane alone − error · (error of the query) bounds the distance from below
  inverse_norm  ///< 1 / |values|, for cosines between codes
};
inline constexpr std::size_t row_factors = 5;

/// How rows of codes look: their segments, in order, and the factors kept with each. Or they are no levels at all, but
/// bytes that name entries of tables, which only the kernels of their encoder know.
struct level_format {
  std::vector<level_segment> segments;
  std::size_t table_bytes = 0;              ///< in place of segments
  std::array<bool, row_factors> factors{};  ///< which there are, by `row_factor`
  bool half_factors = false;                ///< as binary16 multiples of `units` instead of floats
  std::array<float, row_factors> units{1, 1, 1, 1, 1};
  encoder_fingerprint fingerprint = 0;  ///< of the encoder that makes the codes; 0: not known

  bool has(row_factor which) const noexcept { return factors[static_cast<std::size_t>(which)]; }
  std::size_t dims() const noexcept {
    std::size_t sum = 0;
    for (const auto& s : segments) sum += s.dims;
    return sum;
  }
  bool has_scales() const noexcept {
    return std::ranges::any_of(segments, [](const level_segment& s) { return s.scaled; });
  }
  /// Of the code of a row: the planes of a segment are padded to whole bytes.
  std::size_t row_bytes() const noexcept {
    std::size_t sum = table_bytes;
    for (const auto& s : segments) sum += s.bytes();
    return sum;
  }
  /// Of the factors of a row.
  std::size_t factor_bytes() const noexcept {
    return static_cast<std::size_t>(std::count(factors.begin(), factors.end(), true)) *
           (half_factors ? sizeof(half) : sizeof(float));
  }

  /// Whether codes look the same, whoever makes them.
  friend bool operator==(const level_format& a, const level_format& b) {
    return a.segments == b.segments && a.table_bytes == b.table_bytes && a.factors == b.factors &&
           a.half_factors == b.half_factors && a.units == b.units;
  }
};

namespace detail {

/// @throws error errc::shape for codes of another format than a kernel scores, errc::argument for those of another
/// encoder.
inline void require_level_format(const level_format& codes, const level_format& scored) {
  if (!(codes == scored))
    raise(errc::shape, "codes: ", codes.dims(), " dimensions in ", codes.row_bytes(), " bytes, the kernel scores ",
          scored.dims(), " in ", scored.row_bytes(), ", or values or factors differ");
  require_same_encoder(scored.fingerprint, codes.fingerprint, "kernel");
}

/// @throws error errc::argument for codes that are no levels.
inline void require_levels(const level_format& codes) {
  if (codes.table_bytes != 0)
    raise(errc::argument, "codes: ", codes.table_bytes,
          " bytes that name entries of tables, as those of a product quantizer: they are scored by the estimator() or "
          "symmetric() of their encoder alone");
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
