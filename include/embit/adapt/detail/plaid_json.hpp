// The few numbers that a PLAID index has in JSON files.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/io/file.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Reads JSON of which whole numbers are wanted and all else is passed over, strictly enough to refuse what is none.
class plaid_json {
 public:
  explicit plaid_json(std::string path) : path_(std::move(path)) {
    const auto bytes = read_file(path_);
    text_.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  /// Calls `take(key, value)` for the members of the one object that are whole numbers.
  template <class Take>
  void members(Take&& take) {
    expect('{');
    if (!accept('}')) {
      do {
        const std::string key = string();
        expect(':');
        if (const auto value = whole_number())
          take(key, *value);
        else
          skip_value(0);
      } while (accept(','));
      expect('}');
    }
    finish();
  }

  /// The one array of whole numbers.
  std::vector<std::uint64_t> numbers() {
    std::vector<std::uint64_t> found;
    expect('[');
    if (!accept(']')) {
      do {
        const auto value = whole_number();
        if (!value) refuse("no whole number");
        found.push_back(*value);
      } while (accept(','));
      expect(']');
    }
    finish();
    return found;
  }

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    raise(errc::format, path_, ": at byte ", at_, ": ", parts...);
  }

 private:
  static constexpr std::size_t most_depth = 32;

  void skip_spaces() noexcept {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool accept(char c) noexcept {
    skip_spaces();
    const bool found = at_ < text_.size() && text_[at_] == c;
    if (found) ++at_;
    return found;
  }
  void expect(char c) {
    if (!accept(c)) refuse("no '", c, "' where JSON has one");
  }
  void finish() {
    skip_spaces();
    if (at_ != text_.size()) refuse("text after the end");
  }

  // Escapes stay as they are: none of the keys that are wanted has one.
  std::string string() {
    expect('"');
    const std::size_t first = at_;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2u : 1u;
    if (at_ >= text_.size()) refuse("a string that does not end");
    return text_.substr(first, at_++ - first);
  }

  // Nothing, and nothing passed over, for a value that is none.
  std::optional<std::uint64_t> whole_number() {
    skip_spaces();
    std::size_t end = at_;
    std::uint64_t value = 0;
    for (; end < text_.size() && text_[end] >= '0' && text_[end] <= '9'; ++end) {
      const auto digit = static_cast<std::uint64_t>(text_[end] - '0');
      if (value > ((std::numeric_limits<std::uint64_t>::max)() - digit) / 10) refuse("a number beyond 64 bits");
      value = 10 * value + digit;
    }
    const bool goes_on = end < text_.size() && std::string_view(".eE").find(text_[end]) != std::string_view::npos;
    if (end == at_ || goes_on) return {};
    at_ = end;
    return value;
  }

  void skip_value(std::size_t depth) {
    if (depth == most_depth) refuse("values within values, more than ", most_depth, " deep");
    skip_spaces();
    if (accept('{')) {
      if (accept('}')) return;
      do {
        string();
        expect(':');
        skip_value(depth + 1);
      } while (accept(','));
      return expect('}');
    }
    if (accept('[')) {
      if (accept(']')) return;
      do skip_value(depth + 1);
      while (accept(','));
      return expect(']');
    }
    if (at_ < text_.size() && text_[at_] == '"') {
      string();
      return;
    }
    const std::size_t first = at_;
    while (at_ < text_.size() &&
           std::string_view("+-.0123456789aeflnrstuEINy").find(text_[at_]) != std::string_view::npos)
      ++at_;  // a number, true, false, null and what Python writes for numbers that are none
    if (at_ == first) refuse("no value");
  }

  std::string path_;
  std::string text_;
  std::size_t at_ = 0;
};

}  // namespace embit::inline EMBIT_ABI::detail
