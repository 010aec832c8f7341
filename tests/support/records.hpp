// Records of a compressed table: what entity resolution works on.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace support {

/// The lines of a gzipped file after its header, as `gzip` unpacks it.
inline std::vector<std::string> gzipped_lines(const std::string& path) {
  std::FILE* const pipe = ::popen(("gzip -dc '" + path + "'").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot unpack " + path);
  std::string text;
  char buffer[4096];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, got);
  if (::pclose(pipe) != 0) throw std::runtime_error("cannot unpack " + path);
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  if (!lines.empty()) lines.erase(lines.begin());
  return lines;
}

/// The text of each record in lower case, without its id, by id. Ids are the numbers from 0 up.
inline std::vector<std::string> records(const std::string& path) {
  std::vector<std::string> texts;
  for (const std::string& line : gzipped_lines(path)) {
    const std::size_t tab = line.find('\t'), id = std::stoul(line.substr(0, tab));
    std::string text = line.substr(tab + 1);
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c == '\t' ? ' ' : c;
    if (id >= texts.size()) texts.resize(id + 1);
    texts[id] = std::move(text);
  }
  return texts;
}

/// Pairs of ids, one a line after the header.
inline std::vector<std::pair<std::size_t, std::size_t>> matches(const std::string& path) {
  std::ifstream in(path);
  std::string header;
  std::getline(in, header);
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (std::size_t a = 0, b = 0; in >> a >> b;) pairs.emplace_back(a, b);
  return pairs;
}

}  // namespace support
