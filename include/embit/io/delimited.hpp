// Tables of text, TSV and CSV, a row at a time.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/io/file_content.hpp>
#include <embit/io/text_source.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct delimited_options {
  char separator = '\t';                           ///< between fields; ',' for CSV
  bool quotes = true;                              ///< RFC 4180; false takes quotes as any other character
  std::size_t fields = 0;                          ///< that every row must have; 0 for any number
  std::size_t longest_row = std::size_t{1} << 20;  ///< bytes of a row, its end included
  std::size_t buffer_size = std::size_t{1} << 18;  ///< bytes that are read at a time
};

/// Reads a file of lines of fields, a row at a time, in memory of a buffer and the longest row. A row ends at LF or
/// CRLF, the last one also at the end of the file; an empty line is a row of one empty field. A field in quotes may
/// hold separators, line ends and quotes, each of these doubled (RFC 4180). A byte order mark of UTF-8 is passed over,
/// NUL is refused. Errors name file, line and column, which count from 1, columns in bytes. The text may come from
/// another `text_source` than a file: `gzip_text` of embit/adapt/gzip.hpp reads what gzip compressed.
///
///     delimited_reader rows("hashes.csv", {.separator = ',', .fields = 2});
///     while (rows.next()) rows.hex(1, hash), keep(rows[0], hash);
class delimited_reader {
 public:
  /// @throws error errc::argument for a separator that is a quote, NUL or a line end, or sizes of 0; what `input_file`
  /// throws.
  explicit delimited_reader(std::string path, delimited_options options = {})
      : delimited_reader(file_text(std::move(path)), options) {}
  /// The same of any text.
  template <std::derived_from<text_source> Source>
  explicit delimited_reader(Source source, delimited_options options = {})
      : source_(std::make_unique<Source>(std::move(source))), options_(options) {
    const char s = options.separator;
    if (s == '\0' || s == '\n' || s == '\r' || s == '"')
      raise(errc::argument, "separator: character ", static_cast<int>(s), " cannot separate fields");
    if (options.longest_row == 0 || options.buffer_size == 0)
      raise(errc::argument, "delimited_reader: rows of ", options.longest_row, " bytes, a buffer of ",
            options.buffer_size);
    while (end_ < start_.size() && refill()) continue;
    std::transform(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>((std::min)(end_, start_.size())),
                   start_.begin(), [](char c) { return static_cast<std::byte>(c); });
    constexpr std::string_view mark = "\xef\xbb\xbf";
    if (std::string_view(buffer_.data(), end_).starts_with(mark)) at_ = mark.size();
  }

  /// Goes to the next row; false after the last one. Fields of the row before are gone.
  /// @throws error errc::format for a quote that is not closed or stands where none may, NUL, another number of fields
  /// than asked for or a row that is too long; errc::kind for a file of a known other format; errc::io, errc::changed.
  bool next() {
    row_ = at_;
    fields_.clear();
    open_quote_ = {};
    line_start_ = 0;
    row_line_ = ++line_;
    if (!more()) {
      --line_;
      return false;
    }
    while (read_field()) continue;
    for (field& f : fields_)
      if (f.doubled) undouble(f);
    if (options_.fields != 0 && size() != options_.fields)
      refuse((std::min)(size() - 1, options_.fields), size(), " fields where ", options_.fields, " are expected");
    return true;
  }

  /// Fields of the row.
  std::size_t size() const noexcept { return fields_.size(); }
  /// A field without its quotes, valid until `next`. @pre i < size()
  std::string_view operator[](std::size_t i) const& noexcept {
    EMBIT_ASSERT(i < size());
    return {buffer_.data() + row_ + fields_[i].first, fields_[i].size};
  }
  std::string_view operator[](std::size_t) const&& = delete;
  /// Where the row begins.
  std::size_t line() const noexcept { return row_line_; }
  const std::string& path() const& noexcept { return source_->path(); }
  const std::string& path() const&& = delete;
  /// Bytes of the file, and how many of them are read, a buffer at a time: for a progress bar.
  std::uint64_t bytes() const noexcept { return source_->bytes(); }
  std::uint64_t bytes_read() const noexcept { return source_->bytes_read(); }

