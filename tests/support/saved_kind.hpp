// A kind of file, and one small example of each: compiled once, in saved_kinds.cpp, for all that read them.
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace support {

struct saved_kind {
  std::string name;  ///< of its golden file
  /// Writes the example. Later versions of the library write the same contents, if in other bytes.
  std::function<void(const std::string& path)> save;
  /// The ways to read a file, each of which writes what it read to another, unless that has no name.
  std::vector<std::function<void(const std::string& from, const std::string& to)>> copy;
  /// Whether `save` writes the same bytes everywhere. What is fitted to data depends on the machine in its last digits.
  bool exact = true;
};

/// What saved_kinds.hpp lists.
const std::vector<saved_kind>& all_saved_kinds();

}  // namespace support
