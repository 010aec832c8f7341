// Small tables of figures.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace example {

/// Rows of text in aligned columns: the first to the left, the others to the right.
class table {
 public:
  using row = std::vector<std::string>;

  explicit table(row heading) : rows_{std::move(heading)} {}

  /// Adds a row of as many cells as the heading has.
  void add(row cells) { rows_.push_back(std::move(cells)); }

  std::string text() const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (const row& cells : rows_)
      for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], width(cells[i]));
    std::string out;
    for (const row& cells : rows_) {
      for (std::size_t i = 0; i < widths.size(); ++i) {
        const std::string padding(widths[i] - width(cells[i]), ' ');
        out += i == 0 ? "  " + cells[i] + padding : "   " + padding + cells[i];
      }
      out += '\n';
      if (&cells != &rows_.front()) continue;
      for (std::size_t i = 0; i < widths.size(); ++i) out += (i == 0 ? "  " : "   ") + std::string(widths[i], '-');
      out += '\n';
    }
    return out;
  }

 private:
  static std::size_t width(std::string_view text) {  // characters of UTF-8
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
  }

  std::vector<row> rows_;
};

/// A number with `digits` after the point.
inline std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

/// A time in the unit that suits it.
inline std::string seconds(double value) {
  if (value >= 1) return fixed(value, 2) + " s";
  if (value >= 1e-3) return fixed(value * 1e3, 1) + " ms";
  return fixed(value * 1e6, 1) + " µs";
}

/// Seconds since it was made.
class stopwatch {
 public:
  double elapsed() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace example
