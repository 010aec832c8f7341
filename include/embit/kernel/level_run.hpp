// Codes of 1 to 8 bits a dimension, as kernels see them: segments of bit planes in blocks of 32 rows, with factors.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/half.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Rows in a block of a `level_run`: one byte each of a 256-bit register.
inline constexpr std::size_t level_block_rows = 32;

/// Planes that a dimension may have.
inline constexpr std::size_t most_level_bits = 8;

/// Adjacent dimensions of a code that have the same number of bits and stand for the same values: with bits
/// b₀ … b₍B₋₁₎ (the most significant first) and s(b) = 2b − 1, a dimension has the value step · Σᵢ weights[i] · s(bᵢ).
///
/// Any uniform grid is of this form, and any symmetric quantizer of 1 or 2 bits comes as near to it as whole weights
/// allow. Whole weights make every sum over a code a sum of whole numbers.
struct level_segment {
  std::size_t dims = 0;
  std::size_t bits = 1;
  float step = 1;
  std::array<std::uint8_t, most_level_bits> weights{1};  ///< of the planes, as many as there are bits, then zeros

  /// Levels c of 0 … 2^bits − 1 with the values (2c − 2^bits + 1) · step.
  static constexpr level_segment uniform(std::size_t dims, std::size_t bits, float step = 1) noexcept {
    level_segment s{.dims = dims, .bits = bits, .step = step, .weights = {}};
    for (std::size_t i = 0; i < bits && i < most_level_bits; ++i)
      s.weights[i] = static_cast<std::uint8_t>(1u << (bits - 1 - i));
    return s;
  }
  constexpr bool is_uniform() const noexcept { return *this == uniform(dims, bits, step); }

  constexpr std::size_t plane_bytes() const noexcept { return (dims + 7) / 8; }
  constexpr std::size_t bytes() const noexcept { return bits * plane_bytes(); }

  /// The number that level c stands for, in steps.
  constexpr int multiple(std::uint8_t level) const noexcept {
    int sum = 0;
    for (std::size_t i = 0; i < bits; ++i) sum += (level >> (bits - 1 - i) & 1) != 0 ? weights[i] : -weights[i];
    return sum;
  }
  /// The number that level c stands for.
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

/// How rows of codes look: their segments, in order, and the factors kept with each.
struct level_format {
  std::vector<level_segment> segments;
  std::array<bool, row_factors> factors{};  ///< which there are, by `row_factor`
  bool half_factors = false;                ///< as binary16 multiples of `units` instead of floats
  std::array<float, row_factors> units{1, 1, 1, 1, 1};

  bool has(row_factor which) const noexcept { return factors[static_cast<std::size_t>(which)]; }
  std::size_t dims() const noexcept {
    std::size_t sum = 0;
    for (const auto& s : segments) sum += s.dims;
    return sum;
  }
  /// Of the code of a row: the planes of a segment are padded to whole bytes.
  std::size_t row_bytes() const noexcept {
    std::size_t sum = 0;
    for (const auto& s : segments) sum += s.bytes();
    return sum;
  }
  /// Of the factors of a row.
  std::size_t factor_bytes() const noexcept {
    return static_cast<std::size_t>(std::count(factors.begin(), factors.end(), true)) *
           (half_factors ? sizeof(half) : sizeof(float));
  }

  friend bool operator==(const level_format&, const level_format&) = default;
};

namespace detail {

/// @throws error errc::shape for codes of another format than a kernel scores.
inline void require_level_format(const level_format& codes, const level_format& scored) {
  if (!(codes == scored))
    raise(errc::shape, "codes: ", codes.dims(), " dimensions in ", codes.row_bytes(), " bytes, the kernel scores ",
          scored.dims(), " in ", scored.row_bytes(), ", or values or factors differ");
}

}  // namespace detail

/// Adjacent rows in memory. Byte p of row r of a block (8 dimensions of one plane, least significant bit first) is
/// `codes[block · 32 · row_bytes + p · 32 + r]`; the bytes of a row are its segments in order, each plane by plane from
/// the most significant. Rows of the last block beyond `rows` are zero.
struct level_run {
  const level_format* format = nullptr;
  const std::uint8_t* codes = nullptr;
  std::size_t row_bytes = 0;
  row_id first_row = 0;  ///< the row that is first in the first block
  std::size_t rows = 0;
  std::array<const void*, row_factors> factors{};  ///< a column of floats or halves a factor, or null

  std::size_t blocks() const noexcept { return (rows + level_block_rows - 1) / level_block_rows; }

  /// Where the byte 0 of a row lies; the next bytes follow 32 apart.
  const std::uint8_t* row(std::size_t i) const noexcept {
    return codes + i / level_block_rows * level_block_rows * row_bytes + i % level_block_rows;
  }

  bool has(row_factor which) const noexcept { return factors[static_cast<std::size_t>(which)] != nullptr; }

