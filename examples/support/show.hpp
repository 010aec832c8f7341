// Results for a person to read.
// SPDX-License-Identifier: MIT
#pragma once

#include "corpus.hpp"
#include "snippet.hpp"
#include "table.hpp"
#include "terminal.hpp"

#include <embit/core/results.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace example {

/// Prints passages found by the squared distance of unit vectors: the cosine, where it is, the line that shows why.
inline void show_passages(std::string_view query, std::span<const embit::neighbor<float>> found, const corpus& corpus,
                          double time) {
  const style style;
  std::printf("%s %s\n", style.bold(one_line(query, 90)).c_str(), style.faint("(" + seconds(time) + ")").c_str());
  std::vector<std::pair<std::string, std::string>> rows;  // where, and what stands there
  std::size_t width = 0;
  for (const auto& hit : found) {
    const passage& passage = corpus.passages[hit.id];
    const snippet line = best_line(passage.text, query);
    const auto place = corpus.files[passage.file] + ":" + std::to_string(passage.line + line.line);
    rows.emplace_back(one_line(place, 200), one_line(line.text, 80));
    width = std::max(width, rows.back().first.size());
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].first.resize(width, ' ');
    std::printf("  %5.2f  %s  %s\n", static_cast<double>(1 - found[i].distance / 2),
                style.accent(rows[i].first).c_str(), rows[i].second.c_str());
  }
  std::printf("\n");
}

/// Prints the rows found for the first queries, with their squared distances.
inline void show_rows(const embit::knn_result<float>& found) {
  for (std::size_t i = 0; i < found.queries(); ++i) {
    std::printf("query %zu, row (squared distance):", i);
    for (const auto& hit : found[i]) std::printf("  %u (%.4g)", hit.id, static_cast<double>(hit.distance));
    std::printf("\n");
  }
  std::printf("\n");
}

}  // namespace example
