// The headers of .npy files, read strictly.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/io/dtype.hpp>
#include <embit/io/file.hpp>
#include <embit/io/file_content.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What the header of a .npy file says.
struct npy_header {
  dtype type;
  std::vector<std::size_t> shape;
  std::uint64_t offset;                     ///< of the first number, in bytes
  std::endian order = std::endian::little;  ///< of the bytes of a number
  bool fortran_order = false;               ///< the first index changes fastest

  /// An array of one dimension is a column: its n numbers are n rows of one.
  std::size_t rows() const noexcept { return shape.empty() ? 1 : shape[0]; }
  std::size_t cols() const noexcept { return shape.size() < 2 ? 1 : shape[1]; }
};

namespace detail {

/// Reads the Python dictionary of a .npy header: its three keys, each once, and literals of the three forms that
/// stand there. The grammar is in NumPy's documentation of the format (NEP 1).
class npy_header_parser {
 public:
  npy_header_parser(std::string_view text, std::string_view path, std::size_t offset)
      : text_(text), path_(path), offset_(offset) {}

  npy_header parse() {
    expect('{');
    while (!accept('}')) {
      parse_item();
      if (accept(',')) continue;
      expect('}');
      break;
    }
    skip_spaces();
    if (position_ != text_.size()) refuse("text after the dictionary");
    if (!type_ || !fortran_order_ || !shape_) refuse("not all of descr, fortran_order and shape are there");
    return {*type_, std::move(*shape_), offset_ + text_.size(), order_, *fortran_order_};
  }

 private:
  void parse_item() {
    const std::string_view key = parse_string();
    expect(':');
    if (key == "descr" && !type_)
      type_ = parse_type();
    else if (key == "fortran_order" && !fortran_order_)
      fortran_order_ = parse_order();
    else if (key == "shape" && !shape_)
      shape_ = parse_shape();
    else
      refuse("the key '", key, "' is unknown or there twice");
  }

  std::string_view parse_string() {
    skip_spaces();
    const char quote = peek();
    if (quote != '\'' && quote != '"') refuse("a quoted string is expected");
    const std::size_t begin = ++position_;
    while (peek() != quote) {
      if (peek() < ' ' || peek() > '~' || peek() == '\\') refuse("a string that does not end or is not plain");
      ++position_;
    }
    return text_.substr(begin, position_++ - begin);
  }

  dtype parse_type() {
    skip_spaces();
    if (peek() == '[') refuse("structured types are not read");
    const std::string_view descr = parse_string();
    constexpr std::string_view codes[] = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"};
    if (descr.size() == 3) {
      const auto known = std::ranges::find(codes, descr.substr(1));
      const bool is_bool = descr.substr(1) == "b1";
      if (known != std::end(codes) || is_bool) {
        const dtype type = is_bool ? dtype::boolean : static_cast<dtype>(known - std::begin(codes));
        if (std::string_view("<>|=").find(descr[0]) != std::string_view::npos && size_of(type) == 1) return type;
        if (descr[0] == '<') return type;
        if (descr[0] == '>') return order_ = std::endian::big, type;
        refuse("the type '", descr, "' does not say the order of its bytes by '<' or '>'");
      }
    }
    refuse("numbers of type '", descr, "' are not read; b1, f2, f4, f8, i1 to i8 and u1 to u8 are");
  }

  bool parse_order() {
    skip_spaces();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (!text_.substr(position_).starts_with(word)) continue;
      position_ += word.size();
      return value;
    }
    refuse("fortran_order must be True or False");
  }

  std::vector<std::size_t> parse_shape() {
    std::vector<std::size_t> shape;
    expect('(');
    while (!accept(')')) {
      shape.push_back(parse_number());
      if (accept(',')) continue;
      if (shape.size() == 1) refuse("a tuple of one number is written with a comma");
      expect(')');
      break;
    }
    return shape;
  }

  std::size_t parse_number() {
    skip_spaces();
    if (peek() < '0' || peek() > '9') refuse("a whole number is expected in the shape");
    std::size_t value = 0;
    for (; peek() >= '0' && peek() <= '9'; ++position_) {
      const auto digit = static_cast<std::size_t>(peek() - '0');
      if (value > ((std::numeric_limits<std::size_t>::max)() - digit) / 10)
        refuse("a number in the shape is too large");
      value = value * 10 + digit;
    }
    position_ += peek() == 'L';  // as Python 2 wrote its long numbers
    return value;
  }

  void skip_spaces() noexcept {
    while (peek() == ' ' || peek() == '\n' || peek() == '\t') ++position_;
  }
  char peek() const noexcept { return position_ < text_.size() ? text_[position_] : '\0'; }
  bool accept(char c) noexcept {
    skip_spaces();
    const bool there = peek() == c;
    position_ += there;
    return there;
  }
  void expect(char c) {
    if (!accept(c)) refuse("'", std::string_view(&c, 1), "' is expected in the header");
  }

  template <class... Parts>
  [[noreturn]] EMBIT_COLD void refuse(const Parts&... parts) const {
    raise(errc::format, path_, ": byte ", offset_ + position_, ": ", parts...);
  }

