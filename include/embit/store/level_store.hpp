// Codes of 1 to 8 bits a dimension that are owned, in blocks of 32 rows, with the factors kept beside them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/grow.hpp>
#include <embit/core/half.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/store/block_layout.hpp>
#include <embit/store/level_layout.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// Rows of B-bit codes (B = 1 … 8, segment by segment) of one format, and their factors: what the encoders of levels
/// return. The layout is that of `level_run`, in one piece of memory. Different rows may be written by different
/// threads at once; anything else that changes a store needs it to itself.
class level_store {
 public:
  using code_type = level_row;
  using rows_view = level_view;  ///< what is added

  /// No rows, of no format.
  level_store() : level_store(level_format{}, 0) {}

  /// `size` rows of level 0 in every dimension and factors of 0.
  /// @throws error errc::argument for segments of no dimension, of bits outside 1 … 8, or without a step and weights
  /// above 0, and for units that are not above 0.
  explicit level_store(level_format format, std::size_t size = 0)
      : format_(std::make_shared<const level_format>(std::move(format))), row_bytes_(format_->row_bytes()) {
    detail::require_format(*format_);
    resize(size);
  }

  /// The given rows of another store, in the given order.
  level_store(level_view source, std::span<const row_id> rows) : level_store(format_of(source), rows.size()) {
    for (std::size_t i = 0; i < rows.size(); ++i) put(i, source[rows[i]]);
  }

  /// A copy of someone else's rows.
  explicit level_store(level_view codes) : level_store(format_of(codes)) { append(codes); }

  /// Binary codes as levels of 1 bit with the values ±1, without factors.
  /// @throws error errc::argument for bits set beyond the width.
  explicit level_store(code_view<> codes)
      : level_store(
            level_format{.segments = {level_segment::uniform(codes.bits(), 1)}, .fingerprint = codes.fingerprint()},
            codes.size()) {
    require_clean_tails(codes, "codes");
    for (std::size_t row = 0; row < size_; ++row) set_code(row, codes[row]);
  }

  level_store(const level_store&) = default;
  level_store(level_store&&) = default;
  /// Nothing has changed when it throws.
  level_store& operator=(const level_store& other) { return *this = level_store(other); }
  level_store& operator=(level_store&&) = default;
  ~level_store() = default;

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  const level_format& format() const& noexcept { return *format_; }
  const level_format& format() const&& = delete;
  /// Of the encoder that made the codes; 0: not known.
  encoder_fingerprint fingerprint() const noexcept { return format_->fingerprint; }
  /// For codes that are written from elsewhere, or to be compared with those of another encoder all the same: 0.
  void set_fingerprint(encoder_fingerprint fingerprint) {
    if (fingerprint == format_->fingerprint) return;
    level_format format = *format_;
    format.fingerprint = fingerprint;
    format_ = std::make_shared<const level_format>(std::move(format));
  }
  std::size_t dims() const noexcept { return format_->dims(); }
  /// Bits of a row as it is stored: every plane is padded to whole bytes.
  std::size_t bits() const noexcept { return 8 * row_bytes_; }
  /// Bytes of the codes and factors of a row.
  std::size_t bytes_per_row() const noexcept { return row_bytes_ + format_->factor_bytes(); }

  level_row operator[](std::size_t row) const& noexcept {
    EMBIT_ASSERT(row < size_);
    return {run(0), row};
  }
  level_row operator[](std::size_t) const&& = delete;

  /// Writes the levels of a row, one a dimension, each below 2^bits of its segment. O(dims · bits).
  void set_levels(std::size_t row, std::span<const std::uint8_t> levels) noexcept {
    EMBIT_ASSERT(row < size_ && levels.size() == dims());
    std::uint8_t* out = row_data(row);
    const std::uint8_t* in = levels.data();
    for (const level_segment& s : format_->segments) {
      for (std::size_t j = 0; j < s.dims; j += 8) {
        const std::uint64_t eight = detail::eight_levels(in + j, std::min<std::size_t>(8, s.dims - j));
        std::uint8_t* byte = out + j / 8 * level_block_rows;
        for (std::size_t plane = 0; plane < s.bits; ++plane, byte += s.plane_bytes() * level_block_rows)
          *byte = detail::gather_bits(eight >> (s.bits - 1 - plane));
      }
      in += s.dims;
      out += s.bytes() * level_block_rows;
    }
  }

  /// Writes the scale of a segment of a row that has one, rounded to the nearest that a byte can say.
  /// @param scale  0 or above
  void set_segment_scale(std::size_t row, std::size_t segment, float scale) noexcept {
    EMBIT_ASSERT(row < size_ && format_->segments[segment].scaled && scale >= 0);
    std::size_t end = 0;
    for (std::size_t s = 0; s <= segment; ++s) end += format_->segments[s].bytes();
    row_data(row)[(end - 1) * level_block_rows] = segment_scale_code(scale);
  }

