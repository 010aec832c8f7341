// The words of prose and of source code alike.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace example {

namespace detail {

// ASCII by hand: the classes of <cctype> change with the locale. Bytes of UTF-8 sequences count as letters.
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return is_upper(c) || (c >= 'a' && c <= 'z') || (c & 0x80) != 0; }
constexpr char to_lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }

/// True where an identifier falls apart between text[i - 1] and text[i]: matrix|3, Jacobi|SVD, HTML|Parser.
constexpr bool is_seam(std::string_view text, std::size_t i) {
  const char before = text[i - 1], here = text[i];
  if (is_digit(before) != is_digit(here)) return true;
  if (!is_upper(here)) return false;
  const bool next_is_lower = i + 1 < text.size() && is_letter(text[i + 1]) && !is_upper(text[i + 1]);
  return !is_upper(before) || next_is_lower;
}

}  // namespace detail

/// Calls `f(word)` for every word of two characters or more, in lower case; identifiers fall apart at underscores,
/// at changes of case and at digits.
template <class F>
void for_each_word(std::string_view text, F&& f) {
  const auto is_part = [&](std::size_t i) { return detail::is_letter(text[i]) || detail::is_digit(text[i]); };
  std::string word;
  for (std::size_t i = 0; i < text.size();) {
    word.clear();
    for (; i < text.size() && is_part(i) && (word.empty() || !detail::is_seam(text, i)); ++i)
      word += detail::to_lower(text[i]);
    if (word.size() >= 2) f(std::string_view(word));
    if (word.empty()) ++i;
  }
}

}  // namespace example
