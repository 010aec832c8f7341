// What a call that must fail says: "<errc>: <message>", to be searched for the parts that matter.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/error.hpp>

#include <array>
#include <string>

#include <support/catch.hpp>

namespace support {

inline std::string name_of(embit::errc code) {
  constexpr std::array names{"shape",      "argument", "out_of_range", "not_finite", "unsupported", "io",
                             "format",     "checksum", "version",      "kind",       "stopped",     "truncated",
                             "byte_order", "changed",  "no_space",     "denied",     "not_a_file"};
  return names[static_cast<std::size_t>(code)];
}

/// "accepted" when `call` does not throw.
template <class Call>
std::string refusal(Call&& call) {
  try {
    call();
  } catch (const embit::error& e) {
    return name_of(e.code()) + ": " + e.what();
  }
  return "accepted";
}

/// Of a call that must throw.
template <class Call>
embit::errc code_of(Call&& call) {
  try {
    call();
  } catch (const embit::error& e) {
    return e.code();
  }
  FAIL("nothing was thrown");
  return {};
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace support
