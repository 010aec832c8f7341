// The line of a passage that best shows why it was found.
// SPDX-License-Identifier: MIT
#pragma once

#include "words.hpp"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace example {

namespace detail {

/// The beginnings of words, so that "factorize" finds "factorization".
inline std::set<std::string, std::less<>> stems(std::string_view text) {
  std::set<std::string, std::less<>> out;
  for_each_word(text, [&](std::string_view word) { out.emplace(word.substr(0, 6)); });
  return out;
}

}  // namespace detail

/// One line of a passage.
struct snippet {
  std::size_t line = 0;  ///< how many lines below the first
  std::string_view text;
};

/// The line of `passage` that shares most words with `query`; of several, the one with most words.
inline snippet best_line(std::string_view passage, std::string_view query) {
  const auto wanted = detail::stems(query);
  snippet best;
  std::pair<std::size_t, std::size_t> best_score{0, 0};
  std::size_t line = 0;
  for (std::size_t at = 0, end; at < passage.size(); at = end + 1, ++line) {
    end = std::min(passage.find('\n', at), passage.size());
    const auto text = passage.substr(at, end - at);
    const auto here = detail::stems(text);
    const auto shared = static_cast<std::size_t>(
        std::count_if(wanted.begin(), wanted.end(), [&](const std::string& stem) { return here.contains(stem); }));
    if (const std::pair score{shared, here.size()}; score > best_score) {
      best = {line, text};
      best_score = score;
    }
  }
  return best;
}

/// `text` fit for one line of a terminal: trimmed, blanks run together, control characters left out, cut to `width`
/// characters, the last of them an ellipsis then.
inline std::string one_line(std::string_view text, std::size_t width) {
  std::string out;
  std::size_t shown = 0, last = 0;  // characters in `out`; where its character number `width` begins
  bool gap = false;
  const auto start_character = [&] {
    if (++shown == width) last = out.size();
  };
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) {
      gap = !out.empty();
      continue;
    }
    if (std::exchange(gap, false)) {
      start_character();
      out += ' ';
    }
    if ((c & 0xc0) != 0x80) start_character();  // not inside a character of UTF-8
    if (shown > width) return out.substr(0, last) + "…";
    out += c;
  }
  return out;
}

}  // namespace example