  /// Where the byte 0 of a row lies, for who writes planes himself; the next bytes follow `level_block_rows` apart, as
  /// in `level_run`. Bits beyond the dimensions of a segment must stay zero.
  std::uint8_t* row_data(std::size_t row) & noexcept {
    return codes_.data() + row / level_block_rows * level_block_rows * row_bytes_ + row % level_block_rows;
  }

  /// Writes a factor of a row. Halves round it to 11 bits.
  /// @throws error errc::argument for a factor that the format does not have, errc::not_finite for one that is not
  /// finite or too large for its unit.
  void set_factor(std::size_t row, row_factor which, float value) {
    EMBIT_ASSERT(row < size_);
    const auto f = static_cast<std::size_t>(which);
    if (!format_->has(which)) raise(errc::argument, "set_factor: the format has no factor ", f);
    const half rounded(value / format_->units[f]);
    if (!detail::is_finite(format_->half_factors ? float(rounded) : value))
      raise(errc::not_finite, "set_factor: row ", row, ", factor ", f, ": ", value, " in units of ", format_->units[f]);
    std::byte* at = columns_[f].data() + row * factor_size();
    if (format_->half_factors)
      std::memcpy(at, &rounded, sizeof rounded);
    else
      std::memcpy(at, &value, sizeof value);
  }
  float factor(std::size_t row, row_factor which) const noexcept { return run(0).factor(which, row); }

  /// The bytes of a row, zeros after them, into words_for(bits()) words.
  void copy_row(std::size_t row, std::span<word> out) const noexcept { (*this)[row].copy_bytes(out); }

  /// Adds rows at the end, which may be rows of this store. Amortized O(bytes added).
  /// @throws error errc::shape for codes of another format, errc::argument for those of another encoder,
  /// errc::not_finite for factors; the store is unchanged then.
  row_id append(level_view rows) {
    const std::size_t first = size_;
    if (rows.empty()) return static_cast<row_id>(first);
    if (!(*rows.format() == format()))
      raise(errc::shape, "append: codes of ", rows.format()->dims(), " dimensions in ", rows.bits() / 8,
            " bytes to a store of ", dims(), " in ", row_bytes_, ", or with other values or factors");
    detail::require_row_count(size_ + rows.size());
    const encoder_fingerprint joined = detail::joined_fingerprint(rows.fingerprint(), fingerprint(), size_);
    detail::require_finite_factors(rows, "append");
    const std::less<> less;
    const std::uint8_t* source = rows[0].run.codes;
    if (!less(source, codes_.data()) && less(source, codes_.data() + codes_.size())) {
      const level_store copy(rows);
      return append(copy.view());
    }
    resize(size_ + rows.size());
    set_fingerprint(joined);
    for (std::size_t i = 0; i < rows.size(); ++i) put(first + i, rows[i]);
    return static_cast<row_id>(first);
  }

  /// All rows. Valid until the store changes or ends, which is why a temporary store has none to give.
  level_view view() const& { return level_view(run(0)); }
  level_view view() const&& = delete;
  /// A store is accepted where a view is, a temporary one for the length of the full expression.
  operator level_view() const { return level_view(run(0)); }

  /// One piece of adjacent memory, or none.
  std::size_t runs() const noexcept { return size_ == 0 ? 0 : 1; }
  level_run run(std::size_t) const& noexcept {
    level_run r{
        .format = format_.get(), .codes = codes_.data(), .row_bytes = row_bytes_, .first_row = 0, .rows = size_};
    for (std::size_t f = 0; f < row_factors; ++f)
      if (format_->factors[f]) r.factors[f] = columns_[f].data();
    return r;
  }
  level_run run(std::size_t) const&& = delete;

  /// The same rows with the `planes` most significant bits of the one uniform segment: the shorter code of a nested
  /// one. Factors other than `inverse_norm`, which is computed again, are dropped, since they belong to the full code.
  /// @throws error errc::argument for several segments, one that is no uniform grid, or planes outside 1 … bits.
  level_store truncated(std::size_t planes) const {
    if (format_->segments.size() != 1 || !format_->segments[0].is_uniform())
      raise(errc::argument, "truncated: only codes of one uniform segment are nested");
    const level_segment& s = format_->segments[0];
    if (planes < 1 || planes > s.bits) raise(errc::argument, "truncated: ", planes, " planes of ", s.bits);
    level_format shorter{
        .segments = {level_segment::uniform(s.dims, planes, s.step * static_cast<float>(1u << (s.bits - planes)))}};
    shorter.factors[static_cast<std::size_t>(row_factor::inverse_norm)] = format_->has(row_factor::inverse_norm);
    shorter.half_factors = format_->half_factors;
    shorter.units = format_->units;
    level_store store(std::move(shorter), size_);
    for (std::size_t row = 0; row < size_; ++row) {
      const std::uint8_t* from = run(0).row(row);
      std::uint8_t* to = store.row_data(row);
      for (std::size_t p = 0; p < store.row_bytes_; ++p) to[p * level_block_rows] = from[p * level_block_rows];
    }
    if (store.format().has(row_factor::inverse_norm)) store.set_inverse_norms();
    return store;
  }