  std::string_view text_;
  std::string_view path_;
  std::size_t offset_;  // of the text in the file
  std::size_t position_ = 0;
  std::optional<dtype> type_;
  std::endian order_ = std::endian::little;
  std::optional<bool> fortran_order_;
  std::optional<std::vector<std::size_t>> shape_;
};

inline constexpr std::string_view npy_magic = "\x93NUMPY";
inline constexpr std::size_t npy_longest_header = std::size_t{1} << 16;

inline std::string text_of(const std::vector<std::size_t>& shape) {
  std::string text = "(";
  for (const std::size_t n : shape) {
    if (text.size() > 1) text += ", ";
    append(text, n);
  }
  return text += shape.size() == 1 ? ",)" : ")";
}

/// @throws error errc::shape for what is no matrix.
inline void require_npy_matrix(const npy_header& header, std::string_view path) {
  if (header.shape.empty() || header.shape.size() > 2)
    raise(errc::shape, path, ": shape ", text_of(header.shape),
          " where one dimension, n rows of one number, or two are needed");
  if (header.rows() != 0 && header.cols() == 0)
    raise(errc::shape, path, ": shape ", text_of(header.shape), ": rows without elements");
}

/// Why the rows of a matrix do not lie one after another as this machine has them; empty where they do.
inline std::string_view reason_to_convert(const npy_header& header) noexcept {
  if (header.order != std::endian::native && size_of(header.type) > 1) return "its numbers are in the other byte order";
  if (header.fortran_order && header.rows() > 1 && header.cols() > 1) return "is in Fortran order";
  return {};
}

/// The first bytes of a .npy file of version 1 with a matrix in this machine's order, up to the first number: as many
/// as `size`, where that is not 0, or as few as a header with room for a growing number of rows has.
inline std::string npy_start(dtype type, std::size_t rows, std::size_t cols, std::size_t size = 0) {
  std::string start(npy_magic);
  start.append("\1\0\0\0", 4);
  start += "{'descr': '";
  start += size_of(type) == 1 ? '|' : '<';
  start += type <= dtype::f64 ? 'f' : type <= dtype::i64 ? 'i' : 'u';
  append(start, size_of(type));
  start += "', 'fortran_order': False, 'shape': " + text_of({rows, cols}) + ", }";
  const std::size_t most_digits = 20;
  const std::size_t written = start.size() + 1, longest = written + most_digits - text_of({rows}).size() + 3;
  if (size == 0) size = (longest + 63) / 64 * 64;
  EMBIT_ASSERT(written <= size);
  start.append(size - written, ' ');
  start += '\n';
  start[8] = static_cast<char>((size - 10) & 0xffu);
  start[9] = static_cast<char>((size - 10) >> 8);
  return start;
}

/// The numbers in all must be just those that the file has bytes for.
inline void require_npy_size(const input_file& file, const npy_header& header) {
  const std::uint64_t there = file.size() - header.offset;
  constexpr std::uint64_t most = (std::numeric_limits<std::uint64_t>::max)();
  std::uint64_t needed = size_of(header.type);
  for (const std::size_t n : header.shape) needed = n != 0 && needed > most / n ? most : needed * n;
  if (std::ranges::find(header.shape, std::size_t{0}) != header.shape.end()) needed = 0;  // whatever the others are
  if (needed != there)
    raise(needed > there && needed != most ? errc::truncated : errc::format, file.path(), ": ", there,
          " bytes from byte ", header.offset, " on are not the numbers of shape ", text_of(header.shape), " and type ",
          name_of(header.type));
}

/// A header whose sizes may be more, or less, than the file has bytes for.
inline npy_header parse_npy_header(const input_file& file) {
  std::array<char, 12> start{};
  const std::size_t known = file.size() < start.size() ? static_cast<std::size_t>(file.size()) : start.size();
  file.read(0, std::as_writable_bytes(std::span(start).first(known)));
  const bool marked = std::string_view(start.data(), npy_magic.size()) == npy_magic;
  if (known < 10 || !marked) {
    if (!marked) refuse_known_content(file, "a .npy file");
    raise(errc::format, file.path(), ": byte 0: not a .npy file");
  }
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(start[i])); };
  if (byte(6) < 1 || byte(6) > 3 || byte(7) != 0)
    raise(errc::version, file.path(), ": byte 6: .npy version ", byte(6), ".", byte(7), " where 1.0 to 3.0 are read");
  const std::size_t offset = byte(6) == 1 ? 10 : 12;
  std::size_t size = byte(8) | byte(9) << 8;
  if (offset == 12) size |= byte(10) << 16 | byte(11) << 24;
  if (offset > file.size() || size > file.size() - offset || size > npy_longest_header)
    raise(errc::format, file.path(), ": byte 8: a header of ", size, " bytes in a file of ", file.size());
  std::string text(size, '\0');
  file.read(offset, std::as_writable_bytes(std::span(text)));
  return npy_header_parser(text, file.path(), offset).parse();
}

inline npy_header read_npy_header(const input_file& file) {
  npy_header header = parse_npy_header(file);
  require_npy_size(file, header);
  return header;
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