  /// A factor of a row, which must be there.
  float factor(row_factor which, std::size_t i) const noexcept {
    const auto f = static_cast<std::size_t>(which);
    EMBIT_ASSERT(factors[f] != nullptr && i < rows);
    return format->half_factors ? format->units[f] * float(static_cast<const half*>(factors[f])[i])
                                : static_cast<const float*>(factors[f])[i];
  }

  /// The rows [first, last), counted within the run; `first` is a multiple of `level_block_rows`.
  level_run part(std::size_t first, std::size_t last) const noexcept {
    EMBIT_ASSERT(first % level_block_rows == 0 && first <= last && last <= rows);
    level_run p = *this;
    p.codes += first * row_bytes;
    p.first_row = static_cast<row_id>(first_row + first);
    p.rows = last - first;
    for (auto& column : p.factors)
      if (column != nullptr)
        column = static_cast<const std::byte*>(column) + first * (format->half_factors ? sizeof(half) : sizeof(float));
    return p;
  }
};

/// One row of a run.
struct level_row {
  level_run run;
  std::size_t index = 0;

  const level_format& format() const noexcept { return *run.format; }
  std::uint8_t byte(std::size_t p) const noexcept { return run.row(index)[p * level_block_rows]; }
  float factor(row_factor which) const noexcept { return run.factor(which, index); }

  /// The bytes as they are stored, zeros after them, into words_for(8 · row_bytes) words.
  void copy_bytes(std::span<word> out) const noexcept {
    EMBIT_ASSERT(out.size() >= words_for(8 * run.row_bytes));
    std::fill_n(out.begin(), words_for(8 * run.row_bytes), word{0});
    for (std::size_t p = 0; p < run.row_bytes; ++p) out[p / 8] |= word{byte(p)} << p % 8 * 8;
  }

  /// The levels of all dimensions, in order.
  void copy_levels(std::span<std::uint8_t> levels) const noexcept {
    EMBIT_ASSERT(levels.size() >= format().dims());
    const std::uint8_t* bytes = run.row(index);
    std::uint8_t* out = levels.data();
    for (const level_segment& s : format().segments) {
      std::fill_n(out, s.dims, std::uint8_t{0});
      for (std::size_t plane = 0; plane < s.bits; ++plane, bytes += s.plane_bytes() * level_block_rows)
        for (std::size_t j = 0; j < s.dims; ++j)
          out[j] = static_cast<std::uint8_t>(out[j] << 1 | (bytes[j / 8 * level_block_rows] >> j % 8 & 1));
      out += s.dims;
    }
  }

  /// The values of all dimensions, in order; factors are not applied.
  void decode(std::span<float> values) const noexcept {
    EMBIT_ASSERT(values.size() >= format().dims());
    const std::uint8_t* bytes = run.row(index);
    float* out = values.data();
    for (const level_segment& s : format().segments) {
      std::fill_n(out, s.dims, 0.f);
      for (std::size_t plane = 0; plane < s.bits; ++plane, bytes += s.plane_bytes() * level_block_rows) {
        const auto weight = static_cast<float>(s.weights[plane]);
        for (std::size_t j = 0; j < s.dims; ++j)
          out[j] += (bytes[j / 8 * level_block_rows] >> j % 8 & 1) != 0 ? weight : -weight;
      }
      for (std::size_t j = 0; j < s.dims; ++j) out[j] *= s.step;
      out += s.dims;
    }
  }
};

/// Rows of B-bit codes owned by someone else, as queries and as rows to add. Cheap to copy.
class level_view {
 public:
  level_view() = default;
  explicit level_view(const level_run& run) noexcept : run_(run), size_(run.rows) {}

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  /// Bits of a row as it is stored.
  std::size_t bits() const noexcept { return 8 * run_.row_bytes; }
  const level_format* format() const noexcept { return run_.format; }
  level_row operator[](std::size_t row) const noexcept {
    EMBIT_ASSERT(row < size_);
    return {run_, first_ + row};
  }
  level_view middle_rows(std::size_t first, std::size_t count) const noexcept {
    EMBIT_ASSERT(first <= size_ && count <= size_ - first);
    level_view part = *this;
    part.first_ += first;
    part.size_ = count;
    return part;
  }

 private:
  level_run run_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

namespace detail {

/// Refuses factors that are NaN or infinite, as an unverified file may have them.
/// @throws error errc::not_finite naming `what` and the row.
inline void require_finite_factors(const level_view& rows, std::string_view what) {
  for (std::size_t f = 0; f < row_factors; ++f)
    for (std::size_t i = 0; i < rows.size() && rows.format()->factors[f]; ++i)
      if (const float x = rows[i].factor(static_cast<row_factor>(f)); !is_finite(x))
        raise(errc::not_finite, what, ": row ", i, ": factor ", f, " is ", x);
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