  /// Computes `inverse_norm` of every row from its levels; 0 where all values are 0. O(size · bits).
  /// @throws error errc::argument where the format has no such factor.
  void set_inverse_norms(std::size_t first = 0) {
    aligned_vector<float> values(dims());
    for (std::size_t row = first; row < size_; ++row) {
      (*this)[row].decode(values);
      double sum = 0;
      for (const float x : values) sum += double{x} * x;
      set_factor(row, row_factor::inverse_norm, sum > 0 ? static_cast<float>(1 / std::sqrt(sum)) : 0.f);
    }
  }

  std::size_t memory() const noexcept {
    std::size_t bytes = codes_.capacity();
    for (const auto& column : columns_) bytes += column.capacity();
    return bytes;
  }

  static constexpr file_kind file = detail::levels_file;
  file_kind saved_as() const noexcept { return detail::levels_file_of(format()); }

  void write_to(const section_writer& out) const {
    detail::write_level_shape(out, *format_, size_);
    out.add(detail::levels_section, std::span<const std::uint8_t>(codes_));
    for (std::size_t f = 0; f < row_factors; ++f)
      if (format_->factors[f]) out.add(detail::factor_sections[f], std::span<const std::byte>(columns_[f]));
  }

  /// @throws error errc::format, errc::checksum or errc::io.
  static level_store read_from(const section_reader& in) {
    auto [format, size] = detail::read_level_shape(in);
    level_store store(std::move(format), size);
    in.read(detail::levels_section, std::span<std::uint8_t>(store.codes_));
    detail::require_clean_levels(store.run(0), in.path());
    for (std::size_t f = 0; f < row_factors; ++f)
      if (store.format_->factors[f]) in.read(detail::factor_sections[f], std::span<std::byte>(store.columns_[f]));
    detail::require_finite_factors(store.run(0), in.path());
    return store;
  }

 private:
  static level_format format_of(const level_view& codes) {
    return codes.format() == nullptr ? level_format{} : *codes.format();
  }

  std::size_t factor_size() const noexcept { return format_->half_factors ? sizeof(half) : sizeof(float); }

  // Columns are padded to whole blocks, so that kernels may read them a block at a time. Nothing has changed when there
  // is no room.
  void resize(std::size_t size) {
    if (size > (std::numeric_limits<row_id>::max)() || row_bytes_ > codes_.max_size() / (size + level_block_rows))
      raise(errc::argument, "level_store: ", size, " rows of ", row_bytes_, " bytes are more than there can be");
    const std::size_t padded = (size + level_block_rows - 1) / level_block_rows * level_block_rows;
    const auto each_column = [&](auto&& f) {
      for (std::size_t i = 0; i < row_factors; ++i)
        if (format_->factors[i]) f(columns_[i], padded * factor_size());
    };
    const auto make_room = [](auto& column, std::size_t wanted) { reserve_more(column, wanted - column.size()); };
    each_column(make_room);
    make_room(codes_, padded * row_bytes_);
    each_column([](auto& column, std::size_t wanted) { column.resize(wanted, std::byte{0}); });
    codes_.resize(padded * row_bytes_, 0);
    size_ = size;
  }

  void set_code(std::size_t row, std::span<const word> code) noexcept {
    std::uint8_t* out = row_data(row);
    for (std::size_t p = 0; p < row_bytes_; ++p)
      out[p * level_block_rows] = static_cast<std::uint8_t>(code[p / 8] >> 8 * (p % 8));
  }

  void put(std::size_t row, const level_row& source) noexcept {
    std::uint8_t* out = row_data(row);
    const std::uint8_t* in = source.run.row(source.index);
    for (std::size_t p = 0; p < row_bytes_; ++p) out[p * level_block_rows] = in[p * level_block_rows];
    for (std::size_t f = 0; f < row_factors; ++f)
      if (format_->factors[f])
        std::memcpy(columns_[f].data() + row * factor_size(),
                    static_cast<const std::byte*>(source.run.factors[f]) + source.index * factor_size(), factor_size());
  }

  detail::shared_state<const level_format> format_;
  std::size_t row_bytes_ = 0;
  detail::moved_value<> size_;
  aligned_vector<std::uint8_t> codes_;
  std::array<aligned_vector<std::byte>, row_factors> columns_;
};

static_assert(RowStore<level_store>);

}  // namespace embit::inline EMBIT_ABI
