// Files that are damaged a byte at a time, and used all the same.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include <support/catch.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

namespace support {

/// Calls `use()` with each byte of the file `good` changed, three ways, in the file `bad`. Some of these must be
/// refused, others not: what is not under a checksum that is looked at.
/// @param skips  up to so many bytes are left out before the next
template <class Use>
void use_flipped(const std::string& good, const std::string& bad, const Use& use, std::size_t skips = 0) {
  const std::string content = slurp(good);
  std::size_t refused = 0, used = 0;
  for (std::size_t at = 0; at < content.size(); at += 1 + at % (skips + 1))
    for (const unsigned mask : {1u, 128u, 255u}) {
      std::string flipped = content;
      flipped[at] = static_cast<char>(static_cast<unsigned char>(flipped[at]) ^ mask);
      spill(bad, flipped);
      ++(refusal(use) == "accepted" ? used : refused);
    }
  CHECK(refused > 100);
  CHECK(used > 100);
}

}  // namespace support
