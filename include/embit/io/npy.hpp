// Matrices in NumPy's .npy files.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/io/dtype.hpp>
#include <embit/io/file.hpp>
#include <embit/io/metadata.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What the header of a .npy file says.
struct npy_header {
  dtype type;
  std::vector<std::size_t> shape;
  std::uint64_t offset;  ///< of the first number, in bytes
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
    return {*type_, std::move(*shape_), offset_ + text_.size()};
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
    if (descr.size() == 3)
      for (std::size_t i = 0; i < std::size(codes); ++i) {
        if (descr.substr(1) != codes[i]) continue;
        if (descr[0] == '>')
          raise(errc::byte_order, path_, ": byte ", offset_ + position_, ": the numbers '", descr,
                "' are big-endian; only little-endian files are read");
        if (descr[0] == '<' || (descr[0] == '|' && codes[i][1] == '1')) return static_cast<dtype>(i);
      }
    refuse("numbers of type '", descr, "' are not read; f2, f4, f8, i1 to i8 and u1 to u8 are");
  }

  bool parse_order() {
    skip_spaces();
    const std::string_view rest = text_.substr(position_);
    if (rest.starts_with("True")) refuse("fortran_order is True; save it in C order (numpy.ascontiguousarray)");
    if (!rest.starts_with("False")) refuse("fortran_order must be True or False");
    position_ += 5;
    return false;
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
      if (value > (std::numeric_limits<std::size_t>::max() - digit) / 10) refuse("a number in the shape is too large");
      value = value * 10 + digit;
    }
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

/// The numbers in all must be just those that the file has bytes for.
inline void require_npy_size(const input_file& file, const npy_header& header) {
  const std::uint64_t there = file.size() - header.offset;
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t needed = size_of(header.type);
  for (const std::size_t n : header.shape) needed = n != 0 && needed > most / n ? most : needed * n;
  if (std::ranges::find(header.shape, std::size_t{0}) != header.shape.end()) needed = 0;  // whatever the others are
  if (needed != there)
    raise(needed > there && needed != most ? errc::truncated : errc::format, file.path(), ": ", there,
          " bytes from byte ", header.offset, " on are not the numbers of shape ", text_of(header.shape), " and type ",
          name_of(header.type));
}

inline npy_header read_npy_header(const input_file& file) {
  require_little_endian(file.path());
  std::array<char, 12> start{};
  const std::size_t known = file.size() < start.size() ? static_cast<std::size_t>(file.size()) : start.size();
  file.read(0, std::as_writable_bytes(std::span(start).first(known)));
  if (known < 10 || std::string_view(start.data(), 6) != npy_magic)
    raise(errc::format, file.path(), ": byte 0: not a .npy file");
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
  npy_header header = npy_header_parser(text, file.path(), offset).parse();
  require_npy_size(file, header);
  return header;
}

}  // namespace detail

/// The type and shape of a .npy file (versions 1 to 3, C order, little-endian), its size checked against the file.
/// @throws error errc::io, errc::truncated, errc::format or errc::version with the path and the offset.
inline npy_header read_npy_header(std::string path) { return detail::read_npy_header(input_file(std::move(path))); }

/// Reads a .npy file as a matrix of T; an array of one dimension becomes one column. Floats take any type of number,
/// rounding it; whole numbers take whole numbers that fit. Nothing is allocated before the sizes agree with the file.
/// @throws error errc::shape for none or more than two dimensions or rows without elements, errc::argument for numbers
/// that T cannot hold,
///         errc::io, errc::truncated, errc::format, errc::byte_order or errc::version, all with the path.
template <FileNumber T>
matrix<T> read_npy(std::string path) {
  const input_file file(std::move(path));
  const npy_header header = detail::read_npy_header(file);
  if (header.shape.empty() || header.shape.size() > 2)
    raise(errc::shape, file.path(), ": shape ", detail::text_of(header.shape), " where 1 or 2 dimensions are needed");
  if (!detail::is_convertible<T>(header.type))
    raise(errc::argument, file.path(), ": holds ", name_of(header.type), ", which ", name_of(dtype_of<T>),
          " cannot hold");
  const std::size_t rows = header.shape[0], cols = header.shape.size() == 2 ? header.shape[1] : 1;
  if (rows != 0 && cols == 0)
    raise(errc::shape, file.path(), ": shape ", detail::text_of(header.shape), ": rows without elements");
  auto numbers = matrix<T>::uninitialized(rows, cols);
  detail::read_numbers(file, header.offset, header.type, numbers.values());
  return numbers;
}

/// Writes a matrix as a .npy file of version 1 and of its own number type; the file appears when it is complete.
/// @throws error errc::io
template <class T>
  requires FileNumber<std::remove_const_t<T>>
void write_npy(std::string path, matrix_view<T> numbers) {
  detail::require_little_endian(path);
  constexpr dtype type = dtype_of<std::remove_const_t<T>>;
  std::string header = "{'descr': '";
  header += size_of(type) == 1 ? '|' : '<';
  header += type <= dtype::f64 ? 'f' : type <= dtype::i64 ? 'i' : 'u';
  detail::append(header, size_of(type));
  header += "', 'fortran_order': False, 'shape': " + detail::text_of({numbers.rows(), numbers.cols()}) + ", }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  const char start[] = {1, 0, static_cast<char>(header.size() & 0xffu), static_cast<char>(header.size() >> 8)};

  atomic_file file(std::move(path));
  file.write(std::as_bytes(std::span(detail::npy_magic)));
  file.write(std::as_bytes(std::span(start)));
  file.write(std::as_bytes(std::span(header)));
  for (std::size_t i = 0; i < numbers.rows(); ++i) file.write(std::as_bytes(numbers[i]));
  file.commit();
}

/// @copydoc write_npy
template <FileNumber T>
void write_npy(std::string path, const matrix<T>& numbers) {
  write_npy(std::move(path), numbers.view());
}

}  // namespace embit::inline EMBIT_ABI
