// Rows in the records of a log: binary codes, codes of levels, floats.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>
#include <embit/io/metadata.hpp>
#include <embit/search/rows.hpp>
#include <embit/store/block_layout.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/level_layout.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// What a record of the log of an index says.
enum class log_action : std::uint32_t { add = 1, remove = 2, add_labelled = 3, remove_label = 4, add_version = 5 };

/// A record: u32 action, u32 0, then what the action takes; of rows first the shape and last the contents.
///   add            rows
///   remove         u64 row
///   add_labelled   rows, between whose parts u64 0 to refuse duplicates or 1 to replace them, u64 × rows labels
///   remove_label   u64 label
///   add_version    rows, between whose parts u64 version
/// Rows are
///   binary codes     u64 rows, u64 bits; their words, and where it is known u64 fingerprint of the encoder
///   codes of levels  u64 rows, u64 bytes a row; row by row the bytes, then the factors of the index, each as f32; and
///                    where it is known u64 fingerprint of the encoder
///   floats           u64 rows, u64 columns; the numbers, row by row
class log_record {
 public:
  explicit log_record(log_action action) { put(static_cast<std::uint32_t>(action)).put(std::uint32_t{0}); }
  template <class T>
  log_record& put(T value) {
    return put(std::span<const T>(&value, 1));
  }
  template <class T>
  log_record& put(std::span<const T> values) {
    append_bytes(bytes_, std::as_bytes(values));
    return *this;
  }
  log_record& put_known(encoder_fingerprint fingerprint) { return fingerprint == 0 ? *this : put(fingerprint); }
  std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

/// Takes a record apart. Its checksum was right, so that what does not fit was written by someone else.
class log_record_reader {
 public:
  log_record_reader(std::span<const std::byte> bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  template <class T>
  T get() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  template <class T>
  std::vector<T> array(std::uint64_t count) {
    if (count > bytes_.size() / sizeof(T)) refuse();
    std::vector<T> values(static_cast<std::size_t>(count));
    const auto from = take(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), from.data(), from.size());
    return values;
  }
  encoder_fingerprint known_fingerprint() { return bytes_.empty() ? 0 : get<encoder_fingerprint>(); }
  void require_end() const {
    if (!bytes_.empty()) refuse();
  }
  /// So many rows of `width`, each of at least `least` bytes.
  void require_shape(std::uint64_t rows, std::uint64_t width, std::uint64_t least) const {
    if ((width == 0 && rows != 0) || width > (std::numeric_limits<std::uint32_t>::max)() ||
        rows > (std::numeric_limits<row_id>::max)() || (rows != 0 && least > bytes_.size() / rows))
      refuse();
  }
  [[noreturn]] EMBIT_COLD void refuse() const { raise(errc::format, path_, ": a record that makes no sense"); }
  const std::string& path() const noexcept { return path_; }

 private:
  std::span<const std::byte> take(std::size_t size) {
    if (size > bytes_.size()) refuse();
    const auto part = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return part;
  }

  std::span<const std::byte> bytes_;
  const std::string& path_;
};

/// How rows that are added as a `View` are logged: `width`, `write` and `read`, and in what they are held that were
/// read. `check` refuses those that an index cannot take.
template <class View>
struct logged_rows;

template <>
struct logged_rows<code_view<>> {
  using held = code_store<>;

  static std::uint64_t width(const code_view<>& rows) noexcept { return rows.bits(); }
  static void write(log_record& record, const code_view<>& rows) {
    record.put(std::span(rows.data(), rows.size() * rows.words())).put_known(rows.fingerprint());
  }
  static std::uint64_t least(std::uint64_t bits) noexcept {
    return words_for(static_cast<std::size_t>(bits)) * sizeof(word);
  }
  template <class Index>
  static held read(log_record_reader& in, const Index&, std::size_t rows, std::size_t bits) {
    const auto words = in.array<word>(std::uint64_t{rows} * words_for(bits));
    const encoder_fingerprint fingerprint = in.known_fingerprint();
    return rows == 0 ? held() : held(code_view<>(words.data(), rows, bits, fingerprint));
  }
  template <class Index>
  static void check(const Index& index, const code_view<>& rows) {
    if (rows.bits() != index.width())
      raise(errc::shape, "codes: ", rows.bits(), " bits, the index holds codes of ", index.width());
    require_clean_tails(rows, "codes");
  }
};

template <>
struct logged_rows<matrix_view<const float>> {
  using held = matrix<float>;

  static std::uint64_t width(matrix_view<const float> rows) noexcept { return rows.cols(); }
  static void write(log_record& record, matrix_view<const float> rows) {
    for (std::size_t i = 0; i < rows.rows(); ++i) record.put(std::span<const float>(rows[i]));
  }
  static std::uint64_t least(std::uint64_t cols) noexcept { return cols * sizeof(float); }
  template <class Index>
  static held read(log_record_reader& in, const Index&, std::size_t rows, std::size_t cols) {
    const auto numbers = in.array<float>(std::uint64_t{rows} * cols);
    return held(matrix_view<const float>(numbers.data(), rows, cols));
  }
  template <class Index>
  static void check(const Index& index, matrix_view<const float> rows) {
    if (rows.cols() != index.width())
      raise(errc::shape, "rows: ", rows.cols(), " columns, the index holds rows of ", index.width());
    require_finite(rows, "rows");
  }
};

template <>
struct logged_rows<level_view> {
  using held = level_store;

  static std::uint64_t width(const level_view& rows) noexcept { return rows.bits() / 8; }
  static void write(log_record& record, const level_view& rows) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (std::size_t p = 0; p < rows.bits() / 8; ++p) record.put(rows[i].byte(p));
      for (std::size_t f = 0; f < row_factors; ++f)
        if (rows.format()->factors[f]) record.put(rows[i].factor(static_cast<row_factor>(f)));
    }
    record.put_known(rows.fingerprint());
  }
  static std::uint64_t least(std::uint64_t bytes) noexcept { return bytes; }
  template <class Index>
  static held read(log_record_reader& in, const Index& index, std::size_t rows, std::size_t bytes) {
    held store(index.store().format(), rows);
    if (rows != 0 && bytes != store.format().row_bytes()) in.refuse();
    for (std::size_t i = 0; i < rows; ++i) {
      const auto code = in.array<std::uint8_t>(bytes);
      for (std::size_t p = 0; p < bytes; ++p) store.row_data(i)[p * level_block_rows] = code[p];
      for (std::size_t f = 0; f < row_factors; ++f)
        if (store.format().factors[f]) store.set_factor(i, static_cast<row_factor>(f), in.get<float>());
    }
    require_clean_levels(store.run(0), in.path());
    store.set_fingerprint(in.known_fingerprint());
    return store;
  }
  template <class Index>
  static void check(const Index& index, const level_view& rows) {
    if (!(*rows.format() == index.store().format()))
      raise(errc::shape, "codes: of another format than those of the index, ", rows.bits() / 8, " bytes where it has ",
            index.store().format().row_bytes());
    require_finite_factors(rows, "codes");
  }
};

/// Rows that a log can hold.
template <class View>
concept LoggedRows = requires {
  typename logged_rows<View>::held;
};

}  // namespace embit::inline EMBIT_ABI::detail
