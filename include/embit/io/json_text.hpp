// JSON as far as files of tensors have it: objects, strings and whole numbers are read, other values passed over.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Reads JSON from its beginning on, in one pass, and refuses with the place what is none. Views the text.
class json_text {
 public:
  /// @param place  what errors begin with, before the number of the byte: "<path>: byte "
  /// @param first  the number of the first byte of the text
  json_text(std::string_view text, std::string place, std::uint64_t first = 0)
      : text_(text), place_(std::move(place)), first_(first) {}

  /// Calls `f(key)` for each member of the object that follows; `f` reads its value.
  template <class F>
  void members(F&& f) {
    expect('{');
    if (accept('}')) return;
    do {
      std::string key = string();
      expect(':');
      f(std::move(key));
    } while (accept(','));
    expect('}');
  }

  /// The string that follows.
  std::string string() {
    expect('"');
    std::string out;
    for (;;) {
      const char c = next();
      if (c == '"') return out;
      if (static_cast<unsigned char>(c) < 0x20) refuse("a control character in a string");
      if (c == '\\')
        parse_escape(out);
      else
        out += c;
    }
  }

  /// The array of whole numbers that follows.
  std::vector<std::uint64_t> numbers() {
    std::vector<std::uint64_t> found;
    expect('[');
    if (accept(']')) return found;
    do found.push_back(number());
    while (accept(','));
    expect(']');
    return found;
  }

  /// The whole number that follows.
  std::uint64_t number() {
    skip_spaces();
    std::uint64_t value = 0;
    const std::size_t begin = position_;
    for (; position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9'; ++position_) {
      const auto digit = static_cast<std::uint64_t>(text_[position_] - '0');
      if (value > ((std::numeric_limits<std::uint64_t>::max)() - digit) / 10) refuse("a number beyond 64 bits");
      value = value * 10 + digit;
    }
    if (position_ == begin) refuse("a whole number is expected");
    if (text_[begin] == '0' && position_ - begin > 1) refuse("a number with a leading zero");
    return value;
  }

  /// The whole number that follows; nothing, and nothing is passed over, where another value does.
  std::optional<std::uint64_t> whole_number() {
    skip_spaces();
    const std::size_t end = (std::min)(text_.find_first_not_of("0123456789", position_), text_.size());
    const bool goes_on = end < text_.size() && std::string_view(".eE").find(text_[end]) != std::string_view::npos;
    if (end == position_ || goes_on) return {};
    return number();
  }

  /// Passes over the value that follows.
  void skip_value(std::size_t depth = 0) {
    constexpr std::size_t most_depth = 32;
    if (depth == most_depth) refuse("values within values, more than ", most_depth, " deep");
    if (peeks('{')) return members([&](const std::string&) { skip_value(depth + 1); });
    if (peeks('"')) return static_cast<void>(string());
    if (accept('[')) {
      if (accept(']')) return;
      do skip_value(depth + 1);
      while (accept(','));
      return expect(']');
    }
    // A number, true, false, null and what Python writes for numbers that are none.
    const std::size_t end = (std::min)(text_.find_first_not_of("+-.0123456789aeflnrstuEINy", position_), text_.size());
    if (end == position_) refuse("no value");
    position_ = end;
  }

  /// Whether it goes on with this, without a space before.
  bool at(char c) const noexcept { return position_ != text_.size() && text_[position_] == c; }
  /// Whether nothing is left but spaces.
  bool ended() noexcept {
    skip_spaces();
    return position_ == text_.size();
  }

  /// @throws error errc::format with the place that has been reached.
  template <class... Parts>
  [[noreturn]] EMBIT_COLD void refuse(const Parts&... parts) const {
    raise(errc::format, place_, first_ + position_, ": ", parts...);
  }

 private:
  void parse_escape(std::string& out) {
    constexpr std::string_view letters = "\"\\/ntrbf", meant = "\"\\/\n\t\r\b\f";
    const char c = next();
    if (c == 'u') return append_utf8(out, parse_code_point());
    const std::size_t known = letters.find(c);
    if (known == letters.npos) refuse("an escape that JSON does not have");
    out += meant[known];
  }

  /// What follows \u, and a second such escape where two stand for one character. Half of a pair becomes U+FFFD, as
  /// no text may contain it.
  std::uint32_t parse_code_point() {
    constexpr std::uint32_t replacement = 0xfffd;
    const std::uint32_t first = parse_code();
    if (first < 0xd800 || first > 0xdfff) return first;
    if (first > 0xdbff || text_.substr(position_, 2) != "\\u") return replacement;
    const std::size_t before = std::exchange(position_, position_ + 2);
    const std::uint32_t second = parse_code();
    if (second >= 0xdc00 && second <= 0xdfff) return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    position_ = before;
    return replacement;
  }

  std::uint32_t parse_code() {
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = next();
      const bool digit = c >= '0' && c <= '9', letter = (c | 32) >= 'a' && (c | 32) <= 'f';
      if (!digit && !letter) refuse("\\u without four hexadecimal digits");
      code = code * 16 + static_cast<std::uint32_t>(digit ? c - '0' : (c | 32) - 'a' + 10);
    }
    return code;
  }

  static void append_utf8(std::string& out, std::uint32_t code) {
    const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
    if (code < 0x80) return byte(code);
    if (code < 0x800) {
      byte(0xc0 | code >> 6);
    } else {
      if (code < 0x10000) {
        byte(0xe0 | code >> 12);
      } else {
        byte(0xf0 | code >> 18);
        byte(0x80 | (code >> 12 & 0x3f));
      }
      byte(0x80 | (code >> 6 & 0x3f));
    }
    byte(0x80 | (code & 0x3f));
  }

  void skip_spaces() noexcept {
    while (position_ < text_.size() && std::string_view(" \t\r\n").find(text_[position_]) != std::string_view::npos)
      ++position_;
  }
  char next() {
    if (position_ == text_.size()) refuse("the text ends inside a string");
    return text_[position_++];
  }

  bool accept(char c) noexcept {
    if (!peeks(c)) return false;
    ++position_;
    return true;
  }
  bool peeks(char c) noexcept {
    skip_spaces();
    return at(c);
  }
  void expect(char c) {
    if (!accept(c)) refuse("'", std::string_view(&c, 1), "' is expected");
  }

  std::string_view text_;
  std::string place_;
  std::uint64_t first_;
  std::size_t position_ = 0;
};

}  // namespace embit::inline EMBIT_ABI::detail
