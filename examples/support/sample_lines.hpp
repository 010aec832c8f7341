// Queries for a corpus that comes without any: its own lines.
// SPDX-License-Identifier: MIT
#pragma once

#include "corpus.hpp"
#include "words.hpp"

#include <embit/core/random.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace example {

namespace detail {

/// The different lines of the corpus that have at least so many words, sorted.
inline std::vector<std::string_view> lines_with_words(const corpus& corpus, std::size_t fewest) {
  std::vector<std::string_view> lines;
  for (const passage& passage : corpus.passages) {
    const std::string_view text = passage.text;
    for (std::size_t at = 0, end; at < text.size(); at = end + 1) {
      end = std::min(text.find('\n', at), text.size());
      const auto line = text.substr(at, end - at);
      std::size_t words = 0;
      for_each_word(line, [&](std::string_view) { ++words; });
      if (words >= fewest) lines.push_back(line);
    }
  }
  std::sort(lines.begin(), lines.end());
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  return lines;
}

}  // namespace detail

/// Up to `count` different lines of the corpus, such as a person might paste to find more of the kind: those of five
/// words or more if there are any. They view the corpus.
inline std::vector<std::string_view> sample_lines(const corpus& corpus, std::size_t count, embit::rng& rng) {
  auto lines = detail::lines_with_words(corpus, 5);
  if (lines.empty()) lines = detail::lines_with_words(corpus, 1);
  embit::shuffle(std::span(lines), rng);
  lines.resize(std::min(lines.size(), count));
  return lines;
}

}  // namespace example
