// Text files cut into passages: what there is to find, and where it stands.
// SPDX-License-Identifier: MIT
#pragma once

#include "words.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace example {

/// A few lines of a file.
struct passage {
  std::size_t file;  ///< index into corpus::files
  std::size_t line;  ///< of its first line, counted from 1
  std::string text;
};

/// Passages in the order of their files' names, so that the same tree gives the same row numbers.
struct corpus {
  std::vector<std::string> files;  ///< paths below the root
  std::vector<passage> passages;
  std::size_t skipped = 0;  ///< files left out: binary, larger than `largest_file`, or not readable
};

inline constexpr std::size_t largest_file = std::size_t{1} << 20;

namespace detail {

inline constexpr std::size_t shortest_passage = 6, longest_passage = 16;  // lines

inline bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r\f\v") == line.npos; }

inline bool has_words(std::string_view text) {
  bool found = false;
  for_each_word(text, [&](std::string_view) { found = true; });
  return found;
}

struct piece {
  std::size_t line, begin, end;
};

/// Cuts at the first blank line after six lines, or after sixteen; a short rest stays with the piece before it.
inline std::vector<piece> cut(std::string_view text) {
  std::vector<piece> pieces;
  piece open{1, 0, 0};
  for (std::size_t line = 1; open.end < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', open.end), text.size());
    const bool blank = is_blank(text.substr(open.end, end - open.end));
    const std::size_t lines = line - open.line + 1;
    open.end = std::min(end + 1, text.size());
    if (lines < longest_passage && !(blank && (lines == 1 || lines > shortest_passage))) continue;
    if (!blank || lines > 1) pieces.push_back(open);
    open = {line + 1, open.end, open.end};
  }
  if (open.begin == open.end) return pieces;
  const auto rest = text.substr(open.begin);
  const auto lines = static_cast<std::size_t>(std::count(rest.begin(), rest.end(), '\n'));
  if (!pieces.empty() && lines < shortest_passage) {
    pieces.back().end = open.end;
  } else {
    pieces.push_back(open);
  }
  return pieces;
}

}  // namespace detail

/// Calls `f(first line, text)` for each passage of `text`, of six to about twenty lines, that has words in it.
template <class F>
void for_each_passage(std::string_view text, F&& f) {
  for (const auto& piece : detail::cut(text)) {
    const auto passage = text.substr(piece.begin, piece.end - piece.begin);
    if (detail::has_words(passage)) f(piece.line, passage);
  }
}

namespace detail {

namespace fs = std::filesystem;

inline bool is_hidden(const fs::path& path) { return path.filename().native().starts_with('.'); }

[[noreturn]] inline void cannot_read(const fs::path& path, const std::error_code& why) {
  throw std::runtime_error("corpus: cannot read " + path.string() + ": " + why.message());
}

/// The regular files below `root` in the order of their names; directories that may not be opened are passed over.
inline std::vector<fs::path> text_files(const fs::path& root) {
  std::error_code failed;
  if (fs::is_regular_file(root, failed)) return {root};
  fs::recursive_directory_iterator it(root, failed);
  if (failed) cannot_read(root, failed);
  it = fs::recursive_directory_iterator(root, fs::directory_options::skip_permission_denied, failed);

  std::vector<fs::path> files;
  for (; it != fs::recursive_directory_iterator(); it.increment(failed)) {
    if (failed) cannot_read(root, failed);
    std::error_code gone;  // a file may vanish, or a link lead nowhere, while the tree is read
    if (is_hidden(it->path())) {
      it.disable_recursion_pending();
    } else if (it->is_regular_file(gone)) {
      files.push_back(it->path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Reads a text file; false when it is binary, too large or not readable.
inline bool read_text(const fs::path& path, std::string& text) {
  std::error_code failed;
  const auto size = fs::file_size(path, failed);
  if (failed || size > largest_file) return false;
  std::ifstream file(path, std::ios::binary);
  text.resize(static_cast<std::size_t>(size));
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file) return false;
  return text.find('\0') == text.npos;
}

}  // namespace detail

/// Reads the text files below `root` (or the one file it is), hidden ones left out, and cuts them into passages.
/// @param progress  called with (files read, files in all)
/// @throws std::runtime_error when `root` cannot be read or holds no text.
template <class Progress>
corpus read_corpus(const std::filesystem::path& root, Progress&& progress) {
  corpus out;
  const auto paths = detail::text_files(root);
  std::string text;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    progress(i, paths.size());
    if (!detail::read_text(paths[i], text)) {
      ++out.skipped;
      continue;
    }
    const auto below = paths[i].lexically_relative(root);
    out.files.push_back(below == "." ? root.filename().string() : below.string());
    for_each_passage(text, [&](std::size_t line, std::string_view piece) {
      out.passages.push_back({out.files.size() - 1, line, std::string(piece)});
    });
  }
  if (out.passages.empty())
    throw std::runtime_error("corpus: no text in " + root.string() + " (" + std::to_string(paths.size()) + " files, " +
                             std::to_string(out.skipped) + " of them binary, too large or not readable)");
  return out;
}

}  // namespace example
