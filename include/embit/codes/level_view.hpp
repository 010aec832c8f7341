// Rows of codes of 1 to 8 bits a dimension in blocks of 32, as kernels see them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/kept_in.hpp>
#include <embit/codes/level_format.hpp>
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
#include <string_view>

namespace embit::inline EMBIT_ABI {

/// Rows in a block of a `level_run`: one byte each of a 256-bit register.
inline constexpr std::size_t level_block_rows = 32;

/// Adjacent rows in memory. Byte p of row r of a block (8 dimensions of one plane, least significant bit first) is
/// `codes[block · 32 · row_bytes + p · 32 + r]`; the bytes of a row are its segments in order, each plane by plane from
/// the most significant, then that of its scale. Rows of the last block beyond `rows` are zero.
struct level_run {
  /// The store that has codes in such runs.
  template <class Source>
  using store_for = levels_kept_in<Source>;

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
      if (s.scaled) bytes += level_block_rows;
      out += s.dims;
    }
  }

  /// The values of all dimensions, in order, on the scales that the row has for segments; factors are not applied.
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
      float step = s.step;
      if (s.scaled) {
        step *= segment_scale(*bytes);
        bytes += level_block_rows;
      }
      for (std::size_t j = 0; j < s.dims; ++j) out[j] *= step;
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
  /// Of the encoder that made the codes; 0: not known.
  encoder_fingerprint fingerprint() const noexcept { return run_.format == nullptr ? 0 : run_.format->fingerprint; }
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