  /// The field as a whole number, of decimal digits alone.
  /// @throws error errc::format for anything else and for numbers that T cannot hold.
  template <std::unsigned_integral T>
  T number(std::size_t i) const {
    return parse<T>(i, "a whole number");
  }

  /// The field as a number, such as -1.5 or 1e-3.
  /// @throws error errc::format for anything else and for numbers that T cannot hold, tiny ones among them;
  /// errc::not_finite for NaN and infinity.
  template <std::floating_point T>
  T real(std::size_t i) const {
    const T x = parse<T>(i, "a number");
    if (!detail::is_finite(x)) refuse_at(errc::not_finite, fields_[i].where, shown(i), " is not finite");
    return x;
  }

  /// The field as bytes of two hexadecimal digits each, the higher half first.
  /// @throws error errc::format for another number of digits than two a byte and for other characters; `bytes` is then
  /// unchanged.
  void hex(std::size_t i, std::span<std::uint8_t> bytes) const {
    const std::string_view text = (*this)[i];
    for (std::size_t j = 0; j < text.size(); ++j)
      if (digit(text[j]) > 15) refuse(i, shown(i), ": character ", j + 1, " is no hexadecimal digit");
    if (text.size() % 2 != 0 || text.size() / 2 != bytes.size())
      refuse(i, text.size(), " hexadecimal digits where ", bytes.size(), " bytes of two are expected");
    for (std::size_t j = 0; j < bytes.size(); ++j)
      bytes[j] = static_cast<std::uint8_t>(digit(text[2 * j]) << 4 | digit(text[2 * j + 1]));
  }

  /// Refuses a field for a reason of the caller's, naming file, line and column.
  /// @throws error errc::format
  template <class... Parts>
  [[noreturn]] EMBIT_COLD void refuse(std::size_t i, const Parts&... parts) const {
    refuse_at(errc::format, fields_[i].where, parts...);
  }

 private:
  struct place {
    std::size_t line = 0, column = 0;
  };
  struct field {
    std::size_t first, size;  // in the row
    place where;
    bool doubled = false;  // has quotes that stand for one
  };

  static constexpr unsigned digit(char c) noexcept {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    const char lower = static_cast<char>(c | 32);
    return lower >= 'a' && lower <= 'f' ? static_cast<unsigned>(lower - 'a' + 10) : 16;
  }

  place here() const noexcept { return {line_, at_ - row_ - line_start_ + 1}; }

  /// Whether there is a character at `at_`, read where it must be. Refuses the first that makes the row too long, so
  /// that what is refused does not depend on where the buffer ends.
  bool more() {
    if (at_ == end_ && !refill()) return false;
    if (at_ - row_ >= options_.longest_row) refuse_length();
    return true;
  }

  /// Drops what is before the row and reads on; false at the end of the file.
  bool refill() {
    if (ended_) return false;
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(row_));
    at_ -= row_;
    end_ -= row_;
    row_ = 0;
    buffer_.resize(end_ + options_.buffer_size);
    const std::size_t step = source_->read(std::as_writable_bytes(std::span(buffer_).subspan(end_)));
    ended_ = step == 0;
    end_ += step;
    return !ended_;
  }

  /// Reads a field and what ends it; whether the row has another.
  bool read_field() {
    const field f{at_ - row_, 0, here()};
    if (options_.quotes && more() && buffer_[at_] == '"') return read_quoted(f.where);
    for (; more(); ++at_) {
      const char c = buffer_[at_];
      if (c == options_.separator || c == '\n') {
        const bool carriage = c == '\n' && at_ - row_ > f.first && buffer_[at_ - 1] == '\r';
        return end_field(f, at_ - row_ - f.first - std::size_t{carriage});
      }
      if (c == '\0') refuse_at(errc::format, here(), "a NUL byte");
      if (c == '"' && options_.quotes) refuse_at(errc::format, here(), "a quote inside a field without quotes");
    }
    return end_field(f, at_ - row_ - f.first);
  }

  /// The same for a field whose opening quote is here.
  bool read_quoted(place where) {
    ++at_;
    field f{at_ - row_, 0, where};
    open_quote_ = where;
    for (; more(); ++at_) {
      const char c = buffer_[at_];
      if (c == '\0') refuse_at(errc::format, here(), "a NUL byte");
      if (c == '\n') {
        ++line_;
        line_start_ = at_ - row_ + 1;
      }
      if (c != '"') continue;
      f.size = at_ - row_ - f.first;
      ++at_;
      if (more() && buffer_[at_] == '"') {
        f.doubled = true;
        continue;
      }
      if (more() && buffer_[at_] == '\r') {
        ++at_;
        if (!more() || buffer_[at_] != '\n') refuse_at(errc::format, here(), "no line feed after a carriage return");
      }
      if (more() && buffer_[at_] != options_.separator && buffer_[at_] != '\n')
        refuse_at(errc::format, here(), "a character after the quote that closes a field");
      return end_field(f, f.size);
    }
    refuse_at(errc::format, where, "a quote that is not closed");
  }

  /// Goes behind the separator, the end of the row or that of the file.
  bool end_field(field f, std::size_t size) {
    f.size = size;
    fields_.push_back(f);
    open_quote_ = {};
    if (!more()) return false;
    return buffer_[at_++] == options_.separator;
  }

  void undouble(field& f) noexcept {
    char* const text = buffer_.data() + row_ + f.first;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < f.size; ++i) {
      text[kept++] = text[i];
      if (text[i] == '"') ++i;
    }
    f.size = kept;
  }

  template <class T>
  T parse(std::size_t i, std::string_view what) const {
    const std::string_view text = (*this)[i];
    T x{};
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), x);
    if (code == std::errc::invalid_argument || end != text.data() + text.size()) refuse(i, shown(i), " is not ", what);
    if (code != std::errc()) refuse(i, shown(i), " is beyond the numbers of ", sizeof(T), " bytes");
    return x;
  }

  /// A field as messages have it.
  std::string shown(std::size_t i) const {
    constexpr std::size_t most = 40;
    const std::string_view text = (*this)[i];
    return '"' + std::string(text.substr(0, most)) + (text.size() > most ? "\"..." : "\"");
  }

  [[noreturn]] EMBIT_COLD void refuse_length() const {
    if (open_quote_.line != 0)
      refuse_at(errc::format, open_quote_, "a quote opens in a row of more than ", options_.longest_row, " bytes");
    refuse_at(errc::format, {row_line_, 1}, "a row of more than ", options_.longest_row, " bytes");
  }

  template <class... Parts>
  [[noreturn]] EMBIT_COLD void refuse_at(errc code, place where, const Parts&... parts) const {
    detail::refuse_known_content(start_, path(), "a table of text");
    raise(code, path(), ": line ", where.line, ", column ", where.column, ": ", parts...);
  }

  std::unique_ptr<text_source> source_;
  delimited_options options_;
  std::array<std::byte, detail::content_start> start_{};  // of the text
  std::vector<char> buffer_;
  bool ended_ = false;   // nothing is left to read
  std::size_t row_ = 0;  // where the row begins, in the buffer
  std::size_t at_ = 0;   // what is read next
  std::size_t end_ = 0;  // of what is in the buffer
  std::size_t line_ = 0, row_line_ = 0;
  std::size_t line_start_ = 0;  // where `line_` begins, in the row
  std::vector<field> fields_;
  place open_quote_{};  // of the field that is read; line 0 for none
};

}  // namespace embit::inline EMBIT_ABI
